"""Bare state dicts of NVIDIA's PyTorch releases: StyleGAN2 (ADA's and StyleGAN3's) and StyleGAN3.

Names are the same as ours, so weights need no table. The arguments that made a network are not in
the file: its shapes show most of them, and the rest is asked for.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from latentlab.checkpoints.assemble import Contents, assemble, config_from_dict
from latentlab.checkpoints.assumptions import Answer, Question, written
from latentlab.checkpoints.systems.nvidia_stylegan3 import STYLEGAN3_MARK
from latentlab.checkpoints.systems.nvidia_stylegan3_state import (
    generator_config as stylegan3_config,
)
from latentlab.checkpoints.systems.translation import (
    ForeignWeights,
    names_shortened,
    size_after,
    weights_by_network,
)
from latentlab.errors import CheckpointError
from latentlab.networks.config import channels_at
from latentlab.networks.stylegan2_config import StyleGAN2Config, StyleGAN2DiscriminatorConfig

MARKS2 = ("synthesis.b4.conv1.weight", "synthesis.b4.conv1.affine.weight")
MARKS3 = (STYLEGAN3_MARK, "synthesis.input.affine.weight")
DISCRIMINATOR_MARK = "b4.out.weight"
ROLES = {"G_ema": "G_ema", "g_ema": "G_ema", "G": "G", "g": "G", "D": "D", "d": "D"}
PREFIXES = {f"{name}.": name for name in ROLES}

_RATE = Question(
    "mapping_lr_multiplier", 0.01, "by which the mapping network's weights are multiplied"
)
_CLAMP = Question("conv_clamp", 256.0, "the limit of activations", needed=False, optional=True)
_GROUP = Question(
    "mbstd_group_size", 4, "images that the discriminator compares", needed=False, optional=True,
    only_of="D",
)  # fmt: skip
QUESTIONS2 = (_RATE, _CLAMP, _GROUP)
QUESTIONS3 = (
    *QUESTIONS2,
    Question("output_scale", 0.25, "by which the image is multiplied", needed=False),
    Question("num_critical", 2, "layers at the end that are critically sampled", needed=False),
    Question("first_cutoff", 2.0, "the cutoff of the input", needed=False),
    Question("first_stopband", 2.0**2.1, "the stopband of the input", needed=False),
    Question("last_stopband_rel", 2.0**0.3, "the last stopband over the cutoff", needed=False),
    Question("margin_size", 10, "the samples around the image", needed=False),
    Question("filter_size", 6, "the taps of a filter for each step", needed=False),
    Question("lrelu_upsampling", 2, "the upsampling for the nonlinearity", needed=False),
)


def read(
    found: Mapping[Any, Any], where: str, allow_nonfinite: bool, answers: Mapping[str, Answer]
) -> Contents:
    """Build the networks of bare state dicts, see ``foreign.Reader``.

    Metadata are what was "ignored", and "notes" that say what was assumed.
    """
    networks: dict[str, nn.Module] = {}
    taken: set[int] = set()
    known = {k: v for k, v in found.items() if k in ROLES}
    for name, weights in weights_by_network(known, ROLES, where).items():
        config: Any
        if name == "D":
            config = _discriminator(weights, answers)
        elif STYLEGAN3_MARK in weights:
            shared = {name: value for name, value in answers.items() if name != _GROUP.name}
            config = stylegan3_config(weights, {**_mapping(weights, _w_dim3(weights)), **shared})
        else:
            config = _generator(weights, answers)
        networks[name] = assemble(config, weights.tensors, weights.where, allow_nonfinite, taken)
    said = ", ".join(f"{name} {written(value)}" for name, value in answers.items())
    note = f"The file is a bare state dict; what its shapes do not show was assumed: {said}."
    return networks, {
        "notes": [note],
        "ignored": names_shortened(k for k in found if k not in ROLES),
    }


def _w_dim3(weights: ForeignWeights) -> int:
    return weights.shape("synthesis.input.affine.weight", 2)[1]


def _mapping(weights: ForeignWeights, w_dim: int) -> dict[str, Any]:
    """Return the settings of the mapping network, except its learning rate."""
    layers = weights.count("mapping.fc{}.weight")
    labelled = "mapping.embed.weight" in weights
    embed, c_dim = weights.shape("mapping.embed.weight", 2) if labelled else (0, 0)
    widths = [weights.shape(f"mapping.fc{i}.weight", 2) for i in range(layers)]
    z_dim = widths[0][1] - embed if widths else w_dim
    inner = widths[0][0] if layers > 1 else w_dim
    if z_dim < 1:
        raise CheckpointError(f"{weights.where}: mapping.fc0.weight leaves no room for z")
    return {
        "c_dim": c_dim,
        "z_dim": z_dim,
        "w_dim": w_dim,
        "mapping_layers": layers,
        "embed_features": embed if labelled and embed != w_dim else None,
        "layer_features": inner if inner != w_dim else None,
    }


def _generator(weights: ForeignWeights, answers: Mapping[str, Answer]) -> StyleGAN2Config:
    """Read the config of a StyleGAN2 generator off the shapes of its weights."""
    doubled = 0
    while f"synthesis.b{size_after(doubled + 1)}.conv0.weight" in weights and doubled < 20:
        doubled += 1
    sizes = [size_after(i) for i in range(doubled + 1)]
    w_dim = weights.shape("synthesis.b4.conv1.affine.weight", 2)[1]
    described = {
        **_mapping(weights, w_dim),
        "mapping_lr_multiplier": answers["mapping_lr_multiplier"],
        "conv_clamp": answers["conv_clamp"],
        "resolution": sizes[-1],
        "channels": weights.shape(f"synthesis.b{sizes[-1]}.torgb.weight", 4)[0],
        **_maps([weights.shape(f"synthesis.b{size}.conv1.weight", 4)[0] for size in sizes]),
        "architecture": _architecture(weights, "synthesis.b8.skip.weight", "synthesis.b4.torgb"),
        "resample_filter": _taps(weights, "synthesis.b4.resample_filter"),
        "use_noise": "synthesis.b4.conv1.noise_const" in weights,
    }
    return config_from_dict(StyleGAN2Config, described, weights.where)


def _maps(maps: Sequence[int]) -> dict[str, Any]:
    """Describe feature maps at 4x4, 8x8, ..., as the releases do where they follow that rule."""
    sizes = [size_after(i) for i in range(len(maps))]
    base, most = maps[-1] * sizes[-1], max(maps)
    if all(channels_at(size, base, most) == n for size, n in zip(sizes, maps, strict=True)):
        return {"channel_base": base, "channel_max": most}
    return {"channel_table": tuple(maps)}


def _architecture(weights: ForeignWeights, skip: str, colour: str) -> str:
    if skip in weights:
        return "resnet"
    return "skip" if f"{colour}.weight" in weights else "orig"


def _taps(weights: ForeignWeights, name: str) -> tuple[float, ...]:
    """Return the taps of a filter, of which the file has the outer product of sum 1."""
    usual = StyleGAN2Config.resample_filter
    if name not in weights:
        return usual
    line = weights.tensors[name].double()
    line = line.sum(dim=0) if line.ndim == 2 else line.flatten()
    relative = [float(tap) for tap in line / line.sum() * sum(usual)]
    close = len(relative) == len(usual) and all(
        abs(a - b) < 1e-4 for a, b in zip(relative, usual, strict=True)
    )
    return usual if close else tuple(relative)


def _discriminator(
    weights: ForeignWeights, answers: Mapping[str, Answer]
) -> StyleGAN2DiscriminatorConfig:
    """Read the config of a discriminator off the shapes of its weights."""
    halved = 0
    while f"b{size_after(halved + 1)}.conv0.weight" in weights and halved < 20:
        halved += 1
    sizes = [size_after(i) for i in range(halved + 1)]
    top = f"b{sizes[-1]}"
    rgb = weights.shape(f"{top}.fromrgb.weight", 4)
    below = [weights.shape(f"b{size}.conv1.weight", 4)[0] for size in sizes[1:]]
    maps = [*below, rgb[0]]
    labelled = "mapping.embed.weight" in weights
    cmap = weights.shape("b4.out.weight", 2)[0]
    features = weights.shape("b4.fc.weight", 2)[0]
    described = {
        "resolution": sizes[-1],
        "channels": rgb[1],
        "c_dim": weights.shape("mapping.embed.weight", 2)[1] if labelled else 0,
        **_maps(maps),
        "architecture": _architecture(weights, f"{top}.skip.weight", "b4.fromrgb"),
        "cmap_dim": cmap if labelled and cmap != maps[0] else None,
        "fc_features": features if features != maps[0] else None,
        "mapping_layers": weights.count("mapping.fc{}.weight") if labelled else 8,
        "mbstd_num_channels": weights.shape("b4.conv.weight", 4)[1] - maps[0],
        "mbstd_group_size": answers[_GROUP.name],
        "conv_clamp": answers["conv_clamp"],
        "resample_filter": _taps(weights, f"{top}.resample_filter"),
    }
    return config_from_dict(StyleGAN2DiscriminatorConfig, described, weights.where)
