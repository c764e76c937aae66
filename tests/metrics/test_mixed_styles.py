"""Latents mixed in one picture, against the layers of each alone."""

import numpy as np
import pytest
import torch

from latentlab import LatentError, SettingsError
from latentlab.latents import draw_z
from latentlab.numerics import Stream
from metrics.mixed_styles import check_mixed, crossovers, mixed_samples
from metrics.sampling import draw_samples
from tests.conftest import make_generator, make_progan

SAMPLES = range(6)


@pytest.fixture(scope="module")
def g():
    return make_generator(resolution=32, z_dim=16, w_dim=12)


@pytest.mark.parametrize("mixed", [0, -1, 1.5, True, 99])
def test_a_number_of_latents_that_cannot_be_is_refused(g, mixed):
    with pytest.raises(SettingsError, match="`mixed`"):
        check_mixed(g, mixed)


@pytest.mark.parametrize("mixed", [2, 3, 4])
def test_each_layer_has_the_w_of_one_latent(g, mixed):
    ws = mixed_samples(g, SAMPLES, 5, Stream.FIDELITY, mixed)
    cuts = crossovers(SAMPLES, g.num_ws, mixed, 5)
    z, c = draw_samples(g, SAMPLES, 5, Stream.FIDELITY)
    for row, sample in enumerate(SAMPLES):
        others = draw_z([sample * mixed + i for i in range(1, mixed)], g.z_dim, 5, Stream.MIXING)
        latents = [z[row : row + 1], *others.split(1)]
        expected = torch.cat([g.mapping(each, c)[0, :1] for each in latents])
        owner = np.searchsorted(cuts[row], np.arange(g.num_ws), side="right")
        assert set(owner) == set(range(mixed))  # every latent has a layer
        torch.testing.assert_close(ws[row], expected[owner])


def test_a_sample_does_not_depend_on_its_batch(g):
    every = mixed_samples(g, SAMPLES, 0, Stream.FIDELITY, 3)
    torch.testing.assert_close(mixed_samples(g, [4, 2], 0, Stream.FIDELITY, 3), every[[4, 2]])


def test_one_latent_is_the_sample_without_mixing(g):
    z, c = draw_samples(g, SAMPLES, 1, Stream.FIDELITY)
    torch.testing.assert_close(mixed_samples(g, SAMPLES, 1, Stream.FIDELITY, 1), g.mapping(z, c))


def test_crossover_points_are_equally_likely():
    places = crossovers(range(7000), 8, 2, 0)[:, 0]
    counts = np.bincount(places, minlength=8)
    assert counts[0] == 0  # the first layer has the first latent
    assert abs(counts[1:] - 1000).max() < 4 * np.sqrt(1000)  # four deviations of a Poisson number
    pairs = crossovers(range(2000), 8, 3, 0)
    assert (pairs[:, 0] < pairs[:, 1]).all()
    assert len({tuple(pair) for pair in pairs.tolist()}) == 21  # all of 7 over 2


def test_what_cannot_be_mixed_is_refused(g):
    check_mixed(make_progan(resolution=16), 1)
    with pytest.raises(LatentError, match="no styles to mix"):
        check_mixed(make_progan(resolution=16), 2)
    for mixed in (0, g.num_ws + 1):
        with pytest.raises(SettingsError, match="mixed"):
            check_mixed(g, mixed)
