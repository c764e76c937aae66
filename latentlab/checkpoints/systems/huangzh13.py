"""StyleGAN1 of huangzh13/StyleGAN.pytorch: a generator, or a discriminator, in a file of its own.

It computes as the official networks do, but for the epsilon of its instance normalisation. A file
has all stages up to the full resolution, whatever it was trained for, and no noise maps.
"""

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from latentlab.checkpoints.assemble import Contents, assemble, config_from_dict
from latentlab.checkpoints.assumptions import Answer, Question
from latentlab.checkpoints.systems.substitutes import NO_NOISE_MAPS, noise_map, set_w_mean
from latentlab.checkpoints.systems.translation import (
    ForeignWeights,
    Rule,
    check_for_lost_label,
    only_one,
    renamed,
    size_after,
)
from latentlab.errors import CheckpointError, UnsupportedCheckpoint
from latentlab.networks.config import block_resolutions
from latentlab.networks.generator import Generator
from latentlab.networks.ops import fir_kernel
from latentlab.networks.stylegan1_config import StyleGAN1Config, StyleGAN1DiscriminatorConfig

MARK = "g_synthesis.init_block.const"  # names that only their generator and discriminator have
DISCRIMINATOR_MARK = "final_block.conv.weight"

QUESTIONS = (
    Question(
        "depth",
        None,
        "how often 4x4 was doubled in training: as the weights show it, or a number",
        needed=False,
        choices=(None, *range(9)),
    ),
)

_INPUT_BIAS = "g_synthesis.init_block.bias"  # which starts at one
_BLUR_KERNEL = "g_synthesis.blocks.{}.conv0_up.intermediate.kernel"
_BLUR = (1.0, 2.0, 1.0)
_BOX = (1.0, 1.0)
_MEAN_OF = 4096  # w, where the file has no mean
_TRUNCATION = {"psi": 0.7, "cutoff": 8}  # of their script that samples images
_FILE_NAME = re.compile(r"GAN_(?:GEN|GEN_SHADOW|DIS)_([0-9]{1,2})_[0-9]+\.pth$")
_LAST_TRAINED = re.compile(r"GAN_GEN_[0-9]+_[0-9]+\.pth$")  # the average is a "shadow"


def read(
    found: Mapping[Any, Any], where: str, allow_nonfinite: bool, answers: Mapping[str, Answer]
) -> Contents:
    """Build the network of a state dict of huangzh13/StyleGAN.pytorch, see ``foreign.Reader``.

    What is above the depth that it was trained to is left out. Metadata are "truncation" and
    "notes".
    """
    weights = ForeignWeights(found, where)
    is_generator = MARK in weights
    stages = _stages(weights)
    depth = answers["depth"]
    trained = depth + 1 if type(depth) is int else _trained_stages(weights, stages)
    if trained > stages:
        raise CheckpointError(
            f"{where}: depth is assumed to be {depth}, but its layers go to {stages - 1}"
        )
    config, tensors = (_generator if is_generator else _discriminator)(weights, trained, stages)
    network = assemble(config, tensors, where, allow_nonfinite, set())
    notes = _notes_on_stages(where, trained, stages, depth is not None)
    if not isinstance(network, Generator):
        return {"D": network}, {"notes": notes}
    if network.synthesis.noise_layers:
        notes.append(NO_NOISE_MAPS)
    if "truncation.avg_latent" not in weights:
        notes.append(set_w_mean(network, _MEAN_OF))
    name = "G" if _LAST_TRAINED.search(where) else "G_ema"
    return {name: network}, {"truncation": _TRUNCATION, "notes": notes}


# Stages: stage 0 is 4x4. The discriminator's lists run downwards from the full resolution.


def _stages(weights: ForeignWeights) -> int:
    rgb = "g_synthesis.to_rgb.{}.weight" if MARK in weights else "from_rgb.{}.weight"
    count = weights.last(rgb) + 1
    if count == 0:
        raise CheckpointError(f"{weights.where}: the weight {rgb.format(0)} is missing")
    return count


def _of_stage(weights: ForeignWeights, stage: int, stages: int) -> tuple[str, ...]:
    """Return how the names of a stage's weights begin, of those above 4x4 and of 4x4."""
    if MARK in weights:
        block = f"blocks.{stage - 1}." if stage else "init_block."
        return f"g_synthesis.{block}", f"g_synthesis.to_rgb.{stage}."
    place = stages - 1 - stage
    return f"blocks.{place}." if stage else "final_block.", f"from_rgb.{place}."


def _trained_stages(weights: ForeignWeights, stages: int) -> int:
    """Return how many stages there are up to the last whose weights left their initial values.

    Biases (but that of the constant) and noise weights start at zero, and training moves them.
    """
    for stage in range(stages - 1, -1, -1):
        starts = _of_stage(weights, stage, stages)
        for name, tensor in weights.tensors.items():
            from_zero = name.endswith((".bias", ".noise.weight")) and name != _INPUT_BIAS
            if from_zero and name.startswith(starts) and bool(tensor.any()):
                return stage + 1
    return stages  # nothing was trained


def _notes_on_stages(where: str, trained: int, stages: int, is_assumed: bool) -> list[str]:
    size, named = size_after(trained - 1), _FILE_NAME.search(where)
    if trained < stages and is_assumed:
        return [f"The layers above {size} px are left out, as depth {trained - 1} asks."]
    if trained < stages:
        return [f"The layers above {size} px were never trained and are left out."]
    if named and int(named[1]) < trained - 1 and not is_assumed:
        depth = int(named[1])
        return [
            f"By the name of the file it was trained up to {size_after(depth)} px, by its weights "
            f"up to {size} px; to leave out what is above, assume depth={depth}."
        ]
    return []


def _leave_out(weights: ForeignWeights, trained: int, stages: int) -> None:
    starts = tuple(
        start for stage in range(trained, stages) for start in _of_stage(weights, stage, stages)
    )
    weights.ignore(*(name for name in weights.tensors if name.startswith(starts)))


def _generator(
    weights: ForeignWeights, trained: int, stages: int
) -> tuple[StyleGAN1Config, dict[str, Tensor]]:
    """Return the config and the weights by our names; a mean of w that is missing is zero."""
    style = f"{_layer_names(0, 0)[1]}.style_mod.lin.weight"
    mapping, rules = _mapping(weights, weights.shape(style, 2)[1])
    described = mapping | {
        "resolution": size_after(trained - 1),
        "channels": weights.shape("g_synthesis.to_rgb.0.weight", 4)[0],
        "channel_table": tuple(
            weights.shape(f"g_synthesis.to_rgb.{k}.weight", 4)[1] for k in range(trained)
        ),
        "use_noise": f"{_layer_names(0, 0)[1]}.top_epi.noise.weight" in weights,
        "blur_filter": _BLUR if _BLUR_KERNEL.format(0) in weights or stages == 1 else None,
        "instance_norm_epsilon": 1e-5,
    }
    config = config_from_dict(StyleGAN1Config, described, weights.where)
    rules["synthesis.b4.layer0.const"] = Rule(MARK, only_one)
    for k, size in enumerate(block_resolutions(config.resolution)):
        rules |= _layers(f"synthesis.b{size}", k, config.use_noise)
        rules |= renamed(f"synthesis.b{size}.torgb", f"g_synthesis.to_rgb.{k}", "weight", "bias")
        if k > 0 and config.blur_filter is not None:
            weights.check(_BLUR_KERNEL.format(k - 1), fir_kernel(_BLUR)[None, None])
    _leave_out(weights, trained, stages)
    return config, _unwritten(weights, config) | weights.translate(rules)


def _mapping(weights: ForeignWeights, w_dim: int) -> tuple[dict[str, Any], dict[str, Rule]]:
    """Return settings and rules of the mapping network, and of the mean of w if it is there."""
    layers = weights.last("g_mapping.map.dense{}.weight") + 1
    inputs = weights.shape("g_mapping.map.dense0.weight", 2)[1]
    hidden = weights.shape("g_mapping.map.dense0.weight", 2)[0]
    described: dict[str, Any] = {"z_dim": inputs, "w_dim": w_dim, "mapping_layers": layers}
    if layers > 1 and hidden != w_dim:
        described["layer_features"] = hidden
    rules: dict[str, Rule] = {}
    if "class_embedding.weight" in weights:
        c_dim, width = weights.shape("class_embedding.weight", 2)
        described |= {"c_dim": c_dim, "z_dim": inputs - width}
        rules["mapping.label_weight"] = Rule("class_embedding.weight")
    else:
        check_for_lost_label(inputs, w_dim, f"{weights.where}: g_mapping.map.dense0.weight")
    if "truncation.avg_latent" in weights:
        rules["mapping.w_avg"] = Rule("truncation.avg_latent")
    for i in range(layers):
        rules |= renamed(f"mapping.fc{i}", f"g_mapping.map.dense{i}", "weight", "bias")
    return described, rules


def _unwritten(weights: ForeignWeights, config: StyleGAN1Config) -> dict[str, Tensor]:
    """What their file lacks: lod, noise maps, and perhaps a mean of w, to be set later."""
    tensors = {"synthesis.lod": torch.zeros([])}
    if "truncation.avg_latent" not in weights:
        tensors["mapping.w_avg"] = torch.zeros(config.w_dim)
    for i, size in enumerate(block_resolutions(config.resolution) if config.use_noise else ()):
        for half in range(2):
            name = f"synthesis.b{size}.layer{half}.noise_const"
            tensors[name] = noise_map(size, 2 * i + half)
    return tensors


def _layer_names(stage: int, half: int) -> tuple[str, str]:
    """Return what they call a layer's convolution, or constant, and its epilogue."""
    block = f"g_synthesis.blocks.{stage - 1}" if stage else "g_synthesis.init_block"
    convs = ("conv0_up", "conv1") if stage else ("", "conv")
    return f"{block}.{convs[half]}".rstrip("."), f"{block}.epi{half + 1}"


def _layers(ours: str, stage: int, noisy: bool) -> dict[str, Rule]:
    """The two layers of a stage."""
    rules: dict[str, Rule] = {}
    for half in range(2):
        layer = f"{ours}.layer{half}"
        conv, epilogue = _layer_names(stage, half)
        has_weight = stage > 0 or half > 0
        rules |= renamed(layer, conv, "bias", *(["weight"] if has_weight else []))
        rules |= renamed(f"{layer}.affine", f"{epilogue}.style_mod.lin", "weight", "bias")
        if noisy:
            rules[f"{layer}.noise_strength"] = Rule(f"{epilogue}.top_epi.noise.weight")
    return rules


def _discriminator(
    weights: ForeignWeights, trained: int, stages: int
) -> tuple[StyleGAN1DiscriminatorConfig, dict[str, Tensor]]:
    """Return the config and the weights by our names."""
    if "embeddings.0.weight" in weights:
        raise UnsupportedCheckpoint(
            f"{weights.where}: a discriminator with labels, which reads them as further channels "
            "of its images; this is not supported"
        )
    rgb = [f"from_rgb.{stages - 1 - stage}" for stage in range(trained)]
    maps = [weights.shape(f"{name}.weight", 4)[0] for name in rgb]
    features = weights.shape("final_block.dense0.weight", 2)[0]
    described = {
        "resolution": size_after(trained - 1),
        "channels": weights.shape(f"{rgb[0]}.weight", 4)[1],
        "channel_table": tuple(maps),
        "mbstd_num_channels": weights.shape(DISCRIMINATOR_MARK, 4)[1] - maps[0],
        "fc_features": features if features != maps[0] else None,
        "from_rgb_activation": False,
        "blur_filter": _BLUR if "blocks.0.blur.kernel" in weights or stages == 1 else None,
    }
    config = config_from_dict(StyleGAN1DiscriminatorConfig, described, weights.where)
    rules: dict[str, Rule] = {}
    for stage, name in enumerate(rgb):
        ours, block = f"b{size_after(stage)}", f"blocks.{stages - 1 - stage}"
        rules |= renamed(f"{ours}.fromrgb", name, "weight", "bias")
        if stage > 0:
            rules |= renamed(f"{ours}.conv0", f"{block}.conv0", "weight", "bias")
            rules |= renamed(f"{ours}.conv1", f"{block}.conv1_down", "weight", "bias")
            weights.check(f"{block}.conv1_down.downscale.blur.kernel", fir_kernel(_BOX)[None, None])
            if config.blur_filter is not None:
                weights.check(f"{block}.blur.kernel", fir_kernel(_BLUR)[None, None])
    for part, theirs in (("conv", "conv"), ("fc", "dense0"), ("out", "dense1")):
        rules |= renamed(f"b4.{part}", f"final_block.{theirs}", "weight", "bias")
    _leave_out(weights, trained, stages)
    return config, weights.translate(rules) | {"lod": torch.zeros([])}
