"""The small bundled checkpoints, opened by names such as "builtin:digits-stylegan2"."""

from pathlib import Path

from latentlab.errors import CheckpointError
from latentlab.files import is_file

PREFIX = "builtin:"


def builtin_names() -> list[str]:
    """Names of the bundled models."""
    folder = Path(__file__).parent
    return [f"{PREFIX}{file.stem}" for file in sorted(folder.glob("*.safetensors"))]


def is_builtin(path: Path) -> bool:
    """Whether a file is one of the bundled models."""
    return path.resolve().parent == Path(__file__).resolve().parent


def builtin_path(name: Path | str) -> Path:
    """Return the file of a bundled model.

    Raises:
        CheckpointError: If there is no such model.
    """
    stem = str(name).removeprefix(PREFIX)
    file = Path(__file__).parent / f"{stem}.safetensors"
    if stem != Path(stem).name or not is_file(file):
        raise CheckpointError(f"{name}: no such bundled model; there are "
                              f"{', '.join(builtin_names())}")  # fmt: skip
    return file
