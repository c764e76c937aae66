"""Droplets planted into backgrounds of many kinds, and the same backgrounds without."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from latentlab import LatentError, NumericalError, SettingsError
from metrics.droplet_detection import detect, find_spots, heat_maps

KINDS = ("white", "smooth", "pink", "rectified", "laplace", "gradient", "radial", "constant")
SHAPES = ((3, 64), (8, 8), (8, 128), (16, 32), (64, 16))  # channels, side


def background(kind: str, channels: int, side: int, rng: np.random.Generator, count: int = 6):
    """Feature maps [count,channels,side,side] of standard deviation 1 (constant ones: 0)."""
    x = rng.standard_normal([count, channels, side, side])
    a, b = rng.standard_normal([2, count, channels, 1, 1])
    down, right = np.mgrid[:side, :side] / side - 0.5
    if kind == "constant":
        return np.broadcast_to(a, x.shape).copy()
    if kind == "smooth":
        x = ndimage.gaussian_filter(x, (0, 0, side / 24, side / 24), mode="wrap")
    elif kind == "pink":
        frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side))
        frequency[0, 0] = 1
        x = np.fft.ifft2(np.fft.fft2(x) / frequency).real
    elif kind == "rectified":
        x = np.where(x > 0, x, 0.2 * x)
    elif kind == "laplace":
        x = rng.laplace(size=x.shape)
    elif kind == "gradient":
        x = a * down + b * right + 0.05 * x
    elif kind == "radial":
        x = a * np.hypot(down, right) + 0.02 * x
    return x / x.std(axis=(2, 3), keepdims=True)


def plant(x, sigma, strength, share, rng, apart=()):
    """Add a Gaussian spot to a share of the channels of each map, up or down: places [N,2]."""
    count, channels, side = x.shape[:3]
    centres = rng.uniform(0.5, side - 0.5, [count, 2])
    for other in apart:  # try again where two would touch
        while (near := np.hypot(*(centres - other).T) < 8 * sigma).any():
            centres[near] = rng.uniform(0.5, side - 0.5, [near.sum(), 2])
    down, right = np.mgrid[:side, :side] + 0.5
    squared = (down - centres[:, :1, None]) ** 2 + (right - centres[:, 1:, None]) ** 2
    chosen = rng.random([count, channels]).argsort(axis=1) < np.ceil(share * channels)
    signs = rng.choice([-1, 1], [count, channels]) * chosen * strength
    x += signs[:, :, None, None] * np.exp(-squared / 2 / sigma**2)[:, None]
    return centres


def count_hits(x, centres, tolerance):
    """Return how many droplets are found, how many detections are false, and how many missed."""
    side, hits, false = x.shape[-1], 0, 0
    for sample, spots in enumerate(find_spots(torch.from_numpy(x).float())):
        left = [places[sample] for places in centres]
        for spot in spots:
            away = [np.hypot(spot.row * side - y, spot.column * side - x) for y, x in left]
            if away and min(away) <= tolerance:
                del left[int(np.argmin(away))]
                hits += 1
            else:
                false += 1
    return hits, false, len(x) * len(centres) - hits


@pytest.mark.parametrize("share", [1.0, 0.6])
def test_planted_droplets_are_found_within_a_pixel_and_nothing_else(share):
    rng = np.random.default_rng(0)
    total = np.zeros(3)
    for kind in KINDS:
        for channels, side in SHAPES:
            x = background(kind, channels, side, rng)
            sigma = rng.uniform(0.7, min(3, side / 8))
            centres = plant(x, sigma, rng.uniform(8, 40), share, rng)
            total += count_hits(x, [centres], tolerance=1.0)
    hits, false, missed = total
    assert hits + missed == len(KINDS) * len(SHAPES) * 6
    assert hits / (hits + missed) > 0.95
    assert hits / (hits + false) > 0.95


def test_several_droplets_of_different_strength_are_all_found():
    rng = np.random.default_rng(1)
    total = np.zeros(3)
    for kind in KINDS:
        x = background(kind, 16, 64, rng)
        centres = []
        for strength in (12, 25, 50):
            centres.append(plant(x, 1.2, strength, 0.6, rng, apart=centres))
        total += count_hits(x, centres, tolerance=1.0)
    hits, false, missed = total
    assert hits / (hits + missed) > 0.95
    assert hits / (hits + false) > 0.95


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_found_in_noise_gradients_or_constant_maps(kind):
    rng = np.random.default_rng(2)
    for channels, side in SHAPES:
        x = background(kind, channels, side, rng, count=24 if side < 64 else 6)
        assert detect(torch.from_numpy(x).float()).empty, (channels, side)


def test_nothing_is_found_in_patterns_edges_and_lines():
    down, right = np.mgrid[:32, :32]
    patterns = {
        "checkerboard": (down + right) % 2,
        "stripes": right % 8 < 2,
        "edge": right < 16,
        "thin line": right == 7,
        "border": (down == 0) | (right == 0) | (down == 31) | (right == 31),
        "diagonal": abs(down - right) < 2,
        "ring": abs(np.hypot(down - 16, right - 16) - 9) < 1,
        "half a ring": (abs(np.hypot(down - 16, right - 16) - 9) < 1) & (down > 15),
        "large disc": np.hypot(down - 16, right - 16) < 8,
        "dots": (down % 8 == 3) & (right % 8 == 3),
    }
    rng = np.random.default_rng(3)
    for name, pattern in patterns.items():
        for noise in (0, 0.05):
            x = pattern * rng.standard_normal([1, 8, 1, 1])
            x = x + noise * rng.standard_normal([1, 8, 32, 32])
            assert detect(torch.from_numpy(x).float()).empty, (name, noise)


def test_a_spot_in_few_channels_is_no_droplet():
    rng = np.random.default_rng(4)
    x = background("white", 20, 32, rng)
    plant(x, 1.5, 30, 0.2, rng)
    assert detect(torch.from_numpy(x).float()).empty


@pytest.mark.parametrize("kind", ["white", "constant"])
def test_scaling_and_shifting_a_channel_changes_nothing(kind):
    rng = np.random.default_rng(5)
    x = background(kind, 12, 32, rng)
    plant(x, 1.5, 20, 1.0, rng)
    scales = 10 ** rng.uniform(-4, 4, [1, 12, 1, 1]) * rng.choice([-1, 1], [1, 12, 1, 1])
    other = (x + rng.uniform(-5, 5, [1, 12, 1, 1])) * scales
    before, after = (detect(torch.from_numpy(maps)) for maps in (x, other))
    assert len(before) == len(x)
    np.testing.assert_allclose(after, before, rtol=1e-3)


def test_strength_and_area_are_those_planted():
    rng = np.random.default_rng(6)
    for strength in (10, 20, 80):
        x = background("white", 16, 64, rng, count=20)
        plant(x, 2.0, strength, 1.0, rng)
        found = detect(torch.from_numpy(x).float())
        # 40 % of the channels exceed the planted strength by the noise at that place.
        assert found["strength"].median() == pytest.approx(strength, rel=0.1)
        # A Gaussian is above its half within 1.177 sigma.
        inside = np.pi * (1.177 * 2.0) ** 2 / 64**2
        assert found["area_share"].median() == pytest.approx(inside, rel=0.15)


def test_the_heat_is_the_planted_profile():
    x = torch.randn([1, 1, 100, 100], generator=torch.Generator().manual_seed(0))
    x[0, 0, 30, 70] = 50
    heat = heat_maps(x)
    assert heat.shape == (1, 100, 100)
    assert heat[0, 30, 70] == pytest.approx(50, rel=0.05)
    assert heat.flatten().quantile(0.9) == pytest.approx(1.645, rel=1e-3)


def test_an_empty_table_has_the_columns():
    found = detect(torch.ones([2, 3, 8, 8]))
    assert found.empty
    columns = ["sample", "resolution", "row", "column", "strength", "area_share"]
    assert found.columns.tolist() == columns
    assert found["sample"].dtype.kind == "i"


def test_bad_maps_and_thresholds_are_refused():
    with pytest.raises(LatentError, match="maps"):
        detect(torch.ones([3, 8, 8]))
    with pytest.raises(NumericalError, match="NaN"):
        detect(torch.full([1, 3, 8, 8], float("nan")))
    with pytest.raises(SettingsError, match="threshold"):
        detect(torch.ones([1, 3, 8, 8]), threshold=0)
