import math

import pytest
import torch

from latentlab import LatentError, ProjectionStart, ProjectorSettings, SettingsError, project
from latentlab.latents import draw_z
from latentlab.numerics import Stream
from latentlab.projection.start import StartSearch
from tests.conftest import make_generator, make_progan
from tests.projection.test_projector import squared
from tests.projection.test_search import Breaking

STEPS = 60


def pictures(g, count=2, c=None):
    """What the generator itself makes of some z, which a search of Z can find again."""
    z = torch.randn(count, g.z_dim, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        return g(z, None if c is None else c.expand(count, -1))


def in_z(g, images, steps=STEPS, **options):
    settings = ProjectorSettings(space="z", steps=steps, **options.pop("settings", {}))
    return project(g, images, squared, settings=settings, **options)


class TestZ:
    def test_pictures_of_the_generator_come_close(self):
        g = make_generator()
        result = in_z(g, pictures(g), settings={"start_samples": 20})
        drawn = in_z(g, pictures(g), steps=1).start_distance
        assert result.distance.mean() < 0.2 * drawn.mean()

    def test_z_gives_the_latents_and_the_picture(self):
        g = make_generator()
        result = in_z(g, pictures(g), steps=5)
        torch.testing.assert_close(result.ws, g.mapping(result.z))
        torch.testing.assert_close(result.images, g.synthesis(result.ws, noise=result.noise))
        torch.testing.assert_close(result.z.square().mean(dim=1), torch.ones(2))

    def test_z_of_a_diverged_picture_is_on_the_sphere_too(self):
        """Its best latents are those with noise on them."""
        g = make_generator()
        result = project(
            g, pictures(g), Breaking(1, 9), batch=2, on_divergence="keep",
            settings=ProjectorSettings(space="z", steps=20),
        )  # fmt: skip
        assert result.diverged.tolist() == [False, True]
        torch.testing.assert_close(result.z.square().mean(dim=1), torch.ones(2))
        torch.testing.assert_close(result.ws, g.mapping(result.z))

    def test_the_start_is_a_drawn_z(self):
        g = make_generator()
        result = in_z(g, pictures(g), settings={"seed": 7}, steps=1)
        z = draw_z(range(1), g.z_dim, 7, Stream.PROJECTION_START)
        # The learning rate of the first step is 0.
        torch.testing.assert_close(result.z[0], z[0] / z[0].square().mean().sqrt())
        assert result.start_index.tolist() == [0, 0]

    def test_the_closest_of_several_draws(self):
        g = make_generator()
        search = StartSearch(g, squared, ProjectorSettings(space="z", start_samples=20))
        chosen = search.latents(torch.tensor([11, 4]))
        targets = g.synthesis(g.mapping(chosen), noise=search.noise).detach()
        result = in_z(g, targets, settings={"start_samples": 20}, steps=1)
        assert result.start_index.tolist() == [11, 4]

    def test_a_generator_without_w(self):
        g = make_progan()
        result = in_z(g, pictures(g))
        assert (result.distance < 0.1 * result.start_distance).all()
        torch.testing.assert_close(result.images, g(result.z))
        assert result.mean_distance.isnan().all()

    def test_labels_go_with_the_draws(self):
        g = make_generator(c_dim=3)
        label = torch.eye(3)[1:2]
        result = in_z(g, pictures(g, c=label), c=label)
        torch.testing.assert_close(result.ws, g.mapping(result.z, label.expand(2, -1)))

    def test_without_a_label_the_classes_take_turns(self):
        g = make_generator(c_dim=3)
        images = pictures(g, c=torch.eye(3)[:1])
        result = in_z(g, images, settings={"start_samples": 6}, steps=1)
        labels = torch.eye(3)[result.start_index % 3]
        torch.testing.assert_close(result.ws, g.mapping(result.z, labels))

    def test_a_search_of_w_is_refused(self):
        g = make_generator()
        search = StartSearch(g, squared, ProjectorSettings())
        with pytest.raises(SettingsError, match="another `space`"):
            in_z(g, pictures(g), search=search)

    def test_a_start_in_w_is_refused(self):
        g = make_generator()
        start = ProjectionStart(g.w_mean.expand(2, g.num_ws, -1))
        with pytest.raises(SettingsError, match="`start` is in W; use `space` w or w"):
            in_z(g, pictures(g), start=start)

    def test_the_noise_on_z_is_in_units_of_its_length(self):
        g = make_generator()
        search = StartSearch(g, squared, ProjectorSettings(space="z"))
        assert search.deviation.item() == pytest.approx(math.sqrt(g.z_dim))

    def test_w_of_a_generator_without_it(self):
        g = make_progan()
        with pytest.raises(LatentError, match="has no W"):
            project(g, pictures(g), squared, steps=1)
