"""Snapshots of a training run: a loadable checkpoint, and beside it what continuing needs.

``snapshot-IMAGES.safetensors`` holds G_ema, G and D in latentlab's own format.
``snapshot-IMAGES.optimizer.safetensors`` holds the optimiser moments and the log, and is written
last: a snapshot without it is never continued from. Both are written whole.
"""

import json
import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from latentlab import distributed
from latentlab.checkpoints.native import read_native, write_native
from latentlab.checks import check_whole
from latentlab.errors import CheckpointError, SettingsError, reason
from latentlab.files import remove_unfinished, set_aside
from latentlab.foreign_files.json_texts import parse_json
from latentlab.tensor_files import read_safetensors, write_safetensors
from latentlab.training.log import TrainingLog
from latentlab.training.trainer import Trainer
from latentlab.version import __version__

_OPTIMIZER_SUFFIX = ".optimizer.safetensors"
_MOMENTS = ("step", "exp_avg", "exp_avg_sq")  # of torch's Adam
# What the networks are made by, and what is other where a picture was mended or removed.
_OF_NETWORKS = ("config.generator.", "config.discriminator.", "data.channels", "data.c_dim")
_OF_MENDED = {"data.fingerprint", "data.pictures"}
_KEPT_OPTIMIZERS = 2  # the newest, and one to fall back on
_logger = logging.getLogger(__name__)


def networks_path(trainer: Trainer, folder: Path) -> Path:
    """Return where ``save_networks`` writes."""
    return folder / f"snapshot-{trainer.images_seen:09d}.safetensors"


def save_networks(trainer: Trainer, folder: Path, unread: str = "") -> None:
    """Write the networks as a checkpoint that every command opens.

    ``unread`` says which picture has ended the run, if one has: once it is mended, the data are
    other data, and the run goes on all the same.
    """
    path, training = networks_path(trainer, folder), {"training": _position(trainer, unread)}
    write_native(_networks(trainer), path, training)


def save_optimizer(trainer: Trainer, log: TrainingLog, path: Path, unread: str = "") -> None:
    """Write what else continuing from the checkpoint ``path`` needs; older files are removed."""
    tensors = {"mean_path_length": trainer.mean_path_length.cpu()}
    for name, optimizer, network in _optimizers(trainer):
        for key, parameter in network.named_parameters():
            for moment, value in optimizer.state.get(parameter, {}).items():
                tensors[f"{name}.{key}.{moment}"] = value
    training = json.dumps(_position(trainer, unread))
    header = {"training": training, "log": json.dumps(log.sums())}
    write_safetensors(tensors, path.with_suffix(_OPTIMIZER_SUFFIX), header)
    tidy(path.parent)


def tidy(folder: Path) -> None:
    """Remove optimisers that are no longer needed, and what a run that was killed has left."""
    remove_unfinished(folder)
    for old in sorted(folder.glob(f"snapshot-*{_OPTIMIZER_SUFFIX}"))[:-_KEPT_OPTIMIZERS]:
        old.unlink(missing_ok=True)


def _position(trainer: Trainer, unread: str) -> dict[str, Any]:
    place = {"step": trainer.step, "images": trainer.images_seen}
    noted = {"departures": trainer.departures, "unread": unread}
    return {**describe(trainer), **place, **{key: value for key, value in noted.items() if value}}


def describe(trainer: Trainer) -> dict[str, Any]:
    """What must be equal for a run to be continued: version, config, data, seed and origin."""
    settings = json.loads(json.dumps(asdict(trainer.config)))
    dataset = trainer.dataset
    data = {"fingerprint": dataset.fingerprint, "pictures": len(dataset)}
    data |= {key: getattr(dataset, key) for key in ("resolution", "channels", "c_dim")}
    return {
        "latentlab": __version__, "config": settings, "data": data, "seed": trainer.seed,
        "from": trainer.origin_sha256,
    }  # fmt: skip


def resume(
    trainer: Trainer, folder: Path, force: bool = False, *, look_only: bool = False
) -> TrainingLog | None:
    """Continue from the newest snapshot in ``folder`` that loads; None if there is none.

    Args:
        trainer: Takes over its state; what differs from that run is added to its ``departures``.
        folder: Of the run.
        force: Continue a run with other settings or data, or of another version of latentlab, as
            long as its networks fit.
        look_only: Leave damaged snapshots where they are; otherwise they are set aside.

    Raises:
        SettingsError: If the snapshot belongs to a run with other settings, naming them.
        CheckpointError: If there are snapshots, but none loads.
    """
    candidates = sorted(folder.glob(f"snapshot-*{_OPTIMIZER_SUFFIX}"), reverse=True)
    damaged: list[Path] = []
    for path in candidates:
        try:
            log = _restore(trainer, path, force)
        except CheckpointError as error:
            _logger.warning("snapshot passed over: %s", error)
            damaged.append(path)
            continue
        if distributed.is_main() and not look_only:
            for each in damaged:  # they are not looked at again
                set_aside(each)
        return log
    if candidates:
        raise CheckpointError(f"{folder}: none of its snapshots can be read; use an empty folder")
    return None


def _restore(trainer: Trainer, optimizer_path: Path, force: bool) -> TrainingLog:
    header, tensors = read_safetensors(optimizer_path)
    path = optimizer_path.with_name(optimizer_path.name.replace(_OPTIMIZER_SUFFIX, ".safetensors"))
    checkpoint = read_native(path)
    try:
        description = parse_json(header["training"])
        sums = parse_json(header["log"])
        same = checkpoint.metadata["training"] == description
        departures = [str(each) for each in description.get("departures", [])]
        check_whole(description["step"], "step")
        check_whole(description["images"], "images")
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{optimizer_path}: damaged header ({reason(error)})") from error
    if not same:
        raise CheckpointError(f"{path}: not of the same step as {optimizer_path.name}")
    departures += _departures(describe(trainer), description, path, force)
    try:
        single = {name: _single(tensor, name) for name, tensor in tensors.items()}
        moments = {n: _moments(single, n, network) for n, _, network in _optimizers(trainer)}
        mean_path_length = single["mean_path_length"]
        log = TrainingLog.resume(path.parent, sums)
    except KeyError as error:
        raise CheckpointError(f"{optimizer_path}: {error} is missing") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{optimizer_path}: {reason(error)}") from error
    for name, network in _networks(trainer).items():
        network.load_state_dict(checkpoint.networks[name].state_dict())
    for name, optimizer, _ in _optimizers(trainer):
        state = optimizer.state_dict()
        optimizer.load_state_dict({**state, "state": moments[name]})
    trainer.departures = departures
    trainer.mean_path_length = mean_path_length.to(trainer.device)
    trainer.step, trainer.images_seen = int(description["step"]), int(description["images"])
    return log


def _single(tensor: Tensor, name: str) -> Tensor:
    """Return a tensor of the optimiser's state as float32: somebody may have stored it in half."""
    if tensor.dtype in (torch.float32, torch.float64) or not tensor.is_floating_point():
        return tensor
    single = tensor.to(torch.float32)
    if not bool(torch.isfinite(single).all()):
        raise ValueError(f"{name} holds NaN or infinity as {tensor.dtype}")
    return single


def _moments(
    tensors: dict[str, Tensor], name: str, network: nn.Module
) -> dict[int, dict[str, Tensor]]:
    """Optimiser state by parameter number, as torch's optimisers take it.

    Weights that no update has reached since the start or the last reset have none.

    Raises:
        ValueError: If one has the shape of another weight's.
    """
    return {
        i: {m: _fitting(tensors[f"{name}.{key}.{m}"], m, key, parameter) for m in _MOMENTS}
        for i, (key, parameter) in enumerate(network.named_parameters())
        if any(f"{name}.{key}.{moment}" in tensors for moment in _MOMENTS)
    }


def _fitting(moment: Tensor, name: str, key: str, parameter: Tensor) -> Tensor:
    """Return a moment in the memory layout of its weight: the fused Adam takes both as they lie."""
    shape = torch.Size() if name == "step" else parameter.shape
    if moment.shape != shape:
        raise ValueError(f"{key}.{name} has shape {list(moment.shape)}, not {list(shape)}")
    if name == "step":
        return moment
    return torch.empty_like(parameter, dtype=moment.dtype, device="cpu").copy_(moment)


def _departures(now: dict[str, Any], then: dict[str, Any], path: Path, force: bool) -> list[str]:
    """Return what differs from a run that is to be continued.

    Raises:
        SettingsError: If that is not allowed: by ``force`` or, of the content of the data, because
            a picture ended the run that could not be read.
    """
    before = _flat(then)
    changed = {key: f"{key}: {before.get(key)} there, {here} here"
               for key, here in _flat(now).items() if before.get(key) != here}  # fmt: skip
    decided = [key for key in changed if key.startswith(_OF_NETWORKS)]
    if changed.keys() <= (_OF_MENDED if then.get("unread") else set()) or (force and not decided):
        return [*changed.values()]
    raise SettingsError(
        f"{path}: from a run with other settings ({'; '.join(changed.values())}); repeat its "
        "settings to continue it, or use an empty folder",
        advice=[] if decided else ["give `force` to continue it all the same"],
    )


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = prefix + key
        flat |= _flat(value, f"{name}.") if isinstance(value, dict) else {name: value}
    return flat


def _networks(trainer: Trainer) -> dict[str, nn.Module]:
    return {"G_ema": trainer.ema_generator, "G": trainer.generator, "D": trainer.discriminator}


def _optimizers(trainer: Trainer) -> list[tuple[str, torch.optim.Adam, nn.Module]]:
    return [
        ("G", trainer.g_optimizer, trainer.generator),
        ("D", trainer.d_optimizer, trainer.discriminator),
    ]
