"""StyleGAN2 of MMGeneration and MMagic: one state dict with a prefix for each network.

It computes as the official networks do; the small terms that keep norms from dividing by zero are
placed otherwise, which cannot be seen in float32. Their labels are those of the PyTorch release.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from latentlab.checkpoints.assemble import Contents, blank, config_from_dict
from latentlab.checkpoints.assumptions import Answer, Question
from latentlab.checkpoints.systems.assembled import assembled
from latentlab.checkpoints.systems.facts import facts_of
from latentlab.checkpoints.systems.substitutes import resample_filters, set_w_mean
from latentlab.checkpoints.systems.translation import (
    ForeignWeights,
    Rule,
    only_one,
    renamed,
    reshaped,
    size_after,
    weights_by_network,
)
from latentlab.errors import CheckpointError
from latentlab.networks.generator import Generator
from latentlab.networks.ops import fir_kernel
from latentlab.networks.stylegan2_config import StyleGAN2Config, StyleGAN2DiscriminatorConfig

MARK = "constant_input.input"  # a name that only their generator has, without a prefix

DISCRIMINATOR_MARK = "convs.0.0.conv.weight_orig"  # and one that only their discriminator has
ROLES = {"generator_ema": "G_ema", "generator": "G", "discriminator": "D"}
# MMagic puts the average into a module that counts its steps.
PREFIXES = {"generator_ema.module.": "generator_ema", **{f"{name}.": name for name in ROLES}}
QUESTIONS = (
    Question(
        "channel_order",
        "rgb",
        "the order of the image's channels",
        needed=False,
        choices=("rgb", "bgr"),
    ),
)

_TAPS = (1.0, 3.0, 3.0, 1.0)
_MEAN_OF = 4096  # w, as their generator takes
_STEPS = "steps"  # of the average, in files of MMagic
_AUGMENTATION = "ada_aug."  # of the discriminator; it has no part in a score
_ORDER = (
    "Networks that MMGeneration and MMagic trained make blue-green-red images unless told "
    "otherwise, converted ones red-green-blue; the file does not tell, and red-green-blue is taken "
    "(otherwise assume channel_order=bgr)."
)


def read(
    found: Mapping[Any, Any], where: str, allow_nonfinite: bool, answers: Mapping[str, Answer]
) -> Contents:
    """Build the networks of a StyleGAN2 of MMGeneration or MMagic, see ``foreign.Reader``.

    Channels of networks that make blue-green-red images are reversed. Metadata are "training"
    settings, "notes", and what was "ignored".
    """
    is_reversed = answers["channel_order"] == "bgr"

    def describe(name: str, weights: ForeignWeights) -> tuple[Any, dict[str, Tensor]]:
        config, tensors = (_discriminator if name == "D" else _generator)(weights)
        if is_reversed:
            tensors = {key: _reversed(key, tensor) for key, tensor in tensors.items()}
        return config, tensors

    parts = weights_by_network(found, ROLES, where)
    networks = assembled(parts, describe, where, allow_nonfinite)
    notes = set() if is_reversed else {_ORDER}
    for name, network in networks.items():
        if isinstance(network, Generator) and "w_avg" not in parts[name]:
            notes.add(set_w_mean(network, _MEAN_OF))
    return networks, {**facts_of(found, ROLES, where), "notes": sorted(notes)}


def _reversed(name: str, tensor: Tensor) -> Tensor:
    """Return a weight of ours with the image's channels in the opposite order."""
    if ".torgb." in name and ".affine." not in name:
        return tensor.flip(0)
    return tensor.flip(1) if name.endswith(".fromrgb.weight") else tensor


def _generator(weights: ForeignWeights) -> tuple[StyleGAN2Config, dict[str, Tensor]]:
    """Return the config and the weights by our names; a mean of w that is missing is zero."""
    doubled = weights.last("to_rgbs.{}.conv.weight_orig") + 1
    maps = [weights.shape(MARK, 4)[1]]
    maps += [weights.shape(f"convs.{2 * i}.conv.weight_orig", 5)[1] for i in range(doubled)]
    mapping, rules = _mapping(weights)
    described = mapping | {
        "resolution": size_after(doubled),
        "channels": weights.shape("to_rgb1.conv.weight_orig", 5)[1],
        "channel_table": tuple(maps),
        "resample_filter": _TAPS,
    }
    config = config_from_dict(StyleGAN2Config, described, weights.where)
    rules["synthesis.b4.const"] = Rule(MARK, only_one)
    rules |= _styled("synthesis.b4.conv1", "conv1", 0, 4)
    rules |= _to_rgb("synthesis.b4.torgb", "to_rgb1", config.channels)
    kernel = fir_kernel(_TAPS) * 4
    for i in range(doubled):
        ours = f"synthesis.b{size_after(i + 1)}"
        for half in range(2):
            number = 2 * i + half
            rules |= _styled(f"{ours}.conv{half}", f"convs.{number}", number + 1, size_after(i + 1))
        rules |= _to_rgb(f"{ours}.torgb", f"to_rgbs.{i}", config.channels)
        weights.check(f"convs.{2 * i}.conv.blur.kernel", kernel)
        weights.check(f"to_rgbs.{i}.upsample.kernel", kernel)
    unwritten = {} if "w_avg" in weights else {"mapping.w_avg": torch.zeros(config.w_dim)}
    weights.ignore(_STEPS)
    filters = resample_filters(blank(config, weights.where))
    return config, weights.translate(rules) | filters | unwritten


def _mapping(weights: ForeignWeights) -> tuple[dict[str, Any], dict[str, Rule]]:
    """Return settings and rules of the mapping network, whose first layer normalises or is one."""
    has_label = "embed.linear.weight_orig" in weights
    start = 0 if has_label else 1
    layers = max(weights.last("style_mapping.{}.linear.weight_orig") + 1 - start, 0)
    w_dim = weights.shape("conv1.conv.style_modulation.linear.weight_orig", 2)[1]
    inputs = w_dim
    if layers > 0:
        inputs = weights.shape(f"style_mapping.{start}.linear.weight_orig", 2)[1]
    described: dict[str, Any] = {"z_dim": inputs, "w_dim": w_dim, "mapping_layers": layers}
    rules: dict[str, Rule] = {}
    if has_label:
        width, c_dim = weights.shape("embed.linear.weight_orig", 2)
        described |= {"c_dim": c_dim, "embed_features": width, "z_dim": inputs - width}
        rules |= _linear("mapping.embed", "embed")
    if "w_avg" in weights:
        rules["mapping.w_avg"] = Rule("w_avg")
    for i in range(layers):
        rules |= _linear(f"mapping.fc{i}", f"style_mapping.{i + start}")
    return described, rules


def _linear(ours: str, theirs: str) -> dict[str, Rule]:
    weight = {f"{ours}.weight": Rule(f"{theirs}.linear.weight_orig")}
    return weight | renamed(ours, theirs, "bias")


def _modulated(ours: str, theirs: str) -> dict[str, Rule]:
    weight = {f"{ours}.weight": Rule(f"{theirs}.conv.weight_orig", only_one)}
    return weight | _linear(f"{ours}.affine", f"{theirs}.conv.style_modulation")


def _styled(ours: str, theirs: str, number: int, size: int) -> dict[str, Rule]:
    return _modulated(ours, theirs) | {
        f"{ours}.bias": Rule(f"{theirs}.activate.bias"),
        f"{ours}.noise_strength": Rule(f"{theirs}.noise_injector.weight", reshaped()),
        f"{ours}.noise_const": Rule(f"injected_noise_{number}", reshaped(size, size)),
    }


def _to_rgb(ours: str, theirs: str, channels: int) -> dict[str, Rule]:
    return _modulated(ours, theirs) | {f"{ours}.bias": Rule(f"{theirs}.bias", reshaped(channels))}


def _discriminator(
    weights: ForeignWeights,
) -> tuple[StyleGAN2DiscriminatorConfig, dict[str, Tensor]]:
    """Return the config and the weights by our names."""
    halved = weights.last("convs.{}.conv1.0.conv.weight_orig")
    if halved < 0:
        raise CheckpointError(
            f"{weights.where}: the weight convs.1.conv1.0.conv.weight_orig is missing"
        )
    resolution = size_after(halved)
    maps = [weights.shape("convs.0.0.conv.weight_orig", 4)[0]]
    maps += [
        weights.shape(f"convs.{i}.skip.1.conv.weight_orig", 4)[0] for i in range(1, halved + 1)
    ]
    described = {
        "resolution": resolution,
        "channels": weights.shape("convs.0.0.conv.weight_orig", 4)[1],
        "channel_table": tuple(reversed(maps)),
        "mbstd_num_channels": weights.shape("final_conv.0.conv.weight_orig", 4)[1] - maps[-1],
        "resample_filter": _TAPS,
    }
    features = weights.shape("final_linear.0.linear.weight_orig", 2)[0]
    described["fc_features"] = features if features != maps[-1] else None
    label, rules = _scored_label(weights)
    config = config_from_dict(StyleGAN2DiscriminatorConfig, described | label, weights.where)
    rules |= _biased(f"b{resolution}.fromrgb", "convs.0", 0)
    for i in range(1, halved + 1):
        ours, theirs = f"b{resolution // 2 ** (i - 1)}", f"convs.{i}"
        rules |= _biased(f"{ours}.conv0", f"{theirs}.conv1", 0)
        rules |= _biased(f"{ours}.conv1", f"{theirs}.conv2", 1)
        rules[f"{ours}.skip.weight"] = Rule(f"{theirs}.skip.1.conv.weight_orig")
        for name in ("conv2", "skip"):
            weights.check(f"{theirs}.{name}.0.kernel", fir_kernel(_TAPS))
    rules |= _biased("b4.conv", "final_conv", 0)
    rules |= _linear("b4.fc", "final_linear.0") | _linear("b4.out", "final_linear.1")
    weights.ignore(*(name for name in weights.tensors if name.startswith(_AUGMENTATION)))
    return config, weights.translate(rules) | resample_filters(blank(config, weights.where))


def _scored_label(weights: ForeignWeights) -> tuple[dict[str, Any], dict[str, Rule]]:
    """Return settings and rules of the label's mapping, if there is one."""
    if "mapping.embed.weight" not in weights:
        return {}, {}
    width, c_dim = weights.shape("mapping.embed.weight", 2)
    layers = weights.last("mapping.fc{}.weight") + 1
    rules = renamed("mapping.embed", "mapping.embed", "weight", "bias")
    for i in range(layers):
        rules |= renamed(f"mapping.fc{i}", f"mapping.fc{i}", "weight", "bias")
    return {"c_dim": c_dim, "cmap_dim": width, "mapping_layers": layers}, rules


def _biased(ours: str, theirs: str, index: int) -> dict[str, Rule]:
    """A convolution whose bias is with the activation, the next module."""
    return {
        f"{ours}.weight": Rule(f"{theirs}.{index}.conv.weight_orig"),
        f"{ours}.bias": Rule(f"{theirs}.{index + 1}.bias"),
    }
