"""FID, KID, precision and recall, by torch-fidelity: how near generated pictures are to real ones.

Which pictures are compared is decided here; networks and scores are the library's.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from latentlab import Generator, NumericalError, SettingsError
from latentlab.datasets.pictures import Dataset
from latentlab.images import (
    ALPHA,
    SEEN_ON,
    alpha_facts,
    as_rgb,
    check_channels,
    from_uint8,
    to_uint8,
)
from latentlab.numerics import Stream, full_precision
from metrics import sampling
from metrics.fidelity_networks import METRICS, Extractor, open_extractors
from metrics.fidelity_scores import (
    KID_SUBSET_SIZE,
    KID_SUBSETS,
    NEIGHBOURS,
    score,
    subset_size,
    with_intervals,
)
from metrics.mixed_styles import check_mixed, mixed_samples
from metrics.result import Caution, MetricResult

_FEW, _FEW_FOR_KID = 10_000, 2 * KID_SUBSET_SIZE  # pictures, below which we warn
_FEWEST = NEIGHBOURS + 1  # pictures, so that each has as many neighbours
# Real pictures are numbered from here in ``finished``: as many are never generated. Those of two
# mixed latents begin after as many numbers as these, and so on, so that all share the real ones.
_FIRST_REAL, _EACH_MIXED = 2**40, 2**32


@full_precision()
def fidelity(  # noqa: PLR0913 - one for each setting
    g: Generator,
    reals: Dataset,
    num_samples: int = 50_000,
    seed: int = 0,
    *,
    metrics: Sequence[str] = METRICS,
    mirror: bool = False,
    num_reals: int | None = None,
    mixed: int = 1,
    intervals: bool = False,
    weights: Path | str | None = None,
    vgg_weights: Path | str | None = None,
    extractor: str | None = None,
    trust: bool = True,
    batch: int | None = None,
    finished: sampling.Finished | None = None,
    progress: sampling.Progress | None = None,
) -> MetricResult:
    """Compare generated pictures with real ones, without truncation and with random noise.

    Args:
        g: The generator; labels of a conditional one are drawn at random.
        reals: Real pictures, from ``open_dataset``; the first of them are used.
        num_samples: Number of generated pictures; 50,000 is what papers report.
        seed: Of latents, labels, noise, mirroring, and KID's subsets.
        metrics: Some of "fid", "kid" (both on Inception features) and "prc" (on VGG16's).
        mirror: Whether to flip real pictures at random, as training may have.
        num_reals: Number of real pictures at most; None takes as many as are generated.
        mixed: Latents in each picture, their styles switched at random layers.
        intervals: Whether FID and precision get an interval, see ``with_intervals``.
        weights: File of the Inception network; None takes torch's hub cache, or fetches it.
        vgg_weights: File of the VGG16 network; None takes torch's hub cache, or fetches it.
            NVIDIA's vgg16.pt, which is TorchScript, will do.
        extractor: One network for all metrics, by the name under which torch-fidelity has it
            registered; it brings its own weights unless it is one of these two.
        trust: Run ``vgg_weights`` if it is TorchScript, which is a program and may do whatever you
            may; and take published weights of the cache whose SHA-256 is not theirs.
        batch: Pictures at once on a GPU, see ``batch_size``.
        finished: Batches of an earlier run, see ``in_batches``.
        progress: Called with the pictures done and in all, real and generated.

    Returns:
        Rows with ``measure``: fid, kid, precision, recall, f_score. KID's standard error is the
        deviation over its subsets, which is more than that of their mean.

    Raises:
        LatentError: If the generator's images are no pictures.
        SettingsError: If torch-fidelity is not installed, or a setting is out of range.
        CheckpointError: If weights are missing, or not those of the network.
        NumericalError: If a picture or a feature is not finite.
    """
    check_channels(g.channels)
    sampling.check_counts(num_samples=num_samples, num_reals=num_reals, seed=seed, batch=batch)
    check_mixed(g, mixed)
    count = min(num_reals or num_samples, len(reals))
    if count < _FEWEST:
        raise SettingsError(
            f"fidelity takes {_FEWEST} real and {_FEWEST} generated pictures or more, but got "
            f"{len(reals)} and {num_samples}"
        )
    device = sampling.device_of(g)
    chosen = open_extractors(metrics, device, weights, vgg_weights, extractor, trust=trust)
    networks = {network.name: network for network in chosen.values()}.values()
    first = (mixed - 1) * _EACH_MIXED
    size, total = sampling.batch_size(g, batch), count + num_samples

    def real(samples: range) -> sampling.Arrays:
        pictures = _real_pictures(reals, [i - _FIRST_REAL for i in samples], mirror, seed)
        return _features(networks, pictures.to(sampling.device_of(g)))

    def generated(samples: range) -> sampling.Arrays:
        numbers = [i - first for i in sampling.whole_groups(samples)]
        found = _features(networks, generated_pictures(g, numbers, seed, mixed))
        return {name: rows[: len(samples)] for name, rows in found.items()}

    told = sampling.shifted(progress, -_FIRST_REAL, total)
    r = sampling.in_batches(real, range(_FIRST_REAL, _FIRST_REAL + count), size, finished, told)
    told = sampling.shifted(progress, count - first, total)
    fakes = range(first, first + num_samples)
    f = sampling.in_batches(generated, fakes, size, finished, told)
    started = time.perf_counter()
    rows: list[dict[str, Any]] = []
    for metric, network in chosen.items():
        pair = f[network.name], r[network.name]
        found = score(metric, *pair, seed)
        rows += with_intervals(found, *pair) if intervals else found
    seconds = float(f["seconds"].sum() + r["seconds"].sum()) + time.perf_counter() - started
    settings = {
        "n": num_samples, "seed": seed, "reals": count, "data": reals.fingerprint,
        "mirror": mirror, "noise": "random", "resolution": g.resolution,
        **alpha_facts(g.channels, SEEN_ON), **_provenance(chosen, subset_size(num_samples, count)),
        **({"protocol": f"mixing{mixed}", "mixed": mixed} if mixed > 1 else {}),
    }  # fmt: skip
    frame = pd.DataFrame(rows)
    doubts = cautions(settings, [*frame["quantity"]])
    return MetricResult("fidelity", frame, settings, seconds=seconds, cautions=doubts)


def cautions(settings: Mapping[str, Any], quantities: Sequence[str]) -> tuple[Caution, ...]:
    """Say what there is to doubt about scores that were measured with these settings."""
    generated, real = settings["n"], settings["reals"]
    fewest, found = min(generated, real), []
    if "FID" in quantities and fewest < _FEW:
        found.append(Caution(f"FID falls with the number of pictures, here {generated:,} and "
                             f"{real:,}: compare it at equal numbers only.", ("FID",)))  # fmt: skip
    if "KID" in quantities:
        half = f" of {settings['kid_subset_size']:,} pictures" * (fewest < _FEW_FOR_KID)
        found.append(Caution(f"The standard error of KID is the spread of its subsets{half}, more "
                             "than that of the mean.", ("KID",)))  # fmt: skip
    others = tuple(name for name in quantities if name not in ("FID", "KID"))
    if others and fewest < _FEW:
        found.append(Caution("Precision and recall depend on the number of pictures: compare them "
                             "at equal numbers only.", others))  # fmt: skip
    return tuple(found)


@torch.no_grad()
def generated_pictures(g: Generator, samples: Sequence[int], seed: int, mixed: int = 1) -> Tensor:
    """Render numbered pictures [N,3,R,R] in 0..255, each from (seed, its number) alone.

    Each has the styles of ``mixed`` latents.

    Raises:
        NumericalError: If one holds NaN or infinity.
    """
    if mixed == 1:
        images = sampling.render_samples(g, samples, seed, Stream.FIDELITY)
    else:
        ws = mixed_samples(g, samples, seed, Stream.FIDELITY, mixed)
        noise = sampling.draw_noise_maps(g, samples, seed, Stream.FIDELITY)
        images = sampling.render(g, ws, noise=noise)
    broken = ~images.isfinite().flatten(1).all(dim=1)
    if broken.any():
        first = samples[int(broken.nonzero()[0])]
        raise NumericalError(f"fidelity: generated picture {first} holds NaN or infinity")
    return on_white(images)


def on_white(images: Tensor) -> Tensor:
    """Return images [N,C,R,R] in [-1,1] as the bytes [N,3,R,R] of their pictures, on white."""
    pixels = to_uint8(images)
    return to_uint8(as_rgb(from_uint8(pixels))) if images.shape[1] == ALPHA else as_rgb(pixels)


def _real_pictures(reals: Dataset, indices: Sequence[int], mirror: bool, seed: int) -> Tensor:
    """Return real pictures [N,3,R,R] in 0..255, flipped by (seed, their number) alone."""
    rows = [on_white(reals.image(i)[None])[0] for i in indices]
    for row, i in enumerate(indices if mirror else []):
        if np.random.default_rng([seed, Stream.MIRROR, i]).integers(2):
            rows[row] = rows[row].flip(-1)
    return torch.stack(rows)


def _features(networks: Iterable[Extractor], pixels: Tensor) -> sampling.Arrays:
    """Return features [N,D] of pictures [N,3,R,R] in 0..255, by network."""
    features: sampling.Arrays = {network.name: network.features(pixels) for network in networks}
    for name, rows in features.items():
        if not np.isfinite(rows).all():
            raise NumericalError(f"{name}: its features hold NaN or infinity; check its weights")
    return features


def _provenance(chosen: dict[str, Extractor], subset: int) -> dict[str, Any]:
    """Return what decides scores besides the pictures."""
    import torch_fidelity

    facts: dict[str, Any] = {
        "torch_fidelity": torch_fidelity.__version__,
        "features": {metric: network.name for metric, network in chosen.items()},
        "weights_sha256": {n.name: n.sha256 for n in chosen.values() if n.sha256},
    }
    if "kid" in chosen:
        facts |= {"kid_subsets": KID_SUBSETS, "kid_subset_size": subset}
    if "prc" in chosen:
        facts["neighbours"] = NEIGHBOURS
    return facts
