"""The networks of the papers' tables, as training makes them, against float64 and the papers."""

import itertools

import numpy as np
import pytest
import torch

from latentlab.checkpoints.assemble import build_network
from latentlab.training.changes import NetworkChanges
from latentlab.training.presets import ImageFormat, named_config
from tests.conftest import randomise
from tests.support import reference
from tests.support.generators import stylegan1_reference
from tests.support.tolerances import FLOAT64

SIZE, LARGE = ImageFormat(16, 3, 0), ImageFormat(1024, 3, 0)
ARCHITECTURES = ["orig", "skip", "resnet"]


def small(name, mapping_layers=None, **changes):
    """A config's networks for 16x16, with few feature maps."""
    wanted = NetworkChanges(
        channel_base=128, channel_max=8, mapping_layers=mapping_layers, **changes
    )
    return wanted.applied_to(named_config(name, SIZE))


def in_float64(config):
    network = build_network(config).double().eval().requires_grad_(False)
    randomise(network, 0)
    return network, {key: value.numpy() for key, value in network.state_dict().items()}


# Table 1's configs, and the rows of Table 4 that are none of them.
@pytest.mark.parametrize(
    ("letter", "layers", "num_ws"),
    [("b", None, 1), ("b", 8, 1), ("c", None, 6), ("d", None, 6), ("e", None, 6), ("f", None, 6),
     ("f", 0, 6), ("f", 1, 6), ("f", 2, 6)],
)  # fmt: skip
def test_a_generator_equals_plain_numpy(letter, layers, num_ws):
    g, weights = in_float64(small(f"stylegan1-{letter}", layers).generator)
    assert (g.num_ws, g.w_dim, g.z_dim) == (num_ws, 512, 512)
    z = np.random.default_rng(0).standard_normal([2, 512])
    ws = g.mapping(torch.from_numpy(z))
    expected = np.array([stylegan1_reference.mapping(weights, each) for each in z])
    np.testing.assert_allclose(ws, expected[:, None].repeat(num_ws, axis=1), atol=FLOAT64)
    own = ws + torch.from_numpy(np.random.default_rng(1).standard_normal(ws.shape))
    images = [stylegan1_reference.synthesis(weights, each, 16, 128) for each in own.numpy()]
    # The kernel of the blur is stored in float32: its sixteenths are exact.
    np.testing.assert_allclose(g.synthesis(own), images, atol=FLOAT64)


def test_the_fused_layers_of_large_pictures_equal_plain_numpy():
    config = NetworkChanges(channel_base=256, channel_max=2).applied_to(
        named_config("stylegan1-b", ImageFormat(128, 1, 0))
    )
    g, weights = in_float64(config.generator)
    ws = torch.from_numpy(np.random.default_rng(1).standard_normal([1, 1, 512]))
    expected = stylegan1_reference.synthesis(weights, ws[0].numpy(), 128, 128)
    np.testing.assert_allclose(g.synthesis(ws)[0], expected, atol=FLOAT64)


def millions(config):
    with torch.device("meta"):
        return sum(weight.numel() for weight in build_network(config).parameters()) / 1e6


@pytest.mark.parametrize(
    ("name", "generator", "discriminator"),
    [
        # Section 2, Karras et al. 2019: 26.2M in the style-based generator, 23.1M in the
        # traditional one; table 2, Karras et al. 2018: 23.1M in both networks.
        ("stylegan1-f", 26.2, 23.1), ("stylegan1-b", 23.1, 23.1), ("stylegan1-a", 23.1, 23.1),
        # Section 4.2, Karras et al. 2020: config F goes from 25M to 30M and from 24M to 29M.
        ("stylegan2-e", 25, 24), ("stylegan2-f", 30, 29),
    ],
)  # fmt: skip
def test_networks_have_as_many_weights_as_the_papers_say(name, generator, discriminator):
    config = named_config(name, LARGE)
    digits = 1 if name.startswith("stylegan1") else 0
    assert round(millions(config.generator), digits) == generator
    assert round(millions(config.discriminator), digits) == discriminator


@pytest.mark.parametrize(
    ("generator", "discriminator"), list(itertools.product(ARCHITECTURES, ARCHITECTURES))
)
def test_the_architectures_of_stylegan2s_table_2_equal_plain_numpy(generator, discriminator):
    config = small("stylegan2-e", generator_architecture=generator,
                   discriminator_architecture=discriminator)  # fmt: skip
    g, weights = in_float64(config.generator)
    ws = torch.from_numpy(np.random.default_rng(0).standard_normal([4, g.num_ws, 512]))
    images = g.synthesis(ws)
    expected = [reference.synthesis(weights, each.numpy(), 16, generator) for each in ws]
    np.testing.assert_allclose(images, expected, atol=FLOAT64)
    d, weights = in_float64(config.discriminator)
    scores = reference.discriminator(weights, images.numpy(), discriminator)
    np.testing.assert_allclose(d(images), scores, atol=FLOAT64)
