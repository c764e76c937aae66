"""Progressive GAN of genforce/genforce, which computes as the official networks do.

Theirs normalises the features before a convolution and not after it, which is the same chain. A
file does not say whether upsampling is fused with convolution (``fused_scale``): the weights are
stored the other way round then, which can be seen wherever the number of feature maps changes.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from latentlab.checkpoints.assemble import Contents, config_from_dict
from latentlab.checkpoints.assumptions import Answer, Question, written
from latentlab.checkpoints.systems.assembled import assembled
from latentlab.checkpoints.systems.genforce import common
from latentlab.checkpoints.systems.translation import (
    ForeignWeights,
    Rule,
    renamed,
    reshaped,
    size_after,
    weights_by_network,
)
from latentlab.errors import CheckpointError
from latentlab.networks.stylegan1_config import ProGANConfig, StyleGAN1DiscriminatorConfig

MARKS = ("output0.weight", "layer0.weight")  # names that only their generator has
QUESTIONS = (
    Question(
        "fused_scale",
        "auto",
        "whether upsampling is fused with convolution: as shapes show it, or true or false",
        needed=False,
        choices=("auto", True, False),
    ),
    Question("c_dim", 0, "how many of the first layer's inputs are a label", needed=False),
)

_ALL_EQUAL = (
    "Whether upsampling is fused with convolution (fused_scale) cannot be seen in the file, since "
    "its layers have the same number of feature maps; it is taken not to be."
)
_NO_LABEL = (
    "The file does not say how many of the {} inputs of the first layer are a label (c_dim); none "
    "is taken to be."
)
_LABEL_SCORES = "The discriminator's {} outputs for labels beside its score are left out."


def read(
    found: Mapping[Any, Any], where: str, allow_nonfinite: bool, answers: Mapping[str, Answer]
) -> Contents:
    """Build the networks of a Progressive GAN of genforce/genforce, see ``foreign.Reader``.

    Metadata are "notes", "training" settings, and what was "ignored".
    """
    parts = weights_by_network(found, common.ROLES, where)
    notes: list[str] = []
    generators = [weights for name, weights in parts.items() if name != "D"]
    fused = _fused(generators, answers["fused_scale"], notes)
    c_dim = _label_size(parts, answers["c_dim"], notes)

    def describe(name: str, weights: ForeignWeights) -> tuple[Any, dict[str, Tensor]]:
        if name == "D":
            return _discriminator(weights, fused)
        return _generator(weights, fused, c_dim)

    networks = assembled(parts, describe, where, allow_nonfinite)
    return networks, {"notes": notes, **common.facts_in(found, where)}


def _maps(weights: ForeignWeights) -> list[int]:
    """Return the feature maps at 4x4, 8x8, ..."""
    count = weights.last("output{}.weight") + 1
    return [weights.shape(f"output{k}.weight", 4)[1] for k in range(count)]


def _fused(generators: list[ForeignWeights], answer: Answer, notes: list[str]) -> bool:
    """Return whether upsampling is fused, as shapes show it, or else as is said.

    Raises:
        CheckpointError: If shapes show what the answer contradicts.
    """
    seen: bool | None = None
    for weights in generators:
        maps = _maps(weights)
        for k in range(1, len(maps)):
            if maps[k] != maps[k - 1] and seen is None:
                seen = weights.shape(f"layer{2 * k}.weight", 4)[:2] == (maps[k - 1], maps[k])
    if seen is not None and answer not in ("auto", seen):
        raise CheckpointError(
            f"{generators[0].where}: fused_scale is assumed to be {written(answer)}, but the "
            f"shapes of the weights show that it is {written(seen)}"
        )
    if seen is None and answer == "auto":
        notes.append(_ALL_EQUAL)
    return bool(seen) or answer is True


def _label_size(parts: Mapping[str, ForeignWeights], answer: Answer, notes: list[str]) -> int:
    """Return the length of the label, from the discriminator's outputs or as is said.

    Raises:
        CheckpointError: If the discriminator shows what the answer contradicts.
    """
    said = answer if type(answer) is int else 0
    if "D" in parts:
        shown = common.outputs(parts["D"]) - 1
        if said not in (0, shown):
            raise CheckpointError(
                f"{parts['D'].where}: c_dim is assumed to be {said}, but its outputs are for "
                f"labels of length {shown}"
            )
        if shown > 0:
            notes.append(_LABEL_SCORES.format(shown))
        return shown
    inputs = max(weights.shape("layer0.weight", 4)[1] for weights in parts.values())
    if said == 0 and inputs & (inputs - 1):
        notes.append(_NO_LABEL.format(inputs))
    return said


def _generator(
    weights: ForeignWeights, fused: bool, c_dim: int
) -> tuple[ProGANConfig, dict[str, Tensor]]:
    """Return the config and the weights by our names."""
    maps = _maps(weights)
    described = {
        "resolution": size_after(len(maps) - 1),
        "channels": weights.shape("output0.weight", 4)[0],
        "channel_table": tuple(maps),
        "c_dim": c_dim,
        "z_dim": weights.shape("layer0.weight", 4)[1] - c_dim,
        "normalizes_z_first": c_dim > 0,
        "fused_from": 8 if fused else None,
    }
    config = config_from_dict(ProGANConfig, described, weights.where)
    rules = {"synthesis.lod": Rule("lod", reshaped())}
    for number in range(2 * len(maps)):
        ours = f"synthesis.b{size_after(number // 2)}.layer{number % 2}"
        rules |= renamed(ours, f"layer{number}", "weight", "bias")
        if fused and number and number % 2 == 0:
            rules[f"{ours}.weight"] = Rule(f"layer{number}.weight", lambda w: w.transpose(0, 1))
    rules["synthesis.b4.layer0.weight"] = Rule("layer0.weight", _as_dense)
    for k in range(len(maps)):
        rules |= renamed(f"synthesis.b{size_after(k)}.torgb", f"output{k}", "weight", "bias")
    return config, weights.translate(rules)


def _as_dense(weight: Tensor) -> Tensor:
    """Return the convolution [C,z,4,4] of a padded pixel as a dense layer [16 C,z]."""
    return weight.flip(2, 3).permute(0, 2, 3, 1).flatten(0, 2)


def _discriminator(
    weights: ForeignWeights, fused: bool
) -> tuple[StyleGAN1DiscriminatorConfig, dict[str, Tensor]]:
    """Return the config and the weights by our names."""
    described, rules = common.discriminator(weights)
    described |= {
        "blur_filter": None,
        "fused_from": 8 if fused else None,
        "halves_last": not fused,
        "mbstd_group_size": 16,
    }
    config = config_from_dict(StyleGAN1DiscriminatorConfig, described, weights.where)
    rules["lod"] = Rule("lod", reshaped())
    last, count = rules["b4.out.weight"].source, common.outputs(weights)
    if weights.shape(rules["b4.out.bias"].source, 1) != (count,):
        raise CheckpointError(f"{weights.where}: {last} and its bias differ in length")
    for part in ("weight", "bias"):  # the score is the first of the outputs
        rules[f"b4.out.{part}"] = Rule(rules[f"b4.out.{part}"].source, lambda rows: rows[:1])
    return config, weights.translate(rules)
