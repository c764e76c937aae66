"""The results of `latentlab fidelity`: the scores, and some of the pictures."""

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image

from cli.measuring.results import Results
from cli.models import Model
from cli.rendering.sheets import abreast
from cli.reports.numbers import number_of, rows_of
from cli.running.wording import told
from cli.text import counted, plain_text
from latentlab import Generator
from latentlab.datasets.pictures import Dataset
from latentlab.files import sha256_of
from latentlab.images import as_rgb, from_uint8, grid, shrink, tensor_to_picture
from metrics import MetricResult
from metrics.fidelity_networks import find_weights, unfetched
from metrics.picture_fidelity import generated_pictures
from metrics.sampling import GROUP

PICTURES = "pictures.png"
FILES = (PICTURES,)

_SHOWN, _COLUMNS, _TILE, _WIDEST = 48, 6, 128, 660  # pictures of each kind; their pixels


def digests_and_missing(
    metrics: Sequence[str], weights: Path | None, vgg_weights: Path | None, fetch: bool
) -> tuple[dict[str, str], list[Path]]:
    """Return the SHA-256 of the networks' weights by name, fetching those that are not there.

    Without ``fetch``, nothing is fetched or read: which would be is returned beside.
    """
    if not fetch:
        return {}, unfetched(metrics, weights, vgg_weights)
    files = find_weights(metrics, weights, vgg_weights)
    return {name: sha256_of(file) for name, file in files.items()}, []


def unfit_pictures(reals: Dataset, count: int) -> list[str]:
    """Say why some of the first ``count`` pictures cannot be used, as far as headers show it."""
    return [plain_text(told(error)) for error in reals.problems(count)]


def write(results: Results, model: Model, result: MetricResult, reals: Dataset, seed: int) -> None:
    """Say the scores, and write pictures and page."""
    results.tell(summary(result))
    if reals.left_out:
        results.tell(f"{counted(reals.left_out, 'other file')} of the data left out: no pictures.")
    results.warn(*result.notes)
    results.page.section("Pictures")
    caption = "The first generated and the first real pictures that were compared."
    results.picture(PICTURES, lambda: _pictures(model.g, reals, seed), caption)
    results.finish_one(model, result)


def summary(result: MetricResult) -> str:
    """Say the scores."""
    scores = ", ".join(f"{row['quantity']} {number_of(row)}" for row in rows_of(result))
    generated, real = result.settings["n"], result.settings["reals"]
    counts = f"from {generated:,} generated and {real:,} real pictures"
    return f"{scores[0].upper()}{scores[1:]}, {counts}."


def _pictures(g: Generator, reals: Dataset, seed: int) -> Image.Image:
    """Lay out generated and real pictures side by side."""
    groups = [range(start, start + GROUP) for start in range(0, _SHOWN, GROUP)]
    rendered = [from_uint8(generated_pictures(g, group, seed)).cpu() for group in groups]
    sides = {
        "generated": torch.cat([shrink(images, _TILE) for images in rendered]),
        "real": torch.stack([
            as_rgb(shrink(reals.image(i)[None], _TILE)[0])
            for i in range(min(_SHOWN, len(reals)))
        ]),
    }  # fmt: skip
    pictures = {name: tensor_to_picture(grid(side, _COLUMNS, 2)) for name, side in sides.items()}
    return abreast(pictures, _WIDEST)
