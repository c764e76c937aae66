"""Decoding, cropping, value ranges, saving and tiling of pictures."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFile

from latentlab import images
from latentlab.errors import ImageError, NumericalError, SettingsError
from latentlab.images import Crop, DecodePolicy, load_image, read_picture

WHITE = (255, 255, 255)
RED = (200, 10, 10)
GREY_16 = {0: 0, 128: 0, 129: 1, 255: 1, 8191: 32, 32768: 128, 65407: 255, 65535: 255}
RGB_16 = {0: 0, 255: 0, 256: 1, 8191: 31, 65535: 255}


def encode(picture: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, format=kind, **options)
    return file.getvalue()


def decode(content: bytes) -> NDArray[np.uint8]:
    picture = read_picture(io.BytesIO(content), "picture.png")
    assert picture.mode == "RGB"
    return np.asarray(picture)


def noise(width: int, height: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def blocks() -> NDArray[np.uint8]:
    """A 32x16 picture of eight 8x8 blocks, each of its own colour."""
    return noise(4, 2, seed=3).repeat(8, axis=0).repeat(8, axis=1)


def chunk(name: bytes, content: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + check


def png(
    width: int, height: int, bits: int, colour: int, rows: bytes = b"", extra: bytes = b""
) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def grey_tiff(bits: int, white_is_zero: bool, content: bytes) -> bytes:
    """A 4x4 grey TIFF, uncompressed."""
    tags = {256: 4, 257: 4, 258: bits, 259: 1, 262: int(not white_is_zero), 273: 0, 277: 1, 278: 4,
            279: len(content)}  # fmt: skip
    tags[273] = 8 + 2 + 12 * len(tags) + 4
    fields = b"".join(struct.pack("<HHIHH", tag, 3, 1, value, 0) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + fields + bytes(4) + content


# The decode policy.


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("RGB", RED, RED),
        ("L", 77, (77, 77, 77)),
        ("1", 0, (0, 0, 0)),
        ("1", 1, WHITE),
        ("LA", (100, 255), (100, 100, 100)),
        ("LA", (100, 128), (177, 177, 177)),  # (100 * 128 + 255 * 127) / 255
        ("LA", (100, 0), WHITE),
        ("RGBA", (*RED, 255), RED),
        ("RGBA", (*RED, 128), (227, 132, 132)),
        ("RGBA", (*RED, 0), WHITE),
    ],
)
def test_a_png_of_one_colour_becomes_rgb_flattened_on_white(
    mode: str, colour: Any, expected: tuple[int, int, int]
) -> None:
    pixels = decode(encode(Image.new(mode, (5, 4), colour), "PNG"))
    assert pixels.shape == (4, 5, 3)
    assert (pixels == expected).all()


@pytest.mark.parametrize("transparent", [None, 2])
def test_palette_pictures_take_their_colours_and_their_transparent_entry(
    transparent: int | None,
) -> None:
    indices = np.arange(16, dtype=np.uint8).reshape(4, 4) % 4
    palette = np.array([[0, 0, 0], [10, 20, 30], [200, 10, 10], [255, 0, 255]], dtype=np.uint8)
    picture = Image.fromarray(indices)
    picture.putpalette(palette.tobytes())
    options = {} if transparent is None else {"transparency": transparent}

    expected = palette[indices]
    if transparent is not None:
        expected[indices == transparent] = 255
    np.testing.assert_array_equal(decode(encode(picture, "PNG", **options)), expected)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_colour_hidden_under_zero_alpha_does_not_leak(kind: str) -> None:
    hidden = np.dstack([noise(8, 8), np.zeros((8, 8), dtype=np.uint8)])
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    assert (decode(encode(Image.fromarray(hidden), kind, **options)) == 255).all()


@pytest.mark.parametrize(
    ("bits", "colour", "row", "key"),
    [
        (1, 0, b"\xff", (1,)),
        (2, 0, b"\xff", (3,)),
        (8, 0, bytes([32] * 4), (32,)),
        (16, 0, struct.pack(">H", 8191) * 4, (8191,)),
        (8, 2, bytes(RED) * 4, RED),
        (16, 2, struct.pack(">HHH", 51400, 2570, 2570) * 4, (51400, 2570, 2570)),
    ],
    ids=["grey 1", "grey 2", "grey 8", "grey 16", "colour 8", "colour 16"],
)
def test_the_colour_that_a_png_names_as_transparent_becomes_white(
    bits: int, colour: int, row: bytes, key: tuple[int, ...]
) -> None:
    named = chunk(b"tRNS", struct.pack(f">{len(key)}H", *key))
    assert (decode(png(4, 4, bits, colour, (b"\0" + row) * 4, named)) == 255).all()


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_by_a_257th(kind: str) -> None:
    values = np.array([list(GREY_16)], dtype=np.uint16)
    pixels = decode(encode(Image.fromarray(values), kind))
    assert pixels[0, :, 0].tolist() == list(GREY_16.values())
    assert (pixels == pixels[:, :, :1]).all()


def test_16_bit_colour_keeps_its_high_byte() -> None:
    row = b"".join(struct.pack(">HHH", value, value, 65535) for value in RGB_16)
    pixels = decode(png(len(RGB_16), 1, 16, 2, b"\0" + row))
    assert pixels[0].tolist() == [[high, high, 255] for high in RGB_16.values()]


@pytest.mark.parametrize(
    ("bits", "white_is_zero", "content"),
    [(12, False, b"\xff\xff\xff" * 8), (16, True, bytes(32))],
    ids=["12 bit", "16 bit with white as zero"],
)
def test_a_white_grey_tiff_of_odd_kind_is_white_or_refused(
    bits: int, white_is_zero: bool, content: bytes
) -> None:
    # Pillow gives both the mode of 16-bit pictures where white is 65535, so they turn out black.
    try:
        pixels = decode(grey_tiff(bits, white_is_zero, content))
    except ImageError:
        return
    assert (pixels == 255).all()


@pytest.mark.parametrize("kind", ["TIFF", "JPEG"])
@pytest.mark.parametrize("inks", [(0, 0, 0, 0), (255, 0, 0, 0), (0, 100, 200, 60), (9, 9, 9, 255)])
def test_cmyk_becomes_the_light_that_its_inks_leave(
    kind: str, inks: tuple[int, int, int, int]
) -> None:
    *colours, black = inks
    expected = [(255 - ink) * (255 - black) / 255 for ink in colours]
    pixels = decode(encode(Image.new("CMYK", (8, 8), inks), kind))
    np.testing.assert_allclose(pixels, np.broadcast_to(expected, (8, 8, 3)), atol=2)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(kind: str, orientation: int) -> None:
    upright = blocks()
    stored = {  # as section 4.6.4 of the EXIF standard says where row 0 and column 0 are
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.swapaxes(0, 1),
        6: np.rot90(upright),
        7: upright[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}
    picture = Image.fromarray(np.ascontiguousarray(stored))

    pixels = decode(encode(picture, kind, exif=exif, **options.get(kind, {})))
    assert pixels.shape == upright.shape
    tolerance = 3 if kind == "JPEG" else 0
    np.testing.assert_allclose(pixels.astype(int), upright.astype(int), atol=tolerance)


@pytest.mark.parametrize("orientation", [0, 9, 99, 65535])
def test_an_orientation_outside_1_to_8_is_ignored(orientation: int) -> None:
    pixels = noise(6, 4)
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encode(Image.fromarray(pixels), "PNG", exif=exif)
    np.testing.assert_array_equal(decode(content), pixels)


@pytest.mark.parametrize(
    "block", [b"garbage!", b"II*\0", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff\x01\x12"]
)
def test_a_corrupt_exif_block_is_ignored(block: bytes) -> None:
    content = encode(Image.new("RGB", (16, 8), RED), "JPEG", exif=b"Exif\0\0" + block)
    pixels = decode(content).astype(int)
    assert pixels.shape == (8, 16, 3)
    np.testing.assert_allclose(pixels, np.broadcast_to(RED, pixels.shape), atol=3)


def test_the_format_is_decided_by_content_not_by_name(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(encode(Image.new("RGB", (8, 8), RED), "JPEG"))
    np.testing.assert_allclose(
        np.asarray(read_picture(path)).astype(int), np.broadcast_to(RED, (8, 8, 3)), atol=3
    )


# What is refused.


@pytest.mark.parametrize("content", [b"", b"\x89", b"some text\n" * 99, b"<html>404</html>"])
def test_a_file_that_is_no_picture_is_refused_in_one_line_with_its_path(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(content)
    with pytest.raises(ImageError) as caught:
        load_image(path, 8)
    message = str(caught.value)
    assert message.startswith(f"{path}: not a picture")
    assert "\n" not in message
    assert " at 0x" not in message


@pytest.mark.parametrize("kind", ["GIF", "EPS", "ICO", "PDF", "PPM", "TGA"])
def test_other_formats_are_refused_even_when_named_png(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(encode(Image.new("RGB", (16, 16), RED), kind))
    with pytest.raises(ImageError, match="none of PNG, JPEG, WEBP, BMP, TIFF"):
        read_picture(path)


def test_a_missing_file_and_a_directory_are_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"nowhere\.png: no such file"):
        read_picture(tmp_path / "nowhere.png")
    with pytest.raises(ImageError, match=f"{tmp_path}: the picture cannot be read"):
        read_picture(tmp_path)


@pytest.mark.parametrize("tolerant", [False, True])
@pytest.mark.parametrize(
    ("kind", "missing"),
    [
        ("JPEG", 0.5), ("JPEG", 2), ("JPEG", 0.95),
        ("PNG", 0.5), ("PNG", 40), ("PNG", 0.95),
        ("WEBP", 0.5), ("BMP", 0.5), ("BMP", 1), ("TIFF", 0.5),
    ],
)  # fmt: skip
def test_truncated_pictures_are_refused_whatever_other_libraries_have_set(
    monkeypatch: pytest.MonkeyPatch, kind: str, missing: float, tolerant: bool
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", tolerant)
    content = encode(Image.fromarray(noise(32, 32)), kind)
    lost = int(missing * len(content)) if missing < 1 else int(missing)
    with pytest.raises(ImageError):
        decode(content[: len(content) - lost])
    assert ImageFile.LOAD_TRUNCATED_IMAGES is tolerant


@pytest.mark.parametrize("tolerant", [False, True])
def test_reading_restores_the_switch_for_truncated_pictures(
    monkeypatch: pytest.MonkeyPatch, tolerant: bool
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", tolerant)
    pixels = noise(4, 4)
    np.testing.assert_array_equal(decode(encode(Image.fromarray(pixels), "PNG")), pixels)
    assert ImageFile.LOAD_TRUNCATED_IMAGES is tolerant


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "TIFF"])
def test_every_cut_of_a_file_is_refused_or_leaves_the_picture_whole(kind: str) -> None:
    content = encode(Image.fromarray(noise(9, 7)), kind)
    whole = decode(content)
    refused = 0
    for length in range(len(content)):
        try:
            np.testing.assert_array_equal(decode(content[:length]), whole)
        except ImageError:
            refused += 1
    # A PNG is whole before its last 20 bytes: two checksums and the end mark.
    assert refused >= len(content) - 20


def test_every_flipped_byte_of_png_pixels_is_refused_or_changes_nothing() -> None:
    pixels = noise(9, 7)
    content = encode(Image.fromarray(pixels), "PNG")
    start, end = content.index(b"IDAT") + 4, content.index(b"IEND") - 8
    refused = 0
    for place in range(start, end):
        damaged = bytearray(content)
        damaged[place] ^= 0x10
        try:
            np.testing.assert_array_equal(decode(bytes(damaged)), pixels)
        except ImageError:
            refused += 1
    assert refused >= 0.9 * (end - start)


@pytest.mark.parametrize(
    ("dtype", "value", "kind"),
    [
        (np.float32, 0.5, "floating-point"),
        (np.float32, np.nan, "floating-point"),
        (np.int32, 70_000, "32-bit integer"),
    ],
)
def test_pictures_without_a_defined_range_are_refused(dtype: type, value: float, kind: str) -> None:
    content = encode(Image.fromarray(np.full((8, 8), value, dtype=dtype)), "TIFF")
    with pytest.raises(ImageError, match=f"{kind}.*save it as 8 or 16 bit"):
        decode(content)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_animated_pictures_and_several_pages_are_refused(kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, WHITE)]
    content = encode(frames[0], kind, save_all=True, append_images=frames[1:])
    with pytest.raises(ImageError, match="animated or of several pages"):
        decode(content)


@pytest.mark.parametrize("limit", [None, Image.MAX_IMAGE_PIXELS])
@pytest.mark.parametrize(
    ("width", "height"), [(20_000, 20_000), (2**31 - 1, 1), (10_000, 9_500), (8_001, 8_000)]
)
def test_a_huge_picture_is_refused_from_its_header(
    monkeypatch: pytest.MonkeyPatch, width: int, height: int, limit: int | None
) -> None:
    def forbidden(picture: Image.Image) -> None:
        raise AssertionError("the pixels were decoded")

    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    monkeypatch.setattr(ImageFile.ImageFile, "load", forbidden)
    with pytest.raises(ImageError, match=r"megapixels|decompression bomb"):
        decode(png(width, height, 8, 2))


def test_a_picture_of_just_the_largest_size_is_read() -> None:
    policy = DecodePolicy(max_pixels=64)
    square, oblong = (encode(Image.new("RGB", (side, 8)), "PNG") for side in (8, 9))
    assert read_picture(io.BytesIO(square), policy=policy).size == (8, 8)
    with pytest.raises(ImageError, match=r"9x8 is more than 6\.4e-05 megapixels"):
        read_picture(io.BytesIO(oblong), policy=policy)


def test_a_compressed_text_bomb_in_a_png_is_refused() -> None:
    bomb = chunk(b"zTXt", b"key\0\0" + zlib.compress(bytes(5_000_000)))
    with pytest.raises(ImageError):
        decode(png(1, 1, 8, 0, b"\0\0", bomb))


# Cropping and resizing.


@pytest.mark.parametrize(
    ("width", "height", "left", "top"), [(12, 8, 2, 0), (8, 12, 0, 2), (11, 8, 1, 0), (8, 8, 0, 0)]
)
def test_crop_center_takes_the_largest_centred_square(
    tmp_path: Path, width: int, height: int, left: int, top: int
) -> None:
    pixels = noise(width, height)
    path = tmp_path / "picture.png"
    Image.fromarray(pixels).save(path)
    image = load_image(path, 8)
    expected = pixels[top : top + 8, left : left + 8].transpose(2, 0, 1) / 127.5 - 1
    assert image.dtype == torch.float32
    np.testing.assert_allclose(image.numpy(), expected, atol=1e-6)


def test_crop_none_takes_square_pictures_only(tmp_path: Path) -> None:
    square, oblong = tmp_path / "square.png", tmp_path / "oblong.png"
    Image.new("RGB", (8, 8), WHITE).save(square)
    Image.new("RGB", (12, 8), WHITE).save(oblong)
    assert torch.equal(load_image(square, 8, crop="none"), torch.ones(3, 8, 8))
    with pytest.raises(ImageError, match=r"oblong\.png: 12x8 is not square"):
        load_image(oblong, 8, crop="none")


def test_a_picture_may_be_enlarged_four_times_unless_more_is_allowed(tmp_path: Path) -> None:
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
    with pytest.raises(SettingsError, match="`channels` must be 1 or 3, but got 4"):
        images.picture_to_tensor(picture, channels=4)


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


def test_the_photo_of_a_multi_picture_jpeg_is_read(tmp_path):
    path = tmp_path / "phone.jpg"
    photo, depth = Image.new("RGB", (32, 32), (200, 10, 10)), Image.new("RGB", (16, 16))
    photo.save(path, format="MPO", save_all=True, append_images=[depth])
    picture = images.read_picture(path)
    assert picture.size == (32, 32)
    assert np.abs(np.asarray(picture).astype(int) - [200, 10, 10]).max() <= 2


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_image_that_is_not_finite_is_not_saved(value, tmp_path):
    with pytest.raises(NumericalError, match="NaN"):
        images.save_image(tmp_path / "x.png", torch.full([3, 4, 4], value))
    assert not (tmp_path / "x.png").exists()


def test_the_resize_reads_nothing_beyond_the_crop():
    pixels = np.zeros((64, 96, 3), dtype=np.uint8)
    pixels[:, :16] = pixels[:, 80:] = 255  # outside the centred square
    assert np.asarray(images.fit(Image.fromarray(pixels), 32)).max() == 0


@pytest.mark.parametrize("channels", [2, 4])
def test_an_image_of_other_channels_is_not_saved(channels, tmp_path):
    with pytest.raises(ImageError, match="1 or 3 channels"):
        images.save_image(tmp_path / "x.png", torch.zeros(channels, 4, 4))
