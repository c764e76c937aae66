"""StyleGAN3 written down plainly in float64 numpy, sample by sample, to check the network against.

Samples stand for impulses at places of the picture, filters are functions of distance: a layer
is evaluated at the places of its output samples (section 2, Karras et al. 2021), so that paddings
and crops follow from the places alone. It shares no code with the library.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import convolve2d, firwin
from scipy.signal.windows import kaiser
from scipy.special import j1

from tests.support.reference import Weights, conv, dense

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Band:
    """A signal: frequencies, samples per picture side, samples in all, feature maps."""

    cutoff: float
    half_width: float
    rate: float
    size: int
    maps: int


def bands(c) -> list[Band]:
    """The published progression of signals for a config (appendix, configs T and R)."""
    steps = np.minimum(np.arange(c.num_layers + 1) / (c.num_layers - c.num_critical), 1)
    last = c.resolution / 2
    cutoffs = c.first_cutoff * (last / c.first_cutoff) ** steps
    stopbands = c.first_stopband * (last * c.last_stopband_rel / c.first_stopband) ** steps
    rates = np.exp2(np.ceil(np.log2(np.minimum(stopbands * 2, c.resolution))))
    sizes = rates + 2 * c.margin_size
    sizes[-2:] = c.resolution
    maps = np.rint(np.minimum(c.channel_base / 2 / cutoffs, c.channel_max))
    maps[-1] = c.channels
    widths = np.maximum(stopbands, rates / 2) - cutoffs
    columns = zip(cutoffs, widths, rates, sizes.astype(int), maps.astype(int), strict=True)
    return [Band(*column) for column in columns]


def lowpass(taps: int, band: Band, rate: float) -> Array:
    """A Kaiser-windowed sinc at the sampling rate ``rate``."""
    return firwin(taps, band.cutoff, width=2 * band.half_width, fs=rate)


def radial_lowpass(taps: int, band: Band, rate: float) -> Array:
    """A Kaiser-windowed jinc [k,k]: its spectrum depends on the length of a frequency alone."""
    x = (np.arange(taps) - (taps - 1) / 2) / rate
    r = np.hypot(*np.meshgrid(x, x))
    kernel = j1(2 * np.pi * band.cutoff * r) / (np.pi * r)
    attenuation = 2.285 * (taps - 1) * np.pi * 4 * band.half_width / rate + 7.95
    window = kaiser(taps, 0.5842 * (attenuation - 21) ** 0.4 + 0.07886 * (attenuation - 21)
                    if attenuation <= 50 else 0.1102 * (attenuation - 8.7))  # fmt: skip
    kernel *= np.outer(window, window)
    return kernel / kernel.sum()


def places(size: int, rate: float) -> Array:
    """Where samples lie on an axis; the picture reaches from -0.5 to 0.5."""
    return (np.arange(size) + 0.5 - size / 2) / rate


def response(outputs: Array, inputs: Array, taps: Array, rate: float) -> Array:
    """Matrix of a filter [outputs,inputs]: its tap at the distance of each two places."""
    index = (outputs[:, None] - inputs[None]) * rate + (len(taps) - 1) / 2
    whole = np.rint(index).astype(int)
    assert np.abs(index - whole).max() < 1e-6, "samples lie between the taps"
    inside = (whole >= 0) & (whole < len(taps))
    return np.where(inside, taps[np.clip(whole, 0, len(taps) - 1)], 0)


def filtered_activation(
    x: Array, source: Band, target: Band, up: Array, down: Array, rate: float, clamp: float
) -> Array:
    """Leaky ReLU of the signal ``x`` [C,S,S] at a higher rate, and back to ``target``'s samples."""
    ends = places(target.size, target.rate)
    reach = (len(down) - 1) / 2 / rate
    count = round((ends[-1] - ends[0] + 2 * reach) * rate) + 1
    dense_places = ends[0] - reach + np.arange(count) / rate
    rise = response(dense_places, places(x.shape[-1], source.rate), up, rate) * rate / source.rate
    y = rise @ x @ rise.T
    y = np.clip(np.where(y > 0, y, 0.2 * y) * math.sqrt(2), -clamp, clamp)
    if down.ndim == 1:
        fall = response(ends, dense_places, down, rate)
        return fall @ y @ fall.T
    step = round(rate / target.rate)
    return np.array([convolve2d(maps, down, mode="valid")[::step, ::step] for maps in y])


def fourier_features(t: Weights, w: Array, band: Band) -> Array:
    """The input of the network [C,S,S] for one w."""
    a, b, x, y = (place := dense(t, "synthesis.input.affine", w)) / np.hypot(*place[:2])
    turn = np.array([[a, -b, 0], [b, a, 0], [0, 0, 1]])
    move = np.array([[1, 0, -x], [0, 1, -y], [0, 0, 1]])
    total = turn @ move @ t["synthesis.input.transform"]
    freqs = t["synthesis.input.freqs"] @ total[:2, :2]
    phases = t["synthesis.input.phases"] + t["synthesis.input.freqs"] @ total[:2, 2]
    strength = 1 - (np.hypot(*freqs.T) - band.cutoff) / (band.rate / 2 - band.cutoff)
    line = places(band.size, band.rate)
    waves = [
        np.clip(s, 0, 1) * np.sin(2 * np.pi * (f[0] * line[None] + f[1] * line[:, None] + p))
        for f, p, s in zip(freqs, phases, strength, strict=True)
    ]
    weight = t["synthesis.input.weight"]
    return np.einsum("oi,ihw->ohw", weight, np.array(waves)) / math.sqrt(len(weight))


def modulated(t: Weights, name: str, styles: Array) -> list[Array]:
    """Demodulated weights for each sample; styles [N,I] are normalised over the whole batch."""
    weight = t[f"{name}.weight"]
    weight = weight / np.sqrt((weight**2).mean(axis=(1, 2, 3), keepdims=True))
    scaled = [weight * s[:, None, None] for s in styles / np.sqrt((styles**2).mean())]
    return [s / np.sqrt((s**2).sum(axis=(1, 2, 3), keepdims=True) + 1e-8) for s in scaled]


def synthesis(t: Weights, ws: Array, c, watch: Callable[[str, Array], None] | None = None) -> Array:
    """Render ws [N,num_ws,w_dim] with the weights and filters of a state dict."""
    signals = bands(c)
    x = [fourier_features(t, w[0], signals[0]) for w in ws]
    clamp = c.conv_clamp or math.inf
    for i, (source, target) in enumerate(zip([signals[0], *signals], signals, strict=False)):
        name = f"synthesis.L{i}_{target.size}_{target.maps}"
        styles = np.array([dense(t, f"{name}.affine", w[i + 1]) for w in ws])
        gain = 1 / np.sqrt(t[f"{name}.magnitude_ema"])
        bias = t[f"{name}.bias"][:, None, None]
        if i == c.num_layers:
            scale = gain / math.sqrt(styles.shape[1])
            weights = [t[f"{name}.weight"] * s[:, None, None] * scale for s in styles]
            rgb = [conv(maps, own, 0) + bias for maps, own in zip(x, weights, strict=True)]
            return np.clip(rgb, -clamp, clamp) * c.output_scale
        weights = modulated(t, name, styles)
        pad = c.conv_kernel - 1
        x = [conv(maps, own * gain, pad) + bias for maps, own in zip(x, weights, strict=True)]
        rate = max(source.rate, target.rate) * c.lrelu_upsampling
        none = np.ones(1)
        up, down = t.get(f"{name}.up_filter", none), t.get(f"{name}.down_filter", none)
        x = [filtered_activation(maps, source, target, up, down, rate, clamp) for maps in x]
        if watch is not None:
            watch(name, np.array(x))
    raise AssertionError("no RGB layer")
