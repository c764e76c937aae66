"""IR-SE50: the residual network with squeeze-and-excitation that the encoders look through.

The residual units are those of Deng et al. 2019 (ArcFace), the squeeze of Hu et al. 2018. Names
follow the published files, so that reading one is a strict load; normalisation uses the statistics
of training, as everywhere in inference.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentlab.encoders.config import SQUEEZE, UNITS
from latentlab.networks.stored_norm import StoredNorm


class Squeeze(nn.Module):
    """Scale each feature map by what the means of all say."""

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(maps, maps // SQUEEZE, 1, bias=False)
        self.fc2 = nn.Conv2d(maps // SQUEEZE, maps, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map [N,maps,H,W] to the same shape."""
        scale = self.fc2(F.relu(self.fc1(x.mean(dim=(2, 3), keepdim=True))))
        return x * torch.sigmoid(scale)


class Unit(nn.Module):
    """A residual unit; the first of a stage halves the side."""

    def __init__(self, maps_in: int, maps: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        if maps_in != maps:
            self.shortcut_layer = nn.Sequential(
                nn.Conv2d(maps_in, maps, 1, stride, bias=False), StoredNorm(maps)
            )
        self.res_layer = nn.Sequential(
            StoredNorm(maps_in),
            nn.Conv2d(maps_in, maps, 3, padding=1, bias=False),
            nn.PReLU(maps),
            nn.Conv2d(maps, maps, 3, stride, padding=1, bias=False),
            StoredNorm(maps),
            Squeeze(maps),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map [N,maps_in,H,W] to [N,maps,H/stride,W/stride]."""
        changes = "shortcut_layer" in self._modules
        kept = self.shortcut_layer(x) if changes else x[:, :, :: self.stride, :: self.stride]
        out: Tensor = self.res_layer(x) + kept
        return out


class Backbone(nn.Module):
    """The stages; a picture of 256 px has features of 128, 64, 32 and 16 px after them."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        first = widths[0]
        self.input_layer = nn.Sequential(
            nn.Conv2d(3, first, 3, padding=1, bias=False), StoredNorm(first), nn.PReLU(first)
        )
        units, maps_in = [], first
        for maps, count in zip(widths, UNITS, strict=True):
            for i in range(count):
                units.append(Unit(maps_in, maps, 2 if i == 0 else 1))
                maps_in = maps
        self.body = nn.Sequential(*units)

    def stages(self, images: Tensor) -> list[Tensor]:
        """Return the features after each stage for images [N,3,H,W]."""
        x, found, units = self.input_layer(images), [], iter(self.body)
        for count in UNITS:
            for _ in range(count):
                x = next(units)(x)
            found.append(x)
        return found
