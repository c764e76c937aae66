import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from latentlab import SettingsError
from latentlab.training.presets import ImageFormat, named_config
from latentlab.training.schedule import Growth, faded

KIMG = 1000


def closed_form(resolution, start, stable, transition, images):
    """The published schedule in whole thousands, by exact fractions."""
    phase, rest = divmod(images, (stable + transition) * KIMG)
    lod = int(math.log2(resolution)) - int(math.log2(start)) - phase
    return max(lod - max(Fraction(rest, KIMG) - stable, 0) / transition, 0)


@pytest.mark.parametrize(
    "images",
    [0, 1, 599_999, 600_000, 600_032, 900_000, 1_199_999, 1_200_000, 1_800_001, 4_000_000,
     8_399_968, 8_400_000, 25_000_000],
)  # fmt: skip
@pytest.mark.parametrize(
    ("resolution", "start", "stable", "transition"),
    [(1024, 8, 600, 600), (1024, 4, 800, 800), (32, 8, 40, 40), (64, 16, 30, 70), (8, 8, 600, 600)],
)
def test_lod_equals_the_published_formula(images, resolution, start, stable, transition):
    lod = Growth(start, stable, transition).lod(resolution, images)
    expected = closed_form(resolution, start, stable, transition, images)
    assert lod == pytest.approx(float(expected), abs=1e-12)


def test_the_small_schedule_in_figures():
    growth = Growth(8, 40, 40)
    kimg = {0: 2, 40: 2, 60: 1.5, 80: 1, 120: 1, 130: 0.75, 160: 0, 400: 0}
    assert {at: growth.lod(32, at * KIMG) for at in kimg} == kimg


@pytest.mark.parametrize("resolution", [4, 8])
def test_pictures_no_larger_than_the_start_do_not_grow(resolution):
    growth = Growth(8, 40, 40)
    assert [growth.lod(resolution, images) for images in (0, 50_000, 10**7)] == [0, 0, 0]


def test_without_transition_the_resolution_doubles_at_once():
    growth = Growth(8, 10, 0)
    assert [growth.lod(32, images) for images in (9_999, 10_000, 20_000)] == [2, 1, 0]


@pytest.mark.parametrize("lod", [0.0, 0.25, 1.0, 1.5, 2.0, 2.75, 3.0, 5.0])
def test_the_images_at_a_lod_are_the_first_that_reach_it(lod):
    growth = Growth(8, 40, 40)
    images = growth.images_at(64, lod)
    assert growth.lod(64, images) == min(lod, 3)
    assert images == 0 or growth.lod(64, images - 1) > lod or lod == int(lod)


def test_images_before_move_the_schedule():
    ahead = Growth(8, 40, 40, images_before=70_000)
    assert ahead.lod(32, 5_000) == Growth(8, 40, 40).lod(32, 75_000)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ((2, 40, 40), "start_resolution"),
        ((12, 40, 40), "start_resolution"),
        ((8, -1, 40), "stable_kimg"),
        ((8, 40, math.nan), "transition_kimg"),
        ((8, 0, 0), "both"),
    ],
)
def test_an_unfit_schedule_is_refused(settings, named):
    with pytest.raises(SettingsError, match=named):
        Growth(*settings)


@pytest.mark.parametrize(
    ("kimg", "batch", "rate"),
    [  # of StyleGAN1 at 1024x1024: the resolution is that of floor(lod)
        (0, 256, 0.001), (599, 256, 0.001), (601, 128, 0.001), (1200, 128, 0.001),
        (1801, 64, 0.001), (3001, 32, 0.001), (4201, 32, 0.0015), (5401, 32, 0.002),
        (6601, 32, 0.003), (7801, 32, 0.003), (25000, 32, 0.003),
    ],
)  # fmt: skip
def test_batch_and_learning_rate_follow_the_resolution(kimg, batch, rate):
    phase = named_config("stylegan1", ImageFormat(1024, 3, 0)).phase(kimg * KIMG)
    assert (phase.batch, phase.learning_rate) == (batch, rate)


def test_a_config_without_growth_stays_as_it_is():
    config = named_config("stylegan2-f", ImageFormat(64, 3, 0))
    for images in (0, 10**6):
        phase = config.phase(images)
        assert (phase.lod, phase.batch, phase.learning_rate) == (0, 32, 0.002)


def test_settings_given_by_hand_hold_at_every_resolution():
    config = named_config("stylegan1", ImageFormat(1024, 3, 0)).changed(6, 0.5)
    phases = [config.phase(kimg * KIMG) for kimg in (0, 5000, 25000)]
    assert {(phase.batch, phase.learning_rate) for phase in phases} == {(6, 0.5)}


def boxes(pixels, factor):
    n, channels, size, _ = pixels.shape
    small = size // factor
    return pixels.reshape(n, channels, small, factor, small, factor).mean(axis=(3, 5))


def enlarged(pixels, factor):
    return pixels.repeat(factor, axis=2).repeat(factor, axis=3)


@pytest.mark.parametrize("lod", [0.0, 0.3, 1.0, 1.75, 3.0])
def test_real_images_fade_as_published(lod):
    pixels = np.random.default_rng(0).standard_normal([2, 3, 32, 32])
    level = int(lod)
    shown = boxes(pixels, 2**level)
    shown = shown + (lod - level) * (enlarged(boxes(shown, 2), 2) - shown)
    images = faded(torch.from_numpy(pixels), lod)
    np.testing.assert_allclose(images, enlarged(shown, 2**level), atol=1e-12)


def test_grown_images_are_left_alone():
    images = torch.randn(1, 3, 8, 8)
    assert faded(images, 0.0) is images
