"""Files of rosinality/style-based-gan-pytorch: ``g_running``, ``generator``, ``discriminator``.

Their networks have all stages up to 1024 px, whatever they are trained for. Those above this
network's resolution are written as their code begins with them, so that the file is theirs.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from latentlab.checkpoints.assemble import blank
from latentlab.checkpoints.systems import rosinality1 as system
from latentlab.checkpoints.targets.fitting import (
    Fitted,
    Form,
    Weights,
    named_back,
    sizes_of,
    table_of,
)
from latentlab.checkpoints.targets.written import Written, differences, fitted_networks, opening
from latentlab.networks.config import channels_at
from latentlab.networks.stylegan1_config import StyleGAN1Config, StyleGAN1DiscriminatorConfig
from latentlab.numerics import Stream, keyed_generator

_NAMES = {"G_ema": "g_running", "G": "generator", "D": "discriminator"}
_SYSTEM = "rosinality/style-based-gan-pytorch"
_TOP = 1024  # px, of their networks
_BASE, _MOST = 16384, 512  # of their feature maps, see ``channels_at``
_FUSED_FROM = 128  # px, where nothing says otherwise
_REASONS = {
    "c_dim": "its networks have no labels",
    "z_dim": "its mapping takes z as long as w",
    "layer_features": "the layers of its mapping are as wide as w",
    "blur_filter": "its filter is 1, 2, 1",
    "widens_first": "the channels of its discriminator change a layer earlier",
}
_CLOSE_G = {
    "blurred_bias": "its biases come before the blur, which weakens them at the border",
    "shared_noise": "the two layers of a resolution share their noise",
    "instance_norm_epsilon": "its instance normalisation adds 1e-5 to the variance",
}
_CLOSE_D = {"mbstd_group_size": "its discriminator compares an image with its whole batch"}
_NOISE = (
    "The file has no noise maps and no mean of w; their code draws noise and takes the mean of "
    "random w."
)


def write(networks: Mapping[str, nn.Module], where: str, approximate: bool) -> Written:
    """Make the content of a file, see ``written.Writer``."""
    fitted, notes = fitted_networks(networks, _form_of, where, approximate)
    content = {_NAMES[name]: (_discriminator if name == "D" else _generator)(one)
               for name, one in fitted.items()}  # fmt: skip
    notes += differences(fitted.values())
    generators = [one.config for name, one in fitted.items() if name != "D"]
    notes += [_NOISE] if generators else []
    notes += [text for config in generators[:1] for text in _sizes(config)]
    names = {name: _NAMES[name] for name in fitted}
    return Written(content, names, tuple(notes), opening(names), keeps_noise=False)


def _form_of(config: Any) -> Form:
    if isinstance(config, StyleGAN1DiscriminatorConfig):
        holder = f"a discriminator of {_SYSTEM}"
        return Form(holder, _wanted_d, frozenset({"growing"}), _CLOSE_D, _REASONS)
    folded = {"mapping_lr_multiplier", "use_noise", "growing"}
    folded |= set() if config.use_noise else {"shared_noise"}
    holder = f"a generator of {_SYSTEM}"
    return Form(holder, _wanted_g, frozenset(folded), _CLOSE_G, _REASONS, _without_first_bias)


def _wanted_g(config: StyleGAN1Config) -> StyleGAN1Config:
    return StyleGAN1Config(
        **sizes_of(config),
        mapping_lr_multiplier=1.0,
        shared_noise=True,
        instance_norm_epsilon=1e-5,
        blurred_bias=True,
        fused_from=config.fused_from,
    )


def _wanted_d(config: StyleGAN1DiscriminatorConfig) -> StyleGAN1DiscriminatorConfig:
    return StyleGAN1DiscriminatorConfig(
        config.resolution,
        config.channels,
        channel_table=table_of(config),
        mbstd_group_size=None,
        fc_features=config.fc_features,
        from_rgb_activation=config.from_rgb_activation,
        widens_first=True,
        fused_from=config.fused_from,
    )


def _without_first_bias(_: Any, weights: Weights) -> Weights:
    """Add the bias of the first layer, which they have none of, to the constant before it."""
    const, bias = (weights[f"synthesis.b4.layer0.{name}"] for name in ("const", "bias"))
    whole = const + bias[:, None, None]
    return weights | {"synthesis.b4.layer0.const": whole,
                      "synthesis.b4.layer0.bias": torch.zeros_like(bias)}  # fmt: skip


def _generator(one: Fitted) -> dict[str, Tensor]:
    def named(config: StyleGAN1Config, weights: Weights) -> dict[str, Tensor]:
        filters = system.generator_filters(config)
        return named_back(system.generator_rules(config), weights, filters)

    return _with_later_stages(named, one)


def _discriminator(one: Fitted) -> dict[str, Tensor]:
    last = len(table_of(_grown(one.config))) - 1

    def named(config: StyleGAN1DiscriminatorConfig, weights: Weights) -> dict[str, Tensor]:
        filters = system.discriminator_filters(config, last)
        return named_back(system.discriminator_rules(config, last), weights, filters)

    return _with_later_stages(named, one)


def _with_later_stages(
    named: Callable[[Any, Weights], dict[str, Tensor]], one: Fitted
) -> dict[str, Tensor]:
    """Return weights by their names, those of later stages as their code begins with them.

    Convolutions are normal, of a fixed seed; biases and noise are zero, which tells the reader.
    """
    written, whole = named(one.config, one.weights), _grown(one.config)
    zeros = {name: torch.zeros(slot.shape)
             for name, slot in blank(whole, _SYSTEM).state_dict().items()}  # fmt: skip
    later = {name: tensor for name, tensor in named(whole, zeros).items() if name not in written}
    rng = keyed_generator("cpu", 0, Stream.INITIAL_WEIGHTS)
    for name, tensor in later.items():
        if not name.endswith("bias") and ".noise" not in name and not tensor.any():
            tensor.normal_(generator=rng)
    return written | later


def _grown(config: Any) -> Any:
    """Return a config with all stages that their networks have; the new ones as wide as theirs."""
    table, size = list(table_of(config)), config.resolution
    is_usual = table == [channels_at(4 * 2**i, _BASE, _MOST) for i in range(len(table))]
    while size < _TOP:
        size *= 2
        table.append(channels_at(size, _BASE, _MOST) if is_usual else table[-1])
    fused = config.fused_from
    if fused is None or fused > config.resolution:
        fused = max(_FUSED_FROM, config.resolution * 2)
    return replace(config, resolution=size, channel_table=tuple(table), fused_from=fused)


def _sizes(config: StyleGAN1Config) -> list[str]:
    """Say which sizes their code has as fixed numbers, and this network has others."""
    table = list(table_of(config))
    usual = [channels_at(4 * 2**i, _BASE, _MOST) for i in range(len(table))]
    unusual = [f"code_dim {config.w_dim}"] if config.w_dim != 512 else []
    unusual += [f"n_mlp {config.mapping_layers}"] if config.mapping_layers != 8 else []
    unusual += [f"{config.channels} image channels"] if config.channels != 3 else []
    unusual += [f"channels {', '.join(map(str, table))} from 4x4 on"] if table != usual else []
    if not unusual:
        return []
    return [f"Their code has other sizes written into it; give its networks {'; '.join(unusual)}."]
