"""Droplets planted into backgrounds of many kinds, and the same backgrounds without."""

import numpy as np
import pytest
import torch

from latentlab import LatentError, NumericalError, SettingsError
from metrics.droplet_detection import detect, examine, find_spots, heat_maps
from tests.support.planted.droplet_maps import BACKGROUNDS, NEGATIVES, background
from tests.support.planted.droplet_maps import plant_into as plant

SHAPES = ((3, 64), (8, 8), (8, 128), (16, 32), (64, 16))  # channels, side


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
def test_n06_planted_droplets_are_found_within_a_pixel_and_nothing_else(share):
    rng = np.random.default_rng(0)
    total = np.zeros(3)
    for kind in BACKGROUNDS:
        for channels, side in SHAPES:
            x = background(kind, channels, side, rng)
            sigma = rng.uniform(0.7, max(0.8, min(3, side / 10)))
            centres = plant(x, sigma, rng.uniform(8, 40), share, rng)
            total += count_hits(x, [centres], tolerance=1.0)
    hits, false, missed = total
    assert hits + missed == len(BACKGROUNDS) * len(SHAPES) * 6
    assert hits / (hits + missed) > 0.95
    assert hits / (hits + false) > 0.95


def test_several_droplets_of_different_strength_are_all_found():
    rng = np.random.default_rng(1)
    total = np.zeros(3)
    for kind in BACKGROUNDS:
        x = background(kind, 16, 64, rng)
        centres = []
        for strength in (12, 25, 50):
            centres.append(plant(x, 1.2, strength, 0.6, rng, apart=centres))
        total += count_hits(x, centres, tolerance=1.0)
    hits, false, missed = total
    assert hits / (hits + missed) > 0.95
    assert hits / (hits + false) > 0.95


@pytest.mark.parametrize("kind", BACKGROUNDS)
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
    np.testing.assert_allclose(after.astype(float), before.astype(float), rtol=1e-3)


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
    columns = ["sample", "resolution", "row", "column", "strength", "area_share", "at_border"]
    assert found.columns.tolist() == columns
    assert found["sample"].dtype.kind == "i"
    assert found["at_border"].dtype.kind == "b"


def test_bad_maps_and_thresholds_are_refused():
    with pytest.raises(LatentError, match="maps"):
        detect(torch.ones([3, 8, 8]))
    with pytest.raises(NumericalError, match="NaN"):
        detect(torch.full([1, 3, 8, 8], float("nan")))
    with pytest.raises(SettingsError, match="threshold"):
        detect(torch.ones([1, 3, 8, 8]), threshold=0)


def noise(side, channels=8, count=24, seed=7):
    return np.random.default_rng(seed).standard_normal([count, channels, side, side])


def found_in(x):
    return detect(torch.from_numpy(x).float())


class TestBorder:
    """Zero padding makes these in every picture: they were droplets in 24 of 24 maps."""

    @pytest.mark.parametrize("side", [16, 32, 64])
    @pytest.mark.parametrize("place", [(0, 5), (-1, 9), (6, 0), (3, -1)])
    def test_a_hot_pixel_on_the_edge_is_told_apart(self, side, place):
        x = noise(side)
        x[:, :, place[0], place[1]] += 40
        found = found_in(x)
        assert found["sample"].nunique() == len(x)
        assert found["at_border"].all()

    @pytest.mark.parametrize("height", [10, 40])
    @pytest.mark.parametrize("corner", range(4))
    def test_a_hot_corner_is_told_apart(self, corner, height):
        x = noise(32)
        np.rot90(x, corner, axes=(2, 3))[:, :, :3, :3] += height
        found = found_in(x)
        assert found["sample"].nunique() == len(x)
        assert found["at_border"].all()

    @pytest.mark.parametrize(("inside", "sigma"), [(1, 0.7), (2, 0.7), (2, 1.2), (3, 1.5)])
    def test_a_droplet_whose_peak_is_inside_is_none_of_them(self, inside, sigma):
        x = noise(32)
        down, right = np.mgrid[:32, :32]
        squared = (down - inside) ** 2 + (right - 14) ** 2
        x += 20 * np.exp(-squared / 2 / sigma**2)
        found = found_in(x)
        assert found["sample"].nunique() == len(x)
        assert not found["at_border"].any()
        np.testing.assert_allclose(found["row"], (inside + 0.5) / 32, atol=1 / 32)


class TestBesideOthers:
    """The rule was a gap: every spot above twice everything else, and eight at most."""

    @pytest.mark.parametrize("away", [1, 2, 3, 6])
    def test_a_droplet_beside_a_hot_column_is_found(self, away):
        x = noise(32)
        x[:, :, :, 12] += 21
        x[:, :, 16, 12 + away] += 40
        found = found_in(x)
        assert found["sample"].tolist() == list(range(len(x)))
        np.testing.assert_allclose(found["column"], (12.5 + away) / 32, atol=1 / 32)

    def test_a_weaker_droplet_than_the_column_is_found_too(self):
        x = noise(32)
        x[:, :, 9] += 40
        x[:, :, 20, 20] += 12
        assert found_in(x)["sample"].tolist() == list(range(len(x)))

    @pytest.mark.parametrize("count", [12, 20])
    def test_many_droplets_of_all_strengths_are_found(self, count):
        rng = np.random.default_rng(8)
        x = noise(64)
        for sample in x:
            for cell in rng.permutation(49)[:count]:
                row, column = 8 + 7 * (cell // 7), 8 + 7 * (cell % 7)
                row, column = row + rng.integers(-2, 3), column + rng.integers(-2, 3)
                sample[:, row, column] += rng.uniform(10, 60)
        found = found_in(x)
        assert len(found) > 0.99 * count * len(x)
        assert len(found) <= count * len(x)

    def test_a_droplet_far_below_another_is_found(self):
        x = noise(32)
        x[:, :, 8, 8] += 60
        x[:, :, 22, 22] += 10
        assert len(found_in(x)) == 2 * len(x)


@pytest.mark.parametrize("name", NEGATIVES)
def test_there_is_no_droplet_in(name):
    rng = np.random.default_rng(9)
    for side in (16, 64):
        x = NEGATIVES[name](12, 8, side, rng)
        found = found_in(x)
        assert found["at_border"].all(), side


class TestRefused:
    def test_noise_that_all_channels_share_is_counted_as_refused(self):
        rng = np.random.default_rng(11)
        x = rng.exponential(size=[4, 1, 64, 64]) + 0.05 * rng.standard_normal([4, 8, 64, 64])
        examined = examine(torch.from_numpy(x).float())
        assert not any(each.spots for each in examined)
        assert all(each.refused >= 1 for each in examined)

    def test_a_droplet_beyond_that_noise_is_found(self):
        rng = np.random.default_rng(11)
        x = rng.exponential(size=[4, 1, 64, 64]) + 0.05 * rng.standard_normal([4, 8, 64, 64])
        x[:, :, 30, 40] = 40
        for each in examine(torch.from_numpy(x).float()):
            (spot,) = each.spots
            assert (int(spot.row * 64), int(spot.column * 64)) == (30, 40)

    def test_a_grid_of_dots_is_counted_as_refused(self):
        x = noise(32, count=2)
        x[:, :, 3::8, 3::8] += 20
        assert [(each.spots, each.refused) for each in examine(torch.from_numpy(x))] == [
            ([], 16)
        ] * 2

    @pytest.mark.parametrize("step", [(-3, 3), (-4, 1), (0, 4), (4, 0), (3, 2)])
    def test_a_grid_with_one_step_is_refused_wherever_it_runs(self, step):
        x, spots = noise(32, count=2), np.arange(7)[:, None] * step
        row, column = (spots + 15 - spots.mean(axis=0)).astype(int).T
        x[:, :, row, column] += 20
        assert [(each.spots, each.refused) for each in examine(torch.from_numpy(x))] == [
            ([], 7)
        ] * 2

    def test_nothing_is_refused_where_there_is_nothing_or_a_droplet(self):
        x = noise(32, count=2)
        x[1, :, 9, 9] += 20
        examined = examine(torch.from_numpy(x))
        assert [(len(each.spots), each.refused) for each in examined] == [(0, 0), (1, 0)]


def test_maps_beyond_single_precision_are_refused():
    maps = 1e39 * torch.randn(1, 3, 8, 8, dtype=torch.float64)
    with pytest.raises(NumericalError, match="infinity"):
        detect(maps)
