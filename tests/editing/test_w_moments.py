"""Mean and covariance of w against numpy's over the same samples, and against planted ones."""

import numpy as np
import pytest
import torch

from latentlab.editing.w_moments import w_moments
from latentlab.errors import LatentError, SettingsError
from latentlab.latents import draw_labels, draw_z
from latentlab.numerics import Stream
from tests.conftest import make_generator, make_progan


@pytest.mark.parametrize("c_dim", [0, 3])
def test_they_equal_numpys_over_the_same_samples(c_dim):
    g = make_generator(c_dim=c_dim)
    found = w_moments(g, 2500, seed=3)
    z = draw_z(range(2500), g.z_dim, 3, Stream.DIRECTIONS)
    c = draw_labels(range(2500), c_dim, 3, Stream.DIRECTIONS) if c_dim else None
    w = g.mapping(z, c)[:, 0].double().numpy()
    np.testing.assert_allclose(found.mean, w.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(found.covariance, np.cov(w.T), atol=1e-6)
    assert (found.samples, found.seed) == (2500, 3)


def test_deviations_along_directions_are_those_of_the_projected_samples():
    g = make_generator()
    vectors = torch.nn.functional.normalize(torch.eye(5)[:3] + 0.3, dim=1)
    found = w_moments(g, 500).deviations(vectors)
    w = g.mapping(draw_z(range(500), g.z_dim, 0, Stream.DIRECTIONS))[:, 0].double()
    np.testing.assert_allclose(found, (w @ vectors.T.double()).std(dim=0), rtol=1e-6)


def test_a_mean_far_from_zero_costs_no_digits():
    g = make_generator()
    before = w_moments(g, 300).covariance
    last = g.mapping.get_submodule("fc1")
    last.activate = False
    plain = w_moments(g, 300).covariance
    last.bias += 1e4 / last.lr_multiplier
    g.mapping.w_avg.fill_(1e4)
    moved = w_moments(g, 300).covariance
    assert not torch.allclose(before, plain)
    torch.testing.assert_close(moved, plain, atol=1e-2, rtol=1e-2)  # float32 at 1e4: 1e-3


def test_progress_counts_samples():
    seen = []
    w_moments(make_generator(), 2100, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1000, 2100), (2000, 2100), (2100, 2100)]


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(SettingsError, match="2 or more"):
        w_moments(make_generator(), 1)
    with pytest.raises(LatentError, match="no W"):
        w_moments(make_progan(), 10)
