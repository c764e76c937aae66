"""Networks that grow while they are trained (section 3, Karras et al. 2018).

``lod`` says how far: 0 is the full resolution, 1 half of it, and so on; between whole numbers the
image is a blend of two resolutions. Images keep the full size: below it, they are enlarged by
nearest neighbour on the way out of a generator and averaged over squares on the way into a
discriminator.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentlab.checks import check
from latentlab.errors import SettingsError
from latentlab.networks.config import block_resolutions


def enlarge(x: Tensor, factor: int = 2) -> Tensor:
    """Repeat the pixels of ``x`` [N,C,H,W] ``factor`` times in both directions.

    >>> enlarge(torch.tensor([[[[1.0, 2.0]]]])).tolist()
    [[[[1.0, 1.0, 2.0, 2.0], [1.0, 1.0, 2.0, 2.0]]]]
    """
    return x if factor == 1 else F.interpolate(x, scale_factor=factor, mode="nearest")


def reduce(x: Tensor, factor: int = 2) -> Tensor:
    """Average ``x`` [N,C,H,W] over squares of ``factor`` pixels.

    >>> reduce(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])).tolist()
    [[[[2.5]]]]
    """
    return x if factor == 1 else F.avg_pool2d(x, factor)


class GrowingNetwork(nn.Module):
    """Base of networks with one block for each resolution, some of which grow.

    Attributes:
        resolutions: 4, 8, ... up to the full resolution.
        lod: Scalar buffer of a growing network; others have none.
    """

    lod: Tensor

    def __init__(self, resolution: int, growing: bool) -> None:
        super().__init__()
        self.resolutions = block_resolutions(resolution)
        self.growing = growing
        if growing:
            self.register_buffer("lod", torch.zeros([]))

    def set_lod(self, lod: float) -> None:
        """Say how far the network has grown: 0 is fully, ``log2(resolution) - 2`` is 4x4 alone.

        Raises:
            SettingsError: If the network does not grow, or ``lod`` is out of range.
        """
        most = len(self.resolutions) - 1
        if not self.growing:
            raise SettingsError("`lod` is for growing networks; this one has a fixed resolution")
        check(0 <= lod <= most, "lod", f"0 to {most} for this network", lod)  # also refuses NaN
        self.lod.fill_(lod)

    def block(self, resolution: int) -> Any:
        """Return the layers of one resolution."""
        return self.get_submodule(f"b{resolution}")

    @property
    def blocks(self) -> list[Any]:
        """The layers of each resolution from 4x4 upwards."""
        return [self.block(resolution) for resolution in self.resolutions]

    def stage(self) -> tuple[int, float]:
        """Return the resolution grown to, and the share of the one below it in the image."""
        if not self.growing:
            return self.resolutions[-1], 0.0
        lod = min(max(self.lod.item(), 0.0), len(self.resolutions) - 1.0)
        whole = math.floor(lod)
        return self.resolutions[-1 - whole], lod - whole
