"""What a projection says of its start and of its result."""

import pytest
import torch

from latentlab import ProjectionStart, ProjectorSettings, project
from latentlab.latents import draw_z, w_statistics
from latentlab.numerics import Stream
from latentlab.projection.noise import SeededDraws
from latentlab.projection.result import GIVEN, MEAN_W
from tests.conftest import make_generator
from tests.projection.test_projector import squared, targets

G = make_generator()
SAMPLED = ProjectorSettings(steps=2, w_samples=50, start_samples=20)


def mean_distance(images):
    mean = w_statistics(G, SAMPLED.w_samples)[0]
    return squared(images, G.synthesis(mean.expand(1, G.num_ws, -1)))


def test_it_names_the_sample_that_an_image_started_from():
    z = draw_z([13, 4], G.z_dim, SAMPLED.seed, Stream.PROJECTION_START)
    draws = SeededDraws(SAMPLED.seed)
    noise = [draws.noise(i, shape) for i, shape in enumerate(G.synthesis.noise_shapes)]
    images = G.synthesis(G.mapping(z), noise=noise)
    result = project(G, images, squared, settings=SAMPLED, batch=2)
    assert result.start_index.tolist() == [13, 4]
    torch.testing.assert_close(result.mean_distance, mean_distance(images))
    assert (result.start_distance != result.mean_distance).all()


def test_a_plain_projection_starts_at_the_mean():
    result = project(G, targets(3), squared, steps=1, batch=2)
    assert result.start_index.tolist() == [MEAN_W] * 3
    assert torch.equal(result.start_distance, result.mean_distance)


def test_given_latents():
    settings = ProjectorSettings(steps=2, w_samples=50)
    first = project(G, targets(2), squared, settings=settings)
    start = ProjectionStart(first.ws, first.noise)
    again = project(G, targets(2), squared, settings=settings, start=start)
    assert again.start_index.tolist() == [GIVEN] * 2
    torch.testing.assert_close(again.mean_distance, mean_distance(targets(2)))
    torch.testing.assert_close(again.start_distance, first.distance)


def test_going_on_adds_no_noise_to_w():
    first = project(G, targets(1), squared, steps=5)
    start = ProjectionStart(first.ws, first.noise)
    with_noise, without = (
        project(G, targets(1), squared, start=start, settings=ProjectorSettings(steps=5, w_noise=w))
        for w in (0.5, 0.0)
    )
    assert torch.equal(with_noise.ws, without.ws)
    assert with_noise.history["distance"][0] == pytest.approx(first.distance.item(), rel=1e-5)


def test_with_a_mask_the_distance_of_the_whole_is_told_too():
    mask = torch.zeros(2, 1, 16, 16)
    mask[..., :8] = 1
    result = project(G, targets(2), squared, steps=3, masks=mask)
    away = (result.images - targets(2)).square()
    torch.testing.assert_close(result.distance, (away * mask).mean(dim=[1, 2, 3]))
    torch.testing.assert_close(result.plain_distance, away.mean(dim=[1, 2, 3]))
    plain = project(G, targets(2), squared, steps=3)
    assert torch.equal(plain.plain_distance, plain.distance)
    assert "plain_distance" not in plain.history


@pytest.mark.parametrize("settings", [SAMPLED, ProjectorSettings(steps=2, w_samples=50)])
def test_with_a_mask_start_mean_and_history_are_told_of_the_whole_too(settings):
    mask, images = torch.zeros(2, 1, 16, 16), targets(2)
    mask[..., :8] = 1
    seen = []
    result = project(
        G, images, squared, settings=settings, masks=mask, batch=2,
        observer=lambda _, rendered: seen.append((rendered - images).square()),
    )  # fmt: skip
    mean = G.synthesis(w_statistics(G, settings.w_samples)[0].expand(1, G.num_ws, -1)) - images
    torch.testing.assert_close(
        result.plain_mean_distance, mean.square().mean(dim=[1, 2, 3]), rtol=1e-5, atol=0
    )
    within = (mean * mask).square().mean(dim=[1, 2, 3])
    torch.testing.assert_close(result.mean_distance, within, rtol=1e-5, atol=0)
    assert (result.plain_start_distance > result.start_distance).all()
    for step, away in enumerate(seen):
        rows = result.history[result.history["step"] == step]
        for name, found in (("plain_distance", away), ("distance", away * mask)):
            expected = found.mean(dim=[1, 2, 3]).tolist()
            assert rows[name].tolist() == pytest.approx(expected, rel=1e-5)


def test_one_that_gets_no_closer_gets_its_best_latents_where_asked():
    settings = ProjectorSettings(steps=12, learning_rate=30.0, w_noise=0.0, w_samples=50)
    last, kept = (
        project(G, targets(2), squared, settings=settings, on_divergence=on, batch=2)
        for on in ("raise", "keep")
    )
    assert not bool((last.distance < last.start_distance).any())
    assert (kept.distance < last.distance).all()
    assert kept.diverged.tolist() == [False, False]
    losses = kept.history.groupby("image")["loss"].idxmin()
    best = kept.history.loc[losses, "distance"].tolist()
    assert kept.distance.tolist() == pytest.approx(best, rel=1e-4)


def test_a_run_that_gets_closer_is_the_same_either_way():
    plain, kept = (
        project(G, targets(2), squared, steps=20, on_divergence=on) for on in ("raise", "keep")
    )
    assert bool((plain.distance < plain.start_distance).all())
    assert torch.equal(plain.ws, kept.ws)
