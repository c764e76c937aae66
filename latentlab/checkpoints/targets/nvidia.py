"""State dicts of NVIDIA's PyTorch networks, with the arguments of their constructors."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import nn

from latentlab.checkpoints.systems.nvidia_exported import MARK, VERSION
from latentlab.checkpoints.systems.nvidia_stylegan3 import stylegan3_arguments, stylegan3_config
from latentlab.checkpoints.systems.nvidia_torch import (
    discriminator_arguments,
    discriminator_config,
    generator_arguments,
    generator_config,
)
from latentlab.checkpoints.targets.fitting import Form
from latentlab.checkpoints.targets.written import Written, differences, fitted_networks
from latentlab.networks.config import block_resolutions
from latentlab.networks.stylegan2_config import StyleGAN2Config, StyleGAN2DiscriminatorConfig
from latentlab.networks.stylegan3_config import StyleGAN3Config

_REASONS = {
    "label_input": "its mapping embeds labels apart from z",
    "label_output": "its discriminator projects on the label",
    "channel_table": "its channels are a base divided by the resolution, up to a maximum",
    "growing": "its networks do not grow",
    "normalize_latents": "its mapping normalises z",
    "fc_features": "its dense layer is as wide as the channels at 4x4",
    "clamps_last_rgb": "its last RGB layer has no limit",
    "resolution": "its smallest discriminator has 8x8",
}
_CLOSE = {
    "skip_filter": "it filters the image from one resolution to the next, where this network "
    "enlarges it bilinearly, so that the border differs"
}
_OPENING = "the loader in docs/convert.md, in their repository"


def write(networks: Mapping[str, nn.Module], where: str, approximate: bool) -> Written:
    """Make the content of a file, see ``written.Writer``."""
    fitted, notes = fitted_networks(networks, _form_of, where, approximate)
    content: dict[str, Any] = {
        MARK: VERSION,
        "config": {name: arguments(one.config) for name, one in fitted.items()},
    }
    content |= {name: one.weights for name, one in fitted.items()}
    notes += differences(fitted.values())
    return Written(content, {name: name for name in fitted}, tuple(notes), _OPENING)


def arguments(config: Any) -> dict[str, Any]:
    """Return the arguments of the official constructor, as plain values."""
    if isinstance(config, StyleGAN3Config):
        return stylegan3_arguments(config)
    based = _with_base(config)
    if isinstance(config, StyleGAN2DiscriminatorConfig):
        return discriminator_arguments(based)
    return generator_arguments(based)


def _form_of(config: Any) -> Form:
    holder = "a network of NVIDIA's PyTorch releases"
    return Form(holder, _wanted, close=_CLOSE, reasons=_REASONS)


def _wanted(config: Any) -> Any:
    """Return what the official code makes of the arguments that a config amounts to."""
    if isinstance(config, StyleGAN3Config):
        return stylegan3_config(stylegan3_arguments(config), "")
    if isinstance(config, StyleGAN2Config):
        return generator_config(arguments(config), "")
    wanted = discriminator_config(arguments(config), "")
    lacks_rgb = config.resolution == 4 and config.architecture != "skip"
    return replace(wanted, resolution=8, channel_table=None) if lacks_rgb else wanted


def _with_base(config: Any) -> Any:
    """Return a config whose feature maps are given by a base and a maximum, near if not equal."""
    if config.channel_table is None:
        return config
    most, base = base_of(config.channel_table)
    return replace(config, channel_table=None, channel_base=base, channel_max=most)


def base_of(table: Sequence[int]) -> tuple[int, int]:
    """Return the maximum and the base that give feature maps at 4x4, 8x8, ..., if any do.

    >>> base_of((512, 512, 512, 512, 256))
    (512, 16384)
    """
    most = max(table)
    sizes = block_resolutions(4 * 2 ** (len(table) - 1))
    least = [maps * size for maps, size in zip(table, sizes, strict=True)]
    return most, max([*least, sizes[-1]])
