"""Perceptual distances behind one callable: two batches of images to distances [N].

LPIPS: Zhang et al. 2018, "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric".
Every distance splits into ``features`` (once for each image) and ``compare`` (once for each pair).
Images with alpha are compared on white and on black, and both distances averaged, see
``latentlab.images.channels``.
"""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from latentlab.errors import CheckpointError, ImageError, SettingsError, quoted, reason
from latentlab.files import is_file
from latentlab.images import averaged, shrink, views
from latentlab.lpips_files import (
    backbone_place,
    is_safetensors,
    own_vgg,
    published_lpips,
    read_lpips,
    write_lpips,
)
from latentlab.networks.classifier import Classifier
from latentlab.torchscript import is_torchscript, open_torchscript, run_program

MAX_RESOLUTION = 256  # larger images are box-averaged down first, as published
BUILTIN_DIGITS = "builtin:digits"
_LPIPS_NETS = {"lpips-vgg": "vgg", "lpips-alex": "alex", "lpips-squeeze": "squeeze"}
_AS_DATA = "give LPIPS as data: .safetensors, NVIDIA's own vgg16.pt, or a name"
_LPIPS_SMALLEST = 32  # pixels: the backbones halve their maps up to five times


class PerceptualDistance(nn.Module, ABC):
    """Base of the distances: two batches of images [N,C,H,W] in [-1,1] give distances [N]."""

    program: Callable[..., Any] | None = None  # in place of ``extract``, see latentlab.acceleration

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def features(self, images: Tensor) -> list[Tensor]:
        """Return what images [N,C,H,W] in [-1,1] are compared by, each tensor with N rows.

        They are grey or colour; of images with alpha, those of each of their ``views``.
        """
        found: list[Tensor] = (self.program or self.extract)(self._usable(images))
        return found

    def _usable(self, images: Tensor) -> Tensor:
        """Return images [N,C,H,W] on the distance's own device and in its type, or refuse them."""
        if images.ndim != 4 or images.shape[1] not in (1, 3):
            rule = "images must have shape [N,3,H,W] or [N,1,H,W]"
            raise ImageError(f"{self.name}: {rule}, but got {list(images.shape)}")
        return images.to(next(self.parameters(), images))

    def extract(self, images: Tensor) -> list[Tensor]:
        """Return the features of images [N,C,H,W] that are known to be grey or colour."""
        return self._extract(shrink(images.expand(-1, 3, -1, -1), MAX_RESOLUTION))

    @abstractmethod
    def compare(self, first: Sequence[Tensor], second: Sequence[Tensor]) -> Tensor:
        """Return distances [N] between features; a single row is compared with every other."""

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Return distances [N] between two image batches [N,C,H,W] in [-1,1], C 1, 3 or 4."""
        return averaged([
            self.compare(self.features(one), self.features(other))
            for one, other in zip(views(first), views(second), strict=True)
        ])  # fmt: skip

    def check(self, images: Tensor) -> None:
        """Raise ImageError unless images like these [N,C,H,W] can be compared."""
        self.extract(self._usable(views(images)[0]))  # what is compiled is for another number

    @abstractmethod
    def _extract(self, images: Tensor) -> list[Tensor]:
        """Return the features of colour images [N,3,H,W] of 256 pixels at most."""


class LpipsDistance(PerceptualDistance):
    """LPIPS on a backbone: a model of the lpips package, or one that is built as those are."""

    def __init__(self, name: str, model: Any) -> None:
        """Take a model of ``lpips_files``."""
        super().__init__(name)
        self._model = model
        self._smallest: int = getattr(model, "smallest", _LPIPS_SMALLEST)  # pixels a side

    def save(self, path: Path | str) -> None:
        """Write the weights as a safetensors file of LPIPS, see ``save_distance``."""
        write_lpips(self._model, path)

    def _extract(self, images: Tensor) -> list[Tensor]:
        if min(images.shape[-2:]) < self._smallest:
            raise ImageError(
                f"{self.name}: compares images of at least {self._smallest} pixels, but got "
                f"{images.shape[-1]}x{images.shape[-2]}"
            )
        images = images.contiguous(memory_format=torch.channels_last)  # a tenth faster
        scaled = self._model.scaling_layer(images).to(next(self._model.net.parameters()).dtype)
        return [unit_normalise(stage.to(images.dtype)) for stage in self._model.net(scaled)]

    def in_type(self, number: torch.dtype) -> Callable[[Tensor], list[Tensor]]:
        """Return ``extract`` with the backbone in another type of numbers."""
        other = copy.deepcopy(self)
        other._model.net.to(number)
        return other.extract

    def compare(self, first: Sequence[Tensor], second: Sequence[Tensor]) -> Tensor:
        """Weighted squared differences, averaged over space and summed over stages."""
        stages = zip(first, second, self._model.lins, strict=True)
        parts = [weigh((a - b).square()).mean(dim=[1, 2, 3]) for a, b, weigh in stages]
        return torch.stack(parts).sum(dim=0)


class TorchScriptDistance(PerceptualDistance):
    """A TorchScript network with the call signature of NVIDIA's vgg16.pt.

    ``net(images in 0..255, resize_images=False, return_lpips=True)`` gives vectors whose squared
    difference is the distance. A TorchScript file is a program: use one whose origin you trust.
    """

    def __init__(self, path: Path, trust: bool = True, note: str = "") -> None:
        super().__init__(str(path))
        self._network = open_torchscript(path, trust, _AS_DATA, note)
        self.eval().requires_grad_(False)

    def _extract(self, images: Tensor) -> list[Tensor]:
        pixels, options = (images + 1) * 127.5, {"resize_images": False, "return_lpips": True}
        refusal = f"{self.name}: cannot be called as NVIDIA's vgg16.pt is"
        return [run_program(self._network, pixels, refusal, **options)]

    def compare(self, first: Sequence[Tensor], second: Sequence[Tensor]) -> Tensor:
        """Squared Euclidean distance of the vectors."""
        return (first[0] - second[0]).square().sum(dim=1)


class ClassifierDistance(PerceptualDistance):
    """LPIPS's form on a classifier's own features, every channel with weight one."""

    def __init__(self, name: str, classifier: Classifier) -> None:
        super().__init__(name)
        self._classifier = classifier

    def _extract(self, images: Tensor) -> list[Tensor]:
        size = self._classifier.config.resolution
        if images.shape[-2:] != (size, size):
            raise ImageError(
                f"{self.name}: compares {size}x{size} images only, but got "
                f"{images.shape[-1]}x{images.shape[-2]}",
                advice=["give an LPIPS `distance`"],
            )
        if self._classifier.config.channels == 1:
            images = images.mean(dim=1, keepdim=True)
        return [unit_normalise(stage) for stage in self._classifier.features(images)]

    def compare(self, first: Sequence[Tensor], second: Sequence[Tensor]) -> Tensor:
        """Squared differences summed over channels, averaged over space, summed over stages."""
        stages = zip(first, second, strict=True)
        parts = [(a - b).square().sum(dim=1).mean(dim=[1, 2]) for a, b in stages]
        return torch.stack(parts).sum(dim=0)


def perceptual_distance(
    name: str | Path = "lpips-vgg", device: torch.device | str = "cpu", *, trust: bool = True
) -> PerceptualDistance:
    """Open a perceptual distance: a callable from two image batches in [-1,1] to distances [N].

    A file like NVIDIA's vgg16.pt, which is TorchScript, is read as data: its weights go into a
    network of latentlab's own, and its program is not run.

    Args:
        name: "lpips-vgg", "lpips-alex", "lpips-squeeze", "builtin:digits", or the path of a file:
            LPIPS in .safetensors (see ``save_distance``), NVIDIA's vgg16.pt, or another TorchScript
            file of its call signature.
        device: Where it computes.
        trust: Run TorchScript of any other content, which is a program and may do whatever you
            may; and take published weights of the cache whose SHA-256 is not theirs.

    Raises:
        CheckpointError: If its weights cannot be had; the message names the file and what helps.
            UnsafeCheckpoint where ``trust`` is needed.
        SettingsError: If the name is unknown.
    """
    distance: PerceptualDistance
    if str(name) in _LPIPS_NETS:
        distance = LpipsDistance(str(name), published_lpips(_LPIPS_NETS[str(name)], trust))
    elif str(name) == BUILTIN_DIGITS:
        from latentlab.checkpoints import load_classifier

        classifier = cast(Classifier, load_classifier("builtin:digits-classifier"))
        distance = ClassifierDistance(BUILTIN_DIGITS, classifier)
    elif Path(name).suffix or is_file(Path(name)):
        distance = _of_file(Path(name), trust)
    else:
        known = ", ".join([*_LPIPS_NETS, BUILTIN_DIGITS])
        raise SettingsError(
            f"`distance` must be {known}, a .safetensors of LPIPS or a TorchScript file, but got "
            f"{quoted(name)}"
        )
    return distance.eval().requires_grad_(False).to(device)


def _of_file(path: Path, trust: bool) -> PerceptualDistance:
    """Open the distance in a file, whose content decides what it is."""
    if not is_file(path):
        raise CheckpointError(f"{path}: no such file; expected LPIPS or a TorchScript network")
    if is_safetensors(path):
        return LpipsDistance(str(path), read_lpips(path))
    note = ""
    if is_torchscript(path):
        from latentlab.checkpoints.systems.nvidia_vgg16 import read_nvidias_vgg16

        try:
            weights = read_nvidias_vgg16(path)
        except CheckpointError as error:  # damaged, or of something that no network needs
            weights, note = None, f" (as data: {reason(error)})"
        if weights is not None:
            try:
                model = own_vgg(weights)
            except CheckpointError as error:
                raise error.at(path) from error
            return LpipsDistance(str(path), model)
    return TorchScriptDistance(path, trust, note)


def save_distance(distance: PerceptualDistance | str | Path, path: Path | str) -> None:
    """Write the weights of an LPIPS distance as a .safetensors file, which is data alone.

    ``perceptual_distance`` opens it on any machine, without a network and without a program:
    ``latentlab.save_distance("vgg16.pt", "vgg16.safetensors")``.

    Args:
        distance: A distance, or what ``perceptual_distance`` takes. No TorchScript is run.
        path: The file, which is written whole or not at all.

    Raises:
        SettingsError: If it is none of LPIPS, or the file's name does not end in .safetensors.
        CheckpointError: If its weights cannot be had.
        OutputError: If the file cannot be written.
    """
    if not isinstance(distance, PerceptualDistance):
        distance = perceptual_distance(distance, trust=False)
    if not isinstance(distance, LpipsDistance):
        raise SettingsError(f"`distance` must be one of LPIPS, but got {quoted(distance.name)}")
    distance.save(path)


def unit_normalise(features: Tensor) -> Tensor:
    """Divide features [N,C,H,W] by their norm over channels; zero stays zero.

    The tiny constant stands inside the root, whereas lpips adds it outside: the values agree to
    float32 rounding, and the gradient at an all-zero position is finite.
    """
    return features * (features.square().sum(dim=1, keepdim=True) + 1e-20).rsqrt()


def fetched_for(name: str | Path) -> Path | None:
    """Return the file that opening a distance would fetch; None where all that it needs is here."""
    net = _LPIPS_NETS.get(str(name))
    place = None if net is None else backbone_place(net)
    return None if place is None or is_file(place) else place
