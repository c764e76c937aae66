"""FastGAN's generator (Liu et al. 2021): its description."""

from dataclasses import dataclass

from latentlab.networks import checks
from latentlab.networks.config import ImageConfig, block_resolutions


@dataclass(frozen=True)
class FastGANConfig(ImageConfig):
    """FastGAN's generator, as Projected GAN has it (Sauer et al. 2021)."""

    z_dim: int = 256
    # Feature maps at 4x4, 8x8, ...; None: as published.
    channel_table: tuple[int, ...] | None = None
    lite: bool = False  # one layer without noise for each resolution, instead of two with noise

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.whole(self.z_dim, "z_dim", 1, 65536)
        size = self.resolution
        checks.check(128 <= size <= 1024, "resolution", "128 to 1024 in a FastGAN", size)
        table, count = self.channel_table, len(block_resolutions(size))
        fits = isinstance(table, tuple) and len(table) == count
        fits = fits and all(type(maps) is int and 1 <= maps <= 8192 for maps in table or ())
        checks.check(table is None or fits, "channel_table", f"{count} numbers 1 to 8192", table)

    def feature_maps(self, resolution: int) -> int:
        """Number of feature maps at ``resolution``."""
        i = block_resolutions(resolution).index(resolution)
        return self.channel_table[i] if self.channel_table else _PUBLISHED[i]

    def gate_source(self, resolution: int) -> int | None:
        """Resolution whose features gate those of ``resolution``, 1/16 of it; None if none do."""
        return resolution // 16 if 64 <= resolution <= 512 else None


_PUBLISHED = (2048, 1024, 512, 256, 256, 128, 64, 32, 16)  # at 4x4, 8x8, ... 1024x1024
