"""Generators of yuuho/stylegans-pytorch: state dicts converted from the TensorFlow releases.

They compute as the official networks do, except that StyleGAN2's image is enlarged bilinearly from
one resolution to the next. Layers are numbered by their place in lists of modules, so a part's
number depends on what comes before it.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from latentlab.checkpoints.assemble import Contents, assemble, blank, config_from_dict
from latentlab.checkpoints.systems.substitutes import resample_filters
from latentlab.checkpoints.systems.translation import (
    Change,
    ForeignWeights,
    Rule,
    only_one,
    reshaped,
    size_after,
)
from latentlab.networks.config import block_resolutions
from latentlab.networks.stylegan1_config import StyleGAN1Config
from latentlab.networks.stylegan2_config import StyleGAN2Config

MARK1 = "adains.0.0.fc.weight"  # names that only their generators have
MARK2 = "toRGBs.0.0.fc.weight"


def read(found: Mapping[Any, Any], where: str, allow_nonfinite: bool = False) -> Contents:
    """Build the generator of a state dict of yuuho/stylegans-pytorch, see ``foreign.Reader``.

    Metadata are "truncation" and "notes".
    """
    weights = ForeignWeights(found, where)
    is_first = MARK1 in weights
    config, tensors = _stylegan1(weights) if is_first else _stylegan2(weights)
    g = assemble(config, tensors, where, allow_nonfinite, taken=set())
    cutoff = 8 if is_first else 10
    notes = [f"The file's own code truncates the first {cutoff} layers by psi 0.7."]
    if not is_first:
        notes.append(
            "The file's own code enlarges the image bilinearly from one resolution to the next, "
            "and so does this network; the official one filters it, with another border."
        )
    return {"G_ema": g}, {"truncation": {"psi": 0.7, "cutoff": cutoff}, "notes": notes}


def _described(weights: ForeignWeights) -> dict[str, Any]:
    """Return settings of the network."""
    doubled = weights.count("toRGBs.{}.0.weight") - 1
    maps = [weights.shape(f"toRGBs.{i}.0.weight", 4)[1] for i in range(doubled + 1)]
    layers = weights.count("mapping.{}.weight", start=1, step=4)
    w_dim = weights.shape(f"mapping.{4 * layers + 1}.avg_style", 1)[0]
    return {
        "resolution": size_after(doubled),
        "channels": weights.shape("toRGBs.0.0.weight", 4)[0],
        "channel_table": tuple(maps),
        "z_dim": weights.z_dim("mapping.1.weight", w_dim),
        "w_dim": w_dim,
        "mapping_layers": layers,
    }


def _mapping(layers: int, bias: int) -> dict[str, Rule]:
    """Rules of the mapping network, whose biases are at ``bias``, + 4, ..."""
    rules = {"mapping.w_avg": Rule(f"mapping.{4 * layers + 1}.avg_style")}
    for i in range(layers):
        rules[f"mapping.fc{i}.weight"] = Rule(f"mapping.{4 * i + 1}.weight")
        rules[f"mapping.fc{i}.bias"] = Rule(f"mapping.{4 * i + bias}.bias")
    return rules


def _to_rgb(i: int) -> dict[str, Rule]:
    ours, theirs = f"synthesis.b{4 * 2**i}.torgb", f"toRGBs.{i}"
    return {f"{ours}.weight": Rule(f"{theirs}.0.weight"), f"{ours}.bias": Rule(f"{theirs}.1.bias")}


# The weight [I,O,k,k] of a transposed convolution, as [O,I,k,k].
_SWAPPED = Change(lambda weight: weight.transpose(0, 1), lambda weight: weight.transpose(0, 1))
# The 1 that their modulation adds to its scale.
_RELATIVE = Change(lambda bias: bias + 1, lambda bias: bias - 1)
# What only their training reads: the layers mixed, and images blended.
STYLEGAN2_RATES = ("style_mixing_rate",)
STYLEGAN1_RATES = ("image_mixing_rate", "style_mixing_rate")


def _stylegan2(weights: ForeignWeights) -> tuple[StyleGAN2Config, dict[str, Tensor]]:
    described = _described(weights) | {"skip_filter": "bilinear"}
    config = config_from_dict(StyleGAN2Config, described, weights.where)
    weights.ignore(*STYLEGAN2_RATES)
    filters = resample_filters(blank(config, weights.where))
    return config, weights.translate(stylegan2_rules(config)) | filters


def stylegan2_rules(config: StyleGAN2Config) -> dict[str, Rule]:
    """Return where the weights come from."""
    rules = _mapping(config.mapping_layers, bias=2)
    rules["synthesis.b4.const"] = Rule("const_input", only_one)
    for layer in range(config.num_ws - 1):  # 4x4 has one layer, all others have two
        size = 4 * 2 ** ((layer + 1) // 2)
        up = layer % 2 == 1
        ours, theirs = f"synthesis.b{size}.conv{0 if up else 1}", f"blocks.{layer}"
        noise = 2 if up else 1  # a blur comes before it
        rules |= _modulated(ours, f"{theirs}.0")
        rules[f"{ours}.weight"] = Rule(f"{theirs}.0.weight", _SWAPPED if up else None)
        rules |= _epilogue(ours, theirs, noise, size)
        strength = Rule(f"{theirs}.{noise}.noise_scaler", reshaped(theirs=(1,)))
        rules[f"{ours}.noise_strength"] = strength
    for i, size in enumerate(block_resolutions(config.resolution)):
        rules |= _to_rgb(i) | _modulated(f"synthesis.b{size}.torgb", f"toRGBs.{i}.0")
    return rules


def _epilogue(ours: str, theirs: str, noise: int, size: int) -> dict[str, Rule]:
    """Return the rules of the noise map, in module number ``noise``, and of the bias after it."""
    maps = reshaped(size, size, theirs=(1, 1, size, size))
    return {
        f"{ours}.noise_const": Rule(f"{theirs}.{noise}.const_noise", maps),
        f"{ours}.bias": Rule(f"{theirs}.{noise + 1}.bias"),
    }


def _modulated(ours: str, theirs: str) -> dict[str, Rule]:
    return {
        f"{ours}.affine.weight": Rule(f"{theirs}.fc.weight"),
        f"{ours}.affine.bias": Rule(f"{theirs}.bias.bias", _RELATIVE),
    }


def _stylegan1(weights: ForeignWeights) -> tuple[StyleGAN1Config, dict[str, Tensor]]:
    described = _described(weights)
    blocks = range(len(described["channel_table"]))
    fused = [i for i in blocks[1:] if f"blocks.{2 * i}.0.weight" in weights]
    described["fused_from"] = size_after(fused[0]) if fused else None
    config = config_from_dict(StyleGAN1Config, described, weights.where)
    weights.ignore(*STYLEGAN1_RATES)
    # Their generator never blends resolutions, whatever the mixing rates in the file.
    return config, weights.translate(stylegan1_rules(config)) | {"synthesis.lod": torch.zeros([])}


def stylegan1_rules(config: StyleGAN1Config) -> dict[str, Rule]:
    """Return where the weights come from."""
    rules = _mapping(config.mapping_layers, bias=3)  # the gain of sqrt(2) is a module before it
    rules["synthesis.b4.layer0.const"] = Rule("const", only_one)
    for layer in range(config.num_ws):
        size = 4 * 2 ** (layer // 2)
        fused = config.fused_from is not None and size >= config.fused_from
        rules |= _layer_and_epilogue(layer, fused)
    for i in range(len(block_resolutions(config.resolution))):
        rules |= _to_rgb(i)
    return rules


def _layer_and_epilogue(layer: int, fused: bool) -> dict[str, Rule]:
    """One of StyleGAN1's two layers per resolution; every other one doubles the size."""
    size, up = 4 * 2 ** (layer // 2), layer % 2 == 0
    ours, theirs = f"synthesis.b{size}.layer{layer % 2}", f"blocks.{layer}"
    rules: dict[str, Rule] = {}
    noise = 0  # the first module after the constant
    if layer > 0:
        # Elsewhere come enlarging (unless fused), convolution, blur (upwards) and gain before it.
        conv = 1 if up and not fused else 0
        noise = conv + (3 if up else 2)
        change = _SWAPPED if up and fused else None
        rules[f"{ours}.weight"] = Rule(f"{theirs}.{conv}.weight", change)
    rules[f"{ours}.noise_strength"] = Rule(f"{theirs}.{noise}.noise_scaler")
    rules[f"{ours}.affine.weight"] = Rule(f"adains.{layer}.0.fc.weight")
    rules[f"{ours}.affine.bias"] = Rule(f"adains.{layer}.0.bias.bias")
    return rules | _epilogue(ours, theirs, noise, size)
