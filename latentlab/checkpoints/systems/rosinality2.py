"""StyleGAN2 of rosinality/stylegan2-pytorch: ``g_ema``, ``g`` and ``d``, or a bare ``g_ema``.

The mathematics is that of the official PyTorch release with a skip generator and a resnet
discriminator, so weights only need new names. The factor 1/sqrt(fan_in) that their
modulated convolutions keep is cancelled by demodulation; ToRGB has it in both.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from latentlab.checkpoints.assemble import Contents, assemble, blank, config_from_dict
from latentlab.checkpoints.systems.facts import facts_of
from latentlab.checkpoints.systems.substitutes import (
    NO_NOISE_MAPS,
    noise_map,
    resample_filters,
    set_w_mean,
)
from latentlab.checkpoints.systems.translation import (
    ForeignWeights,
    Rule,
    check_agreement,
    only_one,
    renamed,
    reshaped,
    size_after,
    weights_by_network,
)
from latentlab.errors import CheckpointError, UnsupportedCheckpoint
from latentlab.networks.config import block_resolutions
from latentlab.networks.generator import Generator
from latentlab.networks.ops import fir_kernel
from latentlab.networks.stylegan2_config import StyleGAN2Config, StyleGAN2DiscriminatorConfig

MARK = "conv1.conv.modulation.weight"  # a name that only their generator has

DISCRIMINATOR_MARK = "final_linear.0.weight"  # and one that only their discriminator has
ROLES = {"g_ema": "G_ema", "g": "G", "d": "D"}

# Settings of their train.py that shapes show as well.
_SETTINGS = {"size": "resolution", "latent": "w_dim", "n_mlp": "mapping_layers"}
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
    check_agreement(networks, where)
    facts = facts_of(found, (*ROLES, "latent_avg"), where)
    _check_settings(facts["training"].get("args"), networks, where)
    return networks, {**facts, "notes": sorted(notes)}


def _mean(found: Mapping[Any, Any], w_dim: int, where: str) -> Tensor:
    mean = found.get("latent_avg")
    if mean is None:
        return torch.zeros(w_dim)
    if type(mean) is not Tensor or sorted(mean.shape)[:-1] != [1] * (mean.ndim - 1):
        raise CheckpointError(f"{where}: latent_avg is not a tensor of {w_dim} numbers in a row")
    return mean.reshape(-1)


def _check_settings(said: object, networks: Mapping[str, nn.Module], where: str) -> None:
    """Compare the generators with the settings of the training run, where the file has them.

    A network that lacks its last layers looks like a smaller one.
    """
    settings = said if isinstance(said, dict) else {}
    for name, network in networks.items():
        config: Any = network.config
        for setting, field in _SETTINGS.items() if isinstance(network, Generator) else ():
            value = settings.get(setting)
            if type(value) is int and value != getattr(config, field):
                have = getattr(config, field)
                raise CheckpointError(
                    f"{where}: weights are missing from {name}: {field} is {have} by its weights, "
                    f"and {value} by the settings of the training run (args.{setting})"
                )


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
        "z_dim": weights.z_dim("style.1.weight", w_dim),
        "w_dim": w_dim,
        "mapping_layers": layers,
        "resample_filter": _TAPS,
    }
    config = config_from_dict(StyleGAN2Config, described, weights.where)
    for name, kernel in generator_filters(config).items():
        weights.check(name, kernel)
    noise, drawn = noise_rules(config), {}
    if not _has_noise(weights):
        sizes = {ours: 4 * 2 ** ((i + 1) // 2) for i, ours in enumerate(noise)}
        drawn = {ours: noise_map(size, i) for i, (ours, size) in enumerate(sizes.items())}
        noise = {}
    filters = resample_filters(blank(config, weights.where))
    return config, weights.translate(generator_rules(config) | noise) | drawn | filters


def generator_rules(config: StyleGAN2Config) -> dict[str, Rule]:
    """Return where the weights come from, but for noise maps and the mean of W."""
    rules = {"synthesis.b4.const": Rule("input.input", only_one)}
    for i in range(config.mapping_layers):
        rules |= renamed(f"mapping.fc{i}", f"style.{i + 1}", "weight", "bias")
    rules |= _styled("synthesis.b4.conv1", "conv1")
    rules |= _to_rgb("synthesis.b4.torgb", "to_rgb1", config.channels)
    for i, size in enumerate(block_resolutions(config.resolution)[1:]):
        for half in range(2):
            rules |= _styled(f"synthesis.b{size}.conv{half}", f"convs.{2 * i + half}")
        rules |= _to_rgb(f"synthesis.b{size}.torgb", f"to_rgbs.{i}", config.channels)
    return rules


def noise_rules(config: StyleGAN2Config) -> dict[str, Rule]:
    """Return where the noise maps come from, in order."""
    rules = {}
    for i in range(config.num_ws - 1):
        size, half = 4 * 2 ** ((i + 1) // 2), 1 - i % 2
        change = reshaped(size, size, theirs=(1, 1, size, size))
        rules[f"synthesis.b{size}.conv{half}.noise_const"] = Rule(f"noises.noise_{i}", change)
    return rules


def generator_filters(config: StyleGAN2Config) -> dict[str, Tensor]:
    """Return the filters that a file holds by their names."""
    places = [
        place
        for i in range(len(block_resolutions(config.resolution)) - 1)
        for place in (f"convs.{2 * i}.conv.blur.kernel", f"to_rgbs.{i}.upsample.kernel")
    ]
    return {name: fir_kernel(_TAPS) * 4 for name in places}


def _has_noise(weights: ForeignWeights) -> bool:
    """Whether there are noise maps; revisions before they were buffers wrote none."""
    return any(name.startswith("noises.") for name in weights.tensors)


def _modulated(ours: str, theirs: str) -> dict[str, Rule]:
    weight = {f"{ours}.weight": Rule(f"{theirs}.conv.weight", only_one)}
    return weight | renamed(f"{ours}.affine", f"{theirs}.conv.modulation", "weight", "bias")


def _styled(ours: str, theirs: str) -> dict[str, Rule]:
    return _modulated(ours, theirs) | {
        f"{ours}.bias": Rule(f"{theirs}.activate.bias"),
        f"{ours}.noise_strength": Rule(f"{theirs}.noise.weight", reshaped(theirs=(1,))),
    }


def _to_rgb(ours: str, theirs: str, channels: int) -> dict[str, Rule]:
    flat = reshaped(channels, theirs=(1, channels, 1, 1))
    return _modulated(ours, theirs) | {f"{ours}.bias": Rule(f"{theirs}.bias", flat)}


def _discriminator(
    weights: ForeignWeights,
) -> tuple[StyleGAN2DiscriminatorConfig, dict[str, Tensor]]:
    """Return the config and the weights by our names."""
    if "blocks.0.conv1.0.weight" in weights:
        raise UnsupportedCheckpoint(
            f"{weights.where}: a discriminator of several resolutions, as Anycost GAN trains it"
        )
    halved = weights.count("convs.{}.conv1.0.weight", start=1)
    resolution = size_after(halved)
    downwards = [weights.shape("convs.0.0.weight", 4)[0]]
    downwards += [weights.shape(f"convs.{i}.skip.1.weight", 4)[0] for i in range(1, halved + 1)]
    features = weights.shape("final_linear.0.weight", 2)[0]
    taken = weights.shape("final_conv.0.weight", 4)[1]
    if taken != downwards[-1] + 1:
        raise CheckpointError(
            f"{weights.where}: final_conv.0.weight takes {taken} feature maps; expected the "
            f"{downwards[-1]} that are made, and one of minibatch deviations"
        )
    described = {
        "resolution": resolution,
        "channels": weights.shape("convs.0.0.weight", 4)[1],
        "channel_table": tuple(reversed(downwards)),
        "fc_features": features if features != downwards[-1] else None,
        "resample_filter": _TAPS,
    }
    config = config_from_dict(StyleGAN2DiscriminatorConfig, described, weights.where)
    for name, kernel in discriminator_filters(config).items():
        weights.check(name, kernel)
    filters = resample_filters(blank(config, weights.where))
    return config, weights.translate(discriminator_rules(config)) | filters


def discriminator_rules(config: StyleGAN2DiscriminatorConfig) -> dict[str, Rule]:
    """Return where the weights come from."""
    rules = _biased(f"b{config.resolution}.fromrgb", "convs.0", 0)
    for i, size in enumerate(block_resolutions(config.resolution)[:0:-1], start=1):
        ours, theirs = f"b{size}", f"convs.{i}"
        rules |= _biased(f"{ours}.conv0", f"{theirs}.conv1", 0)
        rules |= _biased(f"{ours}.conv1", f"{theirs}.conv2", 1)
        rules[f"{ours}.skip.weight"] = Rule(f"{theirs}.skip.1.weight")
    rules |= _biased("b4.conv", "final_conv", 0)
    rules |= renamed("b4.fc", "final_linear.0", "weight", "bias")
    rules |= renamed("b4.out", "final_linear.1", "weight", "bias")
    return rules


def discriminator_filters(config: StyleGAN2DiscriminatorConfig) -> dict[str, Tensor]:
    """Return the filters that a file holds by their names."""
    halved = len(block_resolutions(config.resolution)) - 1
    places = [f"convs.{i}.{name}.0.kernel" for i in range(1, halved + 1)
              for name in ("conv2", "skip")]  # fmt: skip
    return {name: fir_kernel(_TAPS) for name in places}


def _biased(ours: str, theirs: str, index: int) -> dict[str, Rule]:
    """A convolution whose bias is with the activation, the next module."""
    return {
        f"{ours}.weight": Rule(f"{theirs}.{index}.weight"),
        f"{ours}.bias": Rule(f"{theirs}.{index + 1}.bias"),
    }
