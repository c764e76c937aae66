"""VGG with the weights of LPIPS, of any widths; its files are those of ``lpips_files``.

VGG16: Simonyan and Zisserman 2015, "Very Deep Convolutional Networks for Large-Scale Image
Recognition", configuration D. LPIPS: Zhang et al. 2018, "The Unreasonable Effectiveness of Deep
Features as a Perceptual Metric". Names follow torchvision (``features.0.weight``) and the lpips
package (``lin0.model.1.weight``), whose files together are such a network. Of VGG16 the numbers of
the convolutions count what is between them: two more within a stage, three over the pooling
that ends one.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentlab.errors import CheckpointError, quoted, shown

# Of images in [-1,1]: the mean and spread of ImageNet's colours, as LPIPS has them.
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)

MAX_STAGES, MAX_LAYERS, MAX_WIDTH = 8, 32, 4096  # VGG16 has 5, 13 and 512
_CONVOLUTION = re.compile(r"features\.([0-9]{1,3})\.(weight|bias)")
_WEIGHT = re.compile(r"lin([0-9])\.model\.1\.weight")
_IN_STAGE, _OVER_POOL = 2, 3  # numbers from one convolution to the next


@dataclass(frozen=True)
class VggConfig:
    """The convolutions of a VGG: for each stage the feature maps that each gives."""

    stages: tuple[tuple[int, ...], ...]


class Scaling(nn.Module):
    """Subtract a mean from each colour of images [N,3,H,W] and divide by a spread."""

    shift: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("shift", torch.tensor(SHIFT)[None, :, None, None])
        self.register_buffer("scale", torch.tensor(SCALE)[None, :, None, None])

    def forward(self, images: Tensor) -> Tensor:
        """Map images [N,3,H,W] to the same shape."""
        return (images - self.shift) / self.scale


class Stages(nn.Module):
    """The convolutions of 3x3, each with its bias and ReLU; maps halve between stages."""

    def __init__(self, config: VggConfig) -> None:
        super().__init__()
        self.stages, maps_in = nn.ModuleList(), 3
        for widths in config.stages:
            stage = nn.ModuleList()
            for maps in widths:
                stage.append(nn.Conv2d(maps_in, maps, 3, padding=1))
                maps_in = maps
            self.stages.append(stage)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the features at the end of each stage for scaled images [N,3,H,W]."""
        found: list[Tensor] = []
        for stage in self.stages:
            x = F.max_pool2d(x, 2) if found else x
            for layer in stage.children():
                x = F.relu(layer(x))
            found.append(x)
        return found


class Weighing(nn.Module):
    """Weighted sum over the feature maps of a stage: [N,C,H,W] to [N,1,H,W]."""

    def __init__(self, maps: int) -> None:
        super().__init__()
        # LPIPS was trained with dropout before the weights; "1" is their place after it.
        self.model = nn.Sequential(nn.Identity(), nn.Conv2d(maps, 1, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """Return the sums."""
        found: Tensor = self.model(x)
        return found


class LpipsVgg(nn.Module):
    """What LPIPS compares images by, and how it weighs the differences."""

    def __init__(self, config: VggConfig) -> None:
        super().__init__()
        self.config = config
        self.scaling_layer, self.net = Scaling(), Stages(config)
        self.lins = nn.ModuleList(Weighing(widths[-1]) for widths in config.stages)

    @property
    def smallest(self) -> int:
        """Pixels a side that images have at least: one is left in the last stage."""
        return int(2 ** (len(self.config.stages) - 1))


def vgg_config(weights: Mapping[str, Tensor]) -> VggConfig:
    """Return the config that names and shapes of weights show.

    Raises:
        CheckpointError: If they are not those of such a network.
    """
    numbers = sorted({int(m[1]) for name in weights if (m := _CONVOLUTION.fullmatch(name))})
    if not numbers or numbers[0] != 0 or len(numbers) > MAX_LAYERS:
        listed = shown([*map(str, numbers)]) or "none"
        raise CheckpointError(f"not a VGG: its convolutions are numbered {listed}")
    stages: list[list[int]] = [[]]
    before = -_IN_STAGE
    for number in numbers:
        if number - before not in (_IN_STAGE, _OVER_POOL):
            raise CheckpointError(f"not a VGG: features.{number} does not follow features.{before}")
        if number - before == _OVER_POOL:
            stages.append([])
        weight = weights.get(f"features.{number}.weight")
        maps = 0 if weight is None or weight.ndim != 4 else weight.shape[0]
        if not 0 < maps <= MAX_WIDTH:
            raise CheckpointError(f"features.{number}.weight has no shape of a convolution's")
        stages[-1].append(maps)
        before = number
    if len(stages) > MAX_STAGES:
        raise CheckpointError(f"not a VGG: it has {len(stages)} stages")
    return VggConfig(tuple(map(tuple, stages)))


def own_names(config: VggConfig) -> dict[str, str]:
    """Return what each weight is called in torchvision's and LPIPS's files, by the name here."""
    found, number = {}, 0
    for i, widths in enumerate(config.stages):
        for j in range(len(widths)):
            for part in ("weight", "bias"):
                found[f"net.stages.{i}.{j}.{part}"] = f"features.{number}.{part}"
            number += _IN_STAGE
        number += _OVER_POOL - _IN_STAGE
        found[f"lins.{i}.model.1.weight"] = f"lin{i}.model.1.weight"
    return found


def fill(network: LpipsVgg, weights: Mapping[str, Tensor]) -> None:
    """Give a network its weights, which may be on the meta device before.

    ``shift`` and ``scale`` [3], of images in [-1,1], are ImageNet's where there are none.

    Raises:
        CheckpointError: If one is missing, misshapen or not finite, or there are others.
    """
    names = own_names(network.config)
    strays = set(weights) - {*names.values(), "shift", "scale"}
    missing = [name for name in names.values() if name not in weights]
    for problem, found in (("no", missing), ("unknown weights", sorted(strays))):
        if found:
            raise CheckpointError(f"not the weights of LPIPS on VGG: {problem} {shown(found)}")
    state = {own: weights[name] for own, name in names.items()}
    for name, usual in (("shift", SHIFT), ("scale", SCALE)):
        given = weights.get(name, torch.tensor(usual))
        if given.numel() != len(usual):
            raise CheckpointError(f"{quoted(name)} has shape {list(given.shape)}, expected [3]")
        state[f"scaling_layer.{name}"] = given.reshape(1, -1, 1, 1)
    wanted = network.state_dict()
    for own, tensor in state.items():
        if tensor.shape != wanted[own].shape or not tensor.is_floating_point():
            raise CheckpointError(
                f"{names.get(own, own)} has shape {list(tensor.shape)} and type {tensor.dtype}, "
                f"expected floats {list(wanted[own].shape)}"
            )
        if not bool(torch.isfinite(tensor).all()):
            raise CheckpointError(f"{names.get(own, own)} holds NaN or infinity")
    network.load_state_dict({own: t.float() for own, t in state.items()}, assign=True)


def published_names(network: LpipsVgg) -> dict[str, Tensor]:
    """Return the weights by their published names, as ``fill`` takes them."""
    state = network.state_dict()
    found = {name: state[own] for own, name in own_names(network.config).items()}
    scaling = network.scaling_layer
    return {**found, "shift": scaling.shift.flatten(), "scale": scaling.scale.flatten()}


def in_published_names(
    stages: Sequence[Sequence[tuple[Tensor, Tensor]]], lins: Sequence[Tensor]
) -> dict[str, Tensor]:
    """Name the weights and biases of convolutions by stage, and the weights of each stage."""
    config = VggConfig(tuple(tuple(weight.shape[0] for weight, _ in stage) for stage in stages))
    own = {
        f"net.stages.{i}.{j}.{part}": tensor
        for i, stage in enumerate(stages)
        for j, pair in enumerate(stage)
        for part, tensor in zip(("weight", "bias"), pair, strict=True)
    }
    own |= {f"lins.{i}.model.1.weight": lin.reshape(1, -1, 1, 1) for i, lin in enumerate(lins)}
    return {name: own[key] for key, name in own_names(config).items()}
