"""Progressive growing: how far the networks have grown after so many images (Karras et al. 2018).

lod is what is left to grow: the images have 2^-lod times the full resolution, and a fraction
blends two neighbouring resolutions. 0 is fully grown.
"""

import math
from dataclasses import dataclass

from torch import Tensor

from latentlab.checks import check, check_number
from latentlab.errors import SettingsError
from latentlab.networks.growth import enlarge, reduce


@dataclass(frozen=True)
class Growth:
    """A schedule: each resolution is trained for a while, then the next one is faded in.

    ``batches`` and ``learning_rates`` are pairs (resolution, value); resolutions that they leave
    out take the values of the training config. Images of ``start_resolution`` or smaller do not
    grow.
    """

    start_resolution: int = 8
    stable_kimg: float = 600.0  # at each resolution
    transition_kimg: float = 600.0  # from each resolution to the next
    batches: tuple[tuple[int, int], ...] = ()
    learning_rates: tuple[tuple[int, float], ...] = ()
    images_before: int = 0  # by which the schedule is ahead, in a run from grown networks

    def __post_init__(self) -> None:
        start = self.start_resolution
        check(start >= 4 and start & (start - 1) == 0, "start_resolution", "4, 8, 16, ...", start)
        check_number(self.stable_kimg, "stable_kimg", 0)
        check_number(self.transition_kimg, "transition_kimg", 0)
        if self.stable_kimg + self.transition_kimg == 0:
            raise SettingsError("`stable_kimg` and `transition_kimg` must not both be 0")

    @property
    def images_per_level(self) -> float:
        """Images from one resolution to the next."""
        return (self.stable_kimg + self.transition_kimg) * 1000

    def levels(self, resolution: int) -> int:
        """Doublings from the start to the full resolution."""
        return max(int(math.log2(resolution)) - int(math.log2(self.start_resolution)), 0)

    def lod(self, resolution: int, images: int) -> float:
        """Return lod after ``images`` images, for networks of the full ``resolution``."""
        levels_done, rest = divmod(images + self.images_before, self.images_per_level)
        faded_in = max(rest - self.stable_kimg * 1000, 0) / max(self.transition_kimg * 1000, 1)
        return max(self.levels(resolution) - levels_done - faded_in, 0.0)

    def images_at(self, resolution: int, lod: float) -> int:
        """Return after how many images ``lod`` is first reached; 0 if it starts lower."""
        levels = self.levels(resolution)
        if lod >= levels:
            return 0
        faded_in = math.ceil(lod) - lod
        stable = self.stable_kimg * 1000 if faded_in else 0
        images = (levels - math.ceil(lod)) * self.images_per_level + stable
        return math.ceil(images + faded_in * self.transition_kimg * 1000)


@dataclass(frozen=True)
class Phase:
    """What the schedule says of one iteration."""

    lod: float
    batch: int
    learning_rate: float


def faded(images: Tensor, lod: float) -> Tensor:
    """Real images as networks see them that have grown to ``lod``.

    They are averaged over squares of 2^floor(lod) pixels, blended with their 2x2 means by the
    fraction of lod, and enlarged again by nearest neighbour.

    Args:
        images: Images [N,C,R,R].
        lod: From 0 to log2(R) - 2.

    Returns:
        Images [N,C,R,R].
    """
    level = int(lod)
    reduced = reduce(images, 2**level)
    if lod > level:
        reduced = reduced.lerp(enlarge(reduce(reduced)), lod - level)
    return enlarge(reduced, 2**level)
