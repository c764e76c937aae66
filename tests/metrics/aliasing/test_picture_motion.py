"""Shifting and turning of pictures, against the published operators and closed forms."""

import math

import numpy as np
import pytest
import torch

from metrics.aliasing.picture_motion import as_if_turned, shifted, turn_filter, turned

# The references are float32, of pictures up to 2.9: rounded filters and places of samples. The
# same operators in float64 are nearer to ours than these by a factor of ten.
FILTER = 1e-6  # largest found 2.4e-7
SHIFT = 3e-6  # 7.2e-7
TURN = 6e-5  # 1.9e-5
PSEUDO = 4e-6  # 1.2e-6
EXACT = 1e-12  # float64

ANGLES = (0.3, 2.0)


@pytest.fixture(scope="module")
def rotation(shared):
    return np.load(shared / "more" / "sg3_equivariance_rotation_ref.npz")


@pytest.fixture(scope="module")
def translation(shared):
    return np.load(shared / "more" / "sg3_equivariance_translation_ref.npz")


class TestPublished:
    @pytest.mark.parametrize("angle", ANGLES)
    def test_filters(self, rotation, angle):
        fine, single = turn_filter(angle, 4), turn_filter(-angle, 1)
        np.testing.assert_allclose(fine, rotation[f"rot{angle}_filter_up4"], atol=FILTER, rtol=0)
        np.testing.assert_allclose(single, rotation[f"rot{angle}_filter_up1"], atol=FILTER, rtol=0)

    @pytest.mark.parametrize("angle", ANGLES)
    def test_a_turned_picture_and_one_as_if_turned(self, rotation, angle):
        picture = torch.from_numpy(rotation["pic64"])
        found, mask = turned(picture, angle)
        np.testing.assert_allclose(found, rotation[f"pic64_rot{angle}"], atol=TURN, rtol=0)
        assert np.array_equal(mask, rotation[f"pic64_rot{angle}_mask"])
        found, mask = as_if_turned(picture, angle)
        np.testing.assert_allclose(found, rotation[f"pic64_pseudo{angle}"], atol=PSEUDO, rtol=0)
        assert np.array_equal(mask, rotation[f"pic64_pseudo{angle}_mask"])

    def test_shifts(self, translation, rotation):
        original = torch.from_numpy(translation["orig"])
        for kind, whole in (("int", True), ("frac", False)):
            x, y = (translation[f"{kind}_t"].astype(np.float64) * 32).tolist()
            found, mask = shifted(original, x, y, whole)
            np.testing.assert_allclose(found, translation[f"{kind}_ref"], atol=SHIFT, rtol=0)
            assert np.array_equal(mask, translation[f"{kind}_mask"])
        x, y = (translation["frac_t"].astype(np.float64) * 64).tolist()
        found, mask = shifted(torch.from_numpy(rotation["pic64"]), x, y, whole=False)
        np.testing.assert_allclose(found, rotation["pic64_frac"], atol=SHIFT, rtol=0)
        assert np.array_equal(mask, rotation["pic64_frac_mask"])


def wave(size, x_cycles, y_cycles, x=0.0, y=0.0, angle=0.0):
    """A wave in the middle of the plane, turned against the clock and then shifted by pixels."""
    line = np.arange(size) - (size - 1) / 2
    down, right = np.meshgrid(line - y, line - x, indexing="ij")
    cos, sin = math.cos(angle), math.sin(angle)
    across, along = cos * right - sin * down, sin * right + cos * down
    phase = 2 * math.pi * (x_cycles * across + y_cycles * along) / size
    return torch.from_numpy(np.sin(phase + 0.4))[None, None]


@pytest.mark.parametrize(("x", "y"), [(2.4, -1.3), (-3.7, 0.5), (0.0, 4.25)])
def test_a_fraction_moves_a_slow_wave_to_where_it_belongs(x, y):
    """Closed form; a Lanczos filter leaves a ripple of 0.6 % of waves of eight pixels."""
    found, mask = shifted(wave(32, 3, -2), x, y, whole=False)
    wrong = (found - wave(32, 3, -2, x, y)).abs() * mask
    assert wrong.max() < 0.02
    assert 500 < mask.sum() < 1024


@pytest.mark.parametrize("angle", [0.3, -1.1, 2.9])
def test_a_slow_wave_is_turned_to_where_it_belongs(angle):
    found, mask = turned(wave(64, 4, -3), angle)
    assert ((found - wave(64, 4, -3, angle=angle)).abs() * mask).max() < 0.02
    assert ((found - wave(64, 4, -3, angle=-angle)).abs() * mask).max() > 0.5
    assert mask.sum() > 1000


def test_a_whole_shift_moves_pixels_and_leaves_zeros():
    picture = torch.arange(16.0).view(1, 1, 4, 4)
    found, mask = shifted(picture, 1, -2, whole=True)
    assert found[0, 0].tolist() == [[0, 8, 9, 10], [0, 12, 13, 14], [0] * 4, [0] * 4]
    assert mask.tolist() == [[0, 1, 1, 1], [0, 1, 1, 1], [0] * 4, [0] * 4]


def test_a_fraction_of_zero_changes_nothing():
    picture = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)).double()
    found, mask = shifted(picture, 0, 0, whole=False)
    torch.testing.assert_close(found, picture, atol=EXACT, rtol=0)
    assert mask.tolist() == torch.nn.functional.pad(torch.ones(11, 11), [3, 2, 3, 2]).tolist()


def test_a_shift_beyond_the_picture_leaves_nothing():
    found, mask = shifted(torch.ones(1, 1, 8, 8), 9, 0, whole=True)
    assert found.abs().max() == mask.max() == 0


@pytest.mark.parametrize(("up", "size"), [(1, 11), (4, 47)])
def test_each_phase_of_a_filter_keeps_the_mean(up, size):
    kernel = turn_filter(0.7, up)
    assert kernel.shape == (size, size)
    for i in range(up):
        for j in range(up):
            assert kernel[i::up, j::up].sum() == pytest.approx(1 / up**2, abs=EXACT)


def test_turns_by_right_angles_commute():
    """No direction of the grid is another one's better."""
    picture = torch.randn(1, 1, 32, 32, generator=torch.Generator().manual_seed(0)).double()
    found, mask = turned(picture, 0.4)
    spun, _ = turned(picture.rot90(1, [2, 3]), 0.4)
    torch.testing.assert_close(spun, found.rot90(1, [2, 3]), atol=1e-9, rtol=0)
    assert mask.dtype == picture.dtype
