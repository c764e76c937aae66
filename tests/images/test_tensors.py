"""Cropping, value ranges, saving and tiling of pictures."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from latentlab import images
from latentlab.errors import ImageError, NumericalError, SettingsError
from latentlab.images import Crop, load_image
from tests.support.picture_bytes import WHITE, noise

# Cropping and resizing.


@pytest.mark.parametrize(
    ("width", "height", "left", "top"), [(12, 8, 2, 0), (8, 12, 0, 2), (11, 8, 1, 0), (8, 8, 0, 0)]
)
def test_i15_crop_center_takes_the_largest_centred_square(
    tmp_path: Path, width: int, height: int, left: int, top: int
) -> None:
    pixels = noise(width, height)
    path = tmp_path / "picture.png"
    Image.fromarray(pixels).save(path)
    image = load_image(path, 8)
    expected = pixels[top : top + 8, left : left + 8].transpose(2, 0, 1) / 127.5 - 1
    assert image.dtype == torch.float32
    np.testing.assert_allclose(image.numpy(), expected, atol=1e-6)


def test_i15_crop_none_takes_square_pictures_only(tmp_path: Path) -> None:
    square, oblong = tmp_path / "square.png", tmp_path / "oblong.png"
    Image.new("RGB", (8, 8), WHITE).save(square)
    Image.new("RGB", (12, 8), WHITE).save(oblong)
    assert torch.equal(load_image(square, 8, crop="none"), torch.ones(3, 8, 8))
    with pytest.raises(ImageError, match=r"oblong\.png: 12x8 is not square"):
        load_image(oblong, 8, crop="none")


def test_i15_a_picture_may_be_enlarged_four_times_unless_more_is_allowed(tmp_path: Path) -> None:
    path = tmp_path / "small.png"
    Image.new("RGB", (20, 4), WHITE).save(path)
    assert torch.equal(load_image(path, 16), torch.ones(3, 16, 16))
    with pytest.raises(ImageError, match=r"20x4 would be enlarged 8\.0 times"):
        load_image(path, 32)
    assert torch.equal(load_image(path, 32, max_upscale=8), torch.ones(3, 32, 32))


def test_shrinking_is_antialiased() -> None:
    checks = Image.fromarray((np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8))
    pixels = np.asarray(images.fit(checks.convert("RGB"), 8))
    np.testing.assert_allclose(pixels.astype(float), np.full((8, 8, 3), 127.5), atol=4)


def test_grey_is_rec_601_luma() -> None:
    pixels = noise(8, 8)
    luma = pixels @ np.array([0.299, 0.587, 0.114])
    grey = images.picture_to_tensor(Image.fromarray(pixels), channels=1)
    assert grey.shape == (1, 8, 8)
    np.testing.assert_allclose((grey[0].numpy() + 1) * 127.5, luma, atol=0.51)


def test_unknown_crops_and_channel_counts_are_refused() -> None:
    picture = Image.new("RGB", (8, 8))
    unknown: Any = "top"
    with pytest.raises(SettingsError, match="`crop` must be one of center, none, but got 'top'"):
        images.fit(picture, 8, unknown)
    with pytest.raises(SettingsError, match="`channels` must be 1, 3 or 4, but got 2"):
        images.picture_to_tensor(picture, channels=2)


@pytest.mark.parametrize("crop", ["center", "none"])
def test_a_square_picture_of_the_right_size_is_not_resampled(crop: Crop) -> None:
    pixels = noise(8, 8)
    np.testing.assert_array_equal(np.asarray(images.fit(Image.fromarray(pixels), 8, crop)), pixels)


# Value ranges.


def test_to_uint8_is_the_published_rounding() -> None:
    values = torch.tensor([-9.0, -1.0, -0.5, 0.0, 0.003, 0.004, 0.5, 0.999, 1.0, 9.0])
    assert images.to_uint8(values).tolist() == [0, 0, 64, 128, 128, 128, 191, 255, 255, 255]
    assert images.to_uint8(values).dtype == torch.uint8


def test_from_uint8_maps_bytes_to_minus_one_to_one() -> None:
    values = images.from_uint8(torch.tensor([0, 51, 127, 255], dtype=torch.uint8))
    assert values.dtype == torch.float32
    np.testing.assert_allclose(values.numpy(), [-1, -0.6, 127 / 127.5 - 1, 1], atol=1e-7)


def test_every_byte_survives_the_round_trip() -> None:
    pixels = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(images.to_uint8(images.from_uint8(pixels)), pixels)


@pytest.mark.parametrize("channels", [1, 3])
def test_grey_pixels_become_images_of_equal_channels(channels: int) -> None:
    pixels = noise(5, 4)[None, :, :, 0]
    tensor = images.pixels_to_tensor(pixels, channels)
    expected = np.repeat(pixels[:, None] / 127.5 - 1, channels, axis=1)
    np.testing.assert_allclose(tensor.numpy(), expected, atol=1e-6)


# Saving and tiling.


@pytest.mark.parametrize("channels", [1, 3])
def test_a_saved_image_is_read_back_exactly(tmp_path: Path, channels: int) -> None:
    image = images.from_uint8(torch.from_numpy(noise(8, 8)).permute(2, 0, 1)[:channels])
    path = tmp_path / "image.png"
    images.save_image(path, image)
    assert torch.equal(load_image(path, 8, channels), image)
    with Image.open(path) as picture:
        assert (picture.format, picture.mode) == ("PNG", "L" if channels == 1 else "RGB")
    assert [file.name for file in tmp_path.iterdir()] == ["image.png"]


def test_values_outside_the_range_are_saved_as_black_and_white(tmp_path: Path) -> None:
    image = torch.tensor([-3.0, 3.0]).expand(3, 2, 2)
    images.save_image(tmp_path / "image.png", image)
    assert torch.equal(load_image(tmp_path / "image.png", 2), image.clamp(-1, 1))


def test_a_grid_is_filled_row_by_row_with_white_gaps_and_blanks() -> None:
    tiles = [torch.full((1, 2, 1), float(value)) for value in (-1, 0, 0.5)]
    expected = torch.tensor([[-1, 1, 0], [-1, 1, 0], [1, 1, 1], [0.5, 1, 1], [0.5, 1, 1]])
    assert torch.equal(images.grid(tiles, columns=2, gap=1)[0], expected)
    assert torch.equal(images.grid(torch.stack(tiles), columns=2, gap=1)[0], expected)


def test_a_grid_without_gaps_is_the_tiles_side_by_side() -> None:
    tiles = torch.rand(4, 3, 2, 5, generator=torch.Generator().manual_seed(0))
    rows = [torch.cat([tiles[0], tiles[1]], dim=2), torch.cat([tiles[2], tiles[3]], dim=2)]
    assert torch.equal(images.grid(tiles, columns=2), torch.cat(rows, dim=1))


@pytest.mark.parametrize(("height", "width", "limit"), [(8, 8, 4), (12, 6, 3), (8, 2, 4)])
def test_shrink_is_the_mean_of_boxes(height: int, width: int, limit: int) -> None:
    batch = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0))
    rows, columns = min(height, limit), min(width, limit)
    boxes = batch.numpy().reshape(2, 3, rows, height // rows, columns, width // columns)
    shrunk = images.shrink(batch, limit)
    assert shrunk.shape == (2, 3, rows, columns)
    np.testing.assert_allclose(shrunk.numpy(), boxes.mean(axis=(3, 5)), atol=1e-6)


def test_shrink_leaves_small_images_alone() -> None:
    batch = torch.rand(1, 3, 4, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(images.shrink(batch, 4), batch)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_image_that_is_not_finite_is_not_saved(value, tmp_path):
    with pytest.raises(NumericalError, match="NaN"):
        images.save_image(tmp_path / "x.png", torch.full([3, 4, 4], value))
    assert not (tmp_path / "x.png").exists()


def test_the_resize_reads_nothing_beyond_the_crop():
    pixels = np.zeros((64, 96, 3), dtype=np.uint8)
    pixels[:, :16] = pixels[:, 80:] = 255  # outside the centred square
    assert np.asarray(images.fit(Image.fromarray(pixels), 32)).max() == 0


@pytest.mark.parametrize("channels", [2, 5])
def test_an_image_of_other_channels_is_not_saved(channels, tmp_path):
    with pytest.raises(ImageError, match="1, 3 or 4 channels"):
        images.save_image(tmp_path / "x.png", torch.zeros(channels, 4, 4))
