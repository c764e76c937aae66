"""Walks: where the places are, and what latents and noise maps are there."""

import numpy as np
import pytest
import torch

from latentlab.editing.interpolation import Place, between_noise, between_ws, between_z, places
from latentlab.errors import SettingsError
from tests.metrics.doubles import numpy_slerp


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class TestPlaces:
    def test_a_line_has_each_place_once_and_ends_at_the_last_picture(self):
        found = places(3, 2)
        assert found == [Place(0, 1, 0), Place(0, 1, 0.5), Place(1, 2, 0), Place(1, 2, 0.5),
                         Place(1, 2, 1)]  # fmt: skip

    def test_a_loop_leads_back_without_the_first_picture_twice(self):
        found = places(3, 2, loop=True)
        assert len(found) == 6
        assert found[4:] == [Place(2, 0, 0), Place(2, 0, 0.5)]

    def test_easing_is_slow_at_both_ends_and_symmetric(self):
        t = np.array([place.t for place in places(2, 10, ease=True)])
        np.testing.assert_allclose(t + t[::-1], 1)
        steps = np.diff(t)
        assert steps[0] < 0.03 < 0.14 < steps[4]
        assert (t[0], t[5], t[-1]) == (0, 0.5, 1)

    @pytest.mark.parametrize(("keys", "frames"), [(1, 5), (2, 0)])
    def test_no_walk_is_refused(self, keys, frames):
        with pytest.raises(SettingsError, match="a walk needs"):
            places(keys, frames)


def test_w_lies_on_a_straight_line():
    a, b = normal(1, 4, 8), normal(1, 4, 8, seed=1)
    torch.testing.assert_close(between_ws(a, b, 0.25), 0.75 * a + 0.25 * b)


def test_z_lies_on_a_great_circle_between_lengths():
    a, b = normal(1, 8), 3 * normal(1, 8, seed=1)
    found = between_z(a, b, 0.3).double().numpy()
    arc = numpy_slerp(*(x[0].double().numpy() for x in (a, b)), 0.3)
    length = 0.7 * float(a.norm()) + 0.3 * float(b.norm())
    np.testing.assert_allclose(found[0], arc * length, rtol=1e-5)


@pytest.mark.parametrize("t", [0.25, 0.5, 0.9])
def test_noise_keeps_its_strength(t):
    a, b = [normal(1, 1, 32, 32)], [normal(1, 1, 32, 32, seed=1)]
    a[0] /= a[0].square().mean().sqrt()
    b[0] *= 2 / b[0].square().mean().sqrt()
    (found,) = between_noise(a, b, t)
    assert float(found.square().mean()) == pytest.approx((1 - t) + 4 * t, rel=1e-5)
    mean = (1 - t) * a[0] + t * b[0]
    cosine = torch.nn.functional.cosine_similarity(found.flatten(), mean.flatten(), dim=0)
    assert float(cosine) == pytest.approx(1, abs=1e-6)


def test_opposite_maps_and_maps_of_nothing_stay_finite():
    a = [normal(1, 1, 4, 4), torch.zeros(1, 1, 8, 8)]
    found = between_noise(a, [-a[0], a[1]], 0.5)
    assert all(bool((level == 0).all()) for level in found)


@pytest.mark.parametrize("t", [0, 1, 0.0, 1.0])
def test_ends_are_what_they_were_to_the_bit(t):
    ws, z = (normal(1, 3, 8), 1e-3 * normal(1, 3, 8, seed=1)), (normal(1, 8), normal(1, 8, seed=1))
    noise = [normal(1, 1, 4, 4)], [7 * normal(1, 1, 4, 4, seed=1)]
    end = int(t)
    assert torch.equal(between_ws(*ws, t), ws[end])
    assert torch.equal(between_z(*z, t), z[end])
    assert torch.equal(between_noise(*noise, t)[0], noise[end][0])
