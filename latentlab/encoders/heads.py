"""What turns features into styles: a pyramid of maps with a head for each row, or one vector."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentlab.encoders.backbone import Backbone
from latentlab.encoders.config import E4E, INTO_W, SMALLEST, EncoderConfig
from latentlab.networks.layers import Linear
from latentlab.networks.stored_norm import StoredNorm

_COARSE, _MIDDLE = 3, 7  # the first rows that look at finer features
_SLOPE = 0.01  # of the heads' leaky ReLU
_POOLED = 7  # side of the features that become one vector for all rows


class StyleHead(nn.Module):
    """Halve a map until one place is left, and map that to a style."""

    def __init__(self, maps: int, w_dim: int, halvings: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for i in range(halvings):
            layers.append(nn.Conv2d(maps if i == 0 else w_dim, w_dim, 3, 2, padding=1))
            layers.append(nn.LeakyReLU(_SLOPE))
        self.convs = nn.Sequential(*layers)
        self.linear = Linear(w_dim, w_dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map features [N,maps,h,w] to [N,w_dim]."""
        out: Tensor = self.linear(self.convs(x).flatten(1))
        return out


class PyramidEncoder(Backbone):
    """pSp's and e4e's encoders: a head for each row, on features of three sizes.

    Section 3.1, Richardson et al. 2021. In e4e the first row is the style of all, and the others
    are what their rows have besides (section 4, Tov et al. 2021).
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__(config.widths)
        self._offsets = config.encoder_type == E4E
        w_dim, (_, fine, middle, coarse) = config.w_dim, config.widths
        # Lateral layers bring the finer features to the width of the coarse ones.
        self.latlayer1 = nn.Conv2d(middle, coarse, 1)
        self.latlayer2 = nn.Conv2d(fine, coarse, 1)
        halvings = math.ceil(math.log2(max(config.height, config.width) // SMALLEST))
        self.styles = nn.ModuleList(
            StyleHead(coarse, w_dim, halvings + (i >= _COARSE) + (i >= _MIDDLE))
            for i in range(config.num_ws)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Map images [N,3,H,W] in [-1,1] to styles [N,num_ws,w_dim]."""
        _, fine, middle, coarse = self.stages(images)
        middle = _enlarged(coarse, middle) + self.latlayer1(middle)
        fine = _enlarged(middle, fine) + self.latlayer2(fine)
        rows = [
            head(coarse if i < _COARSE else middle if i < _MIDDLE else fine)
            for i, head in enumerate(self.styles)
        ]
        if self._offsets:
            rows = [rows[0], *(rows[0] + row for row in rows[1:])]
        return torch.stack(rows, dim=1)


class VectorEncoder(Backbone):
    """pSp's simpler encoders: one vector, which is w or is mapped to all rows at once."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__(config.widths)
        maps, w_dim = config.widths[-1], config.w_dim
        self._rows = config.num_ws
        if config.encoder_type == INTO_W:
            self._rows = 1
            self.linear = Linear(maps, w_dim)
            return
        self.output_layer_2 = nn.Sequential(
            StoredNorm(maps), nn.AdaptiveAvgPool2d(_POOLED), nn.Flatten(),
            nn.Linear(maps * _POOLED**2, w_dim),
        )  # fmt: skip
        self.linear = Linear(w_dim, w_dim * config.num_ws)

    def forward(self, images: Tensor) -> Tensor:
        """Map images [N,3,H,W] in [-1,1] to styles [N,num_ws,w_dim], or one w [N,1,w_dim]."""
        x = self.stages(images)[-1]
        whole = "output_layer_2" in self._modules
        vector = self.output_layer_2(x) if whole else x.mean(dim=(2, 3))
        styles: Tensor = self.linear(vector).unflatten(1, (self._rows, -1))
        return styles


def _enlarged(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, like.shape[2:], mode="bilinear", align_corners=True)
