"""StyleGAN2 written down plainly in float64 numpy, sample by sample, to check the networks against.

Weights are modulated explicitly, upsampling inserts zeros and filters, every convolution is
scipy's. It shares no code with the library and reads a state dict by its official names.
"""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.signal import convolve2d, correlate2d

Array = NDArray[np.float64]
Weights = Mapping[str, Array]


def conv(x: Array, weight: Array, pad: int) -> Array:
    """Correlate x [I,H,W] with weight [O,I,k,k], zero padded."""
    x = np.pad(x, [(0, 0), (pad, pad), (pad, pad)])
    return np.array(
        [sum(correlate2d(x[i], w[i], mode="valid") for i in range(len(x))) for w in weight]
    )


def filtered(x: Array, kernel: Array, before: int, after: int) -> Array:
    """True convolution of every channel after zero padding."""
    x = np.pad(x, [(0, 0), (before, after), (before, after)])
    return np.array([convolve2d(channel, kernel, mode="valid") for channel in x])


def stuffed(x: Array) -> Array:
    """Insert a zero after every pixel."""
    wide = np.zeros([len(x), 2 * x.shape[1], 2 * x.shape[2]])
    wide[:, ::2, ::2] = x
    return wide


def upsampled(x: Array, kernel: Array) -> Array:
    """Zero-stuff and filter with gain 4."""
    taps = len(kernel)
    return filtered(stuffed(x), kernel * 4, (taps + 1) // 2, (taps - 2) // 2)


def downsampled(x: Array, kernel: Array) -> Array:
    """Filter and keep every second pixel."""
    taps = len(kernel)
    return filtered(x, kernel, (taps - 1) // 2, (taps - 2) // 2)[:, ::2, ::2]


def conv_up(x: Array, weight: Array, kernel: Array) -> Array:
    """Zero-stuff, filter, and convolve truly (not correlate), with the borders of the original."""
    if weight.shape[-1] == 1:
        return upsampled(conv(x, weight, 0), kernel)
    size = weight.shape[-1]
    # Full convolution of the stuffed signal (less its last zeros), then the filter.
    grown = stuffed(x)[:, :-1, :-1]
    full = conv(grown, weight[:, :, ::-1, ::-1], size - 1)
    slack = len(kernel) - 2 - (size - 1)
    return filtered(full, kernel * 4, (slack + 1) // 2 + 1, slack // 2 + 1)


def conv_down(x: Array, weight: Array, kernel: Array) -> Array:
    """Filter, convolve without padding, keep every second pixel."""
    if weight.shape[-1] == 1:
        return conv(downsampled(x, kernel), weight, 0)
    slack = len(kernel) - 2 + (weight.shape[-1] - 1)
    return conv(filtered(x, kernel, (slack + 1) // 2, slack // 2), weight, 0)[:, ::2, ::2]


def modulated(weight: Array, styles: Array, demodulate: bool) -> Array:
    """Scale weight [O,I,k,k] by styles [I], and each output to unit norm."""
    scaled = weight * styles[None, :, None, None]
    if demodulate:
        norm = np.sqrt((scaled**2).sum(axis=(1, 2, 3), keepdims=True) + 1e-8)
        scaled = scaled / norm
    return scaled


def lrelu(x: Array, gain: float = math.sqrt(2), clamp: float = math.inf) -> Array:
    """Leaky ReLU of slope 0.2, times gain, limited to +-clamp."""
    return np.clip(np.where(x > 0, x, 0.2 * x) * gain, -clamp, clamp)


def dense(t: Weights, name: str, x: Array, lr: float = 1.0) -> Array:
    """Equalised fully connected layer."""
    weight = t[f"{name}.weight"]
    return weight @ x * (lr / math.sqrt(weight.shape[1])) + t[f"{name}.bias"] * lr


def mapping(t: Weights, z: Array, c: Array | None = None, layers: int = 8) -> Array:
    """Map z [z_dim] and a label to w [w_dim]."""
    parts = [x / math.sqrt((x**2).mean() + 1e-8) for x in [z] if len(x)]
    if c is not None:
        label = dense(t, "mapping.embed", c)
        parts.append(label / math.sqrt((label**2).mean() + 1e-8))
    w = np.concatenate(parts)
    for i in range(layers):
        w = lrelu(dense(t, f"mapping.fc{i}", w, lr=0.01))
    return w


def styled(
    t: Weights, name: str, x: Array, w: Array, noise: Array, up: bool, gain: float, clamp: float
) -> Array:
    """One styled convolution."""
    weight = modulated(t[f"{name}.weight"], dense(t, f"{name}.affine", w), demodulate=True)
    kernel = t[f"{name}.resample_filter"]
    x = conv_up(x, weight, kernel) if up else conv(x, weight, 1)
    x = x + noise * t[f"{name}.noise_strength"] + t[f"{name}.bias"][:, None, None]
    return lrelu(x, math.sqrt(2) * gain, clamp * gain)


def synthesis(
    t: Weights, ws: Array, resolution: int, architecture: str, clamp: float = math.inf
) -> Array:
    """Render ws [num_ws,w_dim] with the stored noise."""
    x, image, index = t["synthesis.b4.const"], None, 0
    for size in [2**i for i in range(2, int(math.log2(resolution)) + 1)]:
        b = f"synthesis.b{size}"
        resnet = architecture == "resnet" and size > 4
        last_gain = math.sqrt(0.5) if resnet else 1.0
        if resnet:
            weight = t[f"{b}.skip.weight"] / math.sqrt(t[f"{b}.skip.weight"].shape[1])
            side = conv_up(x, weight, t[f"{b}.skip.resample_filter"]) * last_gain
        if size > 4:
            x = styled(t, f"{b}.conv0", x, ws[index], t[f"{b}.conv0.noise_const"], True, 1.0, clamp)
            index += 1
        x = styled(
            t, f"{b}.conv1", x, ws[index], t[f"{b}.conv1.noise_const"], False, last_gain, clamp
        )
        index += 1
        x = x + side if resnet else x
        if image is not None:
            image = upsampled(image, t[f"{b}.resample_filter"])
        if f"{b}.torgb.weight" in t:
            weight = t[f"{b}.torgb.weight"]
            styles = dense(t, f"{b}.torgb.affine", ws[index]) / math.sqrt(weight.shape[1])
            rgb = conv(x, modulated(weight, styles, demodulate=False), 0)
            rgb = np.clip(rgb + t[f"{b}.torgb.bias"][:, None, None], -clamp, clamp)
            image = rgb if image is None else image + rgb
    assert image is not None
    return image


def plain(
    t: Weights,
    name: str,
    x: Array,
    down: bool = False,
    gain: float = 1.0,
    clamp: float = math.inf,
) -> Array:
    """One of the discriminator's convolutions; activated where it has a bias."""
    weight = t[f"{name}.weight"]
    weight = weight / math.sqrt(np.prod(weight.shape[1:]))
    kernel = t[f"{name}.resample_filter"]
    x = conv_down(x, weight, kernel) if down else conv(x, weight, weight.shape[-1] // 2)
    if f"{name}.bias" not in t:
        return x * gain
    return lrelu(x + t[f"{name}.bias"][:, None, None], math.sqrt(2) * gain, clamp * gain)


def discriminator(
    t: Weights,
    images: Array,
    architecture: str,
    c: Array | None = None,
    clamp: float = math.inf,
) -> Array:
    """Score images [N,C,R,R] as one batch, groups of at most four."""
    features = np.array([_before_epilogue(t, image, architecture, clamp) for image in images])
    group = min(4, len(images))
    count = len(images) // group
    scores = []
    for i, x in enumerate(features):
        mates = features[i % count :: count]
        spread = np.sqrt(((mates - mates.mean(axis=0)) ** 2).mean(axis=0) + 1e-8).mean()
        x = np.concatenate([x, np.full([1, 4, 4], spread)])
        x = plain(t, "b4.conv", x, clamp=clamp).ravel()
        x = dense(t, "b4.out", lrelu(dense(t, "b4.fc", x)))
        if c is not None:
            cmap = mapping(t, np.zeros(0), c[i])
            x = np.array([(x * cmap).sum() / math.sqrt(len(cmap))])
        scores.append(x)
    return np.array(scores)


def _before_epilogue(t: Weights, image: Array, architecture: str, clamp: float) -> Array:
    x = None
    size = image.shape[-1]
    while size >= 4:
        b = f"b{size}"
        if f"{b}.fromrgb.weight" in t:
            limit = math.inf if size == 4 else clamp  # the last FromRGB has no limit
            rgb = plain(t, f"{b}.fromrgb", image, clamp=limit)
            x = rgb if x is None else x + rgb
        if size == 4:
            break
        if architecture == "skip":
            image = downsampled(image, t[f"{b}.resample_filter"])
        assert x is not None
        y = plain(t, f"{b}.conv0", x, clamp=clamp)
        if architecture == "resnet":
            half = math.sqrt(0.5)
            x = plain(t, f"{b}.skip", x, True, half) + plain(t, f"{b}.conv1", y, True, half, clamp)
        else:
            x = plain(t, f"{b}.conv1", y, True, clamp=clamp)
        size //= 2
    assert x is not None
    return x
