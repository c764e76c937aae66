"""Files of yuuho/stylegans-pytorch: the state dict of one generator."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from latentlab.checkpoints.systems import yuuho as system
from latentlab.checkpoints.targets.fitting import Form, fit, named_back, sizes_of
from latentlab.checkpoints.targets.written import Written, differences
from latentlab.errors import UnsupportedCheckpoint
from latentlab.networks.stylegan1_config import StyleGAN1Config
from latentlab.networks.stylegan2_config import StyleGAN2Config

_HOLDER = "a generator of yuuho/stylegans-pytorch"
_PUBLISHED = (1024, 3, 512, 8)  # what their code has: resolution, channels, w_dim, mapping_layers
_REASONS = {
    "c_dim": "its generators have no labels",
    "architecture": "its StyleGAN2 is of the skip kind",
    "z_dim": "its mapping takes z as long as w",
    "layer_features": "the layers of its mapping are as wide as w",
    "resample_filter": "its filter is 1, 3, 3, 1",
    "blur_filter": "its filter is 1, 2, 1",
    "growing": "its StyleGAN2 does not grow",
    "shared_noise": "its layers have a noise map each",
    "blurred_bias": "its biases come after the blur",
}
_CLOSE = {
    "skip_filter": "it enlarges the image bilinearly from one resolution to the next, where this "
    "network filters it, so that the border differs"
}


def write(networks: Mapping[str, nn.Module], where: str, approximate: bool) -> Written:
    """Make the content of a file, see ``written.Writer``.

    Raises:
        UnsupportedCheckpoint: If there is no generator, or none that fits.
    """
    name = next((name for name in ("G_ema", "G") if name in networks), None)
    if name is None:
        raise UnsupportedCheckpoint(f"{where}: holds no generator, and their files nothing else")
    config: Any = networks[name].config
    is_first = isinstance(config, StyleGAN1Config)
    form = _STYLEGAN1 if is_first else _STYLEGAN2
    one = fit(networks[name], form, f"{where}: {name}", approximate)
    rules = (system.stylegan1_rules if is_first else system.stylegan2_rules)(one.config)
    rates = system.STYLEGAN1_RATES if is_first else system.STYLEGAN2_RATES
    content = named_back(rules, one.weights, {rate: torch.zeros(1) for rate in rates})
    notes = differences([one])
    if left := [each for each in networks if each != name]:
        notes.append(f"Their files hold one generator; left out: {', '.join(left)}.")
    sizes = config.resolution, config.channels, config.w_dim, config.mapping_layers
    if sizes != _PUBLISHED:
        notes.append(
            "Their code has 1024 px, 3 image channels, 512 for w and 8 layers of mapping written "
            "into it; this network has {} px, {}, {} and {}.".format(*sizes)
        )
    opening = 'generator.load_state_dict(torch.load("{path}"))'
    return Written(content, {name: "the generator"}, tuple(notes), opening)


def _wanted1(config: StyleGAN1Config) -> StyleGAN1Config:
    return StyleGAN1Config(
        **sizes_of(config),
        fused_from=config.fused_from,
    )


def _wanted2(config: StyleGAN2Config) -> StyleGAN2Config:
    return StyleGAN2Config(
        **sizes_of(config),
        skip_filter="bilinear",
    )


_STYLEGAN1 = Form(
    _HOLDER,
    _wanted1,
    frozenset({"mapping_lr_multiplier", "use_noise", "growing"}),
    reasons=_REASONS,
)
_STYLEGAN2 = Form(
    _HOLDER,
    _wanted2,
    frozenset({"mapping_lr_multiplier", "use_noise", "conv_clamp"}),
    _CLOSE,
    _REASONS,
)
