"""Names: which variable of the published TensorFlow networks becomes which tensor of ours."""

import math
from collections.abc import Iterator

from latentlab.checkpoints.systems.tensorflow.arguments import Arguments
from latentlab.checkpoints.systems.tensorflow.variables import (
    CONSTANT,
    DENSE,
    KERNEL,
    MAP,
    MIRRORED,
    Layout,
    Row,
)
from latentlab.checkpoints.systems.translation import LABEL_RATE
from latentlab.networks.config import ImageNetworkConfig, block_resolutions
from latentlab.networks.ops import SQRT2
from latentlab.networks.stylegan1_config import (
    ProGANConfig,
    StyleGAN1Config,
    StyleGAN1DiscriminatorConfig,
)
from latentlab.networks.stylegan2_config import StyleGAN2Config, StyleGAN2DiscriminatorConfig

Rows = Iterator[Row]


def _layer(ours: str, theirs: str, layout: Layout = KERNEL, gain: float = SQRT2) -> Rows:
    """A layer with weight and bias."""
    yield Row(f"{ours}.weight", f"{theirs}/weight", layout, gain)
    yield Row(f"{ours}.bias", f"{theirs}/bias")


def _level(config: ImageNetworkConfig, resolution: int) -> int:
    """Level of detail: halvings from the full resolution down to ``resolution``."""
    return int(math.log2(config.resolution // resolution))


def _rgb(config: ImageNetworkConfig, a: Arguments, resolution: int, name: str) -> str:
    """Name a layer to or from RGB of StyleGAN2; configs B to D name it by its level of detail."""
    by_level = "structure" in a.values
    level, size = _level(config, resolution), f"{resolution}x{resolution}"
    return f"{name}_lod{level}" if by_level else f"{size}/{name}"


# Generators.


def _mapping(config: StyleGAN1Config | StyleGAN2Config) -> Rows:
    yield Row("mapping.w_avg", "dlatent_avg")
    if config.c_dim > 0 and config.label_input == "concat":
        yield Row("mapping.label_weight", "mapping/LabelConcat/weight")
    elif config.c_dim > 0:
        yield from _layer("mapping.embed", "mapping/LabelEmbed", DENSE)
    for i in range(config.mapping_layers):
        yield from _layer(f"mapping.fc{i}", f"mapping/Dense{i}", DENSE)


def stylegan1_generator(config: StyleGAN1Config, _: Arguments) -> Rows:
    """G_style."""
    yield from _mapping(config)
    if config.growing:  # running the whole network hands this down to the synthesis network
        yield Row("synthesis.lod", "lod")
    for resolution in block_resolutions(config.resolution):
        ours, theirs = f"synthesis.b{resolution}", f"synthesis/{resolution}x{resolution}"
        if resolution == 4 and config.const_input:
            names = ("Const", "Conv")
            yield Row(f"{ours}.layer0.const", f"{theirs}/Const/const", CONSTANT)
        elif resolution == 4:
            names = ("Dense", "Conv")
            yield Row(f"{ours}.layer0.weight", f"{theirs}/Dense/weight", DENSE, SQRT2 / 4)
        else:
            names = ("Conv0_up", "Conv1")
            yield Row(f"{ours}.layer0.weight", f"{theirs}/Conv0_up/weight", KERNEL, SQRT2)
        yield Row(f"{ours}.layer1.weight", f"{theirs}/{names[1]}/weight", KERNEL, SQRT2)
        for i, name in enumerate(names):
            index = 2 * int(math.log2(resolution)) - 4 + i
            yield from _epilogue(config, f"{ours}.layer{i}", f"{theirs}/{name}", index)
        if config.growing or resolution == config.resolution:
            level = _level(config, resolution)
            yield from _layer(f"{ours}.torgb", f"synthesis/ToRGB_lod{level}", gain=1.0)


def _epilogue(config: StyleGAN1Config, ours: str, theirs: str, index: int) -> Rows:
    yield Row(f"{ours}.bias", f"{theirs}/bias")
    if config.use_noise:
        yield Row(f"{ours}.noise_strength", f"{theirs}/Noise/weight")
        yield Row(f"{ours}.noise_const", f"synthesis/noise{index}", MAP)
    if config.styles:
        yield from _layer(f"{ours}.affine", f"{theirs}/StyleMod", DENSE, gain=1.0)


def progan_generator(config: ProGANConfig, _: Arguments) -> Rows:
    """G_paper."""
    yield Row("synthesis.lod", "lod")
    up = "Conv0" if config.fused_from is None else "Conv0_up"
    for resolution in block_resolutions(config.resolution):
        ours, theirs = f"synthesis.b{resolution}", f"{resolution}x{resolution}"
        if resolution == 4:
            yield from _layer(f"{ours}.layer0", f"{theirs}/Dense", DENSE, SQRT2 / 4)
            yield from _layer(f"{ours}.layer1", f"{theirs}/Conv")
        else:
            yield from _layer(f"{ours}.layer0", f"{theirs}/{up}")
            yield from _layer(f"{ours}.layer1", f"{theirs}/Conv1")
        yield from _layer(f"{ours}.torgb", f"ToRGB_lod{_level(config, resolution)}", gain=1.0)


def stylegan2_generator(config: StyleGAN2Config, a: Arguments) -> Rows:
    """G_main, with any of its synthesis networks."""
    yield from _mapping(config)
    if config.growing:
        yield Row("synthesis.lod", "lod")
    for resolution in block_resolutions(config.resolution):
        ours, theirs = f"synthesis.b{resolution}", f"synthesis/{resolution}x{resolution}"
        index = 2 * int(math.log2(resolution)) - 5
        if resolution == 4:
            yield Row(f"{ours}.const", f"{theirs}/Const/const", CONSTANT)
            yield from _styled(config, f"{ours}.conv1", f"{theirs}/Conv", 0)
        else:
            yield from _styled(config, f"{ours}.conv0", f"{theirs}/Conv0_up", index, MIRRORED)
            yield from _styled(config, f"{ours}.conv1", f"{theirs}/Conv1", index + 1)
            if config.architecture == "resnet":
                yield Row(f"{ours}.skip.weight", f"{theirs}/Skip/weight", KERNEL)
        if config.architecture == "skip" or config.growing or resolution == config.resolution:
            rgb = _rgb(config, a, resolution, "ToRGB")
            yield from _modulated(f"{ours}.torgb", f"synthesis/{rgb}")


def _modulated(ours: str, theirs: str, layout: Layout = KERNEL) -> Rows:
    yield from _layer(ours, theirs, layout)
    yield Row(f"{ours}.affine.weight", f"{theirs}/mod_weight", DENSE)
    # They add one to the style, we start from a bias of one.
    yield Row(f"{ours}.affine.bias", f"{theirs}/mod_bias", shift=1.0)


def _styled(
    config: StyleGAN2Config, ours: str, theirs: str, index: int, layout: Layout = KERNEL
) -> Rows:
    yield from _modulated(ours, theirs, layout)
    if config.use_noise:
        yield Row(f"{ours}.noise_strength", f"{theirs}/noise_strength")
        yield Row(f"{ours}.noise_const", f"synthesis/noise{index}", MAP)


# Discriminators.


def stylegan1_discriminator(config: StyleGAN1DiscriminatorConfig, _: Arguments) -> Rows:
    """D_basic and D_paper."""
    down = "Conv1" if config.halves_last else "Conv1_down"
    if config.growing:
        yield Row("lod", "lod")
    for resolution in block_resolutions(config.resolution):
        ours, theirs = f"b{resolution}", f"{resolution}x{resolution}"
        if config.growing or resolution == config.resolution:
            yield from _layer(f"{ours}.fromrgb", f"FromRGB_lod{_level(config, resolution)}")
        if resolution == 4:
            yield from _layer("b4.conv", "4x4/Conv")
            yield from _layer("b4.fc", "4x4/Dense0", DENSE)
            yield from _layer("b4.out", "4x4/Dense1", DENSE, gain=1.0)
        else:
            yield from _layer(f"{ours}.conv0", f"{theirs}/Conv0")
            yield from _layer(f"{ours}.conv1", f"{theirs}/{down}")


def stylegan2_discriminator(config: StyleGAN2DiscriminatorConfig, a: Arguments) -> Rows:
    """D_stylegan, D_stylegan2 and D_main."""
    if config.growing:
        yield Row("lod", "lod")
    for resolution in block_resolutions(config.resolution):
        ours, theirs = f"b{resolution}", f"{resolution}x{resolution}"
        if config.architecture == "skip" or config.growing or resolution == config.resolution:
            yield from _layer(f"{ours}.fromrgb", _rgb(config, a, resolution, "FromRGB"))
        if resolution == 4:
            yield from _layer("b4.conv", "4x4/Conv")
            yield from _layer("b4.fc", "4x4/Dense0", DENSE)
            yield from _layer("b4.out", "Output", DENSE)
            continue
        yield from _layer(f"{ours}.conv0", f"{theirs}/Conv0")
        yield from _layer(f"{ours}.conv1", f"{theirs}/Conv1_down")
        if config.architecture == "resnet":
            yield Row(f"{ours}.skip.weight", f"{theirs}/Skip/weight", KERNEL)
    if config.c_dim > 0 and config.label_output == "projection":
        yield from _label_mapping(config, a)


def _label_mapping(config: StyleGAN2DiscriminatorConfig, a: Arguments) -> Rows:
    yield from _layer("mapping.embed", "LabelEmbed", DENSE)
    factor = a.number("mapping_lrmul", 1e-6, 1e6) / LABEL_RATE
    for i in range(config.mapping_layers):
        yield Row(f"mapping.fc{i}.weight", f"Mapping{i}/weight", DENSE, factor=factor)
        yield Row(f"mapping.fc{i}.bias", f"Mapping{i}/bias", factor=factor)
