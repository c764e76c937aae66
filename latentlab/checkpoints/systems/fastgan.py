"""Projected GAN (autonomousvision/projected-gan): FastGAN generators, and their names of weights.

Their layers are found by what they hold: without labels they are numbered modules of a sequence,
with labels they have names. Names not given here are relative to "synthesis.".
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from latentlab.checkpoints.assemble import Contents, assemble, config_from_dict
from latentlab.checkpoints.pickles.records import Record
from latentlab.checkpoints.systems.nvidia_torch import snapshot_facts
from latentlab.checkpoints.systems.substitutes import NO_NOISE_MAPS, noise_map
from latentlab.checkpoints.systems.torch_modules import state_dict_of
from latentlab.checkpoints.systems.translation import ForeignWeights, Rule, renamed, reshaped
from latentlab.errors import CheckpointError, UnsupportedCheckpoint
from latentlab.networks.config import block_resolutions
from latentlab.networks.fastgan import FastGAN
from latentlab.networks.fastgan_config import FastGANConfig

# Names that together only its generator has.
MARKS = ("synthesis.init.init.0.weight_orig", "synthesis.to_big.weight_orig")
ROLES = {"G_ema": "G_ema", "G": "G"}

_FIRST = "synthesis.init.init.{}"  # 0 the transposed convolution, 1 the norm
_BLOCK = "synthesis.feat_{}."
_GATE = "synthesis.se_{}.main.{}"  # 1 the convolution of pooled features, 3 the last one
_IMAGE = "synthesis.to_big"
_CLASSES = "synthesis.embed.weight"
_NORM = {"weight": "weight", "bias": "bias", "running_mean": "running_mean",
         "running_var": "running_var"}  # fmt: skip
_CLASS_NORM = {"gain_weight": "gain.weight", "shift_weight": "bias.weight",
               "running_mean": "stored_mean", "running_var": "stored_var"}  # fmt: skip
_CLASS_SHIFTS = {"gain_bias": "gain.bias", "shift_bias": "bias.bias"}  # where there are any


@dataclass(frozen=True)
class _Block:
    """Names of the layers of one resolution, in order."""

    convs: list[str]
    norms: list[str]
    noises: list[str]  # one for each convolution, or one for all

    @property
    def strengths(self) -> list[str]:
        """The noise of each convolution; none in a lite network."""
        return self.noises * len(self.convs) if len(self.noises) == 1 else self.noises


def read(found: Mapping[Any, Any], where: str, allow_nonfinite: bool = False) -> Contents:
    """Build the generators of a snapshot, as ``foreign.Reader`` says; they are modules, or weights.

    Metadata are "training_set", "training", "notes", and what was "ignored": the discriminator,
    which is made of other people's networks, too.
    """
    networks: dict[str, nn.Module] = {}
    for name in ROLES:
        if (part := found.get(name)) is None:
            continue
        place = f"{where}: {name}"
        is_module = type(part) is Record
        tensors: Any = state_dict_of(part, place) if is_module else part
        said = (part.state or {}).get("img_resolution") if is_module else None
        config, weights = _network(ForeignWeights(tensors, place), said, place)
        if is_module:
            config = _as_described(config, part, place)
        if config.c_dim > 0:
            weights["embed.weight"] = weights["embed.weight"][: config.c_dim]
        networks[name] = assemble(config, weights, place, allow_nonfinite)
    facts = snapshot_facts(found, networks, where)
    if any(_has_noise(network) for network in networks.values()):
        facts["notes"] = [NO_NOISE_MAPS]
    return networks, facts


def _network(
    stored: ForeignWeights, said: object, where: str
) -> tuple[FastGANConfig, dict[str, Tensor]]:
    """Return the config that the weights show, and the weights by our names.

    There are layers beyond the one that makes the image; ``said`` is its size, if that is known.
    """
    found: dict[Any, Any] = _normed(stored.tensors, where)
    weights = ForeignWeights(found, where)
    largest = max(size for size in block_resolutions(1024) if size == 8 or _has(weights, size))
    sizes = block_resolutions(largest)[1:]
    blocks = {size: _block(weights, _BLOCK.format(size)) for size in sizes}
    z_dim, first = weights.shape(f"{_FIRST.format(0)}.weight", 4)[:2]
    maps = {size: weights.shape(f"{blocks[size].convs[0]}.weight", 4)[0] // 2 for size in sizes}
    channels, last = weights.shape(f"{_IMAGE}.weight", 4)[:2]
    used = [size for size in sizes if size >= 128 and maps[size] == last]
    if not used:
        raise CheckpointError(f"{where}: {_IMAGE} takes {last} maps, as no layer from 128 px has")
    resolution = said if type(said) is int and said in used else used[-1]
    described = {
        "resolution": resolution,
        "channels": channels,
        "c_dim": weights.shape(_CLASSES, 2)[0] if _CLASSES in weights else 0,
        "z_dim": z_dim,
        "channel_table": (first // 2, *(maps[size] for size in sizes if size <= resolution)),
        "lite": len(blocks[resolution].convs) == 1,
    }
    config = config_from_dict(FastGANConfig, described, where)
    used_blocks = {size: block for size, block in blocks.items() if size <= config.resolution}
    translated = weights.translate(_rules(weights, config, used_blocks))
    return config, translated | _not_stored(translated, config)


def _as_described(config: FastGANConfig, generator: Record, where: str) -> FastGANConfig:
    """Return ``config`` with the length of the label, and require what else the module says.

    The table of classes may have more rows than the label has places.
    """
    state = generator.state or {}
    c_dim = state.get("c_dim") if config.c_dim > 0 else 0
    if type(c_dim) is not int or not (config.c_dim == 0 or 1 <= c_dim <= config.c_dim):
        rule = f"a whole number 1 to {config.c_dim}, the classes of its table"
        raise UnsupportedCheckpoint(f"{where}: c_dim must be {rule}")
    for name, ours in (
        ("img_resolution", config.resolution), ("img_channels", config.channels),
        ("z_dim", config.z_dim),
    ):  # fmt: skip
        if type(state.get(name)) is not int or state[name] != ours:
            raise UnsupportedCheckpoint(f"{where}: {name} is not {ours}, as the weights say")
    return replace(config, c_dim=c_dim)


def _has_noise(network: nn.Module) -> bool:
    return isinstance(network, FastGAN) and len(network.synthesis.noise_layers) > 0


def _has(weights: ForeignWeights, size: int) -> bool:
    """Whether there is a block of this resolution."""
    prefix = _BLOCK.format(size)
    return any(name.startswith(prefix) for name in weights.tensors)


def _normed(tensors: Mapping[str, Tensor], where: str) -> dict[str, Tensor]:
    """Divide weights by their largest singular value, as stored with the vectors that belong to it.

    It is u^T W v (Miyato et al. 2018), with W [out,rest].
    """
    found = dict(tensors)
    for name in [name for name in tensors if name.endswith(".weight_orig")]:
        stem = name.removesuffix("_orig")
        weight = found.pop(name).double()
        if weight.ndim < 2 or weight.numel() == 0:
            raise CheckpointError(f"{where}: {name} has shape {list(weight.shape)}")
        matrix = weight.transpose(0, 1) if stem == f"{_FIRST.format(0)}.weight" else weight
        matrix = matrix.reshape(len(matrix), -1)
        u, v = (found.pop(f"{stem}_{which}", None) for which in "uv")
        for vector, which, size in ((u, "u", len(matrix)), (v, "v", matrix.shape[1])):
            if vector is None or list(vector.shape) != [size]:
                have = "it is missing" if vector is None else f"it has shape {list(vector.shape)}"
                raise CheckpointError(f"{where}: {stem}_{which} must hold {size} numbers; {have}")
        if u is not None and v is not None:
            found[stem] = weight / (u.double() @ (matrix @ v.double()))
    return found


def _block(weights: ForeignWeights, prefix: str) -> _Block:
    """Find the layers of a resolution."""
    own = {k: v for k, v in sorted(weights.tensors.items()) if k.startswith(prefix)}
    stems = [name.removesuffix(".weight") for name in own if name.endswith(".weight")]
    convs = [stem for stem in stems if own[f"{stem}.weight"].ndim == 4]
    norms = [name.rpartition(".")[0] for name in own if name.endswith(("ing_mean", "stored_mean"))]
    noises = [stem for stem in stems
              if own[f"{stem}.weight"].shape == (1,) and stem not in norms]  # fmt: skip
    counts = len(convs), len(norms), len(noises)
    if counts not in [(1, 1, 0), (2, 2, 2), (2, 2, 1)]:
        raise CheckpointError(
            f"{weights.where}: {prefix[:-1]} has {counts[0]} convolutions, {counts[1]} norms and "
            f"{counts[2]} noise strengths; expected 1, 1 and 0, or 2, 2 and 1 or 2"
        )
    return _Block(convs, norms, noises)


def _rules(
    weights: ForeignWeights, config: FastGANConfig, blocks: Mapping[int, _Block]
) -> dict[str, Rule]:
    """Say where each weight of ours comes from; what is unused at this resolution is ignored."""
    rules = renamed("synthesis.b4.conv0", _FIRST.format(0), "weight")
    rules |= _renamed("synthesis.b4.conv0.norm", _FIRST.format(1), _NORM)
    last = f"synthesis.b{config.resolution}"
    rules |= renamed(f"{last}.torgb", _IMAGE, "weight", "bias")
    if config.c_dim > 0:
        rules["embed.weight"] = Rule(_CLASSES)
    for size, block in blocks.items():
        ours = f"synthesis.b{size}"
        for i, (conv, norm) in enumerate(zip(block.convs, block.norms, strict=True)):
            rules |= renamed(f"{ours}.conv{i}", conv, "weight")
            rules |= _norm_rules(weights, f"{ours}.conv{i}.norm", norm, config.c_dim > 0)
        for i, strength in enumerate(block.strengths):
            rules[f"{ours}.conv{i}.noise_strength"] = Rule(f"{strength}.weight", reshaped())
        if config.gate_source(size):
            rules[f"{ours}.skip.pooled_weight"] = Rule(_GATE.format(size, 1) + ".weight")
            rules[f"{ours}.skip.weight"] = Rule(_GATE.format(size, 3) + ".weight")
    beyond = [f"synthesis.{part}_{size}." for size in (256, 512, 1024) for part in ("feat", "se")
              if size > config.resolution]  # fmt: skip
    unused = [name for name in weights.tensors if name.startswith(tuple(beyond))]
    counters = [name for name in weights.tensors if name.endswith(".num_batches_tracked")]
    weights.ignore(*unused, *counters)
    return rules


def _norm_rules(weights: ForeignWeights, ours: str, theirs: str, labelled: bool) -> dict[str, Rule]:
    if not labelled:
        return _renamed(ours, theirs, _NORM)
    shifts = {own: name for own, name in _CLASS_SHIFTS.items() if f"{theirs}.{name}" in weights}
    return _renamed(ours, theirs, {**_CLASS_NORM, **shifts})


def _renamed(ours: str, theirs: str, names: Mapping[str, str]) -> dict[str, Rule]:
    return {f"{ours}.{own}": Rule(f"{theirs}.{name}") for own, name in names.items()}


def _not_stored(translated: Mapping[str, Tensor], config: FastGANConfig) -> dict[str, Tensor]:
    """Return what the file has no weights for: noise maps, and the shifts of norms without any."""
    made: dict[str, Tensor] = {}
    strengths = [name for name in translated if name.endswith(".noise_strength")]
    for i, name in enumerate(strengths):
        size = int(name.split(".")[1][1:])
        made[name.removesuffix("strength") + "const"] = noise_map(size, i)
    for name in [name for name in translated if name.endswith("_weight")] * (config.c_dim > 0):
        shift = name.removesuffix("weight") + "bias"
        if ".norm." in name and shift not in translated:
            made[shift] = torch.zeros(len(translated[name]))
    return made
