"""Everything that decides the course of a training run, besides data and seed."""

from dataclasses import dataclass, replace
from typing import Any, Literal

from latentlab.checks import check
from latentlab.errors import SettingsError
from latentlab.networks.stylegan1_config import (
    ProGANConfig,
    StyleGAN1Config,
    StyleGAN1DiscriminatorConfig,
)
from latentlab.networks.stylegan2_config import StyleGAN2Config, StyleGAN2DiscriminatorConfig
from latentlab.training.schedule import Growth, Phase

Loss = Literal["logistic", "wgan-gp"]

_WGAN_RATE = 0.002  # the highest, of growing networks


@dataclass(frozen=True)
class TrainingConfig:
    """Networks, losses, rates and schedule of a training run.

    Intervals are in iterations; ``kimg`` is a thousand real images shown to the discriminator.
    """

    name: str
    generator: StyleGAN2Config | StyleGAN1Config | ProGANConfig
    discriminator: StyleGAN2DiscriminatorConfig | StyleGAN1DiscriminatorConfig
    growth: Growth | None = None  # None: full resolution from the beginning
    batch: int = 32
    learning_rate: float = 0.002
    loss: Loss = "logistic"  # non-saturating logistic, or Wasserstein with gradient penalty
    # StyleGAN2 updates G, then D. Before it D came first, and G was averaged between the two.
    discriminator_first: bool = False
    r1_gamma: float = 10.0  # 0: none
    # Lazy regularisation of D (appendix B, Karras et al. 2020); 1: part of every update of D.
    r1_interval: int = 16
    gradient_penalty_weight: float = 10.0  # of wgan-gp, with the next
    drift_weight: float = 0.001  # keeps real scores near 0 (appendix A.1, Karras et al. 2018)
    path_length_weight: float = 2.0
    path_length_interval: int = 4
    path_length_decay: float = 0.01
    path_length_batch_shrink: int = 2
    mixing_probability: float = 0.9
    ema_kimg: float = 10.0  # half-life of the averaged generator
    ema_decay: float | None = None  # of the average per iteration; used instead of ``ema_kimg``
    w_mean_decay: float = 0.995
    mirror: bool = False  # flip real images at random

    def __post_init__(self) -> None:
        if self.path_length_weight > 0 and not isinstance(self.generator, StyleGAN2Config):
            raise SettingsError(
                f"`config` {self.name} has path length regularisation, which only StyleGAN2 has, "
                "but another generator",
                advice=["take a `config` without it, such as stylegan1 or progan"],
            )
        grow = self.generator.growing and self.discriminator.growing
        if self.growth is not None and not grow:
            raise SettingsError(
                f"`config` {self.name} has a schedule, but its networks do not grow"
            )
        if self.loss == "wgan-gp" and self.r1_gamma > 0:
            raise SettingsError(
                f"`config` {self.name} has a gradient penalty instead of R1",
                advice=["leave `gamma` out"],
            )

    def phase(self, images: int) -> Phase:
        """What the schedule says of the iteration that begins after ``images`` images."""
        if self.growth is None:
            return Phase(0.0, self.batch, self.learning_rate)
        full = self.generator.resolution
        lod = self.growth.lod(full, images)
        resolution = full >> int(lod)
        batch = dict(self.growth.batches).get(resolution, self.batch)
        rate = dict(self.growth.learning_rates).get(resolution, self.learning_rate)
        return Phase(lod, batch, rate)

    def batches(self) -> set[int]:
        """Return the batches of the whole schedule."""
        if self.growth is None:
            return {self.batch}
        full, levels = self.generator.resolution, self.growth.levels(self.generator.resolution)
        by_resolution = dict(self.growth.batches)
        return {by_resolution.get(full >> level, self.batch) for level in range(levels + 1)}

    def changed(
        self,
        batch: int | None = None,
        learning_rate: float | None = None,
        r1_gamma: float | None = None,
        mirror: bool = False,
        growth_kimg: float | None = None,
        loss: Loss | None = None,
    ) -> "TrainingConfig":
        """Return the config with other settings, at all resolutions; None leaves one as it is.

        Args:
            batch: Pictures per iteration.
            learning_rate: Of Adam, of both networks.
            r1_gamma: Weight of the R1 penalty.
            mirror: Flip real images at random.
            growth_kimg: Thousands of images at each resolution, and of blending to the next.
            loss: Brings its penalty with it, in every update: gradient penalty or R1. For the
                Wasserstein loss, the rates are 0.002 at most (appendix C, Karras et al. 2019).

        Raises:
            SettingsError: If the config does not grow, or has no R1 penalty.
        """
        if loss not in (None, self.loss):
            return self._with_loss(loss).changed(
                batch, learning_rate, r1_gamma, mirror, growth_kimg
            )
        growth = self.growth if growth_kimg is None else self._growth(growth_kimg)
        if growth is not None and batch is not None:
            growth = replace(growth, batches=())
        if growth is not None and learning_rate is not None:
            growth = replace(growth, learning_rates=())
        given = {"batch": batch, "learning_rate": learning_rate, "r1_gamma": r1_gamma}
        changes: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
        return replace(self, growth=growth, mirror=mirror, **changes)

    def mixing(self, probability: float) -> "TrainingConfig":
        """Return the config with another probability of style mixing.

        Raises:
            SettingsError: If it is not 0 to 1, or above 0 where all layers share one latent.
        """
        check(0 <= probability <= 1, "mixing_probability", "0 to 1", probability)  # also no NaN
        if probability > 0 and getattr(self.generator, "num_ws", 1) < 2:
            raise SettingsError(
                f"`config` {self.name} trains a generator whose layers share one latent: it has "
                "no styles to mix",
                advice=["leave `mixing_probability` out"],
            )
        return replace(self, mixing_probability=probability)

    def _with_loss(self, loss: Loss) -> "TrainingConfig":
        if loss == "logistic":
            return replace(self, loss=loss, r1_gamma=10.0, r1_interval=1)
        growth = self.growth
        if growth is not None:
            rates = tuple((size, min(rate, _WGAN_RATE)) for size, rate in growth.learning_rates)
            growth = replace(growth, learning_rates=rates)
        return replace(self, loss=loss, r1_gamma=0.0, growth=growth)

    def _growth(self, kimg: float) -> Growth:
        if self.growth is None:
            raise SettingsError(
                f"`config` {self.name} does not grow", advice=["leave `growth_kimg` out"]
            )
        return replace(self.growth, stable_kimg=kimg, transition_kimg=kimg)
