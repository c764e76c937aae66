import pytest
import torch

from latentlab import LatentError
from latentlab.checks import check_shape
from latentlab.numerics import keyed_generator, seeded_initialisation


@pytest.mark.parametrize("shape", [[2, 3], [None, 3], [None, None]])
def test_shapes_that_fit_pass(shape):
    assert check_shape(torch.zeros(2, 3), shape, "x") is None


@pytest.mark.parametrize(
    ("shape", "said"), [([2, 4], r"\[2, 4\]"), ([None], r"\[any\]"), ([], r"\[\]")]
)
def test_shapes_that_do_not_are_named(shape, said):
    with pytest.raises(LatentError, match=rf"`x` must have shape {said}, but got \[2, 3\]"):
        check_shape(torch.zeros(2, 3), shape, "x")


def test_keys_give_streams_of_their_own():
    draws = {
        tuple(torch.rand(2, generator=keyed_generator("cpu", *key)).tolist())
        for key in [(0, 0), (0, 1), (1, 0), (2**40, 1)]
    }
    assert len(draws) == 4


def test_seeded_initialisation_repeats_and_leaves_the_global_state():
    before = torch.get_rng_state()
    layers = []
    for seed in (1, 1, 2):
        with seeded_initialisation(seed):
            layers.append(torch.nn.Linear(3, 3).weight)
    assert torch.equal(layers[0], layers[1])
    assert not torch.equal(layers[0], layers[2])
    assert torch.equal(torch.get_rng_state(), before)
