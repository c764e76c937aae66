"""Files of rosinality/stylegan2-pytorch: ``g_ema``, ``latent_avg``, ``g`` and ``d``."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from latentlab.checkpoints.systems import rosinality2 as system
from latentlab.checkpoints.targets.fitting import Fitted, Form, named_back, sizes_of, table_of
from latentlab.checkpoints.targets.written import Written, differences, fitted_networks, opening
from latentlab.networks.config import channels_at
from latentlab.networks.stylegan2_config import StyleGAN2Config, StyleGAN2DiscriminatorConfig

_NAMES = {"G_ema": "g_ema", "G": "g", "D": "d"}
_SYSTEM = "rosinality/stylegan2-pytorch"
_TAPS = (1.0, 3.0, 3.0, 1.0)
_MULTIPLIERS = (2, 1)  # of their channels above 32x32; 2 is the default
_REASONS = {
    "c_dim": "its networks have no labels",
    "architecture": "its generator is of the skip kind and its discriminator of the resnet kind",
    "z_dim": "its mapping takes z as long as w",
    "layer_features": "the layers of its mapping are as wide as w",
    "mapping_layers": "its discriminator has no labels to map",
    "resample_filter": "its filter is 1, 3, 3, 1",
    "growing": "its networks do not grow",
    "normalize_latents": "its mapping normalises z",
    "mbstd_group_size": "its groups are of 4 images",
}
_CLOSE = {
    "skip_filter": "it filters the image from one resolution to the next, where this network "
    "enlarges it bilinearly, so that the border differs"
}


def write(networks: Mapping[str, nn.Module], where: str, approximate: bool) -> Written:
    """Make the content of a file, see ``written.Writer``."""
    fitted, notes = fitted_networks(networks, _form_of, where, approximate)
    content: dict[str, Any] = {}
    for name, one in fitted.items():
        content[_NAMES[name]] = _discriminator(one) if name == "D" else _generator(one)
        if name != "D":
            content.setdefault("latent_avg", one.weights["mapping.w_avg"])
    if _means_differ(fitted):
        notes.append("The file has one mean of w, that of G_ema; that of G is left out.")
    notes += differences(fitted.values())
    notes += [text for name, one in fitted.items() if name != "D" for text in _sizes(one.config)][
        :1
    ]
    names = {name: _NAMES[name] for name in fitted}
    return Written(content, names, tuple(notes), opening(names))


def _form_of(config: Any) -> Form:
    if isinstance(config, StyleGAN2DiscriminatorConfig):
        holder = f"a discriminator of {_SYSTEM}"
        return Form(holder, _wanted_d, frozenset({"conv_clamp"}), reasons=_REASONS)
    folded = frozenset({"mapping_lr_multiplier", "use_noise", "conv_clamp"})
    return Form(f"a generator of {_SYSTEM}", _wanted_g, folded, _CLOSE, _REASONS)


def _wanted_g(config: StyleGAN2Config) -> StyleGAN2Config:
    return StyleGAN2Config(
        **sizes_of(config),
        resample_filter=_TAPS,
    )


def _wanted_d(config: StyleGAN2DiscriminatorConfig) -> StyleGAN2DiscriminatorConfig:
    return StyleGAN2DiscriminatorConfig(
        config.resolution,
        config.channels,
        channel_table=table_of(config),
        fc_features=config.fc_features,
        resample_filter=_TAPS,
    )


def _generator(one: Fitted) -> dict[str, Tensor]:
    rules = system.generator_rules(one.config) | system.noise_rules(one.config)
    return named_back(rules, one.weights, system.generator_filters(one.config))


def _discriminator(one: Fitted) -> dict[str, Tensor]:
    filters = system.discriminator_filters(one.config)
    return named_back(system.discriminator_rules(one.config), one.weights, filters)


def _means_differ(fitted: Mapping[str, Fitted]) -> bool:
    means = [one.weights["mapping.w_avg"] for name, one in fitted.items() if name != "D"]
    return any(not torch.equal(mean, means[0]) for mean in means[1:])


def _multiplier(config: StyleGAN2Config) -> int | None:
    """Return their ``channel_multiplier`` that gives the feature maps, or None."""
    for number in _MULTIPLIERS:
        usual = [channels_at(4 * 2**i, 16384 * number, 512) for i in range(len(table_of(config)))]
        if usual == list(table_of(config)):
            return number
    return None


def _sizes(config: StyleGAN2Config) -> list[str]:
    """Say which sizes their scripts have as fixed numbers, and this network has others."""
    unusual = [f"style_dim {config.w_dim}"] if config.w_dim != 512 else []
    unusual += [f"n_mlp {config.mapping_layers}"] if config.mapping_layers != 8 else []
    unusual += [f"{config.channels} image channels"] if config.channels != 3 else []
    number = _multiplier(config)
    if number is None:
        unusual.append(f"channels {', '.join(map(str, table_of(config)))} from 4x4 on")
    elif number != _MULTIPLIERS[0]:
        unusual.append(f"channel_multiplier {number}")
    if not unusual:
        return []
    return [f"Their code has other sizes written into it; give its networks {'; '.join(unusual)}."]
