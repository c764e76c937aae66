"""Average spectra against the published recipe, closed forms, and a direct transform."""

import math

import numpy as np
import pytest
import torch

from latentlab import ImageError, NumericalError, SettingsError
from metrics import average_spectrum
from metrics.aliasing.power_spectra import (
    finest_octave,
    grid_points,
    heat_map,
    interpolated,
    powers,
    readings,
    slice_at,
    window,
)

MEAN, STD = 112.684, 69.509  # of FFHQ
# A numpy version with a window in float64 differs from the published one, whose window is float32,
# by 1.4e-5 of each value and 1.4e-5 dB; three times that.
VALUE, LEVEL = 4.2e-5, 4.2e-5
EXACT = 1e-8  # relative, float64: what is 80 dB below the rest


@pytest.fixture(scope="module")
def reference(shared):
    return np.load(shared / "more" / "sg3_avg_spectrum_ref.npz")


def noise(n=200, size=32, seed=0):
    """Uniform levels, independent of each other."""
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.integers(0, 256, [n, 3, size, size], dtype=np.uint8))


def waves(size, y, x, n=1, amplitude=60.0):
    """Pictures of one wave, of so many cycles down and across."""
    line = np.arange(size)
    phase = 2 * math.pi * (y * line[:, None] + x * line) / size
    levels = np.round(128 + amplitude * np.cos(phase + 0.3)).astype(np.uint8)
    return torch.from_numpy(np.broadcast_to(levels, [n, 1, size, size]).copy())


class TestPublished:
    def test_spectrum(self, reference):
        pictures = torch.from_numpy(reference["images_u8"])
        found = average_spectrum([pictures], MEAN, STD)
        np.testing.assert_allclose(found, reference["spectrum"], rtol=VALUE)

    def test_heat_map(self, reference):
        found = heat_map(reference["spectrum"])
        np.testing.assert_allclose(found, reference["heatmap_db_smooth1p25"], atol=LEVEL, rtol=0)


def test_it_is_the_plain_transform_of_four_times_the_size():
    pictures = noise(5, 16)
    white = (pictures.numpy().astype(np.float64) - MEAN) / STD * window(16).numpy()
    direct = (np.abs(np.fft.fft2(white, s=(64, 64))) ** 2).mean(axis=(0, 1))
    np.testing.assert_allclose(average_spectrum([pictures], MEAN, STD), direct, rtol=EXACT)


def test_batches_change_nothing():
    pictures = noise(7)
    whole = average_spectrum([pictures], MEAN, STD)
    parts = average_spectrum(iter(pictures.split(3)), MEAN, STD)
    np.testing.assert_allclose(parts, whole, rtol=EXACT)


def test_the_window_is_a_kaiser_of_unit_energy():
    found = window(32)
    line = torch.kaiser_window(32, periodic=False, beta=8, dtype=torch.float64)
    torch.testing.assert_close(found / found.max(), torch.outer(line, line) / line.max() ** 2)
    assert float(found.square().sum()) == pytest.approx(1)


def test_white_noise_has_a_level_of_zero_decibels_everywhere():
    """Closed form: a window of unit energy keeps the variance, which whitening makes 1."""
    spectrum = average_spectrum([noise()], 127.5, math.sqrt((256**2 - 1) / 12))
    assert spectrum.mean() == pytest.approx(1, rel=0.01)
    for degrees in (0, 45):
        _, levels = slice_at(spectrum, degrees)
        assert np.abs(levels).max() < 2  # 600 transforms: 0.18 dB, of 130 samples in all


def test_a_wave_is_where_its_frequency_is():
    spectrum = average_spectrum([waves(32, 0, 9)], 128, 50)
    frequencies, levels = slice_at(spectrum, 0)
    assert frequencies[levels.argmax()] == 9
    assert frequencies.tolist() == [i / 4 for i in range(65)]
    spectrum = average_spectrum([waves(32, 9, 9)], 128, 50)
    frequencies, levels = slice_at(spectrum, 45)
    assert frequencies[levels.argmax()] == pytest.approx(9 * math.sqrt(2))
    assert frequencies[-1] == pytest.approx(16 * math.sqrt(2))
    levels = heat_map(average_spectrum([waves(32, 3, 9)], 128, 50), smooth=0)
    assert levels.shape == (129, 129)
    row, column = np.unravel_index(levels.argmax(), levels.shape)
    assert {(row - 64, column - 64)} <= {(12, 36), (-12, -36)}


def test_the_finest_octave_is_counted_all_round():
    """By hand on the whole plane, of which the half grid leaves one side out."""
    pictures = noise(3, 16)
    white = (pictures.numpy().astype(np.float64) - MEAN) / STD * window(16).numpy()
    plane = (np.abs(np.fft.fft2(white, s=(32, 32))) ** 2).mean(axis=1)
    line = np.fft.fftfreq(32, 1 / 32) / 2
    radius = np.hypot(line[:, None], line)
    expected = plane[:, (radius >= 4) & (radius < 8)].mean(axis=1)
    np.testing.assert_allclose(finest_octave(powers(pictures, MEAN, STD)), expected, rtol=EXACT)


@pytest.mark.parametrize(("size", "count"), [(16, 3), (32, 9), (64, 9)])
def test_grid_points_are_those_of_the_plane(size, count):
    pictures = noise(2, size)
    white = (pictures.numpy().astype(np.float64) - MEAN) / STD * window(size).numpy()
    plane = (np.abs(np.fft.fft2(white, s=(2 * size,) * 2)) ** 2).mean(axis=1)
    found = grid_points(powers(pictures, MEAN, STD)).numpy()
    assert found.shape == (2, count, 5)
    half = size // 2
    corner = plane[:, 2 * half % (2 * size), 2 * half % (2 * size)]
    assert np.isclose(found[:, :, 0], corner[:, None]).any(axis=1).all()
    near = plane[:, (2 * half + 8) % (2 * size), 2 * half]
    assert np.isclose(found[:, :, 1:], near[:, None, None]).any(axis=(1, 2)).all()


def read(pictures):
    power = powers(pictures, 128, 60)
    single = torch.cat([finest_octave(power)[:, None], grid_points(power).flatten(1)], dim=1)
    return readings(single.numpy().mean(axis=0))


@pytest.mark.parametrize("period", [2, 4])
@pytest.mark.parametrize("size", [32, 64])
def test_a_grid_of_pixels_is_a_peak(size, period):
    plain = noise(100, size) // 2 + 64
    marked = plain.clone()
    marked[..., ::period, ::period] += 24
    assert abs(read(plain)[1]) < 1
    assert read(marked)[1] > read(plain)[1] + 1.5


def test_other_waves_are_no_peaks_and_a_slope_is_none():
    plain = noise(100) // 2 + 64
    line = np.arange(32)
    wave = np.round(20 * np.cos(2 * math.pi * 3 * line / 32)).astype(np.int64)
    waved = (plain.long() + torch.from_numpy(wave)).to(torch.uint8)
    assert read(waved)[1] < read(plain)[1] + 0.5
    blurred = torch.nn.functional.avg_pool2d(plain.double(), 3, 1, 1).round().to(torch.uint8)
    assert read(blurred)[0] < read(plain)[0] - 3


def test_readings_of_several_means_at_once():
    means = np.random.default_rng(0).gamma(2.0, size=[4, 1 + 5 * 3])
    np.testing.assert_allclose(readings(means), [readings(each) for each in means])
    with pytest.raises(NumericalError, match="without any detail"):
        readings(np.zeros(6))


def test_interpolation_leaves_what_was_there():
    power = powers(noise(1), MEAN, STD).numpy()[0]
    np.testing.assert_allclose(interpolated(power)[::2, :66:2], power, rtol=1e-6)


@pytest.mark.parametrize("pictures", [
    torch.zeros(1, 3, 32, 32), torch.zeros(1, 3, 32, 16, dtype=torch.uint8),
    torch.zeros(3, 32, 32, dtype=torch.uint8),
])  # fmt: skip
def test_pictures_that_are_none_are_refused(pictures):
    with pytest.raises(ImageError, match="`pictures` must be square"):
        average_spectrum([pictures], MEAN, STD)


def test_no_pictures_or_of_two_sizes_are_refused():
    with pytest.raises(ImageError, match="at least one"):
        average_spectrum([], MEAN, STD)
    with pytest.raises(ImageError, match="one size"):
        average_spectrum([noise(1), noise(1, 16)], MEAN, STD)


@pytest.mark.parametrize(("mean", "std"), [(-1, 1), (256, 1), (math.nan, 1), (0, 0), (0, 300)])
def test_levels_are_checked(mean, std):
    with pytest.raises(SettingsError, match=r"`(mean|std)` must"):
        average_spectrum([noise(1)], mean, std)
