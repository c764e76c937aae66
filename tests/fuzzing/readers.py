"""Every reader of foreign bytes: sound files for it, and how it is asked to read one."""

from collections.abc import Callable, Mapping
from contextlib import chdir
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch

import latentlab
from latentlab.tensor_files import read_safetensors
from tests.conftest import make_generator
from tests.fuzzing import samples

Files = Mapping[str, bytes]  # by path in the folder of a case


@dataclass(frozen=True)
class Reader:
    """What reads files of one kind.

    Attributes:
        sound: Files that it opens; each is changed in turn.
        read: Reads one, and uses what it finds; None means that it was passed over.
        beside: What stands in the folder beside the file, by its name.
        promised: Errors outside latentlab's family that callers are promised.
        quiet: Whether a message need not name the file: who asks does.
    """

    sound: Callable[[], Files]
    read: Callable[[Path], Any]
    beside: Callable[[], Files] = dict
    promised: tuple[type[BaseException], ...] = ()
    quiet: bool = False


# Checkpoints.


def _checkpoint(path: Path) -> object:
    found = latentlab.load(path)
    for name, network in found.networks.items():
        for key, tensor in network.state_dict().items():
            assert bool(torch.isfinite(tensor).all()), f"{name}.{key} is not finite"
    repr(found.metadata), found.kind, found.stored_as
    if "G_ema" in found.networks or "G" in found.networks:
        _run(found.generator)
    return found


def _run(g: Any) -> None:
    """Make a picture, where that takes no time."""
    if g.resolution <= 32 and g.c_dim <= 1000:
        with torch.inference_mode():
            g(torch.zeros(1, g.z_dim), torch.eye(1, g.c_dim) if g.c_dim else None)


def _classifier(path: Path) -> object:
    from latentlab.torchscript import is_torchscript

    # A program is run by who trusts it, and may do what it likes to the process that runs it.
    return "a program" if is_torchscript(path) else latentlab.load_classifier(path)


# Latents and what goes with them.


@cache
def _g() -> Any:
    return make_generator(resolution=8)


def _rows(path: Path) -> object:
    from cli.projecting.latent_rows import noise_for, ws_of

    ws, rows = ws_of(path, _g())
    assert ws.shape[1:] == (_g().num_ws, _g().w_dim)
    assert bool(torch.isfinite(ws).all())
    for maps in rows.noise:
        noise_for(_g(), maps, str(path))
    return ws


def _latents(path: Path) -> object:
    from latentlab.latents import load_ws

    return load_ws(path, _g())


def _noise(path: Path) -> object:
    from latentlab.latents import load_noise

    return load_noise(path, _g())


def _directions(path: Path) -> object:
    from latentlab.editing.directions import load_directions

    found = load_directions(path, _g().w_dim)
    return [found[i] for i in range(len(found))]


def _tuning(path: Path) -> object:
    found = latentlab.load_tuning(path)
    try:
        return latentlab.apply_tuning(_g(), found, found.base_sha256)
    except latentlab.CheckpointError as error:
        raise error.at(path) from error  # who applies it knows what it is called


# Pictures and what is said of them.


def _picture(path: Path) -> object:
    return latentlab.images.load_image(path, 16)


def _mask(path: Path) -> object:
    return latentlab.load_mask(path, 16)


def _landmarks(path: Path) -> object:
    from latentlab.faces.landmarks import read_landmarks

    return read_landmarks(path).faces(path.with_name("a.png"))


def _alignment(path: Path) -> object:
    from latentlab.faces.record import load_alignment

    return load_alignment(path)


def _data_set(path: Path) -> object:
    from latentlab.datasets import open_dataset

    found = open_dataset(path if path.suffix == ".zip" else path.parent, None, 3, labels=True)
    for i in range(min(len(found), 3)):
        found.image(i), found.label(i)
    list(found.problems(3))
    return found


def _labels(path: Path) -> object:
    from cli.measuring.labelled_latents import read_labelled
    from metrics.separability.attributes import label_logits

    found = read_labelled(path.with_name("z.npz"), path)
    return label_logits(found.labels)


# What earlier runs have left.


def _snapshot(path: Path) -> object:
    from latentlab.training import snapshots

    return snapshots.resume(samples.trainer(), path.parent)


def _record(path: Path) -> object:
    from cli.pictures.records import read_record
    from cli.projecting.origin import origin_of

    str(origin_of(path.with_name("projected_w.npz")))
    return read_record(path)


def _manifest(path: Path) -> object:
    from cli.measuring.standing import _listed
    from cli.projecting.origin import origin_of

    str(origin_of(path.with_name("w.npz")))
    return _listed(path.parent)


def _measurement(path: Path) -> object:
    from cli.measuring.saved import read_saved

    found = read_saved(path.parent.parent)
    # Tables of the first: each takes its time, whatever is in it.
    return found and [each.frame() for model in found.models[:2] for each in model.results[:2]]


def _batches(path: Path) -> object:
    from cli.measuring.partial import PartialResults

    return dict(PartialResults(path.parent.parent, samples.IDENTITY)) or None


def _projections(path: Path) -> object:
    """Give the command again: what is damaged is computed anew, or named."""
    from click.testing import CliRunner

    from cli.main import main

    home = next(each for each in path.parents if (each / "g.safetensors").exists())
    with chdir(home):  # a picture is known by its path as it was given
        found = CliRunner().invoke(main, list(samples.PROJECT))
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    assert found.exit_code in (0, 4, 6), found.output  # done, or a line that names the file
    return found.exit_code == 0 or None


def _encoder(path: Path) -> object:
    return latentlab.load_encoder(path)


def _pickle(path: Path) -> object:
    from latentlab.checkpoints.pickles.reader import read_pickle

    return [read_pickle(path)]


def _torch_file(path: Path) -> object:
    from latentlab.checkpoints.pickles.torch_save import read_torch

    return [read_torch(path)]


READERS: Mapping[str, Reader] = {
    "checkpoints": Reader(samples.checkpoints, _checkpoint),
    "pickles": Reader(samples.pickles, _pickle),
    "torch-files": Reader(samples.torch_files, _torch_file),
    "safetensors": Reader(samples.safetensors, lambda path: read_safetensors(path)),
    "classifiers": Reader(samples.classifiers, _classifier),
    "encoders": Reader(samples.encoders, _encoder),
    "latents": Reader(samples.npz, _latents),
    "latent-files": Reader(samples.latent_files, _rows),
    "noise": Reader(samples.noise, _noise),
    "directions": Reader(samples.directions, _directions),
    "tunings": Reader(samples.tunings, _tuning),
    "pictures": Reader(samples.pictures, _picture),
    "masks": Reader(samples.masks, _mask),
    "landmarks": Reader(samples.landmarks, _landmarks),
    "alignments": Reader(samples.alignments, _alignment),
    "data-sets": Reader(samples.data_sets, _data_set, samples.beside_labels),
    "labels": Reader(samples.labels, _labels, samples.beside_attributes, quiet=True),
    "snapshots": Reader(samples.snapshot_files, _snapshot, samples.snapshots),
    "records": Reader(samples.records, _record),
    "manifests": Reader(samples.manifests, _manifest),
    "measurements": Reader(samples.measurements, _measurement),
    "batches": Reader(samples.batches, _batches, quiet=True),
    "projections": Reader(samples.projection_files, _projections, samples.projections, quiet=True),
}
