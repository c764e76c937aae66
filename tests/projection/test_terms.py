"""What a projection weighs besides the distance, against formulas written out in float64."""

import numpy as np
import pytest
import torch

from latentlab import ProjectionStart, ProjectorSettings, SettingsError, project
from latentlab.latents import sampled_w
from latentlab.projection.whitening import Whitening
from tests.conftest import make_generator, make_stylegan3
from tests.projection.test_projector import squared, targets

ROUNDING = 1e-5  # relative, of float32 sums against float64 ones


class TestWhitening:
    @pytest.fixture
    def g(self):
        return make_generator()

    def test_it_is_one_on_average_over_the_samples(self, g):
        w = sampled_w(g, 2000).float()
        norms = Whitening(g, 2000)(w[:, None])
        assert norms.mean().item() == pytest.approx(1, rel=1e-3)

    def test_it_equals_the_formula_in_float64(self, g):
        w = sampled_w(g, 500).numpy()
        p = np.where(w < 0, 5 * w, w)  # undoes a leaky ReLU of slope 0.2
        mean, covariance = p.mean(axis=0), np.cov(p.T, bias=True)
        other = np.random.default_rng(0).standard_normal((3, 2, g.w_dim))
        lifted = np.where(other < 0, 5 * other, other) - mean
        inverse = np.linalg.inv(covariance)
        expected = np.einsum("nri,ij,nrj->nr", lifted, inverse, lifted).mean(axis=1) / g.w_dim
        found = Whitening(g, 500)(torch.from_numpy(other).float())
        np.testing.assert_allclose(found, expected, rtol=1e-3)  # float32, small variances

    def test_axes_that_samples_do_not_fill_are_left_out(self, g):
        whitening = Whitening(g, g.w_dim // 2)
        assert whitening.axes == g.w_dim // 2 - 1
        assert torch.isfinite(whitening(torch.randn(2, 1, g.w_dim))).all()

    def test_a_single_sample_has_no_axes(self, g):
        with pytest.raises(SettingsError, match=r"`w_samples` must be at least 2.*p_norm_weight"):
            Whitening(g, 1)

    def test_without_mapping_layers_nothing_is_undone(self):
        g = make_generator(mapping_layers=0, w_dim=16, z_dim=16)
        w = sampled_w(g, 4000).float()
        z = torch.nn.functional.normalize(torch.randn(5, 1, 16), dim=2) * 4
        # z on a sphere has the identity as covariance, up to sampling
        torch.testing.assert_close(Whitening(g, 4000)(z), torch.ones(5), atol=0.1, rtol=0)
        assert (w < 0).any()

    def test_the_weight_keeps_w_near(self):
        g, images = make_generator(), targets(1)
        near, far = (
            project(g, images, squared, settings=ProjectorSettings(steps=40, p_norm_weight=weight))
            for weight in (1.0, 0.0)
        )
        whitening = Whitening(g)
        assert whitening(near.ws[:, :1]) < whitening(far.ws[:, :1])
        assert "p_norm" in near.history
        assert "p_norm" not in far.history


def test_the_norm_leaves_out_a_row_that_an_anchor_holds():
    g = make_stylegan3()
    settings = ProjectorSettings(space="w+", steps=1, p_norm_weight=1.0, anchor=True)
    ws = g.mapping(torch.randn(1, g.z_dim)).detach()
    ws[:, 0] = 100.0  # which nobody sees
    start = ProjectionStart(ws)
    history = project(
        g, torch.zeros(1, 3, 16, 16), squared, settings=settings, start=start,
    ).history  # fmt: skip
    expected = Whitening(g)(ws[:, 1:])
    assert history["p_norm"].iloc[0] == pytest.approx(expected.item(), rel=1e-4)


class Eye:
    """Sees the mean colours of the four quarters."""

    def embeddings(self, images):
        quarters = torch.nn.functional.adaptive_avg_pool2d(images, 2).flatten(1)
        return torch.nn.functional.normalize(quarters, dim=1)


class TestLoss:
    def test_the_sum_is_as_written(self):
        g, images = make_generator(), targets(2)
        seen = []
        settings = ProjectorSettings(
            steps=3, space="w+", pixel_weight=0.7, identity_weight=0.3, p_norm_weight=0.2,
            w_noise=0.0,
        )  # fmt: skip
        history = project(
            g, images, squared, settings=settings, identity=Eye(), batch=2,
            observer=lambda _, rendered: seen.append(rendered.double()),
        ).history  # fmt: skip
        for step, rendered in enumerate(seen):
            rows = history[history["step"] == step]
            pixels = (rendered - images).square().mean(dim=(1, 2, 3))
            eye = Eye()
            faces = (eye.embeddings(rendered) * eye.embeddings(images.double())).sum(dim=1)
            np.testing.assert_allclose(rows["pixel_mse"], pixels, rtol=ROUNDING)
            np.testing.assert_allclose(rows["identity_loss"], 1 - faces, rtol=1e-3, atol=1e-6)
            total = (
                rows["distance"] + 1e5 * rows["noise_penalty"] + 0.7 * rows["pixel_mse"]
                + 0.3 * rows["identity_loss"] + 0.2 * rows["p_norm"]
            )  # fmt: skip
            np.testing.assert_allclose(rows["loss"], total, rtol=ROUNDING)

    @pytest.mark.parametrize("column", ["pixel_mse", "identity_loss"])
    def test_a_weight_lowers_its_term(self, column):
        g, images = make_generator(), targets(1)
        weight = {"pixel_mse": "pixel_weight", "identity_loss": "identity_weight"}[column]
        # A distance that sees red alone, so that the term has something to do.
        red = lambda a, b: (a[:, 0] - b[:, 0]).square().mean(dim=(1, 2))  # noqa: E731
        ends = []
        for size in (1e-9, 1.0):
            settings = ProjectorSettings(steps=60, **{weight: size})
            identity = Eye() if weight == "identity_weight" else None
            history = project(g, images, red, settings=settings, identity=identity).history
            ends.append(history[column].iloc[-1])
        assert ends[1] < 0.9 * ends[0]

    def test_within_a_mask_its_target_counts(self):
        g, images = make_generator(), targets(1)
        mask = torch.zeros(1, 1, 16, 16)
        mask[..., :8] = 1
        seen = []
        settings = ProjectorSettings(steps=1, pixel_weight=1.0)
        history = project(
            g, images, squared, settings=settings, masks=mask,
            observer=lambda _, rendered: seen.append(rendered),
        ).history  # fmt: skip
        expected = ((seen[0] - images)[..., :8].square().sum() / images.numel()).item()
        assert history["pixel_mse"].iloc[0] == pytest.approx(expected, rel=ROUNDING)

    @pytest.mark.parametrize(("settings", "identity", "message"), [
        ({"identity_weight": 1.0}, None, "give `identity`"),
        ({}, Eye(), "give `identity_weight`"),
    ])  # fmt: skip
    def test_weight_and_network_go_together(self, settings, identity, message):
        with pytest.raises(SettingsError, match=message):
            project(
                make_generator(), targets(1), squared,
                settings=ProjectorSettings(steps=1, **settings), identity=identity,
            )  # fmt: skip

    def test_the_norm_of_w_is_none_of_z(self):
        with pytest.raises(SettingsError, match="leave it out with `space` z"):
            ProjectorSettings(space="z", p_norm_weight=1.0)

    def test_a_diverged_picture_leaves_the_others_alone(self):
        g, images = make_generator(), targets(2)

        def breaks(first, second):
            distances = squared(first, second)
            return torch.where(first.sum(dim=(1, 2, 3)) == images[1].sum(), torch.nan, distances)

        settings = ProjectorSettings(steps=2, identity_weight=1.0)
        result = project(g, images, breaks, settings=settings, identity=Eye(), on_divergence="keep")
        assert result.diverged.tolist() == [False, True]
