"""TorchScript files: programs, which run only where a user names one and says that it may run.

What such a program does is not bounded: it may read and write files, take all memory, or never end.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from latentlab.errors import CheckpointError, UnsafeCheckpoint, reason
from latentlab.files import is_file
from latentlab.foreign_files.zip_files import ZipArchive

_MOST_MEMBERS = 100_000  # of an archive that torch writes

_CLASSIFIER_AS_DATA = "give a checkpoint, such as `latentlab train-classifier` writes"


def is_program(names: Sequence[str]) -> bool:
    """Whether the members of a zip archive are those of TorchScript: code, or its constants."""
    root = names[0].split("/")[0] if names else ""
    return any(name.startswith((f"{root}/code/", f"{root}/constants.pkl")) for name in names)


def is_torchscript(path: Path) -> bool:
    """Whether a file is a TorchScript archive, by its directory; nothing in it is run."""
    try:
        return is_file(path) and is_program(ZipArchive(path, _MOST_MEMBERS).names())
    except (OSError, ValueError):
        return False


def open_torchscript(path: Path, trust: bool, instead: str, note: str = "") -> nn.Module:
    """Open a TorchScript network on the CPU, which runs what the file says; so does calling it.

    Args:
        path: The file.
        trust: Whether it may run.
        instead: What does as well and is data, as advice of the error.
        note: Something more to say of the file where it may not run.

    Raises:
        UnsafeCheckpoint: If it is a program, and may not run.
        CheckpointError: If the file is missing or something else.
    """
    if not is_file(path):
        raise CheckpointError(f"{path}: no such file; expected a TorchScript network")
    if not trust and not is_torchscript(path):
        raise CheckpointError(f"{path}: not a TorchScript network (no archive of one)")
    if not trust:
        refuse_program(path, instead, note)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # jit.load still reads these files
            network: nn.Module = torch.jit.load(path, map_location="cpu")
    except (RuntimeError, ValueError) as error:
        raise CheckpointError(f"{path}: not a TorchScript network ({reason(error)})") from error
    return network


def refuse_program(path: Path, instead: str, note: str = "") -> NoReturn:
    """Refuse a program that may not run, see ``open_torchscript``.

    Raises:
        UnsafeCheckpoint: Always.
    """
    raise UnsafeCheckpoint(
        f"{path}: a TorchScript file, which is a program, and was not run{note}",
        advice=["give `trust` if you know whose it is", instead],
    )


def run_program(network: nn.Module, images: Tensor, refusal: str, **options: bool) -> Any:
    """Return what a TorchScript network makes of images.

    Raises:
        CheckpointError: If it cannot be called so; ``refusal`` is what the error begins with.
    """
    try:
        return network(images, **options)
    except RuntimeError as error:
        raise CheckpointError(f"{refusal} ({reason(error, -1)})") from error


@dataclass(frozen=True)
class ProgramConfig:
    """What a TorchScript classifier says of its images and outputs, if anything."""

    resolution: int | None
    channels: int | None
    classes: tuple[str, ...]  # name of each output


class TorchScriptClassifier(nn.Module):
    """A TorchScript network from images [N,C,R,R] in [-1,1] to logits [N,K].

    Its attributes ``resolution``, ``channels`` and ``classes`` (a list of names) are used where it
    has them. A TorchScript file is a program: use one whose origin you trust.
    """

    def __init__(self, path: Path, trust: bool = True) -> None:
        super().__init__()
        self.name = str(path)
        self._network = open_torchscript(path, trust, _CLASSIFIER_AS_DATA)
        size, channels, classes = (
            getattr(self._network, name, None) for name in ("resolution", "channels", "classes")
        )
        self.config = ProgramConfig(
            size if isinstance(size, int) else None,
            channels if isinstance(channels, int) else None,
            tuple(map(str, classes)) if isinstance(classes, list | tuple) else (),
        )
        self.eval().requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [N,K].

        Raises:
            CheckpointError: If the network cannot be called with images, or returns another shape.
        """
        refusal = f"{self.name}: cannot be called with images {list(images.shape)}"
        logits = run_program(self._network, images, refusal)
        if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != len(images):
            found = list(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise CheckpointError(
                f"{self.name}: returned {found} for {len(images)} images; a classifier returns "
                "logits [N,K]"
            )
        return logits
