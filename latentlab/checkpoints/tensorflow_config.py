"""Static arguments of the published TensorFlow networks, to our configs.

A file holds the arguments that its owner gave. The others have the defaults of the function that
built the network, which are listed here as facts of each release: Progressive GAN (Karras et al.
2018), StyleGAN1 (2019), StyleGAN2 (2020) and its adaptive augmentation (ADA, 2020).
"""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from latentlab.errors import UnsupportedCheckpoint
from latentlab.networks.config import (
    ProGANConfig,
    StyleGAN1Config,
    StyleGAN1DiscriminatorConfig,
    StyleGAN2Config,
    StyleGAN2DiscriminatorConfig,
    block_resolutions,
    channels_at,
    require,
)

Defaults = Mapping[str, Any]

# Arguments that matter while training, or for how a result is computed and not for what it is.
_LEFT_ASIDE = frozenset(
    {
        "truncation_psi_val", "truncation_cutoff_val", "dlatent_avg_beta", "style_mixing_prob",
        "randomize_noise", "fused_modconv", "num_fp16_res", "freeze_layers", "dlatent_broadcast",
        "adaptive_dropout", "pagan_num", "pagan_fade",
    }
)  # fmt: skip
_SLOPES = {"lrelu": 0.2, "relu": 0.0}
_FORMS = ("auto", "linear", "recursive")  # of a growing network; they compute the same
_TYPES = ("float32", "float16")  # of activations; variables are float32 either way

_MAPS: Defaults = {"label_size": 0, "fmap_decay": 1.0, "fmap_max": 512, "dtype": "float32"}
_STYLEGAN1: Defaults = {
    **_MAPS, "fmap_base": 8192, "nonlinearity": "lrelu", "use_wscale": True,
    "fused_scale": "auto", "blur_filter": [1, 2, 1], "structure": "auto",
}  # fmt: skip
_MAPPING: Defaults = {
    "latent_size": 512, "dlatent_size": 512, "mapping_layers": 8, "mapping_fmaps": 512,
    "mapping_lrmul": 0.01, "mapping_nonlinearity": "lrelu", "normalize_latents": True,
}  # fmt: skip
_STYLEGAN2: Defaults = {
    **_MAPS, "resolution": 1024, "num_channels": 3, "fmap_base": 16384, "fmap_min": 1,
    "nonlinearity": "lrelu", "resample_kernel": [1, 3, 3, 1],
}  # fmt: skip
_MBSTD: Defaults = {"mbstd_group_size": 4, "mbstd_num_features": 1}
_SYSTEM_OF_2018: Defaults = {
    **_MAPS, "resolution": 32, "num_channels": 1, "fmap_base": 8192, "use_wscale": True,
    "fused_scale": True, "structure": None,
}  # fmt: skip
_MIXED: Defaults = {"conv_clamp": None}  # precision

DEFAULTS: Mapping[str, Defaults] = MappingProxyType(
    {
        "G_style": {
            **_STYLEGAN1, **_MAPPING, "resolution": 1024, "num_channels": 3, "use_styles": True,
            "const_input_layer": True, "use_noise": True, "use_pixel_norm": False,
            "use_instance_norm": True, "truncation_psi": 0.7, "truncation_cutoff": 8,
        },
        "D_basic": {**_STYLEGAN1, **_MBSTD, "resolution": 32, "num_channels": 1},
        "G_paper": {
            **_SYSTEM_OF_2018, "latent_size": None, "normalize_latents": True,
            "use_pixelnorm": True, "pixelnorm_epsilon": 1e-8, "use_leakyrelu": True,
        },
        "D_paper": {**_SYSTEM_OF_2018, "mbstd_group_size": 4},
        "G_synthesis_stylegan2": {
            **_STYLEGAN2, **_MAPPING, "architecture": "skip", "mapping_func": "G_mapping",
            "truncation_psi": 0.5, "truncation_cutoff": None,
        },
        "G_synthesis_stylegan_revised": {
            **_STYLEGAN2, **_MAPPING, "structure": "auto", "mapping_func": "G_mapping",
            "truncation_psi": 0.5, "truncation_cutoff": None,
        },
        "G_synthesis": {
            **_STYLEGAN2, **_MAPPING, **_MIXED, "architecture": "skip", "use_noise": True,
            "mapping_fmaps": None, "label_fmaps": None, "fmap_const": None,
            "mapping_func": "G_mapping", "truncation_psi": 0.5, "truncation_cutoff": None,
        },
        "D_stylegan": {**_STYLEGAN2, **_MBSTD, "structure": "auto"},
        "D_stylegan2": {**_STYLEGAN2, **_MBSTD, "architecture": "resnet"},
        "D_main": {
            **_STYLEGAN2, **_MIXED, "architecture": "resnet", "mapping_layers": 0,
            "mapping_fmaps": None, "mapping_lrmul": 0.1, "mbstd_group_size": None,
            "mbstd_num_features": 1, "score_max": 1, "score_size": 1, "use_pagan": False,
            "use_spectral_norm": False,
        },
    }
)  # fmt: skip


class Arguments:
    """The arguments of one network, completed by defaults and read with their types checked."""

    def __init__(self, given: Mapping[str, Any], defaults: Defaults) -> None:
        """Complete ``given``.

        Raises:
            UnsupportedCheckpoint: If there is an argument that is in no table here.
        """
        sides = {"resolution_w", "resolution_h"}  # some forks say them as well
        unknown = sorted(set(given) - set(defaults) - _LEFT_ASIDE - sides)
        if unknown:
            raise UnsupportedCheckpoint(f"unknown setting {', '.join(unknown)}")
        self.values = {**defaults, **given}
        size = self.whole("resolution", 4, 4096)
        require(size & (size - 1) == 0, "resolution", "a power of two", size)
        for side in sides & set(given):
            require(self.values[side] == size, side, f"{size}, the resolution", self.values[side])
        self.word("dtype", *_TYPES)

    def whole(self, name: str, low: int, high: int) -> int:
        """Return a whole number within low..high."""
        value = self.values[name]
        fits = type(value) is int and low <= value <= high
        require(fits, name, f"a whole number {low}..{high}", value)
        return int(value)

    def number(self, name: str, low: float, high: float) -> float:
        """Return a number within low..high."""
        value = self.values[name]
        fits = type(value) in (int, float) and low <= value <= high
        require(fits, name, f"a number {low}..{high}", value)
        return float(value)

    def flag(self, name: str) -> bool:
        """Return a truth value; 0 and 1 count as such."""
        value = self.values[name]
        require(type(value) in (bool, int) and value in (0, 1), name, "true or false", value)
        return bool(value)

    def word(self, name: str, *known: str | None) -> Any:
        """Return one of the known words."""
        value = self.values[name]
        fits = (value is None or type(value) is str) and value in known
        require(fits, name, " or ".join(str(item) for item in known), value)
        return value

    def taps(self, name: str) -> tuple[float, ...] | None:
        """Return a filter, or None where it is none, or of one number and so does nothing."""
        value = self.values[name] or ()
        fits = type(value) in (list, tuple) and len(value) <= 16
        fits = fits and all(type(tap) in (int, float) and math.isfinite(tap) for tap in value)
        require(fits, name, "at most 16 numbers", self.values[name])
        return tuple(float(tap) for tap in value) if len(value) > 1 else None

    def optional(self, name: str, low: int, high: int) -> int | None:
        """Return a whole number within low..high, or None."""
        return None if self.values[name] is None else self.whole(name, low, high)

    def maps(self, stage: int) -> int:
        """Number of feature maps at a stage; a block of resolution r has stage log2(r) - 1."""
        base, decay = self.number("fmap_base", 1, 2**40), self.number("fmap_decay", -8, 8)
        low = self.whole("fmap_min", 1, 8192) if "fmap_min" in self.values else 1
        wanted = int(base / 2.0 ** (stage * decay))
        return min(max(wanted, low), self.whole("fmap_max", 1, 8192))


def truncation(a: Arguments) -> dict[str, Any] | None:
    """Return psi and cutoff (None: all layers) that a generator has by default, if any."""
    if "truncation_psi" not in a.values or a.values["truncation_psi"] is None:
        return None
    psi = a.number("truncation_psi", -100, 100)
    cutoff = a.optional("truncation_cutoff", -100, 100)
    # To StyleGAN1, no cutoff means no truncation; to StyleGAN2, truncation of all layers.
    whole = "use_styles" in a.values
    if psi == 1 or (cutoff is None and whole) or (cutoff is not None and cutoff <= 0):
        return None
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
    return StyleGAN1Config(
        **_stylegan1(a, *_FORMS, "fixed"), **_mapping(a),
        negative_slope=slope,
        mapping_negative_slope=_SLOPES[a.word("mapping_nonlinearity", *_SLOPES)],
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
        **fields, **_epilogue(a), blur_filter=None, halves_last=True
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
