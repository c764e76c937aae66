"""Static arguments of the published TensorFlow networks, completed by their functions' defaults.

A file holds the arguments that its owner gave. The others have the defaults of the function that
built the network, listed here as facts of each release: Progressive GAN (Karras et al.
2018), StyleGAN1 (2019), StyleGAN2 (2020) and its adaptive augmentation (ADA, 2020).
"""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from latentlab.checkpoints.systems.forks import settle
from latentlab.checks import require

Defaults = Mapping[str, Any]

# Arguments that matter while training, or for how a result is computed and not for what it is.
_LEFT_ASIDE = frozenset(
    {
        "truncation_psi_val", "truncation_cutoff_val", "dlatent_avg_beta", "style_mixing_prob",
        "randomize_noise", "fused_modconv", "num_fp16_res", "freeze_layers", "dlatent_broadcast",
        "adaptive_dropout", "pagan_num", "pagan_fade",
    }
)  # fmt: skip
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
            UnsupportedCheckpoint: If there is an argument that is in no table here, and that may
                change what is computed (see ``forks``).
        """
        self.values = {**defaults, **given}
        unknown = set(given) - set(defaults) - _LEFT_ASIDE
        self.off = settle(unknown, given, self.values["resolution"])  # without effect, and unknown
        size = self.whole("resolution", 4, 4096)
        require(size & (size - 1) == 0, "resolution", "a power of two", size)
        self.word("dtype", *_TYPES)

    def whole(self, name: str, low: int, high: int) -> int:
        """Return a whole number within low..high."""
        value = self.values[name]
        fits = type(value) is int and low <= value <= high
        require(fits, name, f"a whole number {low} to {high}", value)
        return int(value)

    def number(self, name: str, low: float, high: float) -> float:
        """Return a number within low..high."""
        value = self.values[name]
        fits = type(value) in (int, float) and low <= value <= high
        require(fits, name, f"a number {low} to {high}", value)
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
