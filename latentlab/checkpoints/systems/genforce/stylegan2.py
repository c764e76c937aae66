"""StyleGAN2 of genforce/genforce, and what it calls stylegan2ada, which differs in the label.

It computes as the official networks do. Kernels of layers that double the size are stored mirrored,
and style biases without the 1 that is the neutral scale.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from latentlab.checkpoints.assemble import Contents, blank, config_from_dict
from latentlab.checkpoints.systems.assembled import assembled
from latentlab.checkpoints.systems.genforce import common
from latentlab.checkpoints.systems.substitutes import resample_filters
from latentlab.checkpoints.systems.translation import (
    ForeignWeights,
    Rule,
    only_one,
    renamed,
    reshaped,
    size_after,
    weights_by_network,
)
from latentlab.errors import UnsupportedCheckpoint
from latentlab.networks.ops import fir_kernel
from latentlab.networks.stylegan2_config import StyleGAN2Config, StyleGAN2DiscriminatorConfig

MARK = "synthesis.early_layer.const"  # a name that only their generator has

_FIRST_RGB = "synthesis.output0.weight"
_TAPS = (1.0, 3.0, 3.0, 1.0)


def read(found: Mapping[Any, Any], where: str, allow_nonfinite: bool = False) -> Contents:
    """Build the networks of a StyleGAN2 of genforce/genforce, see ``foreign.Reader``.

    Metadata are "truncation", "training" settings, and what was "ignored".
    """

    def describe(name: str, weights: ForeignWeights) -> tuple[Any, dict[str, Tensor]]:
        return (_discriminator if name == "D" else _generator)(weights)

    parts = weights_by_network(found, common.ROLES, where)
    networks = assembled(parts, describe, where, allow_nonfinite)
    facts = common.facts_in(found, where)
    return networks, {"truncation": common.TRUNCATION, **facts}


def _generator(weights: ForeignWeights) -> tuple[StyleGAN2Config, dict[str, Tensor]]:
    """Return the config and the weights by our names."""
    doubled = (weights.last("synthesis.layer{}.weight") + 1) // 2
    skips = any(name in weights for name in ("synthesis.upsample.kernel", _FIRST_RGB))
    if doubled > 0 and weights.shape("synthesis.layer1.weight", 4)[2] == 1:
        raise UnsupportedCheckpoint(_RESNET.format(weights.where))
    mapping, rules = common.mapping(weights)
    described = mapping | {
        "resolution": size_after(doubled),
        "channels": weights.shape(f"synthesis.output{doubled}.weight", 4)[0],
        "channel_table": tuple(
            weights.shape(f"synthesis.layer{2 * k}.weight", 4)[0] for k in range(doubled + 1)
        ),
        "architecture": "skip" if skips else "orig",
        "use_noise": "synthesis.layer0.noise" in weights,
        "resample_filter": _TAPS,
    }
    config = config_from_dict(StyleGAN2Config, described, weights.where)
    rules["synthesis.b4.const"] = Rule(MARK, only_one)
    for k in range(doubled + 1):
        size = size_after(k)
        if k > 0:
            rules |= _styled(weights, f"b{size}.conv0", 2 * k - 1, size, config.use_noise)
            weights.check(f"synthesis.layer{2 * k - 1}.filter.kernel", _filter(4.0))
        rules |= _styled(weights, f"b{size}.conv1", 2 * k, size, config.use_noise)
        if skips or k == doubled:
            rules |= _modulated(f"b{size}.torgb", f"output{k}")
    if skips:
        weights.check("synthesis.upsample.kernel", _filter(4.0))
    return config, weights.translate(rules) | resample_filters(blank(config, weights.where))


def _filter(gain: float = 1.0) -> Tensor:
    """Return the filter as their layers hold it [1,1,4,4]."""
    return fir_kernel(_TAPS)[None, None] * gain


def _modulated(ours: str, theirs: str) -> dict[str, Rule]:
    ours, theirs = f"synthesis.{ours}", f"synthesis.{theirs}"
    return renamed(ours, theirs, "weight", "bias") | {
        f"{ours}.affine.weight": Rule(f"{theirs}.style.weight"),
        f"{ours}.affine.bias": Rule(f"{theirs}.style.bias", lambda bias: bias + 1),
    }


def _styled(
    weights: ForeignWeights, ours: str, number: int, size: int, noisy: bool
) -> dict[str, Rule]:
    """Layer ``number``; those of odd numbers double the size."""
    theirs = f"synthesis.layer{number}"
    rules = _modulated(ours, f"layer{number}")
    if number % 2:
        rules[f"synthesis.{ours}.weight"] = Rule(f"{theirs}.weight", lambda w: w.flip(2, 3))
    if noisy:
        strength = Rule(f"{theirs}.noise_strength", reshaped())
        rules[f"synthesis.{ours}.noise_strength"] = strength
        noise = common.noise_rule(weights, f"{theirs}.noise", size)
        rules[f"synthesis.{ours}.noise_const"] = noise
    return rules


def _discriminator(
    weights: ForeignWeights,
) -> tuple[StyleGAN2DiscriminatorConfig, dict[str, Tensor]]:
    """Return the config and the weights by our names."""
    described, rules = common.discriminator(weights)
    described |= _label(weights)
    described |= {"architecture": _architecture(weights), "resample_filter": _TAPS}
    if "LabelEmbed.weight" in weights:
        rules |= renamed("mapping.embed", "LabelEmbed", "weight", "bias")
    config = config_from_dict(StyleGAN2DiscriminatorConfig, described, weights.where)
    for i in range(len(described["channel_table"]) - 1):
        weights.check(f"layer{2 * i + 1}.filter.kernel", _filter())
        if config.architecture == "resnet":
            ours = f"b{config.resolution // 2**i}.skip.weight"
            rules[ours] = Rule(f"skip_layer{i}.weight")
            weights.check(f"skip_layer{i}.filter.kernel", _filter())
    if config.architecture == "skip":
        weights.check("downsample.kernel", _filter())
    return config, weights.translate(rules) | resample_filters(blank(config, weights.where))


def _architecture(weights: ForeignWeights) -> str:
    if "skip_layer0.weight" in weights:
        return "resnet"
    return "skip" if "input1.weight" in weights else "orig"


def _label(weights: ForeignWeights) -> dict[str, Any]:
    """Return how a label counts: as one of the scores, or in stylegan2ada by a projection."""
    scores = common.outputs(weights)
    if "LabelEmbed.weight" in weights:
        width, c_dim = weights.shape("LabelEmbed.weight", 2)
        return {"c_dim": c_dim, "cmap_dim": width, "mapping_layers": 0}
    return {"c_dim": scores, "label_output": "sum"} if scores > 1 else {}


_RESNET = (
    "{}: of the architecture 'resnet', whose skip layers take the place of other layers in files "
    "of genforce/genforce, so that those are lost"
)
