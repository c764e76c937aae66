"""StyleGAN1 and Progressive GAN in float64 numpy; see tf_ops."""

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
    blur,
    box,
    correlate,
    dense,
    grouped_std,
    is_fused,
    mapping,
    maps_at,
    mixed,
    nearest,
    pixel_norm,
    same,
    spread,
    transposed,
    truncated,
    weight,
)

G_STYLE = {
    "resolution": 1024, "num_channels": 3, "label_size": 0, "latent_size": 512,
    "dlatent_size": 512, "mapping_layers": 8, "mapping_fmaps": 512, "mapping_lrmul": 0.01,
    "mapping_nonlinearity": "lrelu", "normalize_latents": True, "use_wscale": True,
    "fmap_base": 8192, "fmap_decay": 1.0, "fmap_max": 512, "use_styles": True,
    "const_input_layer": True, "use_noise": True, "nonlinearity": "lrelu", "use_pixel_norm": False,
    "use_instance_norm": True, "fused_scale": "auto", "blur_filter": [1, 2, 1],
    "structure": "auto", "truncation_psi": 0.7, "truncation_cutoff": 8,
}  # fmt: skip
D_BASIC = {
    "resolution": 32, "num_channels": 1, "label_size": 0, "fmap_base": 8192, "fmap_decay": 1.0,
    "fmap_max": 512, "nonlinearity": "lrelu", "use_wscale": True, "mbstd_group_size": 4,
    "mbstd_num_features": 1, "fused_scale": "auto", "blur_filter": [1, 2, 1], "structure": "auto",
}  # fmt: skip
G_PAPER = {
    "resolution": 32, "num_channels": 1, "label_size": 0, "fmap_base": 8192, "fmap_decay": 1.0,
    "fmap_max": 512, "latent_size": None, "normalize_latents": True, "use_wscale": True,
    "use_pixelnorm": True, "pixelnorm_epsilon": 1e-8, "use_leakyrelu": True, "fused_scale": True,
}  # fmt: skip
D_PAPER = {**D_BASIC, "fused_scale": True, "blur_filter": None}


def g_style(v: Scope, z: Array, c: Array, lod: float = 0.0, psi: float | None = None,
            **kwargs: Any) -> Array:  # fmt: skip
    o = {**G_STYLE, **kwargs}
    log2 = int(math.log2(o["resolution"]))
    with v.within("mapping"):
        w = mapping(v, z, c, o)
    mean = v("dlatent_avg", (o["dlatent_size"],), 0.3)
    v.variables.setdefault("lod", np.float32(lod))
    ws = np.repeat(w[:, None], 2 * log2 - 2 if o["use_styles"] else 1, axis=1)
    ws = truncated(ws, mean, psi, o["truncation_cutoff"])
    with v.within("synthesis"):
        return g_synthesis(v, ws, lod, o)


def _epilogue(v: Scope, x: Array, index: int, ws: Array, o: Mapping[str, Any]) -> Array:
    if o["use_noise"]:
        path, v.path = v.path, ["synthesis"]
        noise = v(f"noise{index}", (1, 1, *x.shape[2:]))
        v.path = path
        with v.within("Noise"):
            x = x + noise * v("weight", (x.shape[1],), 0.3)[:, None, None]
    x = act(bias(v, x), o["nonlinearity"])
    if o["use_pixel_norm"]:
        x = pixel_norm(x)
    if o["use_instance_norm"]:
        x = x - x.mean(axis=(2, 3), keepdims=True)
        x = x / np.sqrt((x**2).mean(axis=(2, 3), keepdims=True) + 1e-8)
    if o["use_styles"]:
        with v.within("StyleMod"):
            style = dense(v, ws[:, index], 2 * x.shape[1], 1, wscale=o["use_wscale"])
            style = bias(v, style).reshape(len(x), 2, -1, 1, 1)
        x = x * (style[:, 0] + 1) + style[:, 1]
    return x


def _conv(v: Scope, x: Array, maps: int, size: int, o: Mapping[str, Any], gain: float = SQRT2,
          up: bool = False, down: bool = False) -> Array:  # fmt: skip
    w = weight(v, (size, size, x.shape[1], maps), gain, wscale=o["use_wscale"])
    if up and is_fused(o["fused_scale"], 2 * x.shape[2]):
        return transposed(x, spread(w))[:, :, 1:-1, 1:-1]
    if down and is_fused(o["fused_scale"], x.shape[2]):
        return correlate(x, spread(w) / 4, (1, 1), stride=2)
    x = same(nearest(x) if up else x, w)
    return box(x) if down else x


def g_synthesis(v: Scope, ws: Array, lod: float, o: Mapping[str, Any]) -> Array:
    log2 = int(math.log2(o["resolution"]))
    v.variables.setdefault("synthesis/lod", np.float32(lod))

    def to_rgb(x: Array, level: int) -> Array:
        with v.within(f"ToRGB_lod{log2 - level}"):
            return bias(v, _conv(v, x, o["num_channels"], 1, o, gain=1))

    maps = maps_at(o, 1)
    if o["const_input_layer"]:
        with v.within("4x4", "Const"):
            x = _epilogue(v, v("const", (1, maps, 4, 4)).repeat(len(ws), axis=0), 0, ws, o)
    else:
        with v.within("4x4", "Dense"):
            x = dense(v, ws[:, 0], maps * 16, SQRT2 / 4, wscale=o["use_wscale"])
            x = _epilogue(v, x.reshape(-1, maps, 4, 4), 0, ws, o)
    with v.within("4x4", "Conv"):
        x = _epilogue(v, _conv(v, x, maps, 3, o), 1, ws, o)
    image = to_rgb(x, 2) if o["structure"] != "fixed" else None
    for level in range(3, log2 + 1):
        maps, name = maps_at(o, level - 1), f"{2**level}x{2**level}"
        with v.within(name, "Conv0_up"):
            x = blur(_conv(v, x, maps, 3, o, up=True), o["blur_filter"])
            x = _epilogue(v, x, 2 * level - 4, ws, o)
        with v.within(name, "Conv1"):
            x = _epilogue(v, _conv(v, x, maps, 3, o), 2 * level - 3, ws, o)
        if image is not None:
            image = mixed(to_rgb(x, level), nearest(image), lod - (log2 - level))
    return to_rgb(x, log2) if image is None else image


def d_basic(v: Scope, image: Array, c: Array, lod: float = 0.0, paper: bool = False,
            **kwargs: Any) -> Array:  # fmt: skip
    """StyleGAN1's discriminator, and with ``paper`` Progressive GAN's."""
    o = {**(D_PAPER if paper else D_BASIC), **kwargs}
    log2, kind = int(math.log2(o["resolution"])), o["nonlinearity"]
    v.variables.setdefault("lod", np.float32(lod))

    def layer(x: Array, maps: int, size: int, down: bool = False) -> Array:
        return act(bias(v, _conv(v, x, maps, size, o, down=down)), kind)

    def from_rgb(y: Array, level: int) -> Array:
        with v.within(f"FromRGB_lod{log2 - level}"):
            return layer(y, maps_at(o, level - 1), 1)

    x = from_rgb(image, log2)
    for level in range(log2, 2, -1):
        name, maps = f"{2**level}x{2**level}", maps_at(o, level - 2)
        with v.within(name, "Conv0"):
            x = layer(x, maps_at(o, level - 1), 3)
        if paper and not o["fused_scale"]:  # the mean is taken after the activation here
            with v.within(name, "Conv1"):
                x = box(layer(x, maps, 3))
        else:
            with v.within(name, "Conv1_down"):
                x = layer(blur(x, o["blur_filter"]), maps, 3, down=True)
        if o["structure"] != "fixed":
            image = box(image)
            x = mixed(x, from_rgb(image, level - 1), lod - (log2 - level))
    if o["mbstd_group_size"] > 1:
        x = grouped_std(x, o["mbstd_group_size"], o["mbstd_num_features"])
    with v.within("4x4", "Conv"):
        x = layer(x, maps_at(o, 1), 3)
    with v.within("4x4", "Dense0"):
        x = act(bias(v, dense(v, x, maps_at(o, 0), SQRT2, wscale=o["use_wscale"])), kind)
    with v.within("4x4", "Dense1"):
        count = 1 if paper else max(o["label_size"], 1)
        x = bias(v, dense(v, x, count, 1, wscale=o["use_wscale"]))
    return (x * c).sum(axis=1, keepdims=True) if o["label_size"] and not paper else x


# Progressive GAN.


def g_paper(v: Scope, z: Array, c: Array, lod: float = 0.0, **kwargs: Any) -> Array:
    o = {**G_PAPER, **kwargs}
    log2 = int(math.log2(o["resolution"]))
    v.variables.setdefault("lod", np.float32(lod))

    def done(x: Array) -> Array:
        x = act(bias(v, x), "lrelu" if o["use_leakyrelu"] else "relu")
        return pixel_norm(x, o["pixelnorm_epsilon"]) if o["use_pixelnorm"] else x

    def to_rgb(x: Array, level: int) -> Array:
        with v.within(f"ToRGB_lod{log2 - level}"):
            return bias(v, _conv(v, x, o["num_channels"], 1, o, gain=1))

    x, maps = np.concatenate([z, c], axis=1), maps_at(o, 1)
    x = pixel_norm(x, o["pixelnorm_epsilon"]) if o["normalize_latents"] else x
    with v.within("4x4", "Dense"):
        x = dense(v, x, maps * 16, SQRT2 / 4, wscale=o["use_wscale"])
        x = done(x.reshape(-1, maps, 4, 4))
    with v.within("4x4", "Conv"):
        x = done(_conv(v, x, maps, 3, o))
    image = to_rgb(x, 2)
    for level in range(3, log2 + 1):
        maps, name = maps_at(o, level - 1), f"{2**level}x{2**level}"
        with v.within(name, "Conv0_up" if o["fused_scale"] else "Conv0"):
            x = done(_conv(v, x, maps, 3, o, up=True))
        with v.within(name, "Conv1"):
            x = done(_conv(v, x, maps, 3, o))
        image = mixed(to_rgb(x, level), nearest(image), lod - (log2 - level))
    return image
