"""Pixels of pairs against torchvision, scikit-image and plain numpy."""

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio
from torchvision import transforms

from metrics.picture_pairs.pixels import SIDE, pair_of, pixel_errors, resized, stacked
from tests.support.pairs import as_image, photograph, results_of

ROUNDING = 1e-12  # of float64


@pytest.mark.parametrize("size", [(256, 256), (1024, 1024), (300, 200), (100, 90)])
def test_pictures_are_prepared_as_the_published_scripts_do(size):
    """torchvision's Resize((256, 256)), ToTensor and Normalize(0.5, 0.5) on the picture."""
    pixels = np.asarray(Image.fromarray(photograph(400)).resize(size))
    published = transforms.Compose([
        transforms.Resize((256, 256)), transforms.ToTensor(),
        transforms.Normalize([0.5] * 3, [0.5] * 3),
    ])(Image.fromarray(pixels))  # fmt: skip
    pair = pair_of(as_image(pixels), as_image(pixels))
    assert torch.allclose(stacked(pair.targets)[0], published, atol=1e-6)
    assert pair.targets[0].shape == (SIDE, SIDE, 3)


@pytest.mark.parametrize("name", ["blurred", "compressed", "darker", "moved", "noisy"])
def test_errors_are_those_of_numpy_and_scikit_image(name):
    target = photograph()
    result = results_of(target)[name]
    found = pixel_errors(pair_of(as_image(target), as_image(result)))
    difference = result.astype(np.float64) / 127.5 - target.astype(np.float64) / 127.5
    assert found["mse"] == pytest.approx((difference**2).mean(), rel=ROUNDING)
    assert found["mae"] == pytest.approx(np.abs(difference).mean(), rel=ROUNDING)
    expected = peak_signal_noise_ratio(target, result, data_range=255)
    assert found["psnr"] == pytest.approx(expected, abs=1e-9)


def test_equal_pictures_have_no_psnr():
    image = as_image(photograph(64))
    found = pixel_errors(pair_of(image, image, 64))
    assert (found["mse"], found["mae"]) == (0, 0)
    assert np.isnan(found["psnr"])


def test_bytes_and_values_are_the_same_picture():
    pixels = photograph(64)
    other = torch.from_numpy(pixels).permute(2, 0, 1)
    assert np.array_equal(pair_of(other, other, 64).targets[0], pixels)
    assert np.array_equal(pair_of(as_image(pixels), other, 64).targets[0], pixels)


def test_grey_is_colour_with_three_equal_channels():
    grey = photograph(40)[:, :, :1]
    pair = pair_of(as_image(grey), as_image(np.repeat(grey, 3, axis=2)), 40)
    assert pixel_errors(pair)["mse"] == 0
    assert len(pair.targets) == 1


def test_alpha_counts_on_white_and_on_black():
    colours = photograph(32)
    alpha = np.full((32, 32, 1), 255, np.uint8)
    alpha[:, :16] = 0
    target = as_image(np.concatenate([colours, alpha], axis=2))
    pair = pair_of(target, as_image(colours), 32)
    assert len(pair.targets) == len(pair.results) == 2
    assert (pair.targets[0][:, :16] == 255).all()
    assert (pair.targets[1][:, :16] == 0).all()
    assert np.array_equal(pair.results[0], pair.results[1])
    hidden = colours[:, :16].astype(float)
    expected = (((255 - hidden) / 127.5) ** 2 + (hidden / 127.5) ** 2).mean() / 2 / 2
    assert pixel_errors(pair)["mse"] == pytest.approx(expected, rel=ROUNDING)


def test_a_picture_of_the_size_is_left_alone():
    pixels = photograph(SIDE)
    assert resized(pixels, SIDE) is pixels
