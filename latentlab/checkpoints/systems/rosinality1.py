"""StyleGAN1 of rosinality/style-based-gan-pytorch: all networks of a run, or a bare ``g_running``.

It computes as the official StyleGAN1 does, except for what the config says and for its gains, which
are folded into the weights here: sqrt(2 / fan_in) everywhere, in styles, noise and RGB layers too;
the scale of a style is not relative to 1; fused upsampling averages its four shifts.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from latentlab.checkpoints.assemble import Contents, assemble, config_from_dict
from latentlab.checkpoints.systems.substitutes import NO_NOISE_MAPS, noise_map, set_w_mean
from latentlab.checkpoints.systems.translation import (
    Change,
    ForeignWeights,
    Rule,
    check_agreement,
    names_shortened,
    only_one,
    renamed,
    reshaped,
    scaled,
    size_after,
    weights_by_network,
)
from latentlab.errors import CheckpointError, UnsupportedCheckpoint
from latentlab.networks.config import block_resolutions
from latentlab.networks.generator import Generator
from latentlab.networks.ops import SQRT2, fir_kernel
from latentlab.networks.stylegan1_config import StyleGAN1Config, StyleGAN1DiscriminatorConfig

MARK = "generator.progression.0.conv1.input"  # a name that only their generator has

DISCRIMINATOR_MARK = "linear.linear.weight_orig"  # and one that only their discriminator has
ROLES = {"g_running": "G_ema", "generator": "G", "discriminator": "D"}

_BLUR = (1.0, 2.0, 1.0)
_MEAN_OF = 10 * 1024  # w, as their generate.py takes


def read(found: Mapping[Any, Any], where: str, allow_nonfinite: bool = False) -> Contents:
    """Build the networks of a file of rosinality/style-based-gan-pytorch, see ``foreign.Reader``.

    Metadata are "notes", and what was "ignored".
    """
    parts = weights_by_network(found, ROLES, where)
    trained = max(_trained_stages(weights) for weights in parts.values())
    networks: dict[str, nn.Module] = {}
    lacking: set[str] = set()
    taken: set[int] = set()
    for name, weights in parts.items():
        config, tensors = (_discriminator if name == "D" else _generator)(weights, trained)
        network = assemble(config, tensors, weights.where, allow_nonfinite, taken)
        if isinstance(network, Generator):
            lacking |= {NO_NOISE_MAPS, set_w_mean(network, _MEAN_OF)}
        networks[name] = network
    check_agreement(networks, where)
    notes = sorted(lacking)
    if trained < max(_stages(weights) for weights in parts.values()):
        size = size_after(trained - 1)
        notes.append(f"The layers above {size} px were never trained and are left out.")
    rest = names_shortened(key for key in found if key not in ROLES)
    return networks, {"notes": notes, "ignored": rest}


# Stages: stage 0 is 4x4. Their lists are in this order in the generator, and in reverse in the
# discriminator. A file has all stages up to 1024 px, whatever it was trained for.


def _prefix(weights: ForeignWeights) -> str:
    return "generator.progression" if MARK in weights else "progression"


def _stages(weights: ForeignWeights) -> int:
    last = "conv2.conv.weight_orig" if MARK in weights else "conv1.0.conv.weight_orig"
    return weights.count(f"{_prefix(weights)}.{{}}.{last}")


def _trained_stages(weights: ForeignWeights) -> int:
    """Return how many stages there are up to the last whose weights left their initial values.

    Biases and noise weights start at zero, and training moves all of them.
    """
    count, prefix = _stages(weights), _prefix(weights)
    if count == 0:
        raise CheckpointError(f"{weights.where}: the weights of 4x4 are missing")
    signs: set[int] = set()
    for name, tensor in weights.tensors.items():
        starts_at_zero = name.endswith("bias") or ".noise" in name
        if name.startswith(f"{prefix}.") and starts_at_zero and ".adain" not in name:
            index = name.removeprefix(f"{prefix}.").split(".")[0]
            if index.isdecimal() and len(index) < 3 and bool(tensor.any()):
                signs.add(int(index))
    stages = signs if MARK in weights else {count - 1 - index for index in signs}
    return 1 + max(stages) if stages else count


def _leave_out(weights: ForeignWeights, stages: range, *parts: str) -> None:
    starts = tuple(f"{part}.{i}." for part in parts for i in stages)
    weights.ignore(*(name for name in weights.tensors if name.startswith(starts)))


def _generator(weights: ForeignWeights, trained: int) -> tuple[StyleGAN1Config, dict[str, Tensor]]:
    """Return the config and the weights by our names, with a mean of W of zero."""
    if "generator.progression.1.conv1.conv.weight_orig" in weights:
        raise UnsupportedCheckpoint(
            f"{weights.where}: of an early version of style-based-gan-pytorch (before it had "
            "blurs), which computes differently"
        )
    count = min(_stages(weights), trained)
    blocks = [f"generator.progression.{i}" for i in range(count)]
    layers = weights.count("style.{}.linear.weight_orig", start=1, step=2)
    w_dim = weights.shape(f"{blocks[0]}.adain1.style.linear.weight_orig", 2)[1]
    fused = [i for i, block in enumerate(blocks) if f"{block}.conv1.0.weight" in weights]
    described = {
        "resolution": size_after(count - 1),
        "channels": weights.shape("generator.to_rgb.0.conv.weight_orig", 4)[0],
        "channel_table": tuple(weights.shape(f"{b}.conv2.conv.weight_orig", 4)[0] for b in blocks),
        "z_dim": weights.z_dim("style.1.linear.weight_orig", w_dim),
        "w_dim": w_dim,
        "mapping_layers": layers,
        "mapping_lr_multiplier": 1.0,
        "shared_noise": True,
        "instance_norm_epsilon": 1e-5,
        "blurred_bias": True,
        "fused_from": size_after(fused[0]) if fused else None,
    }
    config = config_from_dict(StyleGAN1Config, described, weights.where)
    for name, kernel in generator_filters(config).items():
        weights.check(name, kernel)
    later = range(count, _stages(weights))
    _leave_out(weights, later, "generator.progression", "generator.to_rgb")
    return config, weights.translate(generator_rules(config)) | unwritten(config)


def generator_rules(config: StyleGAN1Config) -> dict[str, Rule]:
    """Return where the weights come from, but for what is ``unwritten``."""
    rules: dict[str, Rule] = {}
    for i in range(config.mapping_layers):
        rules |= _equalized(f"mapping.fc{i}", f"style.{2 * i + 1}.linear")
    for i, size in enumerate(block_resolutions(config.resolution)):
        ours, block = f"synthesis.b{size}", f"generator.progression.{i}"
        rules |= _first_layer(f"{ours}.layer0", f"{block}.conv1", size, _is_fused(config, size))
        rules |= _equalized(f"{ours}.layer1", f"{block}.conv2.conv")
        for k in (1, 2):
            rules |= _epilogue(f"{ours}.layer{k - 1}", block, k, config.feature_maps(size))
        rules |= _equalized(f"{ours}.torgb", f"generator.to_rgb.{i}.conv", SQRT2)
    return rules


def generator_filters(config: StyleGAN1Config) -> dict[str, Tensor]:
    """Return the filters that a file holds by their names."""
    filters: dict[str, Tensor] = {}
    for i, size in enumerate(block_resolutions(config.resolution)[1:], start=1):
        place = f"generator.progression.{i}.conv1.{1 if _is_fused(config, size) else 2}"
        filters |= _blurs(place, config.feature_maps(size))
    return filters


def _is_fused(config: StyleGAN1Config | StyleGAN1DiscriminatorConfig, size: int) -> bool:
    return config.fused_from is not None and size >= config.fused_from


def _blurs(place: str, maps: int) -> dict[str, Tensor]:
    blur = fir_kernel(_BLUR).repeat(maps, 1, 1, 1)
    return {f"{place}.{name}": blur.clone() for name in ("weight", "weight_flip")}


def unwritten(config: StyleGAN1Config) -> dict[str, Tensor]:
    """What their file lacks: the constant's bias, noise, lod, and a mean of W to be set later."""
    tensors = {
        "mapping.w_avg": torch.zeros(config.w_dim),
        "synthesis.lod": torch.zeros([]),
        "synthesis.b4.layer0.bias": torch.zeros(config.feature_maps(4)),
    }
    for i, size in enumerate(block_resolutions(config.resolution)):
        tensors[f"synthesis.b{size}.layer0.noise_const"] = noise_map(size, i)
    return tensors


def _equalized(ours: str, theirs: str, gain: float = 1.0) -> dict[str, Rule]:
    change = None if gain == 1.0 else scaled(gain)
    weight = {f"{ours}.weight": Rule(f"{theirs}.weight_orig", change)}
    return weight | renamed(ours, theirs, "bias")


def _first_layer(ours: str, theirs: str, size: int, fused: bool) -> dict[str, Rule]:
    """The layer that doubles the size, or that brings the constant."""
    if size == 4:
        return {"synthesis.b4.layer0.const": Rule(f"{theirs}.input", only_one)}
    if not fused:
        return _equalized(ours, f"{theirs}.1.conv")
    averaged = Change(lambda w: w.transpose(0, 1) / 4, lambda w: w.transpose(0, 1) * 4)
    return {
        f"{ours}.weight": Rule(f"{theirs}.0.weight", averaged),
        f"{ours}.bias": Rule(f"{theirs}.0.bias"),
    }


def _epilogue(ours: str, block: str, number: int, maps: int) -> dict[str, Rule]:
    one, gain = torch.cat([torch.ones(maps), torch.zeros(maps)]), scaled(math.sqrt(2 / maps))
    flat = reshaped(maps, theirs=(1, maps, 1, 1))
    relative = Change(lambda bias: bias - one, lambda bias: bias + one)
    noise = Change(
        lambda weight: gain(flat(weight)), lambda strength: gain.back(strength)[None, :, None, None]
    )
    style = f"{block}.adain{number}.style.linear"
    return {
        f"{ours}.noise_strength": Rule(f"{block}.noise{number}.weight_orig", noise),
        f"{ours}.affine.weight": Rule(f"{style}.weight_orig", scaled(SQRT2)),
        f"{ours}.affine.bias": Rule(f"{style}.bias", relative, (2 * maps,)),
    }


def _discriminator(
    weights: ForeignWeights, trained: int
) -> tuple[StyleGAN1DiscriminatorConfig, dict[str, Tensor]]:
    """Return the config and the weights by our names."""
    last = _stages(weights) - 1  # index of stage 0
    count = min(last + 1, trained)
    activated = f"from_rgb.{last}.0.conv.weight_orig" in weights
    from_rgb = [f"from_rgb.{last - i}{'.0' if activated else ''}.conv" for i in range(count)]
    blocks = [f"progression.{last - i}" for i in range(count)]
    fused = [i for i, block in enumerate(blocks) if f"{block}.conv2.1.weight" in weights]
    maps = [weights.shape(f"{name}.weight_orig", 4)[0] for name in from_rgb]
    features = weights.shape(f"{blocks[0]}.conv2.0.conv.weight_orig", 4)[0]
    described = {
        "resolution": size_after(count - 1),
        "channels": weights.shape(f"{from_rgb[0]}.weight_orig", 4)[1],
        "channel_table": tuple(maps),
        "mbstd_group_size": None,
        "fc_features": features if features != maps[0] else None,
        "from_rgb_activation": activated,
        "widens_first": True,
        "fused_from": size_after(fused[0]) if fused else None,
    }
    config = config_from_dict(StyleGAN1DiscriminatorConfig, described, weights.where)
    for name, kernel in discriminator_filters(config, last).items():
        weights.check(name, kernel)
    _leave_out(weights, range(last + 1 - count), "progression", "from_rgb")
    return config, weights.translate(discriminator_rules(config, last)) | {"lod": torch.zeros([])}


def discriminator_rules(config: StyleGAN1DiscriminatorConfig, last: int) -> dict[str, Rule]:
    """Return where the weights come from; ``last`` is the place of 4x4 in their lists."""
    between = ".0" if config.from_rgb_activation else ""
    rules: dict[str, Rule] = {}
    for i, size in enumerate(block_resolutions(config.resolution)):
        ours, block = f"b{size}", f"progression.{last - i}"
        rules |= _equalized(f"{ours}.fromrgb", f"from_rgb.{last - i}{between}.conv")
        if i == 0:
            rules |= _equalized("b4.conv", f"{block}.conv1.0.conv")
            rules |= _equalized("b4.fc", f"{block}.conv2.0.conv")
            maps = config.feature_maps(4)
            rules["b4.fc.weight"] = _flat(f"{block}.conv2.0.conv", config.fc_features or maps, maps)
            continue
        rules |= _equalized(f"{ours}.conv0", f"{block}.conv1.0.conv")
        rules |= _equalized(f"{ours}.conv1", f"{block}.conv2.1.conv")
        if _is_fused(config, size):
            rules |= renamed(f"{ours}.conv1", f"{block}.conv2.1", "weight", "bias")
    return rules | _equalized("b4.out", "linear.linear", SQRT2)


def _flat(theirs: str, features: int, maps: int) -> Rule:
    """The dense layer on 4x4, which they have as a convolution."""
    kernel = (features, maps, 4, 4)
    change = Change(lambda weight: weight.flatten(1), lambda weight: weight.reshape(kernel))
    return Rule(f"{theirs}.weight_orig", change, kernel)


def discriminator_filters(config: StyleGAN1DiscriminatorConfig, last: int) -> dict[str, Tensor]:
    """Return the filters that a file holds by their names."""
    filters: dict[str, Tensor] = {}
    for i, size in enumerate(block_resolutions(config.resolution)[1:], start=1):
        filters |= _blurs(f"progression.{last - i}.conv2.0", config.feature_maps(size // 2))
    return filters
