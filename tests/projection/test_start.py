import numpy as np
import pytest
import torch

from latentlab import LatentError, ProjectorSettings, SettingsError, project
from latentlab.perceptual import PerceptualDistance
from latentlab.projection.noise import SeededDraws
from latentlab.projection.start import ProjectionStart, StartSearch
from latentlab.projection.targets import TargetFeatures
from tests.conftest import make_generator
from tests.projection.test_projector import squared, targets

SAMPLES = 20
CLOSE = 1e-6  # absolute, of w mapped in batches of another size


def settings(**changes):
    return ProjectorSettings(**{"w_samples": 50, "start_samples": SAMPLES, "steps": 2, **changes})


def closest(search, wanted):
    """The w [N,w_dim] of the samples whose images are closest to the targets."""
    return search.latents(search.closest_index(wanted))


class Counting(PerceptualDistance):
    """The squared difference, which counts the images it looks at."""

    def __init__(self):
        super().__init__("counting")
        self.seen = 0

    def _extract(self, images):
        self.seen += len(images)
        return [images]

    def compare(self, first, second):
        return squared(first[0], second[0])


def candidates(g, search):
    """Mean and samples computed by hand: w [1+S,w_dim], and their images with the drawn noise."""
    from latentlab.numerics import Stream

    z = [np.random.default_rng([0, Stream.PROJECTION_START, i]).standard_normal(g.z_dim)
         for i in range(SAMPLES)]  # fmt: skip
    labels = torch.eye(g.c_dim)[torch.arange(SAMPLES) % g.c_dim] if g.c_dim else None
    w = g.mapping(torch.tensor(np.array(z), dtype=torch.float32), labels)[:, 0]
    w = torch.cat([search.mean[None], w])
    draws = SeededDraws(0)
    noise = [draws.noise(i, shape) for i, shape in enumerate(g.synthesis.noise_shapes)]
    return w, g.synthesis(w[:, None].expand(-1, g.num_ws, -1), noise=noise)


class TestSearch:
    g = make_generator()

    @pytest.mark.parametrize("c_dim", [0, 3])
    def test_a_sample_s_own_image_starts_from_that_sample(self, c_dim):
        g = make_generator(c_dim=c_dim)
        search = StartSearch(g, squared, settings())
        w, images = candidates(g, search)
        wanted = [0, 7, 19, 20]
        found = closest(search, TargetFeatures(squared, images[wanted]))
        torch.testing.assert_close(found, w[wanted], atol=CLOSE, rtol=0)

    def test_it_is_the_closest_of_all(self):
        search = StartSearch(self.g, squared, settings())
        w, images = candidates(self.g, search)
        goals = targets(5) + 3 * torch.randn(5, 3, 1, 1, generator=torch.Generator().manual_seed(1))
        distances = (goals[:, None] - images[None]).square().mean(dim=[2, 3, 4])
        found = closest(search, TargetFeatures(squared, goals))
        torch.testing.assert_close(found, w[distances.argmin(dim=1)], atol=CLOSE, rtol=0)
        assert len(found.unique(dim=0)) > 1

    def test_the_choice_does_not_depend_on_neighbours(self):
        search = StartSearch(self.g, squared, settings())
        goals = targets(4)
        together = closest(search, TargetFeatures(squared, goals))
        for i in range(4):
            alone = closest(search, TargetFeatures(squared, goals[i : i + 1]))
            assert torch.equal(alone[0], together[i])

    def test_only_what_the_mask_shows_decides(self):
        search = StartSearch(self.g, squared, settings())
        w, images = candidates(self.g, search)
        mask = torch.zeros(1, 1, 16, 16)
        mask[..., :8, :] = 1
        goal = images[3:4] * mask + images[11:12] * (1 - mask)
        for part, owner in ((mask, 3), (1 - mask, 11)):
            found = closest(search, TargetFeatures(squared, goal, part))
            torch.testing.assert_close(found[0], w[owner], atol=CLOSE, rtol=0)

    def test_candidates_are_looked_at_once_for_many_projections(self):
        distance = Counting()
        search = StartSearch(self.g, distance, settings())
        for _ in range(3):
            project(self.g, targets(1), distance, settings=settings(), search=search)
        # Each projection looks at its target, the start, the mean image, two steps, and the result.
        assert distance.seen == 1 + SAMPLES + 3 * 6

    def test_features_beyond_the_memory_are_not_kept(self):
        distance = Counting()
        image_bytes = 3 * 16 * 16 * 4
        search = StartSearch(self.g, distance, settings(), memory=8 * image_bytes)
        goals = targets(2)
        first = closest(search, TargetFeatures(distance, goals))
        before = distance.seen
        again = closest(search, TargetFeatures(distance, goals))
        assert distance.seen - before == 2 + 1 + SAMPLES - 8
        assert torch.equal(first, again)
        plenty = closest(StartSearch(self.g, distance, settings()), TargetFeatures(distance, goals))
        assert torch.equal(first, plenty)

    def test_a_candidate_without_a_finite_distance_is_passed_over(self):
        def broken(first, second):
            return squared(first, second) * torch.nan

        search = StartSearch(self.g, broken, settings())
        assert torch.equal(closest(search, TargetFeatures(broken, targets(1)))[0], search.mean)


class TestProjecting:
    g = make_generator()

    @pytest.mark.parametrize("space", ["w", "w+"])
    def test_the_first_step_is_taken_at_the_closest_sample(self, space):
        search = StartSearch(self.g, squared, settings())
        _, images = candidates(self.g, search)
        seen = []
        project(
            self.g, images[9:10], squared, settings=settings(space=space, w_noise=0.0),
            observer=lambda step, rendered: seen.append((step, rendered)),
        )  # fmt: skip
        assert [step for step, _ in seen] == [0, 1]
        torch.testing.assert_close(seen[0][1], images[9:10], atol=1e-5, rtol=0)

    def test_the_start_distance_is_that_of_the_chosen_w(self):
        result = project(self.g, targets(2), squared, settings=settings())
        search = StartSearch(self.g, squared, settings())
        w = closest(search, TargetFeatures(squared, targets(2)))
        images = self.g.synthesis(w[:, None].expand(-1, self.g.num_ws, -1))
        torch.testing.assert_close(result.start_distance, squared(images, targets(2)))

    def test_a_search_given_and_one_made_inside_agree(self):
        given = StartSearch(self.g, squared, settings())
        first = project(self.g, targets(2), squared, settings=settings(), search=given)
        second = project(self.g, targets(2), squared, settings=settings())
        assert torch.equal(first.ws, second.ws)

    def test_without_samples_a_search_gives_the_published_start(self):
        plain = settings(start_samples=0)
        given = StartSearch(self.g, squared, plain)
        first = project(self.g, targets(2), squared, settings=plain, search=given)
        second = project(self.g, targets(2), squared, settings=plain)
        assert torch.equal(first.ws, second.ws)
        assert torch.equal(first.start_distance, second.start_distance)

    @pytest.mark.parametrize(("changes", "named"), [
        ({"seed": 1}, "seed"), ({"start_samples": 5}, "start_samples"),
        ({"w_samples": 60}, "w_samples"),
    ])  # fmt: skip
    def test_a_search_of_other_settings_is_refused(self, changes, named):
        search = StartSearch(self.g, squared, settings())
        with pytest.raises(SettingsError, match=f"`{named}`"):
            project(self.g, targets(1), squared, settings=settings(**changes), search=search)

    def test_a_search_of_another_generator_or_distance_is_refused(self):
        search = StartSearch(make_generator(1), squared, settings())
        with pytest.raises(SettingsError, match="another generator"):
            project(self.g, targets(1), squared, settings=settings(), search=search)
        search = StartSearch(self.g, Counting(), settings())
        with pytest.raises(SettingsError, match="distance"):
            project(self.g, targets(1), squared, settings=settings(), search=search)


class TestSavedStart:
    g = make_generator()

    def test_a_projection_goes_on_from_where_it_ended(self):
        for space in ("w", "w+"):
            first = project(self.g, targets(3), squared, space=space, steps=30)
            seen = []
            project(
                self.g, targets(3), squared, batch=2,
                settings=ProjectorSettings(space=space, steps=1, w_noise=0.0),
                start=ProjectionStart(first.ws, first.noise),
                observer=lambda _, rendered, seen=seen: seen.append(rendered),
            )  # fmt: skip
            torch.testing.assert_close(torch.cat(seen), first.images, atol=1e-5, rtol=0)

    def test_its_start_distance_is_the_saved_one(self):
        first = project(self.g, targets(2), squared, steps=30)
        start = ProjectionStart(first.ws, first.noise)
        again = project(self.g, targets(2), squared, steps=1, start=start)
        torch.testing.assert_close(again.start_distance, first.distance)

    def test_without_noise_the_drawn_maps_are_used(self):
        ws = self.g.mapping(torch.ones(1, self.g.z_dim))
        seen = []
        project(
            self.g, targets(1), squared, settings=ProjectorSettings(steps=1, w_noise=0.0),
            start=ProjectionStart(ws), observer=lambda _, rendered: seen.append(rendered),
        )  # fmt: skip
        draws = SeededDraws(0)
        noise = [draws.noise(i, shape) for i, shape in enumerate(self.g.synthesis.noise_shapes)]
        torch.testing.assert_close(seen[0], self.g.synthesis(ws, noise=noise))

    def test_the_saved_latents_are_left_as_they_were(self):
        first = project(self.g, targets(1), squared, steps=2)
        before = [first.ws.clone(), *(level.clone() for level in first.noise)]
        start = ProjectionStart(first.ws, first.noise)
        project(self.g, targets(1), squared, steps=5, start=start)
        assert all(map(torch.equal, before, [first.ws, *first.noise]))

    def test_what_does_not_fit_is_refused(self):
        ws = torch.zeros(1, self.g.num_ws, self.g.w_dim)
        noise = [torch.zeros(shape) for shape in self.g.synthesis.noise_shapes]
        apart = ws.clone()
        apart[0, 1] = 1
        for start, named in (
            (ProjectionStart(ws[:, 1:]), "start.ws"),
            (ProjectionStart(ws.repeat(2, 1, 1)), "start.ws"),
            (ProjectionStart(apart), r"use `space` w\+"),
            (ProjectionStart(ws * torch.nan), "NaN"),
            (ProjectionStart(ws, noise[:-1]), "5 maps, but got 4"),
            (ProjectionStart(ws, [*noise[:-1], noise[0]]), r"start\.noise\[4\]"),
            (ProjectionStart(ws, [*noise[:-1], noise[-1] / 0]), "NaN"),
        ):
            with pytest.raises(LatentError, match=named):
                project(self.g, targets(1), squared, steps=1, start=start)
        both = ProjectorSettings(steps=1, start_samples=3)
        with pytest.raises(SettingsError, match="`start_samples`"):
            project(self.g, targets(1), squared, settings=both, start=ProjectionStart(ws))

    @pytest.mark.parametrize("keep", ["raise", "keep"])
    def test_no_steps_leave_it_as_it_is(self, keep):
        ws = self.g.mapping(torch.randn(3, self.g.z_dim), truncation_psi=0.5)
        shapes = self.g.synthesis.noise_shapes
        noise = [torch.randn(3, *shape[1:]) for shape in shapes]
        for given, maps in ((None, None), (noise, noise)):
            start = ProjectionStart(ws, given)
            masks = torch.ones(3, 1, 16, 16)
            for each in (None, masks):
                result = project(
                    self.g, targets(3), squared, space="w", steps=0, start=start, batch=2,
                    masks=each, on_divergence=keep,
                )  # fmt: skip
                # As results are rendered: gradients, or a batch, would round otherwise.
                with torch.no_grad():
                    images = torch.cat([
                        self.g.synthesis(
                            ws[i : i + 1], noise=maps and [level[i : i + 1] for level in maps]
                        )
                        for i in range(3)
                    ])  # fmt: skip
                torch.testing.assert_close(result.images, images, atol=1e-6, rtol=0)
                assert torch.equal(result.ws, ws)
                torch.testing.assert_close(result.distance, result.start_distance)
                assert len(result.history) == 0
                assert ("plain_distance" in result.history) == (each is not None)
                assert [len(level) for level in result.noise] == [3] * 5

    def test_no_steps_need_one(self):
        with pytest.raises(SettingsError, match="`steps` 0 leaves a start as it is; give `start`"):
            project(self.g, targets(1), squared, steps=0)
