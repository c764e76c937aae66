"""The small bundled checkpoints, opened by names such as "builtin:digits-stylegan2"."""

from pathlib import Path

from latentlab.errors import CheckpointError
from latentlab.files import is_file

PREFIX = "builtin:"
_FOLDER = Path(__file__).resolve().parent


def builtin_names() -> list[str]:
    """Names of the bundled models."""
    return [f"{PREFIX}{file.stem}" for file in sorted(_FOLDER.glob("*.safetensors"))]


def is_builtin(path: Path) -> bool:
    """Whether a file is one of the bundled models."""
    return path.resolve().parent == _FOLDER


def builtin_path(name: Path | str) -> Path:
    """Return the file of a bundled model.

    Raises:
        CheckpointError: If there is no such model.
    """
    stem = str(name).removeprefix(PREFIX)
    file = _FOLDER / f"{stem}.safetensors"
    if stem != Path(stem).name or not is_file(file):
        known = ", ".join(builtin_names())
        raise CheckpointError(f"{name}: no such bundled model; there are {known}")
    return file
