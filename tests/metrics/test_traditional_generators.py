"""The rows of Table 4 (Karras et al. 2019) that have no styles, in all that measures a W.

W of a traditional generator is what enters its first layer: the output of the mapping network,
or the normalised z where there is none.
"""

import numpy as np
import pytest
import torch

import latentlab
from latentlab import LatentError
from latentlab.latents import draw_z, style_layers
from latentlab.numerics import Stream
from metrics import (
    contributions,
    droplets,
    linear_separability,
    perceptual_path_length,
    stochastic_variation,
)
from metrics.path_length import pair_distances
from tests.conftest import make_stylegan1
from tests.metrics.doubles import numpy_slerp, squared
from tests.support.generators import stylegan1_reference

TRADITIONAL = {
    "styles": False, "use_noise": False, "instance_norm": False, "pixel_norm": True,
    "const_input": False, "z_dim": 6, "w_dim": 6,
}  # fmt: skip
EPSILON = 1e-4
# Relative, float64 against float64: rounding of 1e-16 over a squared step of 1e-8.
STEP = 1e-6


@pytest.fixture(params=[0, 3])
def g(request):
    """One with so many mapping layers."""
    return make_stylegan1(**TRADITIONAL, mapping_layers=request.param).double()


def rendered(g, w):
    weights = {key: value.numpy() for key, value in g.state_dict().items()}
    return stylegan1_reference.synthesis(weights, w[None], 16, 128)


def mapped(g, z):
    return stylegan1_reference.mapping({k: v.numpy() for k, v in g.state_dict().items()}, z)


@pytest.mark.parametrize("space", ["z", "w"])
def test_path_lengths_equal_plain_numpy(g, space):
    z0, z1 = (np.random.default_rng(seed).standard_normal([3, 6]) for seed in (0, 1))
    t = 0.3
    found = pair_distances(
        g, squared, torch.from_numpy(z0), torch.from_numpy(z1), t, space=space, epsilon=EPSILON
    )
    for i, value in enumerate(found):
        ends = [z0[i], z1[i]] if space == "z" else [mapped(g, z0[i]), mapped(g, z1[i])]
        images = []
        for place in (t, t + EPSILON):
            if space == "z":
                between = mapped(g, numpy_slerp(ends[0], ends[1], place))
            else:
                between = ends[0] + (ends[1] - ends[0]) * place
            images.append(rendered(g, between))
        expected = ((images[1] - images[0]) ** 2).sum() / EPSILON**2
        assert float(value) == pytest.approx(expected, rel=STEP)


def test_the_metrics_take_it(g):
    g = g.float()
    for space in ("z", "w"):
        assert perceptual_path_length(g, squared, space=space, num_samples=8, seed=0).value > 0

    class Halves(torch.nn.Module):
        def forward(self, images):
            return (images[:, :1, :8].mean(dim=[2, 3]) - images[:, :1, 8:].mean(dim=[2, 3])) * 100

    result = linear_separability(g, [Halves()], num_samples=64, num_keep=48, seed=0)
    assert set(result.rows["space"]) == {"z", "w"}
    assert (result.rows["value"] >= 1).all()
    droplets(g, num_samples=2, seed=0)
    with pytest.raises(LatentError, match="only a skip generator"):
        contributions(g, num_samples=2, seed=0)
    with pytest.raises(LatentError, match="no noise layers"):
        stochastic_variation(g, num_latents=2, seed=0)
    with pytest.raises(LatentError, match="no styles to mix"):
        style_layers("coarse", g.num_ws)


def test_pictures_are_projected_into_its_one_w(g):
    g = g.float()
    target = g(draw_z(range(1), g.z_dim, 0, Stream.SAMPLE_GRID)).detach()
    results = {}
    for space in ("w", "w+"):
        found = latentlab.project(g, target, squared, space=space, steps=5, seed=0)
        assert found.ws.shape == (1, 1, 6)
        assert not found.noise
        results[space] = found
    torch.testing.assert_close(results["w"].ws, results["w+"].ws)  # which are one space here


def test_a_saved_one_is_the_same_to_the_bit(g, tmp_path):
    g = g.float()
    latentlab.save(g, tmp_path / "g.safetensors")
    again = latentlab.load(tmp_path / "g.safetensors").generator
    assert again.config == g.config
    z = draw_z(range(3), g.z_dim, 0, Stream.SAMPLE_GRID)
    assert torch.equal(again(z, truncation_psi=0.5), g(z, truncation_psi=0.5))
    for a, b in zip(again.state_dict().values(), g.state_dict().values(), strict=True):
        assert torch.equal(a, b)
