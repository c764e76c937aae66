"""Pictures side by side: sizes at which one can see them, and the words around them."""

import numpy as np
import pytest
import torch

from cli.projecting.side_by_side import quality_lines, side_by_side, visible


@pytest.mark.parametrize(
    ("resolution", "shown"),
    [(4, 256), (32, 256), (100, 300), (256, 256), (512, 512), (1024, 1024), (2048, 1024)],
)  # fmt: skip
def test_small_pictures_are_enlarged_by_whole_factors_and_large_ones_reduced(resolution, shown):
    image = torch.rand(3, resolution, resolution) * 2 - 1
    picture = visible(image)
    assert picture.size == (shown, shown)
    if shown >= resolution:  # pixels are repeated
        factor = shown // resolution
        pixels = np.asarray(picture)
        again = pixels[::factor, ::factor].repeat(factor, 0).repeat(factor, 1)
        assert np.array_equal(pixels, again)


def test_grey_pictures_and_names_wider_than_a_picture():
    image = torch.zeros(1, 64, 64)
    page = side_by_side({"a": (image, []), "b" * 200: (image, ["one", "two"])})
    assert page.mode == "RGB"
    pixels = np.asarray(page)
    assert (pixels[:, :8] == 255).all(), "nothing is cut off at the border"
    assert (pixels[:, -8:] == 255).all()
    assert (pixels[-8:] == 255).all()


def test_what_is_said_of_a_projection():
    plain = {"distance": 0.01234, "psnr": 28.43, "mask_distance": None, "mask_psnr": None}
    assert quality_lines(plain) == ["distance 0.0123, PSNR 28.4 dB"]
    masked = plain | {"mask_distance": 0.005, "mask_psnr": None}
    assert quality_lines(masked) == [
        "whole: distance 0.0123, PSNR 28.4 dB", "in the mask: distance 0.005, equal pixels",
    ]  # fmt: skip
