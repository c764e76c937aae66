"""Projection by L-BFGS: planted pictures, and what it shares with the published method."""

from dataclasses import replace

import pytest
import torch

from latentlab import NumericalError, ProjectorSettings, SettingsError, project
from latentlab.perceptual import PerceptualDistance
from latentlab.projection import ProjectionStart
from latentlab.projection.noise import noise_penalty
from latentlab.projection.settings import LIMITED_MEMORY
from tests.conftest import make_generator, make_stylegan3
from tests.projection.test_projector import squared, targets

METHOD = ProjectorSettings(steps=3, w_samples=50, start_samples=0, algorithm=LIMITED_MEMORY)


class Pixels(PerceptualDistance):
    """Mean squared difference of pixels."""

    def __init__(self):
        super().__init__("pixels")

    def _extract(self, images):
        return [images.flatten(1)]

    def compare(self, first, second):
        return (first[0] - second[0]).square().mean(dim=1)


class Faces:
    """A network that looks at the means of the quarters of an image."""

    def embeddings(self, images):
        means = torch.nn.functional.adaptive_avg_pool2d(images, 2).flatten(1)
        return torch.nn.functional.normalize(means + 0.1, dim=1)


PIXELS = Pixels()


@pytest.fixture(scope="module")
def g():
    return make_generator()


@pytest.mark.parametrize("space", ["w", "w+", "z"])
def test_a_picture_of_the_generator_is_found_again(space):
    g = make_generator()
    z = torch.randn(1, g.z_dim, generator=torch.Generator().manual_seed(4))
    settings = replace(METHOD, space=space, steps=80)
    for layer in g.synthesis.noise_layers:
        layer.noise_strength.data.zero_()  # so that w alone finds it
    with torch.no_grad():
        target = g(z)
    found = project(g, target, PIXELS, settings=settings)
    # The published schedule ends at 2e-3 after 150 steps in w+ and z.
    assert found.distance.item() < 1e-5 * found.start_distance.item()
    history = found.history["distance"].to_numpy()
    assert (history[1:] <= history[:-1]).all()
    assert list(found.history) == [
        "step", "image", "distance", "noise_penalty", "loss", "step_size"
    ]  # fmt: skip


def test_a_picture_does_not_depend_on_its_company(g):
    images, parts = targets(3), []
    whole = project(g, images, PIXELS, settings=METHOD, batch=3)
    for i in range(3):
        parts.append(project(g, images[i : i + 1], PIXELS, settings=METHOD, batch=2))
        assert torch.equal(whole.ws[i], parts[i].ws[0])
        assert torch.equal(whole.images[i], parts[i].images[0])
        assert torch.equal(whole.noise[-1][i], parts[i].noise[-1][0])
    assert whole.history["image"].tolist() == [0] * 3 + [1] * 3 + [2] * 3


def test_noise_maps_move_and_stay_uncorrelated():
    g = make_generator()
    for layer in g.synthesis.noise_layers:
        layer.noise_strength.data.fill_(0.3)
    found = project(g, targets(1), PIXELS, settings=METHOD)
    assert noise_penalty(found.noise).item() < 1e-12
    start = ProjectionStart(found.ws, found.noise)
    more = project(g, targets(1), PIXELS, settings=METHOD, start=start)
    assert more.distance.item() < found.distance.item()
    assert not torch.equal(more.noise[-1], found.noise[-1])
    still = project(g, targets(1), PIXELS, settings=replace(METHOD, steps=0), start=start)
    assert torch.equal(still.images, found.images)


def test_all_terms_count():
    g = make_generator()
    for layer in g.synthesis.noise_layers:
        layer.noise_strength.data.zero_()  # maps do not start where the published ones do
    settings = replace(
        METHOD, space="w+", pixel_weight=0.7, identity_weight=0.3, p_norm_weight=0.2,
        w_plus_pull=0.1, start_samples=3,
    )  # fmt: skip
    masks = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    options = {"settings": settings, "identity": Faces(), "masks": masks}
    found = project(g, targets(1), PIXELS, **options).history
    published = replace(settings, algorithm="published", w_noise=0, steps=1)
    first = project(g, targets(1), PIXELS, **options | {"settings": published}).history
    for name in ("distance", "plain_distance", "pixel_mse", "identity_loss", "p_norm"):
        assert found[name][0] == pytest.approx(first[name][0], rel=1e-5)
    assert found["loss"].is_monotonic_decreasing


def test_networks_without_noise_and_an_anchor_work():
    settings = replace(METHOD, space="w+", anchor=True)
    found = project(make_stylegan3(), targets(1), PIXELS, settings=settings)
    assert found.distance.item() < found.start_distance.item()


def test_a_picture_that_diverges_is_kept_or_refused(g):
    class Broken(Pixels):
        def compare(self, first, second):
            return super().compare(first, second) / 0

    with pytest.raises(NumericalError, match="projection step 0"):
        project(g, targets(1), Broken(), settings=METHOD)
    found = project(g, targets(1), Broken(), settings=METHOD, on_divergence="keep")
    assert found.diverged.tolist() == [True]
    assert torch.isfinite(found.ws).all()


def test_what_has_no_part_in_it_is_refused(g):
    for name in ("learning_rate", "noise_weight", "w_noise"):
        with pytest.raises(SettingsError, match=f"`{name}` is of `algorithm` published"):
            replace(METHOD, **{name: 0.5})
    with pytest.raises(SettingsError, match="`algorithm` must be"):
        ProjectorSettings(algorithm="newton")


def test_any_distance_will_do(g):
    found = project(g, targets(1), squared, settings=METHOD)
    assert found.distance.item() < found.start_distance.item()


def test_steps_are_the_methods_own_where_nobody_says():
    assert (ProjectorSettings().steps, ProjectorSettings().start_samples) == (1000, 0)
    settings = ProjectorSettings(algorithm=LIMITED_MEMORY)
    assert (settings.steps, settings.start_samples) == (200, 100)
