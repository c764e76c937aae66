"""StyleGAN2 of rosinality/stylegan2-pytorch: ``g_ema``, ``g`` and ``d``, or a bare ``g_ema``.

The mathematics is that of the official PyTorch release with a skip generator and a resnet
discriminator, so weights only need new names. The factor 1/sqrt(fan_in) that their
modulated convolutions keep is cancelled by demodulation; ToRGB has it in both.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn

from latentlab.checkpoints.assemble import Contents, assemble, blank, config_from_dict
from latentlab.checkpoints.pickles.plain import plain_facts
from latentlab.checkpoints.systems.substitutes import (
    NO_NOISE_MAPS,
    noise_map,
    resample_filters,
    set_w_mean,
)
from latentlab.checkpoints.systems.translation import (
    ForeignWeights,
    Rule,
    names_shortened,
    only_one,
    renamed,
    reshaped,
    size_after,
    weights_by_network,
)
from latentlab.errors import CheckpointError, UnsupportedCheckpoint
from latentlab.networks.generator import Generator
from latentlab.networks.ops import fir_kernel
from latentlab.networks.stylegan2_config import StyleGAN2Config, StyleGAN2DiscriminatorConfig

MARK = "conv1.conv.modulation.weight"  # a name that only their generator has

DISCRIMINATOR_MARK = "final_linear.0.weight"  # and one that only their discriminator has
ROLES = {"g_ema": "G_ema", "g": "G", "d": "D"}

_TAPS = (1.0, 3.0, 3.0, 1.0)
_MEAN_OF = 4096  # w, as their generate.py takes


def read(found: Mapping[Any, Any], where: str, allow_nonfinite: bool = False) -> Contents:
    """Build the networks of a file of rosinality/stylegan2-pytorch, see ``foreign.Reader``.

    Metadata are "training" settings, "notes", and what was "ignored".
    """
    networks: dict[str, nn.Module] = {}
    notes: set[str] = set()
    taken: set[int] = set()
    for name, weights in weights_by_network(found, ROLES, where).items():
        config, tensors = (_discriminator if name == "D" else _generator)(weights)
        if isinstance(config, StyleGAN2Config):
            tensors["mapping.w_avg"] = _mean(found, config.w_dim, weights.where)
        network = assemble(config, tensors, weights.where, allow_nonfinite, taken)
        if isinstance(network, Generator):
            notes |= set() if _has_noise(weights) else {NO_NOISE_MAPS}
            notes |= {set_w_mean(network, _MEAN_OF)} if found.get("latent_avg") is None else set()
        networks[name] = network
    return networks, {**_facts(found, where), "notes": sorted(notes)}


def _mean(found: Mapping[Any, Any], w_dim: int, where: str) -> Tensor:
    mean = found.get("latent_avg")
    if mean is None:
        return torch.zeros(w_dim)
    if type(mean) is not Tensor:
        raise CheckpointError(f"{where}: latent_avg is not a tensor")
    return mean.reshape(-1)


def _facts(found: Mapping[Any, Any], where: str) -> dict[str, Any]:
    """Return the settings of the training run, and the names of what is left aside."""
    known = (*ROLES, "latent_avg")
    rest = {key: value for key, value in found.items() if key not in known and value is not None}
    training: dict[Any, Any] = {}
    for key, value in rest.items():
        with suppress(UnsupportedCheckpoint):  # tensors of the optimiser, for instance
            training[key] = plain_facts(value, where)
    return {
        "training": {str(key)[:100]: value for key, value in training.items()},
        "ignored": names_shortened(key for key in rest if key not in training),
    }


def _generator(weights: ForeignWeights) -> tuple[StyleGAN2Config, dict[str, Tensor]]:
    """Return the config and the weights by our names, without the mean of W."""
    maps = [weights.shape("input.input", 4)[1]]
    doubled = weights.count("to_rgbs.{}.conv.weight")
    maps += [weights.shape(f"convs.{2 * i}.conv.weight", 5)[1] for i in range(doubled)]
    layers = weights.count("style.{}.weight", start=1)
    w_dim = weights.shape(MARK, 2)[1]
    described = {
        "resolution": size_after(doubled),
        "channels": weights.shape("to_rgb1.conv.weight", 5)[1],
        "channel_table": tuple(maps),
        "z_dim": weights.shape("style.1.weight", 2)[1] if layers else w_dim,
        "w_dim": w_dim,
        "mapping_layers": layers,
        "resample_filter": _TAPS,
    }
    config = config_from_dict(StyleGAN2Config, described, weights.where)
    rules = {"synthesis.b4.const": Rule("input.input", only_one)}
    for i in range(layers):
        rules |= renamed(f"mapping.fc{i}", f"style.{i + 1}", "weight", "bias")
    rules |= _styled("synthesis.b4.conv1", "conv1")
    rules |= _to_rgb("synthesis.b4.torgb", "to_rgb1", config.channels)
    kernel = fir_kernel(_TAPS) * 4
    for i in range(doubled):
        size = 8 * 2**i
        for half in range(2):
            rules |= _styled(f"synthesis.b{size}.conv{half}", f"convs.{2 * i + half}")
        rules |= _to_rgb(f"synthesis.b{size}.torgb", f"to_rgbs.{i}", config.channels)
        weights.check(f"convs.{2 * i}.conv.blur.kernel", kernel)
        weights.check(f"to_rgbs.{i}.upsample.kernel", kernel)
    noise, drawn = _noise(weights, doubled)
    filters = resample_filters(blank(config, weights.where))
    return config, weights.translate(rules | noise) | drawn | filters


def _has_noise(weights: ForeignWeights) -> bool:
    """Whether there are noise maps; revisions before they were buffers wrote none."""
    return any(name.startswith("noises.") for name in weights.tensors)


def _noise(weights: ForeignWeights, doubled: int) -> tuple[dict[str, Rule], dict[str, Tensor]]:
    """Return where the noise maps come from: rules, or maps of a fixed seed."""
    layers = [("synthesis.b4.conv1.noise_const", 4)]
    for size in (8 * 2**i for i in range(doubled)):
        layers += [(f"synthesis.b{size}.conv{half}.noise_const", size) for half in range(2)]
    if not _has_noise(weights):
        return {}, {ours: noise_map(size, i) for i, (ours, size) in enumerate(layers)}
    rules = {}
    for i, (ours, size) in enumerate(layers):
        rules[ours] = Rule(f"noises.noise_{i}", reshaped(size, size))
    return rules, {}


def _modulated(ours: str, theirs: str) -> dict[str, Rule]:
    weight = {f"{ours}.weight": Rule(f"{theirs}.conv.weight", only_one)}
    return weight | renamed(f"{ours}.affine", f"{theirs}.conv.modulation", "weight", "bias")


def _styled(ours: str, theirs: str) -> dict[str, Rule]:
    return _modulated(ours, theirs) | {
        f"{ours}.bias": Rule(f"{theirs}.activate.bias"),
        f"{ours}.noise_strength": Rule(f"{theirs}.noise.weight", reshaped()),
    }


def _to_rgb(ours: str, theirs: str, channels: int) -> dict[str, Rule]:
    return _modulated(ours, theirs) | {f"{ours}.bias": Rule(f"{theirs}.bias", reshaped(channels))}


def _discriminator(
    weights: ForeignWeights,
) -> tuple[StyleGAN2DiscriminatorConfig, dict[str, Tensor]]:
    """Return the config and the weights by our names."""
    halved = weights.count("convs.{}.conv1.0.weight", start=1)
    resolution = size_after(halved)
    downwards = [weights.shape("convs.0.0.weight", 4)[0]]
    downwards += [weights.shape(f"convs.{i}.skip.1.weight", 4)[0] for i in range(1, halved + 1)]
    features = weights.shape("final_linear.0.weight", 2)[0]
    described = {
        "resolution": resolution,
        "channels": weights.shape("convs.0.0.weight", 4)[1],
        "channel_table": tuple(reversed(downwards)),
        "mbstd_num_channels": weights.shape("final_conv.0.weight", 4)[1] - downwards[-1],
        "fc_features": features if features != downwards[-1] else None,
        "resample_filter": _TAPS,
    }
    config = config_from_dict(StyleGAN2DiscriminatorConfig, described, weights.where)
    rules = _biased(f"b{resolution}.fromrgb" if halved else "b4.fromrgb", "convs.0", 0)
    for i in range(1, halved + 1):
        ours, theirs = f"b{resolution // 2 ** (i - 1)}", f"convs.{i}"
        rules |= _biased(f"{ours}.conv0", f"{theirs}.conv1", 0)
        rules |= _biased(f"{ours}.conv1", f"{theirs}.conv2", 1)
        rules[f"{ours}.skip.weight"] = Rule(f"{theirs}.skip.1.weight")
        for name in ("conv2", "skip"):
            weights.check(f"{theirs}.{name}.0.kernel", fir_kernel(_TAPS))
    rules |= _biased("b4.conv", "final_conv", 0)
    rules |= renamed("b4.fc", "final_linear.0", "weight", "bias")
    rules |= renamed("b4.out", "final_linear.1", "weight", "bias")
    return config, weights.translate(rules) | resample_filters(blank(config, weights.where))


def _biased(ours: str, theirs: str, index: int) -> dict[str, Rule]:
    """A convolution whose bias is with the activation, the next module."""
    return {
        f"{ours}.weight": Rule(f"{theirs}.{index}.weight"),
        f"{ours}.bias": Rule(f"{theirs}.{index + 1}.bias"),
    }
