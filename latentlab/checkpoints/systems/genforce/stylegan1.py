"""StyleGAN1 of genforce/genforce, which computes as the official networks do."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from latentlab.checkpoints.assemble import Contents, config_from_dict
from latentlab.checkpoints.assumptions import Answer, Question
from latentlab.checkpoints.systems.assembled import assembled
from latentlab.checkpoints.systems.genforce import common
from latentlab.checkpoints.systems.translation import (
    ForeignWeights,
    Rule,
    only_one,
    renamed,
    reshaped,
    size_after,
    weights_by_network,
)
from latentlab.networks.ops import fir_kernel
from latentlab.networks.stylegan1_config import StyleGAN1Config, StyleGAN1DiscriminatorConfig

MARK = "synthesis.layer0.const"  # a name that only their generator has

_BLUR = (1.0, 2.0, 1.0)
# Their fused_scale -> resolution of outputs.
_FUSED_FROM: dict[Answer, int | None] = {"auto": 128, True: 8, False: None}
QUESTIONS = (
    Question(
        "fused_scale",
        "auto",
        "whether upsampling is fused with convolution: from 128 px on, everywhere or nowhere",
        needed=False,
        choices=tuple(_FUSED_FROM),
    ),
)


def read(
    found: Mapping[Any, Any], where: str, allow_nonfinite: bool, answers: Mapping[str, Answer]
) -> Contents:
    """Build the networks of a StyleGAN1 of genforce/genforce, see ``foreign.Reader``.

    Metadata are "truncation", "training" settings, and what was "ignored".
    """
    fused_from = _FUSED_FROM[answers["fused_scale"]]

    def describe(name: str, weights: ForeignWeights) -> tuple[Any, dict[str, Tensor]]:
        return (_discriminator if name == "D" else _generator)(weights, fused_from)

    parts = weights_by_network(found, common.ROLES, where)
    networks = assembled(parts, describe, where, allow_nonfinite)
    facts = common.facts_in(found, where)
    return networks, {"truncation": common.TRUNCATION, **facts}


def _generator(
    weights: ForeignWeights, fused_from: int | None
) -> tuple[StyleGAN1Config, dict[str, Tensor]]:
    """Return the config and the weights by our names."""
    doubled = weights.last("synthesis.output{}.weight")
    mapping, rules = common.mapping(weights)
    described = mapping | {
        "resolution": size_after(doubled),
        "channels": weights.shape("synthesis.output0.weight", 4)[0],
        "channel_table": tuple(
            weights.shape(f"synthesis.output{k}.weight", 4)[1] for k in range(doubled + 1)
        ),
        "use_noise": "synthesis.layer0.apply_noise.weight" in weights,
        "fused_from": fused_from,
    }
    config = config_from_dict(StyleGAN1Config, described, weights.where)
    rules["synthesis.lod"] = Rule("synthesis.lod", reshaped())
    rules["synthesis.b4.layer0.const"] = Rule(MARK, only_one)
    for number in range(2 * doubled + 2):
        rules |= _layer(weights, number, config.use_noise)
    for k in range(doubled + 1):
        rules |= renamed(
            f"synthesis.b{size_after(k)}.torgb", f"synthesis.output{k}", "weight", "bias"
        )
    return config, weights.translate(rules)


def _layer(weights: ForeignWeights, number: int, noisy: bool) -> dict[str, Rule]:
    """Layer ``number``; those of even numbers double the size, but for the first, a constant."""
    size = size_after(number // 2)
    ours, theirs = f"synthesis.b{size}.layer{number % 2}", f"synthesis.layer{number}"
    rules = renamed(ours, theirs, "bias", *(["weight"] if number else []))
    if number and number % 2 == 0:
        _check_blur(weights, theirs, weights.shape(f"{theirs}.weight", 4)[0])
    rules |= renamed(f"{ours}.affine", f"{theirs}.style", "weight", "bias")
    if noisy:
        noise = common.noise_rule(weights, f"{theirs}.apply_noise.noise", size)
        rules[f"{ours}.noise_const"] = noise
        rules[f"{ours}.noise_strength"] = Rule(f"{theirs}.apply_noise.weight")
    return rules


def _check_blur(weights: ForeignWeights, theirs: str, maps: int) -> None:
    weights.check(f"{theirs}.blur.kernel", fir_kernel(_BLUR).expand(maps, 1, -1, -1))


def _discriminator(
    weights: ForeignWeights, fused_from: int | None
) -> tuple[StyleGAN1DiscriminatorConfig, dict[str, Tensor]]:
    """Return the config and the weights by our names."""
    described, rules = common.discriminator(weights)
    scores = common.outputs(weights)
    described |= {"c_dim": scores if scores > 1 else 0, "fused_from": fused_from}
    config = config_from_dict(StyleGAN1DiscriminatorConfig, described, weights.where)
    for i in range(len(described["channel_table"]) - 1):
        theirs = f"layer{2 * i + 1}"
        _check_blur(weights, theirs, weights.shape(f"{theirs}.weight", 4)[1])
    rules["lod"] = Rule("lod", reshaped())
    return config, weights.translate(rules)
