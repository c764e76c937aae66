"""StyleGAN2 in float64 numpy, on TensorFlow variables by their own names; see tf_ops.

Covers the synthesis networks of configs B to F (Karras et al. 2020), the discriminators that go
with them, and both networks of the TensorFlow release of adaptive augmentation (ADA).
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from tests.support.tensorflow.ops import (
    SQRT2,
    Array,
    Scope,
    act,
    bias,
    box,
    conv_down,
    conv_up,
    dense,
    down,
    grouped_std,
    mapping,
    maps_at,
    mixed,
    nearest,
    pixel_norm,
    same,
    truncated,
    up,
    weight,
)

_SYNTHESIS = {
    "resolution": 1024, "num_channels": 3, "label_size": 0, "fmap_base": 16384, "fmap_decay": 1.0,
    "fmap_min": 1, "fmap_max": 512, "resample_kernel": [1, 3, 3, 1], "structure": "auto",
    "use_noise": True, "conv_clamp": None,
}  # fmt: skip
G_MAIN = {
    **_SYNTHESIS, "latent_size": 512, "dlatent_size": 512, "mapping_layers": 8,
    "mapping_fmaps": 512, "mapping_lrmul": 0.01, "mapping_nonlinearity": "lrelu",
    "normalize_latents": True, "architecture": "skip", "truncation_cutoff": None,
    "synthesis_func": "G_synthesis_stylegan2", "label_fmaps": None,
}  # fmt: skip
D_STYLEGAN2 = {
    **_SYNTHESIS, "architecture": "resnet", "mbstd_group_size": 4, "mbstd_num_features": 1,
    "mapping_layers": 0, "mapping_fmaps": None, "mapping_lrmul": 0.1, "use_spectral_norm": False,
}  # fmt: skip


def limited(x: Array, clamp: float | None) -> Array:
    return x if clamp is None else np.clip(x, -clamp, clamp)


def biased(v: Scope, x: Array, clamp: float | None = None, lr: float = 1.0) -> Array:
    return limited(act(bias(v, x, lr)) * SQRT2, clamp)


# Generators.


def g_main(v: Scope, z: Array, c: Array, lod: float = 0.0, psi: float | None = None,
           **kwargs: Any) -> Array:  # fmt: skip
    o = {**G_MAIN, **kwargs}
    ada = o["synthesis_func"] == "G_synthesis"
    with v.within("mapping"):
        w = ada_mapping(v, z, c, o) if ada else mapping(v, z, c, o, stylegan2=True)
    mean = v("dlatent_avg", (o["dlatent_size"],), 0.3)
    if not ada:
        v.variables.setdefault("lod", np.float32(lod))
    ws = np.repeat(w[:, None], 2 * int(math.log2(o["resolution"])) - 2, axis=1)
    ws = truncated(ws, mean, psi, o["truncation_cutoff"])
    with v.within("synthesis"):
        if o["synthesis_func"] == "G_synthesis_stylegan_revised":
            return revised(v, ws, lod, o)
        return synthesis(v, ws, o)


def ada_mapping(v: Scope, z: Array, c: Array, o: Mapping[str, Any]) -> Array:
    x = pixel_norm(z) if o["normalize_latents"] else z
    if o["label_size"]:
        with v.within("LabelEmbed"):
            label = bias(v, dense(v, c, o["label_fmaps"] or z.shape[1], 1))
        x = np.concatenate([x, pixel_norm(label)], axis=1)
    for i in range(o["mapping_layers"]):
        last = i == o["mapping_layers"] - 1
        width = o["dlatent_size"] if last else o["mapping_fmaps"] or o["dlatent_size"]
        with v.within(f"Dense{i}"):
            lr = o["mapping_lrmul"]
            x = biased(v, dense(v, x, width, 1, lr), lr=lr)
    return x


def modulated(v: Scope, x: Array, w: Array, maps: int, size: int, taps: list[float] | None = None,
              is_up: bool = False, demodulate: bool = True) -> Array:  # fmt: skip
    """Sample by sample, with weights of its own."""
    kernel = weight(v, (size, size, x.shape[1], maps), 1)
    styles = bias(v, dense(v, w, x.shape[1], 1, name="mod_weight"), name="mod_bias") + 1
    out = []
    for sample, style in zip(x, styles, strict=True):
        own = kernel * style[:, None]
        if demodulate:
            own = own / np.sqrt((own**2).sum(axis=(0, 1, 2)) + 1e-8)
        out.append(conv_up(sample[None], own, taps) if is_up else same(sample[None], own))
    return np.concatenate(out)


def layer(v: Scope, x: Array, ws: Array, index: int, maps: int, o: Mapping[str, Any],
          is_up: bool = False) -> Array:  # fmt: skip
    x = modulated(v, x, ws[:, index], maps, 3, o["resample_kernel"], is_up)
    if o["use_noise"]:
        path, v.path = v.path, ["synthesis"]
        noise = v(f"noise{index}", (1, 1, *x.shape[2:]))
        v.path = path
        x = x + noise * v("noise_strength", (), 0.3)
    return biased(v, x, o["conv_clamp"])


def first(v: Scope, ws: Array, o: Mapping[str, Any]) -> Array:
    maps = maps_at(o, 1)
    with v.within("4x4", "Const"):
        x = v("const", (1, maps, 4, 4)).repeat(len(ws), axis=0)
    with v.within("4x4", "Conv"):
        return layer(v, x, ws, 0, maps, o)


def to_rgb(v: Scope, x: Array, ws: Array, level: int, o: Mapping[str, Any]) -> Array:
    rgb = modulated(v, x, ws[:, 2 * level - 3], o["num_channels"], 1, demodulate=False)
    return limited(bias(v, rgb), o["conv_clamp"])


def synthesis(v: Scope, ws: Array, o: Mapping[str, Any]) -> Array:
    taps, log2 = o["resample_kernel"], int(math.log2(o["resolution"]))
    x, image = first(v, ws, o), np.zeros([])
    if o["architecture"] == "skip":
        with v.within("4x4", "ToRGB"):
            image = to_rgb(v, x, ws, 2, o)
    for level in range(3, log2 + 1):
        maps, before = maps_at(o, level - 1), x
        with v.within(f"{2**level}x{2**level}"):
            with v.within("Conv0_up"):
                x = layer(v, x, ws, 2 * level - 5, maps, o, is_up=True)
            with v.within("Conv1"):
                x = layer(v, x, ws, 2 * level - 4, maps, o)
            if o["architecture"] == "resnet":
                with v.within("Skip"):
                    x = x + conv_up(before, weight(v, (1, 1, before.shape[1], maps), 1), taps)
                x = x / SQRT2
            if o["architecture"] == "skip" or level == log2:
                with v.within("ToRGB"):
                    rgb = to_rgb(v, x, ws, level, o)
                image = rgb + up(image, taps) if o["architecture"] == "skip" else rgb
    return image


def revised(v: Scope, ws: Array, lod: float, o: Mapping[str, Any]) -> Array:
    """The growing network of configs B to D."""
    log2 = int(math.log2(o["resolution"]))
    v.variables.setdefault("synthesis/lod", np.float32(lod))
    x, image = first(v, ws, o), None
    if o["structure"] != "fixed":
        with v.within(f"ToRGB_lod{log2 - 2}"):
            image = to_rgb(v, x, ws, 2, o)
    for level in range(3, log2 + 1):
        maps = maps_at(o, level - 1)
        with v.within(f"{2**level}x{2**level}", "Conv0_up"):
            x = layer(v, x, ws, 2 * level - 5, maps, o, is_up=True)
        with v.within(f"{2**level}x{2**level}", "Conv1"):
            x = layer(v, x, ws, 2 * level - 4, maps, o)
        if image is not None or level == log2:
            with v.within(f"ToRGB_lod{log2 - level}"):
                rgb = to_rgb(v, x, ws, level, o)
            image = rgb if image is None else mixed(rgb, nearest(image), lod - (log2 - level))
    assert image is not None
    return image


# Discriminators.


def estimated_norm(u: Array, matrix: Array) -> float:
    """One step of power iteration for the largest singular value."""
    v = u @ matrix.T
    v = v / math.sqrt((v**2).sum() + 1e-8)
    return math.sqrt(((v @ matrix) ** 2).sum() + 1e-8)


def conv(v: Scope, x: Array, maps: int, size: int, o: Mapping[str, Any],
         is_down: bool = False) -> Array:  # fmt: skip
    w = weight(v, (size, size, x.shape[1], maps), 1)
    if o["use_spectral_norm"] and size > 1:
        w = w / estimated_norm(v("weight_sn", (1, maps)), w.reshape(-1, maps))
    x = conv_down(x, w, o["resample_kernel"]) if is_down else same(x, w)
    return biased(v, x, o["conv_clamp"])


def d_stylegan2(v: Scope, image: Array, c: Array, ada: bool = False, **kwargs: Any) -> Array:
    """Configs E and F, and with ``ada`` that release's discriminator."""
    o = {**D_STYLEGAN2, **({"mbstd_group_size": None} if ada else {}), **kwargs}
    log2, skip = int(math.log2(o["resolution"])), o["architecture"] == "skip"
    x = np.zeros([])
    for level in range(log2, 2, -1):
        maps = maps_at(o, level - 2)
        with v.within(f"{2**level}x{2**level}"):
            if skip or level == log2:
                with v.within("FromRGB"):
                    x = x + conv(v, image, maps_at(o, level - 1), 1, o)
            before = x
            with v.within("Conv0"):
                x = conv(v, x, maps_at(o, level - 1), 3, o)
            with v.within("Conv1_down"):
                x = conv(v, x, maps, 3, o, is_down=True)
            if o["architecture"] == "resnet":
                with v.within("Skip"):
                    w = weight(v, (1, 1, before.shape[1], maps), 1)
                    x = (x + conv_down(before, w, o["resample_kernel"])) / SQRT2
            image = down(image, o["resample_kernel"]) if skip else image
    if skip:
        with v.within("4x4", "FromRGB"):
            x = x + conv(v, image, maps_at(o, 1), 1, o)
    return ada_ending(v, x, c, o) if ada else ending(v, x, c, o)


def d_stylegan(v: Scope, image: Array, c: Array, lod: float = 0.0, **kwargs: Any) -> Array:
    """The growing network of configs B to D."""
    o = {**D_STYLEGAN2, **kwargs}
    log2 = int(math.log2(o["resolution"]))
    v.variables.setdefault("lod", np.float32(lod))

    def from_rgb(y: Array, level: int) -> Array:
        with v.within(f"FromRGB_lod{log2 - level}"):
            return conv(v, y, maps_at(o, level - 1), 1, o)

    x = from_rgb(image, log2)
    for level in range(log2, 2, -1):
        with v.within(f"{2**level}x{2**level}", "Conv0"):
            x = conv(v, x, maps_at(o, level - 1), 3, o)
        with v.within(f"{2**level}x{2**level}", "Conv1_down"):
            x = conv(v, x, maps_at(o, level - 2), 3, o, is_down=True)
        if o["structure"] != "fixed":
            image = box(image)
            x = mixed(x, from_rgb(image, level - 1), lod - (log2 - level))
    return ending(v, x, c, o)


def _at_4x4(v: Scope, x: Array, o: Mapping[str, Any]) -> Array:
    with v.within("4x4", "Conv"):
        x = conv(v, x, maps_at(o, 1), 3, o)
    with v.within("4x4", "Dense0"):
        return biased(v, dense(v, x, maps_at(o, 0), 1))


def ending(v: Scope, x: Array, c: Array, o: Mapping[str, Any]) -> Array:
    if o["mbstd_group_size"] > 1:
        x = grouped_std(x, o["mbstd_group_size"], o["mbstd_num_features"])
    x = _at_4x4(v, x, o)
    with v.within("Output"):
        x = bias(v, dense(v, x, max(o["label_size"], 1), 1))
    return (x * c).sum(axis=1, keepdims=True) if o["label_size"] else x


def ada_ending(v: Scope, x: Array, c: Array, o: Mapping[str, Any]) -> Array:
    width, label = o["mapping_fmaps"] or maps_at(o, 0), c
    if o["label_size"]:
        with v.within("LabelEmbed"):
            label = pixel_norm(bias(v, dense(v, c, width, 1)))
        for i in range(o["mapping_layers"]):
            with v.within(f"Mapping{i}"):
                lr = o["mapping_lrmul"]
                label = biased(v, dense(v, label, width, 1, lr), lr=lr)
    if o["mbstd_num_features"]:
        x = grouped_std(x, o["mbstd_group_size"], o["mbstd_num_features"])
    x = _at_4x4(v, x, o)
    with v.within("Output"):
        x = bias(v, dense(v, x, width if o["label_size"] else 1, 1))
    if o["label_size"]:
        x = (x * label).sum(axis=1, keepdims=True) / math.sqrt(width)
    return x
