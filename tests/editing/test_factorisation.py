"""GANSpace and SeFa against planted directions and numpy's decompositions."""

import numpy as np
import pytest
import torch

from latentlab.editing.factorisation import principal_directions, sefa_directions, style_weights
from latentlab.editing.w_moments import WMoments, w_moments
from latentlab.errors import LatentError, SettingsError
from latentlab.networks.layers import ToRGB
from tests.conftest import make_generator, make_lucidrains, make_stylegan1, make_stylegan3

MAKERS = [make_generator, make_stylegan1, make_stylegan3]


class LinearMapping(torch.nn.Module):
    """w = z M' + b, whose covariance is M M'."""

    def __init__(self, m, b):
        super().__init__()
        self.m, self.w_mean = m, b

    def forward(self, z, c=None):
        return (z @ self.m.T + self.w_mean)[:, None]


def rotation(size, seed=0):
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((size, size)))[0]


def moments(covariance, mean=None):
    covariance = torch.as_tensor(covariance, dtype=torch.float64)
    mean = torch.zeros(len(covariance), dtype=torch.float64) if mean is None else mean
    return WMoments(mean, covariance, 100, 0)


class TestPrincipalDirections:
    def test_planted_axes_are_found_with_their_deviations(self):
        """The samples' own axes and deviations are off by about 1 / sqrt(20,000)."""
        u, deviations = rotation(6), np.array([4.0, 2.5, 1.5, 1.0, 0.5, 0.25])
        g = make_generator(w_dim=6)
        b = torch.arange(6.0)
        g.mapping = LinearMapping(torch.from_numpy(u * deviations).float(), b)
        found = principal_directions(w_moments(g, 20_000), 6)
        cosines = (found.vectors.double().numpy() * u.T).sum(axis=1)
        assert (np.abs(cosines) > 0.999).all()
        np.testing.assert_allclose(found.deviations, deviations, rtol=0.02)
        share = deviations**2 / (deviations**2).sum()
        np.testing.assert_allclose(found.facts["explained_variance"], share, rtol=0.04)
        np.testing.assert_allclose(found.origins, found.vectors @ b, atol=0.1)

    def test_the_largest_entry_is_positive_whatever_the_solver_returns(self):
        found = principal_directions(moments(np.diag([1.0, 2, 3])), 3)
        np.testing.assert_allclose(found.vectors, np.eye(3)[::-1], atol=1e-7)
        assert found.names == ("pca0", "pca1", "pca2")

    def test_axes_without_variance_are_left_out(self):
        found = principal_directions(moments(np.diag([1.0, 0, 3])), 3)
        assert len(found) == 2
        with pytest.raises(LatentError, match="w does not vary"):
            principal_directions(moments(np.zeros((3, 3))), 2)

    @pytest.mark.parametrize("count", [0, 4])
    def test_a_count_beyond_w_is_refused(self, count):
        with pytest.raises(SettingsError, match="1 to 3"):
            principal_directions(moments(np.eye(3)), count)


def plant(g, layer, direction, size=100.0):
    """Make the styles of one layer depend on one direction above all; returns it."""
    affine = affine_layers(g)[layer]
    out = torch.randn(len(affine.weight), generator=torch.Generator().manual_seed(1))
    affine.weight += size * torch.outer(out, direction)


def affine_layers(g):
    parts = [part for part in g.synthesis.modules() if not isinstance(part, ToRGB)]
    return [part.affine for part in parts if hasattr(part, "affine")]


class TestSefa:
    @pytest.mark.parametrize("make", MAKERS)
    def test_a_planted_direction_comes_first(self, make):
        g, u = make(), torch.from_numpy(rotation(5)[:, 0]).float()
        plant(g, 2, u)
        found = sefa_directions(g, moments(np.diag([1.0, 4, 9, 16, 25])), 3)
        assert abs(float(found.vectors[0] @ u)) > 0.999
        assert found.facts["share"][0] > 0.9
        expected = np.sqrt((u.double().numpy() ** 2 * [1, 4, 9, 16, 25]).sum())
        assert found.deviations[0].item() == pytest.approx(expected, rel=1e-2)

    def test_chosen_layers_alone_count(self):
        g, axes = make_generator(), torch.from_numpy(rotation(5)).float()
        plant(g, 0, axes[:, 0], 100)
        plant(g, 2, axes[:, 1], 10)
        for layers, axis in (((0, 1), 0), ((1, 2), 1), (None, 0)):
            found = sefa_directions(g, moments(np.eye(5)), 1, layers)
            assert abs(float(found.vectors[0] @ axes[:, axis])) > 0.99
            assert found.layers == layers

    def test_torgb_has_no_part_in_it(self):
        g = make_generator()
        before = sefa_directions(g, moments(np.eye(5)), 5).vectors
        for part in g.synthesis.modules():
            if isinstance(part, ToRGB):
                part.affine.weight *= 1000
        assert torch.equal(sefa_directions(g, moments(np.eye(5)), 5).vectors, before)

    @pytest.mark.parametrize("make", MAKERS)
    def test_eigenvalues_are_the_squared_gains_of_the_styles_themselves(self, make):
        """A from the layers as functions: what each unit step in w adds to the styles."""
        g = make()
        layers = [layer.double() for layer in affine_layers(g)]
        zero, steps = torch.zeros(1, 5).double(), torch.eye(5).double()
        a = torch.cat([(layer(steps) - layer(zero)).T for layer in layers]).numpy()
        _, singular, vectors = np.linalg.svd(a)
        found = sefa_directions(g, moments(np.eye(5)), 5)
        np.testing.assert_allclose(found.facts["eigenvalue"], singular**2, rtol=1e-6)
        products = np.abs((found.vectors.double().numpy() * vectors).sum(axis=1))
        np.testing.assert_allclose(products, 1, atol=1e-6)

    @pytest.mark.parametrize(("make", "count"), [(make_generator, -1), (make_stylegan1, 0)])
    def test_there_are_weights_for_each_w(self, make, count):
        g = make()
        assert len(style_weights(g)) == g.num_ws + count  # StyleGAN2's last w is ToRGB's alone

    def test_layers_that_share_a_w_count_together(self):
        """lucidrains': A from the styles as functions of w, ToRGB's left out."""
        g = make_lucidrains()
        blocks = [getattr(g.synthesis, f"b{size}") for size in (4, 8, 16)]
        styles = [[block.conv0.style, block.conv1.style] for block in blocks]
        assert [len(weights) for weights in style_weights(g)] == [10, 9, 7]
        for layers in (None, (1,)):
            chosen = [styles[i] for i in layers or range(3)]
            parts = [style.double() for pair in chosen for style in pair]
            zero, steps = torch.zeros(1, 5).double(), torch.eye(5).double()
            a = torch.cat([(part(steps) - part(zero)).T for part in parts]).numpy()
            found = sefa_directions(g, moments(np.eye(5)), 5, layers)
            expected = np.linalg.svd(a)[1] ** 2
            np.testing.assert_allclose(found.facts["eigenvalue"], expected, rtol=1e-6)

    def test_layers_without_weights_are_refused(self):
        g = make_generator()
        with pytest.raises(SettingsError, match=r"no style weights there; .* 0 to 4"):
            sefa_directions(g, moments(np.eye(5)), 1, [5])
        plain = make_stylegan1(styles=False, pixel_norm=True, instance_norm=False)
        with pytest.raises(LatentError, match="no styles"):
            sefa_directions(plain, moments(np.eye(5)), 1)
