"""Perceptual distances behind one callable: two batches of images to distances [N].

LPIPS: Zhang et al. 2018, "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric".
Every distance splits into ``features`` (once for each image) and ``compare`` (once for each pair).
Images with alpha are compared on white and on black, and both distances averaged, see
``latentlab.images.channels``.
"""

import copy
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from latentlab.errors import CheckpointError, ImageError, SettingsError, quoted
from latentlab.files import is_file
from latentlab.images import averaged, shrink, views
from latentlab.networks.classifier import Classifier
from latentlab.pretrained import hub_file, hub_place, read_weights
from latentlab.torchscript import open_torchscript, run_program
from latentlab.weightless import weightless

MAX_RESOLUTION = 256  # larger images are box-averaged down first, as published
BUILTIN_DIGITS = "builtin:digits"
_LPIPS_NETS = {"lpips-vgg": "vgg", "lpips-alex": "alex", "lpips-squeeze": "squeeze"}
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
    """LPIPS by the lpips package (version 0.1 of its weights) on a pretrained backbone."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._model = _lpips_model(name)

    def _extract(self, images: Tensor) -> list[Tensor]:
        if min(images.shape[-2:]) < _LPIPS_SMALLEST:
            raise ImageError(
                f"{self.name}: compares images of at least {_LPIPS_SMALLEST} pixels, but got "
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

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._network = open_torchscript(path)
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
    name: str | Path = "lpips-vgg", device: torch.device | str = "cpu"
) -> PerceptualDistance:
    """Open a perceptual distance: a callable from two image batches in [-1,1] to distances [N].

    Args:
        name: "lpips-vgg", "lpips-alex", "lpips-squeeze", "builtin:digits", or the path of a
            TorchScript file with the call signature of NVIDIA's vgg16.pt.
        device: Where it computes.

    Raises:
        CheckpointError: If its weights cannot be had; the message names the file and what helps.
        SettingsError: If the name is unknown.
    """
    distance: PerceptualDistance
    if str(name) in _LPIPS_NETS:
        distance = LpipsDistance(str(name))
    elif str(name) == BUILTIN_DIGITS:
        from latentlab.checkpoints import load_classifier

        classifier = cast(Classifier, load_classifier("builtin:digits-classifier"))
        distance = ClassifierDistance(BUILTIN_DIGITS, classifier)
    elif Path(name).suffix or is_file(Path(name)):
        distance = TorchScriptDistance(Path(name))
    else:
        known = ", ".join([*_LPIPS_NETS, BUILTIN_DIGITS])
        raise SettingsError(
            f"`distance` must be {known} or a TorchScript file, but got {quoted(name)}"
        )
    return distance.eval().requires_grad_(False).to(device)


def unit_normalise(features: Tensor) -> Tensor:
    """Divide features [N,C,H,W] by their norm over channels; zero stays zero.

    The tiny constant stands inside the root, whereas lpips adds it outside: the values agree to
    float32 rounding, and the gradient at an all-zero position is finite.
    """
    return features * (features.square().sum(dim=1, keepdim=True) + 1e-20).rsqrt()


def _lpips_model(name: str) -> Any:
    """Build the lpips package's model around backbone weights that are read as data."""
    import lpips

    net = _LPIPS_NETS[name]
    with weightless(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lpips calls torchvision by its older names
        model = lpips.LPIPS(net=net, pretrained=False, pnet_rand=True, verbose=False)
    model.scaling_layer = lpips.ScalingLayer()  # constants, made again off the meta device
    file = _backbone_file(name, net)
    backbone = read_weights(file)
    lins = read_weights(Path(lpips.__file__).parent / "weights" / "v0.1" / f"{net}.pth")
    weights = {}
    for key in model.state_dict():
        if key.startswith("net."):  # net.slice2.5.weight is features.5.weight of the backbone
            weights[key] = backbone.get("features." + key.split(".", 2)[2])
        elif key.startswith("lin"):  # each layer is there twice: as lin0, and as lins.0
            weights[key] = lins.get(key.replace("lins.", "lin", 1))
    missing = [key for key, weight in weights.items() if weight is None]
    if missing:
        raise CheckpointError(f"{file}: not the weights of {name}: {missing[0]} is missing")
    try:
        model.load_state_dict(weights, strict=False, assign=True)
    except RuntimeError as error:
        raise CheckpointError(f"{file}: not the weights of {name} ({error})") from error
    return model


def fetched_for(name: str | Path) -> Path | None:
    """Return the file that opening a distance would fetch; None where all that it needs is here."""
    net = _LPIPS_NETS.get(str(name))
    place = None if net is None else hub_place(_backbone_url(net))
    return None if place is None or is_file(place) else place


def _backbone_url(net: str) -> str:
    from torchvision.models import AlexNet_Weights, SqueezeNet1_1_Weights, VGG16_Weights

    published = {"vgg": VGG16_Weights, "alex": AlexNet_Weights, "squeeze": SqueezeNet1_1_Weights}
    return str(published[net].IMAGENET1K_V1.url)


def _backbone_file(name: str, net: str) -> Path:
    """Return the pretrained backbone in torch's hub cache, fetching it if it is not there."""
    return hub_file(
        _backbone_url(net),
        f"{name}: the backbone weights",
        f"choose another `distance`: a TorchScript vgg16.pt, or {BUILTIN_DIGITS}",
    )
