"""Changes of a config's networks that a run asks for: architectures, mapping, feature maps."""

from dataclasses import dataclass, replace
from typing import Any

from latentlab.checks import check_whole
from latentlab.errors import SettingsError, UnsupportedNetwork
from latentlab.networks.config import Architecture
from latentlab.networks.stylegan1_config import StyleGAN1Config
from latentlab.networks.stylegan2_config import StyleGAN2Config
from latentlab.training.config import TrainingConfig

MappedConfig = StyleGAN1Config | StyleGAN2Config


@dataclass(frozen=True)
class NetworkChanges:
    """Settings of both networks that take the place of a config's; None leaves one as it is.

    Attributes:
        generator_architecture: "skip", "resnet" or "orig", of StyleGAN2's generator: the rows of
            Table 2 (Karras et al. 2020).
        discriminator_architecture: Of StyleGAN2's discriminator: the columns of that table.
        mapping_layers: 0 and more; with 0, w is the normalised z: Table 4 (Karras et al. 2019).
        channel_base: Feature maps times resolution, of both networks.
        channel_max: Feature maps at most, of both networks.
    """

    generator_architecture: Architecture | None = None
    discriminator_architecture: Architecture | None = None
    mapping_layers: int | None = None
    channel_base: int | None = None
    channel_max: int | None = None

    def applied_to(self, config: TrainingConfig) -> TrainingConfig:
        """Return ``config`` with these networks.

        Raises:
            SettingsError: If its networks have no such setting, or cannot have the value.
        """
        self._check_architectures(config)
        maps = _given(channel_base=self.channel_base, channel_max=self.channel_max)
        generator = _given(**maps, architecture=self.generator_architecture)
        discriminator = _given(**maps, architecture=self.discriminator_architecture)
        try:
            changed = replace(
                config,
                generator=replace(config.generator, **generator),
                discriminator=replace(config.discriminator, **discriminator),
            )
            return changed if self.mapping_layers is None else self._mapped(changed)
        except UnsupportedNetwork as error:  # an argument of the user's, and of no file
            raise SettingsError(str(error)) from error

    def _mapped(self, config: TrainingConfig) -> TrainingConfig:
        check_whole(self.mapping_layers, "mapping_layers", 0, 64)
        if not isinstance(config.generator, MappedConfig):
            raise SettingsError(
                f"`config` {config.name} is a Progressive GAN, which has no mapping network",
                advice=["leave `mapping_layers` out", "take `config` stylegan1-b: its generator "
                        "as StyleGAN's paper tuned it, which may have one before it"],
            )  # fmt: skip
        generator = with_mapping_layers(config.generator, self.mapping_layers or 0)
        return replace(config, generator=generator)

    def _check_architectures(self, config: TrainingConfig) -> None:
        for name in ("generator_architecture", "discriminator_architecture"):
            architecture = getattr(self, name)
            if architecture is None:
                continue
            if not isinstance(config.generator, StyleGAN2Config):
                raise SettingsError(
                    f"`{name}` is a setting of StyleGAN2's networks, and `config` {config.name} "
                    "has others",
                    advice=[f"leave `{name}` out", "take `config` stylegan2-e or stylegan2-f"],
                )
            if config.growth is not None and architecture != "orig":
                raise SettingsError(
                    f"`{name}` must be orig in networks that grow, as those of `config` "
                    f"{config.name} do, but got {architecture}",
                    advice=["take `config` stylegan2-e, which trains them at full size"],
                )


def with_mapping_layers(generator: MappedConfig, layers: int) -> MappedConfig:
    """Return a generator's config with so many mapping layers.

    Without any, w is what the mapping network normalises: z, and the features of a label beside
    it. With some, w is as long as it was, or as z where there were none.
    """
    if layers > 0:
        w_dim = generator.w_dim if generator.mapping_layers > 0 else generator.z_dim
        return replace(generator, mapping_layers=layers, w_dim=w_dim)
    fields: dict[str, Any] = {"mapping_layers": 0, "w_dim": generator.z_dim}
    if generator.c_dim > 0:
        embedded = generator.label_input == "embed"
        features = (generator.embed_features if embedded else None) or generator.z_dim
        fields["w_dim"] = generator.z_dim + features
        fields |= {"embed_features": features} if embedded else {}
    return replace(generator, **fields)


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
