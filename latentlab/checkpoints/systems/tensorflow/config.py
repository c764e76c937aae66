"""Arguments of the published TensorFlow networks, to our configs."""

import math
from typing import Any

from latentlab.checkpoints.systems.tensorflow.arguments import Arguments
from latentlab.checks import require
from latentlab.networks.config import block_resolutions, channels_at
from latentlab.networks.stylegan1_config import (
    ProGANConfig,
    StyleGAN1Config,
    StyleGAN1DiscriminatorConfig,
)
from latentlab.networks.stylegan2_config import StyleGAN2Config, StyleGAN2DiscriminatorConfig

_SLOPES = {"lrelu": 0.2, "relu": 0.0}
_FORMS = ("auto", "linear", "recursive")  # of a growing network; they compute the same


def truncation(a: Arguments) -> dict[str, Any] | None:
    """Return psi (None: none) and cutoff (None: all layers) of a generator with W by default.

    The cutoff counts where psi is 1 or None as well: for the psi that a user gives.
    """
    if "truncation_psi" not in a.values:
        return None
    given = a.values["truncation_psi"] is not None
    psi = a.number("truncation_psi", -100, 100) if given else None
    cutoff = a.optional("truncation_cutoff", -100, 100)
    # To StyleGAN1, no cutoff means no truncation; to StyleGAN2, truncation of all layers.
    if cutoff is None and "use_styles" in a.values:
        psi = None
    if cutoff is not None and cutoff <= 0:  # of no layer, until a user asks for it
        psi = cutoff = None
    return {"psi": psi, "cutoff": cutoff}


def _images(a: Arguments) -> dict[str, Any]:
    """Fields that all networks have; a table of maps only where base and limit cannot say it."""
    size = a.whole("resolution", 4, 4096)
    base, most = round(2 * a.number("fmap_base", 1, 2**40)), a.whole("fmap_max", 1, 8192)
    table = tuple(a.maps(int(math.log2(res)) - 1) for res in block_resolutions(size))
    said = tuple(channels_at(res, base, most) for res in block_resolutions(size))
    counts: dict[str, Any] = {"channel_base": base, "channel_max": most}
    if table != said or base < size:
        counts = {"channel_max": most, "channel_table": table}
    return {
        "resolution": size, "channels": a.whole("num_channels", 1, 64),
        "c_dim": a.whole("label_size", 0, 100_000), **counts,
    }  # fmt: skip


def _stylegan1(a: Arguments, *forms: str | None) -> dict[str, Any]:
    automatic = a.values["fused_scale"] == "auto" and "blur_filter" in a.values
    first = 128 if automatic else 8  # resolution
    fused = first if automatic or a.flag("fused_scale") else None
    growing = a.word("structure", *forms) != "fixed"
    return {**_images(a), "growing": growing, "fused_from": fused}


def _mapping(a: Arguments) -> dict[str, Any]:
    return {
        "z_dim": a.whole("latent_size", 1, 65536), "w_dim": a.whole("dlatent_size", 1, 65536),
        "mapping_layers": a.whole("mapping_layers", 0, 64),
        "mapping_lr_multiplier": a.number("mapping_lrmul", 1e-6, 1e6),
        "layer_features": a.optional("mapping_fmaps", 1, 65536),
        "normalize_latents": a.flag("normalize_latents"),
    }  # fmt: skip


def stylegan1_generator(a: Arguments) -> StyleGAN1Config:
    """Translate G_style."""
    slope = _SLOPES[a.word("nonlinearity", *_SLOPES)]
    of_mapping = _SLOPES[a.word("mapping_nonlinearity", *_SLOPES)]
    return StyleGAN1Config(
        **_stylegan1(a, *_FORMS, "fixed"), **_mapping(a),
        negative_slope=slope,
        mapping_negative_slope=None if of_mapping == slope else of_mapping,
        blur_filter=a.taps("blur_filter"),
        styles=a.flag("use_styles"),
        use_noise=a.flag("use_noise"),
        pixel_norm=a.flag("use_pixel_norm"),
        instance_norm=a.flag("use_instance_norm"),
        const_input=a.flag("const_input_layer"),
    )  # fmt: skip


def stylegan1_discriminator(a: Arguments) -> StyleGAN1DiscriminatorConfig:
    """Translate D_basic."""
    return StyleGAN1DiscriminatorConfig(
        **_stylegan1(a, *_FORMS, "fixed"), **_epilogue(a),
        negative_slope=_SLOPES[a.word("nonlinearity", *_SLOPES)],
        blur_filter=a.taps("blur_filter"),
    )  # fmt: skip


def progan_generator(a: Arguments) -> ProGANConfig:
    """Translate G_paper."""
    return ProGANConfig(
        **_stylegan1(a, None, *_FORMS[1:]),
        negative_slope=0.2 if a.flag("use_leakyrelu") else 0.0,
        z_dim=a.optional("latent_size", 1, 65536) or a.maps(0),
        normalize_latents=a.flag("normalize_latents"),
        pixel_norm=a.flag("use_pixelnorm"),
        pixel_norm_epsilon=a.number("pixelnorm_epsilon", 1e-30, 1),
    )


def progan_discriminator(a: Arguments) -> StyleGAN1DiscriminatorConfig:
    """Translate D_paper; labels have no part in its score."""
    fields = {**_stylegan1(a, None, *_FORMS[1:]), "c_dim": 0}
    return StyleGAN1DiscriminatorConfig(
        **fields, **_epilogue(a), blur_filter=None, halves_last=not a.flag("fused_scale")
    )


def _epilogue(a: Arguments) -> dict[str, Any]:
    """Fields of the layers at 4x4; before ADA, a group of one means no minibatch deviation."""
    group = a.optional("mbstd_group_size", 0, 2**20)
    features = a.whole("mbstd_num_features", 0, 8192) if "mbstd_num_features" in a.values else 1
    if group is not None and group <= 1 and "score_max" not in a.values:
        features = 0
    size = None if group is None else max(group, 1)
    return {"mbstd_group_size": size, "mbstd_num_channels": features, "fc_features": a.maps(0)}


def _stylegan2(a: Arguments) -> dict[str, Any]:
    a.word("nonlinearity", "lrelu")
    growing = "structure" in a.values and a.word("structure", *_FORMS, "fixed") != "fixed"
    clamp = a.values.get("conv_clamp")
    return {
        **_images(a), "growing": growing,
        "resample_filter": a.taps("resample_kernel") or (1.0, 1.0),  # None is the box filter
        "architecture": a.word("architecture", "skip", "resnet", "orig")
        if "architecture" in a.values else "orig",
        "conv_clamp": None if clamp is None else a.number("conv_clamp", 1e-6, 1e12),
    }  # fmt: skip


def stylegan2_generator(a: Arguments) -> StyleGAN2Config:
    """Translate G_main with any of the three synthesis networks."""
    a.word("mapping_func", "G_mapping")
    a.word("mapping_nonlinearity", "lrelu")
    fields = {**_stylegan2(a), **_mapping(a), "label_input": "concat"}
    if "label_fmaps" in a.values:  # ADA
        require(a.values["fmap_const"] in (None, a.maps(1)), "fmap_const", f"{a.maps(1)}, as many "
                "as the layers at 4x4 have", a.values["fmap_const"])  # fmt: skip
        label = a.optional("label_fmaps", 1, 65536) or fields["z_dim"]
        fields |= {"label_input": "embed", "embed_features": label}
        fields["use_noise"] = a.flag("use_noise")
        whole = fields["normalize_latents"] or fields["c_dim"] == 0
        require(whole, "normalize_latents", "true in a network with labels", False)
    return StyleGAN2Config(**fields)


def stylegan2_discriminator(a: Arguments) -> StyleGAN2DiscriminatorConfig:
    """Translate D_stylegan, D_stylegan2 and D_main."""
    fields = {**_stylegan2(a), **_epilogue(a), "label_output": "sum"}
    if "score_max" in a.values:  # ADA
        a.whole("score_size", 1, 1)
        fields |= {
            "label_output": "projection", "clamps_last_rgb": fields["conv_clamp"] is not None,
            "mapping_layers": a.whole("mapping_layers", 0, 64),
            "cmap_dim": a.optional("mapping_fmaps", 1, 65536) or a.maps(0),
        }  # fmt: skip
    return StyleGAN2DiscriminatorConfig(**fields)
