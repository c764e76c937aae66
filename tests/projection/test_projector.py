from contextlib import nullcontext

import numpy as np
import pytest
import torch

import latentlab
from latentlab import (
    ImageError,
    LatentError,
    NumericalError,
    ProjectorSettings,
    SettingsError,
    project,
)
from latentlab.latents import w_statistics
from latentlab.networks.modulated.lean import lean_gradients
from latentlab.perceptual import PerceptualDistance
from latentlab.projection.noise import SeededDraws, noise_penalty, normalise_noise
from latentlab.projection.search import render
from tests.conftest import make_generator

FOLLOWED_STEPS = 10  # of the published trace; later the path is chaotic
FOLLOWED = 1e-6  # relative, of distance and loss
NEIGHBOURS = 1e-3  # absolute in w after a few steps in float32: batches round differently


def squared(first, second):
    """A plain distance that is no PerceptualDistance."""
    return (first - second).square().mean(dim=[1, 2, 3])


def targets(n, size=16, seed=0):
    return torch.rand([n, 3, size, size], generator=torch.Generator().manual_seed(seed)) * 2 - 1


class TestSettings:
    def test_learning_rate_rises_stays_and_falls_as_published(self):
        settings = ProjectorSettings(steps=1000)
        rates = [settings.learning_rate_at(step) for step in range(1000)]
        assert rates[0] == 0
        assert rates[25] == pytest.approx(0.05)
        assert rates[50:750] == [pytest.approx(0.1)] * 700
        assert rates[875] == pytest.approx(0.05)
        assert 0 < rates[999] < 1e-5

    def test_w_noise_falls_quadratically_to_zero_at_three_quarters(self):
        settings = ProjectorSettings(steps=1000)
        assert settings.w_noise_at(0) == 0.05
        assert settings.w_noise_at(375) == pytest.approx(0.05 / 4)
        assert settings.w_noise_at(750) == settings.w_noise_at(999) == 0

    def test_schedules_equal_the_published_ones(self, shared):
        ref = np.load(shared / "projector_sg2_skip_32_ref.npz")
        settings = ProjectorSettings(steps=1000)
        rates = [settings.learning_rate_at(step) for step in range(1000)]
        spreads = [settings.w_noise_at(step) for step in range(1000)]
        np.testing.assert_allclose(rates, ref["schedule1000_lr"], atol=1e-9)
        np.testing.assert_allclose(spreads, ref["schedule1000_noise_over_std"], atol=1e-9)

    @pytest.mark.parametrize(("field", "value"), [
        ("space", "v"), ("space", ""), ("seed", -1), ("seed", 1.5), ("learning_rate", "a"),
        ("steps", -1), ("steps", 1.5),
        ("w_samples", 0), ("learning_rate", 0.0), ("learning_rate", float("nan")),
        ("noise_weight", -1.0), ("w_noise", float("inf")), ("ramp_up", -0.1),
    ])  # fmt: skip
    def test_values_out_of_range_are_named(self, field, value):
        with pytest.raises(SettingsError, match=f"`{field}`"):
            ProjectorSettings(**{field: value})


class TestNoise:
    def test_penalty_equals_plain_numpy(self):
        maps = [
            np.random.default_rng(i).standard_normal([2, 1, r, r])
            for i, r in enumerate((4, 8, 16, 32))
        ]
        expected = np.zeros(2)
        for level in maps:
            level = level[:, 0]
            while True:
                for axis in (1, 2):
                    expected += (level * np.roll(level, 1, axis)).mean((1, 2)) ** 2
                if level.shape[1] <= 8:
                    break
                n, size, _ = level.shape
                level = level.reshape(n, size // 2, 2, size // 2, 2).mean((2, 4))
        result = noise_penalty([torch.from_numpy(level) for level in maps])
        np.testing.assert_allclose(result, expected, rtol=1e-12)

    def test_a_picture_in_the_noise_costs_more_than_white_noise(self):
        white = torch.randn([1, 1, 32, 32], generator=torch.Generator().manual_seed(0))
        picture = torch.linspace(-1, 1, 32).expand(1, 1, 32, 32).clone()
        normalise_noise([picture])
        assert noise_penalty([picture]) > 50 * noise_penalty([white])

    def test_normalisation_is_image_by_image(self):
        maps = [torch.randn(3, 1, 8, 8) * torch.tensor([1.0, 5, 9])[:, None, None, None] + 2]
        normalise_noise(maps)
        torch.testing.assert_close(maps[0].mean(dim=[1, 2, 3]), torch.zeros(3), atol=1e-6, rtol=0)
        torch.testing.assert_close(maps[0].square().mean(dim=[1, 2, 3]), torch.ones(3))

    @pytest.mark.parametrize("value", [0.0, 0.1, 3.0])
    def test_a_map_of_equal_values_stays_finite(self, value):
        maps = [torch.cat([torch.full((1, 1, 8, 8), value), torch.randn(1, 1, 8, 8)])]
        normalise_noise(maps)
        assert maps[0][0].abs().max() < 0.1
        torch.testing.assert_close(maps[0][1].square().mean(), torch.tensor(1.0))


class TracedDraws:
    """The random numbers of the published projector's run."""

    def __init__(self, ref, g):
        names = {layer: name for name, layer in g.synthesis.named_modules()}
        self._maps = [
            torch.from_numpy(ref[f"noise_init/{names[layer]}.noise_const"])
            for layer in g.synthesis.noise_layers
        ]
        self._steps = torch.from_numpy(ref["step_w_noise"])

    def noise(self, layer, shape):
        return self._maps[layer].reshape(shape)

    def w(self, step, shape):
        return self._steps[step].reshape(shape)


@pytest.fixture
def official(shared):
    """The published projector's run on a genuine generator: generator, distance, target, trace."""
    g = latentlab.load(shared / "ada_skip_32_state.safetensors").generator
    ref = np.load(shared / "proj_ada_skip_32_photo.npz")
    pixels = torch.from_numpy(ref["target_u8"]).permute(2, 0, 1)[None]
    distance = latentlab.perceptual_distance(shared / "vgg16_standin.pt")
    return g, distance, latentlab.images.from_uint8(pixels), ref


class TestPublishedRun:
    def test_statistics_of_w(self, official):
        g, _, _, ref = official
        mean, deviation = w_statistics(g)
        np.testing.assert_allclose(mean, ref["w_avg"].flatten(), atol=1e-5)
        assert deviation.item() == pytest.approx(float(ref["w_std"]), rel=1e-6)

    def test_the_first_steps_are_followed(self, official):
        g, distance, target, ref = official
        draws = TracedDraws(ref, g)
        # A run of few steps has other ramps: follow the full one, and stop it.
        seen = []

        class Enough(Exception):
            pass

        def stop(step, distances):
            seen.append(distances.item())
            if step + 1 == FOLLOWED_STEPS:
                raise Enough

        with pytest.raises(Enough):
            project(g, target, distance, steps=300, draws=draws, progress=stop)
        np.testing.assert_allclose(seen, ref["dist"][:FOLLOWED_STEPS], rtol=FOLLOWED)

    def test_the_distance_reached_is_as_good(self, official):
        g, distance, target, ref = official
        result = project(g, target, distance, steps=300, draws=TracedDraws(ref, g))
        assert result.history["distance"].iloc[-1] < 1.1 * ref["dist"][-1]
        assert result.distance.item() < 0.3 * result.start_distance.item()
        losses = result.history["loss"].to_numpy()[:FOLLOWED_STEPS]
        np.testing.assert_allclose(losses, ref["loss"][:FOLLOWED_STEPS], rtol=FOLLOWED)


class TestResult:
    g = make_generator()
    images = targets(2)

    @pytest.mark.parametrize("space", ["w", "w+"])
    def test_shapes_and_history(self, space):
        result = project(self.g, self.images, squared, space=space, steps=3, batch=2)
        assert result.ws.shape == (2, self.g.num_ws, self.g.w_dim)
        assert [tuple(level.shape) for level in result.noise] == [
            (2, *shape[1:]) for shape in self.g.synthesis.noise_shapes
        ]
        assert result.images.shape == self.images.shape
        assert result.distance.shape == result.start_distance.shape == (2,)
        assert result.history[["step", "image"]].to_numpy().tolist() == [
            [step, image] for step in range(3) for image in range(2)
        ]
        rows_differ = (result.ws - result.ws[:, :1]).abs().max() > 0
        assert bool(rows_differ) == (space == "w+")

    def test_history_counts_images_across_batches(self):
        history = project(self.g, targets(3), squared, steps=2, batch=2).history
        assert sorted(zip(history["image"], history["step"], strict=True)) == [
            (image, step) for image in range(3) for step in range(2)
        ]

    def test_distance_and_images_belong_to_the_latents(self):
        result = project(self.g, self.images, squared, steps=5)
        again = render(self.g, result.ws, result.noise)
        torch.testing.assert_close(again, result.images, atol=0, rtol=0)
        torch.testing.assert_close(result.distance, squared(again, self.images))

    def test_the_start_is_the_image_of_the_mean_w(self):
        result = project(self.g, self.images, squared, steps=1)
        mean, _ = w_statistics(self.g)
        image = self.g.synthesis(mean.expand(1, self.g.num_ws, -1))
        torch.testing.assert_close(result.start_distance, squared(image, self.images))

    def test_noise_maps_are_normalised(self):
        for level in project(self.g, self.images, squared, steps=3).noise:
            torch.testing.assert_close(level.mean(dim=[1, 2, 3]), torch.zeros(2), atol=1e-6, rtol=0)
            torch.testing.assert_close(level.square().mean(dim=[1, 2, 3]), torch.ones(2))

    def test_the_target_s_features_are_computed_once(self):
        seen = []

        class Counting(PerceptualDistance):
            def _extract(self, images):
                seen.append(images.detach().clone())
                return [images]

            def compare(self, first, second):
                return squared(first[0], second[0])

        result = project(self.g, self.images[:1], Counting("counting"), steps=4)
        assert sum(torch.equal(images, self.images[:1]) for images in seen) == 1
        assert len(seen) == 1 + 1 + 4 + 1  # target, start, steps, result
        expected = project(self.g, self.images[:1], squared, steps=4)
        torch.testing.assert_close(result.ws, expected.ws)

    def test_equal_seeds_repeat_and_others_differ(self):
        first, again, other = (
            project(self.g, self.images, squared, steps=5, seed=seed) for seed in (1, 1, 2)
        )
        torch.testing.assert_close(first.ws, again.ws, atol=0, rtol=0)
        assert (first.ws - other.ws).abs().max() > 1e-4

    @pytest.mark.parametrize("space", ["w", "w+"])
    @pytest.mark.parametrize(("batch", "tolerance"), [(None, 0), (1, 0), (2, NEIGHBOURS)])
    def test_an_image_does_not_depend_on_its_neighbours(self, space, batch, tolerance):
        def run(images):
            return project(self.g, images, squared, space=space, steps=20, batch=batch)

        together, backwards = run(self.images), run(self.images.flip(0))
        alone = torch.cat([run(image[None]).ws for image in self.images])
        torch.testing.assert_close(together.ws, alone, atol=tolerance, rtol=0)
        torch.testing.assert_close(together.ws, backwards.ws.flip(0), atol=tolerance, rtol=0)

    def test_the_generator_is_left_as_it_was(self):
        g = make_generator().train().requires_grad_(True)
        before = {key: value.clone() for key, value in g.state_dict().items()}
        project(g, self.images, squared, steps=3)
        assert all(p.requires_grad and p.grad is None for p in g.parameters())
        for key, value in g.state_dict().items():
            torch.testing.assert_close(value, before[key], atol=0, rtol=0)

    def test_a_generator_with_labels_and_one_without_noise(self):
        g = make_generator(c_dim=3, use_noise=False)
        label = torch.tensor([[0.0, 1, 0]])
        result = project(g, self.images, squared, steps=3, c=label)
        assert result.noise == []
        assert bool(torch.isfinite(result.distance).all())

    def test_raw_lpips_shapes_and_a_surrounding_no_grad_are_taken(self):
        def raw(first, second):
            return squared(first, second)[:, None, None, None]

        with torch.no_grad():
            result = project(self.g, self.images, raw, steps=3)
        expected = project(self.g, self.images, squared, steps=3)
        assert torch.equal(result.ws, expected.ws)

    def test_n03_a_float64_generator_is_projected_in_float64(self):
        result = project(make_generator().double(), self.images, squared, steps=3)
        assert result.ws.dtype == torch.float64


class TestPlantedTruth:
    def test_an_image_of_the_generator_is_found_again(self):
        g = make_generator()
        ws = g.mapping(torch.randn([1, g.z_dim], generator=torch.Generator().manual_seed(3)))
        image = g.synthesis(ws, noise_mode="none")
        result = project(g, image, squared, space="w+", steps=300)
        assert result.distance.item() < 0.05 * result.start_distance.item()


class TestBadInput:
    g = make_generator()

    @pytest.mark.parametrize("shape", [[3, 16, 16], [0, 3, 16, 16], [1, 1, 16, 16], [1, 3, 8, 8]])
    def test_wrong_shapes(self, shape):
        with pytest.raises(ImageError, match=r"\[N, 3, 16, 16\]"):
            project(self.g, torch.zeros(shape), squared, steps=1)

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_a_broken_image_is_named(self, value):
        images = targets(3)
        images[1, 0, 2, 2] = value
        with pytest.raises(ImageError, match="image 1"):
            project(self.g, images, squared, steps=1)

    def test_bytes_are_refused(self):
        with pytest.raises(ImageError, match="float"):
            project(self.g, torch.zeros(1, 3, 16, 16, dtype=torch.uint8), squared, steps=1)

    def test_divergence_names_step_and_image(self):
        def breaks(first, second):
            return squared(first, second) * torch.tensor([1.0, float("nan")])

        with pytest.raises(NumericalError, match=r"step 0.*image 1"):
            project(self.g, targets(2), breaks, steps=2, batch=2)

    def test_a_label_for_a_generator_without_labels(self):
        with pytest.raises(LatentError, match="no labels"):
            project(self.g, targets(1), squared, steps=1, c=torch.ones(1, 3))

    def test_a_distance_that_gives_no_number_an_image(self):
        with pytest.raises(SettingsError, match="one number for each image"):
            project(self.g, targets(2), lambda a, b: (a - b).mean(), steps=1, batch=2)

    @pytest.mark.parametrize(
        ("loose", "named"),
        [
            ({"space": "w+", "steps": 2}, "`space`, `steps`"),
            ({"seed": 0}, "`seed`"),
            ({"steps": 1000}, "`steps`"),
        ],
    )
    def test_what_is_given_beside_settings_is_not_dropped(self, loose, named):
        with pytest.raises(SettingsError, match=named):
            project(self.g, targets(1), squared, **loose, settings=ProjectorSettings(steps=3))

    def test_an_empty_batch(self):
        with pytest.raises(SettingsError, match="`batch`"):
            project(self.g, targets(2), squared, steps=1, batch=0)


def test_draws_are_keyed_by_layer_and_step():
    draws = SeededDraws(0)
    shape = (1, 1, 4, 4)
    assert not torch.equal(draws.noise(0, shape), draws.noise(1, shape))
    assert not torch.equal(draws.w(0, (1, 1, 5)), draws.w(1, (1, 1, 5)))
    assert torch.equal(draws.w(7, (1, 1, 5)), SeededDraws(0).w(7, (1, 1, 5)))


@pytest.mark.parametrize("gradients", [lean_gradients, nullcontext])
def test_the_published_method_is_the_loop_of_the_paper(gradients):
    """To the last bit, with gradients as the projector takes them; without, but for rounding."""
    g, image = make_generator(), targets(1)
    settings = ProjectorSettings(steps=8, w_samples=50, seed=5)
    mean, deviation = w_statistics(g, 50)
    draws = SeededDraws(5)
    x = mean[None, None].clone().requires_grad_(True)
    noise = [draws.noise(i, s).requires_grad_(True) for i, s in enumerate(g.synthesis.noise_shapes)]
    adam = torch.optim.Adam([x, *noise], betas=(0.9, 0.999))
    for step in range(8):
        jittered = x + draws.w(step, (1, 1, g.w_dim)) * (deviation * settings.w_noise_at(step))
        with gradients():
            rendered = g.synthesis(jittered.expand(-1, g.num_ws, -1), noise=noise)
        loss = squared(image, rendered) + 1e5 * noise_penalty(noise)
        adam.param_groups[0]["lr"] = settings.learning_rate_at(step)
        adam.zero_grad()
        loss.sum().backward()
        adam.step()
        normalise_noise(noise)
    found = project(g, image, squared, settings=settings)
    apart = 0 if gradients is lean_gradients else 1e-5
    torch.testing.assert_close(found.ws[:, :1], x.detach(), atol=apart, rtol=0)
    for level, other in zip(found.noise, noise, strict=True):
        torch.testing.assert_close(level, other.detach(), atol=apart, rtol=0)
