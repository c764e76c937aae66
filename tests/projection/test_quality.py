"""Pixel measures against their closed forms."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.signal import convolve2d

from latentlab.images import from_uint8
from latentlab.projection.quality import masked_quality, pixel_quality


def image(pixels: NDArray[np.uint8]) -> torch.Tensor:
    return from_uint8(torch.from_numpy(pixels).permute(2, 0, 1))


def flat(value: int, side: int = 16, channels: int = 3) -> torch.Tensor:
    return image(np.full((side, side, channels), value, dtype=np.uint8))


def noise(side: int, seed: int, low: int = 0, high: int = 256) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    return rng.integers(low, high, (side, side, 3), dtype=np.uint8)


def reference_ssim(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Eq. 13-16, Wang et al. 2004, for one channel, where the window fits."""
    taps = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    window = np.outer(taps, taps) / taps.sum() ** 2
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2

    def local_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return convolve2d(values, window, mode="valid")

    mean_x, mean_y = local_mean(x), local_mean(y)
    variances = local_mean(x * x) - mean_x**2 + local_mean(y * y) - mean_y**2
    covariance = local_mean(x * y) - mean_x * mean_y
    ssim = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    return float(np.mean(ssim / ((mean_x**2 + mean_y**2 + c1) * (variances + c2))))


@pytest.mark.parametrize("channels", [1, 3])
def test_equal_pictures_have_no_error_no_psnr_and_full_similarity(channels: int) -> None:
    picture = image(noise(16, seed=0))[:channels]
    quality = pixel_quality(picture, picture)
    assert quality == {"mse": 0.0, "psnr": None, "ssim": pytest.approx(1.0, abs=1e-12)}


@pytest.mark.parametrize("offset", [1, 10, 155])
def test_a_constant_offset_has_the_psnr_of_its_square(offset: int) -> None:
    pixels = noise(16, seed=0, high=101)
    quality = pixel_quality(image(pixels), image(pixels + np.uint8(offset)))
    assert quality["mse"] == offset**2
    assert quality["psnr"] == pytest.approx(20 * math.log10(255 / offset), abs=1e-9)


def test_black_against_white_is_the_largest_error() -> None:
    quality = pixel_quality(flat(0), flat(255))
    assert quality["mse"] == 255**2
    assert quality["psnr"] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(("first", "second"), [(100, 110), (0, 255), (37, 200)])
def test_ssim_of_flat_pictures_is_their_luminance_term(first: int, second: int) -> None:
    c1 = (0.01 * 255) ** 2
    expected = (2 * first * second + c1) / (first**2 + second**2 + c1)
    assert pixel_quality(flat(first), flat(second))["ssim"] == pytest.approx(expected, abs=1e-9)


def test_ssim_is_that_of_wang_et_al() -> None:
    first, second = noise(24, seed=1), noise(24, seed=2)
    second = (0.7 * first + 0.3 * second).astype(np.uint8)
    x, y = first.astype(float), second.astype(float)
    expected = np.mean([reference_ssim(x[:, :, c], y[:, :, c]) for c in range(3)])
    assert 0.5 < expected < 0.95
    assert pixel_quality(image(first), image(second))["ssim"] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("side", "defined"), [(4, False), (10, False), (11, True)])
def test_ssim_is_left_out_where_its_window_does_not_fit(side: int, defined: bool) -> None:
    quality = pixel_quality(flat(0, side), flat(10, side))
    assert (quality["ssim"] is not None) == defined
    assert quality["mse"] == 100


def test_pictures_are_compared_after_rounding_to_bytes() -> None:
    pixels = noise(16, seed=0, low=1, high=255)
    close = image(pixels) + 0.4 / 127.5
    assert pixel_quality(image(pixels), close)["mse"] == 0


def test_n04_mse_and_psnr_do_not_depend_on_the_order_of_the_pictures() -> None:
    first, second = image(noise(16, seed=1)), image(noise(16, seed=2))
    assert pixel_quality(first, second) == pytest.approx(pixel_quality(second, first), rel=1e-12)


# Within a mask.


def upper_half(side: int = 32) -> torch.Tensor:
    mask = torch.zeros(1, side, side)
    mask[:, : side // 2] = 1
    return mask


@pytest.mark.parametrize("inside", [True, False])
def test_a_difference_counts_on_its_own_side_of_the_mask(inside: bool) -> None:
    """An offset of 10 on one half: 10^2 within it, half of that in the whole, 0 in the other."""
    pixels = noise(32, seed=0, high=240)
    moved = pixels.copy()
    half = np.s_[:16] if inside else np.s_[16:]
    moved[half] += 10
    first, second = image(pixels), image(moved)
    assert pixel_quality(first, second)["mse"] == 50
    within = masked_quality(first, second, upper_half())
    if inside:
        assert within["mse"] == 100
        assert within["psnr"] == pytest.approx(20 * math.log10(25.5), abs=1e-9)
        assert within["ssim"] is not None
        assert within["ssim"] < 1
    else:
        assert within == {"mse": 0, "psnr": None, "ssim": pytest.approx(1, abs=1e-12)}


def test_a_mask_of_everything_changes_nothing() -> None:
    first, second = image(noise(24, seed=1)), image(noise(24, seed=2))
    within = masked_quality(first, second, torch.ones(1, 24, 24))
    assert within == pytest.approx(pixel_quality(first, second), rel=1e-9)


def test_grey_counts_in_part() -> None:
    first, second = flat(0), flat(0)
    second[:, :8] = image(np.full((16, 16, 3), 20, dtype=np.uint8))[:, :8]
    mask = torch.full((1, 16, 16), 0.25)
    mask[:, 8:] = 0.75
    assert masked_quality(first, second, mask)["mse"] == pytest.approx(0.25 * 400, rel=1e-12)


def test_ssim_is_left_out_where_the_mask_holds_nothing_that_it_sees() -> None:
    mask = torch.zeros(1, 16, 16)
    mask[:, :5] = 1  # the border, where the window does not fit
    assert masked_quality(flat(0), flat(10), mask)["ssim"] is None
    assert masked_quality(flat(0), flat(10), mask)["mse"] == 100
