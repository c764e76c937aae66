"""lucidrains/stylegan2-pytorch: ``GAN`` with the weights of all networks, and ``version``.

SE and GE are averages of the mapping (S) and the generator (G).
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from latentlab.checkpoints.assemble import Contents, assemble, config_from_dict
from latentlab.checkpoints.assumptions import Question
from latentlab.checkpoints.systems.substitutes import set_w_mean, uniform_noise_map
from latentlab.checkpoints.systems.translation import (
    ForeignWeights,
    Rule,
    names_shortened,
    only_one,
    reshaped,
    scaled,
    size_after,
)
from latentlab.errors import CheckpointError, UnsupportedCheckpoint, quoted
from latentlab.networks.generator import Generator
from latentlab.networks.lucidrains import LucidrainsConfig
from latentlab.networks.ops import SQRT2

MARKS = ("initial_conv.weight", "blocks.0.to_style1.weight")
ROLES = {"GE": "G_ema", "G": "G"}
PREFIXES = {f"{name}.": name for name in ("GE", "SE", "G", "S", "D", "D_aug", "D_cl")}
QUESTIONS = (Question("lr_mlp", 0.1, "the learning rate multiplier of the mapping", needed=False),)

_MAPPINGS = {"GE": "SE", "G": "S"}  # of each generator
_MEAN_OF = 2000  # w, as they take
_NO_NOISE_MAP = "The file has no noise map; a uniform one from a fixed seed is used."
_LR = (
    "The learning rate multiplier of the mapping is not in the file but in .config.json beside it "
    "(lr_mlp)."
)


def read(
    found: Mapping[Any, Any], where: str, allow_nonfinite: bool, answers: Mapping[str, Any]
) -> Contents:
    """Build the networks of a file, see ``foreign.Reader``; discriminators are left aside."""
    networks: dict[str, nn.Module] = {}
    notes = [_NO_NOISE_MAP, f"{_LR} {answers['lr_mlp']:g} is taken."]
    taken: set[int] = set()
    for theirs, ours in ROLES.items():
        if found.get(theirs) is None:
            continue
        mapping = found.get(_MAPPINGS[theirs])
        if type(mapping) is not dict:
            raise CheckpointError(f"{where}: {theirs} has no mapping {_MAPPINGS[theirs]} beside it")
        place = f"{where}: {theirs}"
        both: dict[str | int, object] = {**found[theirs], **mapping}
        weights = ForeignWeights(both, place)
        config, tensors = _generator(weights, answers["lr_mlp"])
        network = assemble(config, tensors, place, allow_nonfinite, taken)
        if isinstance(network, Generator):
            note = set_w_mean(network, _MEAN_OF)
        networks[ours] = network
    left = [key for key in found if key not in (*ROLES, *_MAPPINGS.values(), "version")]
    return networks, {"notes": [*notes, note], "ignored": names_shortened(left)}


def _generator(weights: ForeignWeights, lr: float) -> tuple[LucidrainsConfig, dict[str, Tensor]]:
    """Return the config and the weights by our names, without the mean of W."""
    if attention := [name for name in weights.tensors if name.startswith("attns.")]:
        raise UnsupportedCheckpoint(
            f"{weights.where}: self-attention layers, which are not computed here "
            f"({quoted(attention[0])})"
        )
    blocks = weights.count("blocks.{}.conv1.weight")
    maps = [weights.shape(f"blocks.{i}.conv2.weight", 4)[0] for i in range(blocks)]
    layers = weights.count("net.{}.weight", step=2)
    const = "initial_block" in weights
    described = {
        "resolution": size_after(blocks - 1),
        "channels": weights.shape("blocks.0.to_rgb.conv.weight", 4)[0],
        "channel_table": tuple(maps),
        "z_dim": weights.shape("net.0.weight", 2)[1],
        "w_dim": weights.shape("blocks.0.to_style1.weight", 2)[1],
        "mapping_layers": layers,
        "mapping_lr_multiplier": 1.0,
        "const_input": const,
    }
    config = config_from_dict(LucidrainsConfig, described, weights.where)
    rules = {
        "synthesis.const": Rule("initial_block", only_one)
    } if const else {"synthesis.start": Rule("to_initial_block.weight")}  # fmt: skip
    for part in ("weight", "bias"):
        rules[f"synthesis.start_conv.{part}"] = Rule(f"initial_conv.{part}")
    for i in range(blocks):
        rules |= _block(f"synthesis.b{4 * 2**i}", f"blocks.{i}", maps[i])
        weights.ignore(f"blocks.{i}.to_rgb.upsample.1.f")  # 1, 2, 1, without its sum
    for i in range(layers):
        rules |= _mapping_layer(weights, i, lr)
    noise = uniform_noise_map(config.resolution)
    made = {"synthesis.noise.noise_const": noise, "mapping.w_avg": torch.zeros(config.w_dim)}
    return config, weights.translate(rules) | made


def _block(ours: str, theirs: str, maps: int) -> dict[str, Rule]:
    rules = {}
    for i in (0, 1):
        layer, number = f"{ours}.conv{i}", i + 1
        rules[f"{layer}.weight"] = Rule(f"{theirs}.conv{number}.weight")
        rules[f"{layer}.noise_weight"] = Rule(f"{theirs}.to_noise{number}.weight", reshaped(maps))
        rules[f"{layer}.noise_bias"] = Rule(f"{theirs}.to_noise{number}.bias")
        for part in ("weight", "bias"):
            rules[f"{layer}.style.{part}"] = Rule(f"{theirs}.to_style{number}.{part}")
    rules[f"{ours}.torgb.weight"] = Rule(f"{theirs}.to_rgb.conv.weight")
    for part in ("weight", "bias"):
        rules[f"{ours}.torgb.style.{part}"] = Rule(f"{theirs}.to_rgb.to_style.{part}")
    return rules


def _mapping_layer(weights: ForeignWeights, number: int, lr: float) -> dict[str, Rule]:
    """Rules of a layer: theirs has neither 1/sqrt(fan_in) nor sqrt(2), and z has length 1.

    The factors go into the weights, so that the network is like others.
    """
    theirs, ours = f"net.{2 * number}", f"mapping.fc{number}"
    fan_in = weights.shape(f"{theirs}.weight", 2)[1]
    gain = lr * fan_in**0.5 / SQRT2
    gain = gain / fan_in**0.5 if number == 0 else gain
    return {
        f"{ours}.weight": Rule(f"{theirs}.weight", scaled(gain)),
        f"{ours}.bias": Rule(f"{theirs}.bias", scaled(lr / SQRT2)),
    }
