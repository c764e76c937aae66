"""Growing networks: at lod 1 they are the network of half the size, in between a blend."""

import numpy as np
import pytest
import torch

from latentlab import SettingsError
from latentlab.networks.growth import enlarge, reduce
from tests.conftest import (
    make_discriminator,
    make_generator,
    make_progan,
    make_stylegan1,
    make_stylegan1_discriminator,
)
from tests.support.tolerances import FLOAT64

GENERATORS = {
    "stylegan1": make_stylegan1,
    "stylegan2": lambda **changes: make_generator(architecture="orig", growing=True, **changes),
}
DISCRIMINATORS = {
    "stylegan1": make_stylegan1_discriminator,
    "stylegan2": lambda **changes: make_discriminator(architecture="orig", growing=True, **changes),
}


def give_weights(small, large):
    """Give a network of half the size the weights that it shares with the large one."""
    state = {key: value for key, value in large.state_dict().items() if key in small.state_dict()}
    small.load_state_dict(state, strict=True)
    return small


@pytest.fixture(params=GENERATORS)
def generators(request):
    make = GENERATORS[request.param]
    large = make().double()
    return large, give_weights(make(seed=1, resolution=8).double(), large)


@pytest.fixture(params=DISCRIMINATORS)
def discriminators(request):
    make = DISCRIMINATORS[request.param]
    large = make().double()
    return large, give_weights(make(seed=1, resolution=8).double(), large)


def ws_for(g, seed=0):
    z = torch.from_numpy(np.random.default_rng(seed).standard_normal([3, g.z_dim]))
    return g.mapping(z)


def test_at_lod_1_a_generator_is_the_one_of_half_the_size(generators):
    large, small = generators
    ws = ws_for(large)
    large.synthesis.set_lod(1)
    image = large.synthesis(ws)
    assert image.shape == (3, 3, 16, 16)
    torch.testing.assert_close(
        image, enlarge(small.synthesis(ws[:, : small.num_ws])), atol=0, rtol=0
    )


def test_between_whole_numbers_the_image_is_a_blend_of_two(generators):
    large, _ = generators
    ws = ws_for(large)
    images = {}
    for lod in (0, 0.25, 1, 1.75, 2):
        large.synthesis.set_lod(lod)
        images[lod] = large.synthesis(ws)
    torch.testing.assert_close(images[0.25], 0.75 * images[0] + 0.25 * images[1])
    torch.testing.assert_close(images[1.75], 0.25 * images[1] + 0.75 * images[2])


def test_at_lod_1_a_discriminator_is_the_one_of_half_the_size(discriminators):
    large, small = discriminators
    image = torch.from_numpy(np.random.default_rng(0).standard_normal([4, 3, 16, 16]))
    large.set_lod(1)
    torch.testing.assert_close(large(image), small(reduce(image)), atol=FLOAT64, rtol=0)


def test_a_discriminator_grows_without_a_jump(discriminators):
    large, _ = discriminators
    image = torch.from_numpy(np.random.default_rng(0).standard_normal([4, 3, 16, 16]))
    scores = {}
    for lod in (0, 1e-6, 1 - 1e-6, 1, 1 + 1e-6, 2):
        large.set_lod(lod)
        scores[lod] = large(image)
    for low, high in ((0, 1e-6), (1 - 1e-6, 1), (1, 1 + 1e-6)):
        torch.testing.assert_close(scores[low], scores[high], atol=1e-4, rtol=0)
    assert (scores[0] - scores[1]).abs().min() > 1e-3


def test_how_far_a_network_has_grown_is_saved_with_its_weights():
    g, other = make_stylegan1(), make_stylegan1(1)
    g.synthesis.set_lod(1.5)
    other.load_state_dict(g.state_dict())
    assert other.synthesis.stage() == (8, 0.5)


@pytest.mark.parametrize("lod", [-0.1, 2.1, float("nan"), float("inf")])
def test_lod_out_of_range(lod):
    for network in (
        make_stylegan1().synthesis,
        make_progan().synthesis,
        make_stylegan1_discriminator(),
    ):
        with pytest.raises(SettingsError, match=r"`lod` must be 0 to 2"):
            network.set_lod(lod)


def test_lod_of_a_network_that_does_not_grow():
    for network in (make_generator().synthesis, make_stylegan1(growing=False).synthesis):
        with pytest.raises(SettingsError, match="fixed resolution"):
            network.set_lod(0)
