"""The manifest of a training run: what decides it, how far it is, and the SHA-256 of its files."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cli.reports.tables import MANIFEST, write_manifest
from cli.reports.training import TrainingRun
from cli.text import plain_text
from latentlab import OutputError, distributed
from latentlab.files import is_file, sha256_of
from latentlab.foreign_files.opening import read_regular
from latentlab.training.snapshots import describe
from latentlab.training.trainer import Trainer

_ONCE = ("snapshot-*[0-9].safetensors", "fakes-*.png", "reals.png")  # files that do not change
_MOST_BYTES = 2**24  # of a manifest, which lists the files


def refuse_foreign(folder: Path, names: Sequence[str]) -> None:
    """Refuse to write over what another command has left in a folder.

    A run that was stopped before its first snapshot is known by its manifest; those of earlier
    versions had none.

    Args:
        folder: Of the run.
        names: Of the files that it will write, besides the manifest.

    Raises:
        OutputError: If there is one that no training has written.
    """
    if _before(folder):
        return
    run_of_old = any(folder.glob("snapshot-*.optimizer.safetensors"))
    for path in [folder / name for name in (MANIFEST, *([] if run_of_old else names))]:
        if path.exists():
            raise OutputError(
                f"{path} exists, and is not of a training run",
                advice=["move it away", "give another `output`"],
            )


def write_training_manifest(trainer: Trainer, run: TrainingRun, names: Sequence[str]) -> Path:
    """Write the manifest; ``names`` are the files that are written again and again."""
    folder = run.output
    known = _before(folder).get("files", {})
    files = {}
    for path in [path for pattern in _ONCE for path in sorted(folder.glob(pattern))]:
        new = path.stem.endswith(f"{trainer.images_seen:09d}")
        digest = None if new else known.get(path.name)
        files[path.name] = digest if isinstance(digest, str) else sha256_of(path)
    files |= {name: sha256_of(folder / name) for name in names if is_file(folder / name)}
    return write_manifest(folder, _settings(trainer, run), files)


def _settings(trainer: Trainer, run: TrainingRun) -> dict[str, Any]:
    return {
        "data": plain_text(run.data),
        "config": run.config_name,
        "from": None if run.origin is None else plain_text(run.origin),
        "seed": run.seed,
        "device": run.place,
        "dtype": str(trainer.mean_path_length.dtype).removeprefix("torch."),
        "processes": distributed.size(),
        "images": trainer.images_seen,
        "images_in_all": run.total,
        "steps": trainer.step,
        "departures": trainer.departures,
        "training": describe(trainer),
    }


def _before(folder: Path) -> dict[str, Any]:
    """Return what the manifest of a training run says; {} where there is none of one."""
    try:
        found = json.loads(read_regular(folder / MANIFEST, _MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    fits = isinstance(found, dict) and all(
        isinstance(found.get(part), dict) for part in ("settings", "files")
    )
    return found if fits and "training" in found["settings"] else {}
