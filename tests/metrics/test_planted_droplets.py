"""Droplets planted into the weights of generators: how many are found, and what else is."""

import numpy as np
import pytest
import torch

import latentlab
from metrics import droplets
from metrics.droplet_rates import inside
from tests.conftest import make_generator, make_stylegan1
from tests.support.planted.droplets import CONTEXTS, LINE, maps_of, plant, score, strengths

SYSTEMS = {"StyleGAN1": make_stylegan1, "StyleGAN2": make_generator}
BUNDLED = {"StyleGAN1": "builtin:digits-stylegan1", "StyleGAN2": "builtin:digits-stylegan2"}
GOAL = 0.95  # of planted spots found, and of found ones planted
LEAST = 10  # standard deviations in half of the channels, for which that holds


def random_generator(system, seed, resolution=32):
    return SYSTEMS[system](seed, resolution=resolution, channel_base=16 * resolution,
                           channel_max=16)  # fmt: skip


def rates(scores):
    """Recall of the spots of LEAST deviations and more, how many there are, and precision."""
    strong = [each.strengths >= LEAST for each in scores]
    hits = sum((each.found & mine).sum() for each, mine in zip(scores, strong, strict=True))
    total = sum(mine.sum() for mine in strong)
    wrong, found = sum(each.wrong for each in scores), sum(each.detections for each in scores)
    return hits / total, total, 1 - wrong / found


@torch.no_grad()
@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("system", SYSTEMS)
def test_planted_droplets_are_found_and_nothing_else(system, context):
    scores = []
    plants = ((16, 0.5, 1, 14), (16, 1.0, 3, 25), (32, 0.5, 5, 20), (32, 1.0, 20, 60))
    for number, (resolution, share, count, strength) in enumerate(plants, 1):
        g = random_generator(system, number, resolution)
        rng = np.random.default_rng(number)
        sigma = 0.0 if resolution == 16 or count > 5 else 0.8
        apart = 2.0 if resolution == 16 else 3.0 if count > 5 else None
        made = plant(g, resolution, count, strength, share, rng, sigma=sigma, context=context,
                     apart=apart)  # fmt: skip
        scores.append(score(g, made, 8))
    recall, total, precision = rates(scores)
    assert total > 80
    assert recall >= GOAL
    assert precision >= GOAL


@torch.no_grad()
@pytest.mark.parametrize("system", BUNDLED)
def test_those_in_the_bundled_models_are_found(system):
    scores = []
    for number, (resolution, count) in enumerate([(16, 1), (32, 12)]):
        g = latentlab.load(BUNDLED[system]).generator
        made = plant(g, resolution, count, 25, 0.5, np.random.default_rng(number), apart=3.0)
        scores.append(score(g, made, 8))
    recall, total, precision = rates(scores)
    assert total > 50
    assert recall >= GOAL
    assert precision >= GOAL


@torch.no_grad()
@pytest.mark.parametrize("system", SYSTEMS)
def test_a_plant_has_the_strength_asked_for_in_the_chosen_channels_alone(system):
    g = random_generator(system, 1)
    made = plant(g, 32, 3, 20, 0.5, np.random.default_rng(1))
    measured = np.median(strengths(g, made, range(8)), axis=(0, 2))
    assert made.chosen.sum() == 8
    np.testing.assert_allclose(measured[made.chosen], 20, rtol=0.1)
    assert measured[~made.chosen].max() < 5


@torch.no_grad()
def test_the_strength_is_that_against_the_layer_without_the_plant():
    plain, planted = random_generator("StyleGAN1", 2), random_generator("StyleGAN1", 2)
    made = plant(planted, 32, 1, 20, 1.0, np.random.default_rng(2))
    layer, block = planted.synthesis.b32.layer1, plain.synthesis.b32.layer1
    row, column = made.places[0]
    noise = layer.noise_const.clone()
    noise[row, column] = 0
    block.noise_const.copy_(noise)
    block.noise_strength.copy_(layer.noise_strength)
    before, after = (maps_of(g, made.layer, range(8)).double() for g in (plain, planted))
    # Normalisation divides by what the spot adds to the deviation: an affine map of each channel.
    flat = [maps.flatten(2).numpy() for maps in (before, after)]
    for sample, channel in np.ndindex(8, 16):
        x, y = flat[0][sample, channel], flat[1][sample, channel]
        rest = np.arange(x.size) != row * 32 + column
        slope, shift = np.polyfit(x[rest], y[rest], 1)
        np.testing.assert_allclose(y[rest], slope * x[rest] + shift, atol=1e-4 * y[rest].std())
        peak = (y[~rest][0] - shift) / slope
        strength = abs(peak - np.median(x)) / x[rest].std()
        assert strength == pytest.approx(strengths(planted, made, range(8))[sample, channel, 0],
                                         rel=0.1)  # fmt: skip


@torch.no_grad()
def test_a_line_is_planted_with_the_strength_stated():
    g = random_generator("StyleGAN1", 3)
    made = plant(g, 32, 1, 40, 1.0, np.random.default_rng(3), context="line")
    maps = maps_of(g, made.layer, range(8)).double().numpy()
    away = np.abs(maps[..., 10] - np.median(maps, axis=(2, 3))[..., None])
    maps[:, :, made.places[0, 0], made.places[0, 1]] = np.nan
    rest = np.nanstd(np.delete(maps, 10, axis=3), axis=(2, 3))
    assert np.median(away / rest[..., None]) == pytest.approx(LINE, rel=0.15)


@torch.no_grad()
@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("channels", [8, 16])
def test_generators_of_random_weights_have_none(system, channels):
    false = 0
    for seed in range(5):
        g = SYSTEMS[system](200 + seed, resolution=32, channel_base=32 * channels,
                            channel_max=channels)  # fmt: skip
        false += inside(droplets(g, 32).samples)["sample"].nunique()
    assert false <= 1  # of 160, one in 200 being the goal
