"""What the systems of genforce/genforce have in common: how files hold networks, and the mapping.

A file has state dicts under ``generator_smooth`` (the average), ``generator`` and
``discriminator``, which a training run puts one level deeper, under ``models``, and distributed
training names with a prefix.
"""

from collections.abc import Mapping
from typing import Any

from latentlab.checkpoints.systems.facts import facts_of
from latentlab.checkpoints.systems.translation import (
    ForeignWeights,
    Rule,
    check_for_lost_label,
    renamed,
    reshaped,
)
from latentlab.errors import CheckpointError, UnsupportedCheckpoint

TRUNCATION = {"psi": 0.7, "cutoff": 8}  # of their script that samples images
ROLES = {"generator_smooth": "G_ema", "generator": "G", "discriminator": "D"}
DISCRIMINATOR_MARK = "input0.weight"  # a name that only their discriminators have


def facts_in(found: Mapping[Any, Any], where: str) -> dict[str, Any]:
    """Return what a file says beside its networks, as metadata."""
    return facts_of(found, ROLES, where)


def mapping(weights: ForeignWeights) -> tuple[dict[str, Any], dict[str, Rule]]:
    """Return settings and rules of a mapping network, and of the mean of w."""
    layers = weights.last("mapping.dense{}.weight") + 1
    w_dim = weights.shape("synthesis.layer0.style.weight", 2)[1]
    mean = weights.shape("truncation.w_avg", 1)[0]
    if mean > w_dim and mean % w_dim == 0:
        raise UnsupportedCheckpoint(
            f"{weights.where}: its mapping has a w of its own for each layer (repeat_w=False), "
            "which is not supported"
        )
    inputs = weights.shape("mapping.dense0.weight", 2)[1] if layers else w_dim
    described: dict[str, Any] = {"w_dim": w_dim, "mapping_layers": layers, "z_dim": inputs}
    hidden = weights.shape("mapping.dense0.weight", 2)[0] if layers > 1 else w_dim
    described["layer_features"] = hidden if hidden != w_dim else None
    rules = {"mapping.w_avg": Rule("truncation.w_avg")}
    for i in range(layers):
        rules |= renamed(f"mapping.fc{i}", f"mapping.dense{i}", "weight", "bias")
    labels, more = _labels(weights, inputs, w_dim)
    return described | labels, rules | more


def _labels(
    weights: ForeignWeights, inputs: int, w_dim: int
) -> tuple[dict[str, Any], dict[str, Rule]]:
    """Return settings and rules of the label, which has a part of the first layer's inputs."""
    if "mapping.LabelEmbed.weight" in weights:  # of their stylegan2ada, normalised apart from z
        width, c_dim = weights.shape("mapping.LabelEmbed.weight", 2)
        described = {"label_input": "embed", "embed_features": width}
        rules = renamed("mapping.embed", "mapping.LabelEmbed", "weight", "bias")
    elif "mapping.label_weight" in weights:
        c_dim, width = weights.shape("mapping.label_weight", 2)
        described = {"label_input": "concat"}
        rules = renamed("mapping", "mapping", "label_weight")
    else:
        check_for_lost_label(inputs, w_dim, f"{weights.where}: mapping.dense0.weight")
        return {}, {}
    return {**described, "c_dim": c_dim, "z_dim": inputs - width}, rules


def noise_rule(weights: ForeignWeights, theirs: str, size: int) -> Rule:
    """Return where a noise map comes from.

    Raises:
        UnsupportedCheckpoint: If it is not a map, but a number for each feature map.
    """
    if weights.shape(theirs, 4)[:2] != (1, 1):
        raise UnsupportedCheckpoint(
            f"{weights.where}: {theirs} is a number for each feature map (noise_type='channel'), "
            "which is not supported; expected a map of the layer's size"
        )
    return Rule(theirs, reshaped(size, size))


def discriminator(weights: ForeignWeights) -> tuple[dict[str, Any], dict[str, Rule]]:
    """Return the settings and rules that all of their discriminators have.

    Layers are numbered from the highest resolution down, two to each, and RGB layers likewise.
    """
    halved = (weights.last("layer{}.weight") - 2) // 2
    if halved < 0:
        raise CheckpointError(f"{weights.where}: the weight layer2.weight is missing")
    sizes = [4 * 2 ** min(halved - i, 20) for i in range(halved + 1)]
    maps = [weights.shape("input0.weight", 4)[0]]
    maps += [weights.shape(f"layer{2 * i + 1}.weight", 4)[0] for i in range(halved)]
    conv, fc, out = (f"layer{2 * halved + i}" for i in range(3))
    features = weights.shape(f"{fc}.weight", 2)[0]
    described = {
        "resolution": sizes[0],
        "channels": weights.shape("input0.weight", 4)[1],
        "channel_table": tuple(reversed(maps)),
        "mbstd_num_channels": weights.shape(f"{conv}.weight", 4)[1] - maps[-1],
        "fc_features": features if features != maps[-1] else None,
    }
    rules: dict[str, Rule] = {}
    for i, size in enumerate(sizes):
        if f"input{i}.weight" in weights or i == 0:
            rules |= renamed(f"b{size}.fromrgb", f"input{i}", "weight", "bias")
        for half in range(2 if i < halved else 0):
            rules |= renamed(f"b{size}.conv{half}", f"layer{2 * i + half}", "weight", "bias")
    for ours, theirs in (("conv", conv), ("fc", fc), ("out", out)):
        rules |= renamed(f"b4.{ours}", theirs, "weight", "bias")
    return described, rules


def outputs(weights: ForeignWeights) -> int:
    """Return how many scores a discriminator gives."""
    return weights.shape(f"layer{weights.last('layer{}.weight')}.weight", 2)[0]
