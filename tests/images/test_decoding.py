"""Decoding of picture files; i01 to i20 are the faults that a reader of pictures must survive."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFile

from latentlab.errors import ImageError
from latentlab.images import DecodePolicy, load_image, read_picture, size_of
from tests.support.picture_bytes import RED, WHITE, blocks, chunk, encode, grey_tiff, noise, png

GREY_16 = {0: 0, 128: 0, 129: 1, 255: 1, 8191: 32, 32768: 128, 65407: 255, 65535: 255}
RGB_16 = {0: 0, 255: 0, 256: 1, 8191: 31, 65535: 255}


def decode(content: bytes) -> NDArray[np.uint8]:
    picture = read_picture(io.BytesIO(content), "picture.png")
    assert picture.mode == "RGB"
    return np.asarray(picture)


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
def test_i12_a_png_of_one_colour_becomes_rgb_flattened_on_white(
    mode: str, colour: Any, expected: tuple[int, int, int]
) -> None:
    pixels = decode(encode(Image.new(mode, (5, 4), colour), "PNG"))
    assert pixels.shape == (4, 5, 3)
    assert (pixels == expected).all()


@pytest.mark.parametrize("transparent", [None, 2])
def test_i12_palette_pictures_take_their_colours_and_their_transparent_entry(
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
def test_i13_colour_hidden_under_zero_alpha_does_not_leak(kind: str) -> None:
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
def test_i12_the_colour_that_a_png_names_as_transparent_becomes_white(
    bits: int, colour: int, row: bytes, key: tuple[int, ...]
) -> None:
    named = chunk(b"tRNS", struct.pack(f">{len(key)}H", *key))
    assert (decode(png(4, 4, bits, colour, (b"\0" + row) * 4, named)) == 255).all()


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_i09_16_bit_grey_is_scaled_by_a_257th(kind: str) -> None:
    values = np.array([list(GREY_16)], dtype=np.uint16)
    pixels = decode(encode(Image.fromarray(values), kind))
    assert pixels[0, :, 0].tolist() == list(GREY_16.values())
    assert (pixels == pixels[:, :, :1]).all()


def test_i10_16_bit_colour_keeps_its_high_byte() -> None:
    row = b"".join(struct.pack(">HHH", value, value, 65535) for value in RGB_16)
    pixels = decode(png(len(RGB_16), 1, 16, 2, b"\0" + row))
    assert pixels[0].tolist() == [[high, high, 255] for high in RGB_16.values()]


@pytest.mark.parametrize(
    ("bits", "white_is_zero", "content"),
    [(12, False, b"\xff\xff\xff" * 8), (16, True, bytes(32))],
    ids=["12 bit", "16 bit with white as zero"],
)
def test_i09_a_white_grey_tiff_of_odd_kind_is_white_or_refused(
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
def test_i08_cmyk_becomes_the_light_that_its_inks_leave(
    kind: str, inks: tuple[int, int, int, int]
) -> None:
    *colours, black = inks
    expected = [(255 - ink) * (255 - black) / 255 for ink in colours]
    pixels = decode(encode(Image.new("CMYK", (8, 8), inks), kind))
    np.testing.assert_allclose(pixels, np.broadcast_to(expected, (8, 8, 3)), atol=2)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_i07_exif_orientation_is_applied(kind: str, orientation: int) -> None:
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
def test_i07_an_orientation_outside_1_to_8_is_ignored(orientation: int) -> None:
    pixels = noise(6, 4)
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encode(Image.fromarray(pixels), "PNG", exif=exif)
    np.testing.assert_array_equal(decode(content), pixels)


@pytest.mark.parametrize(
    "block", [b"garbage!", b"II*\0", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff\x01\x12"]
)
def test_i07_a_corrupt_exif_block_is_ignored(block: bytes) -> None:
    content = encode(Image.new("RGB", (16, 8), RED), "JPEG", exif=b"Exif\0\0" + block)
    pixels = decode(content).astype(int)
    assert pixels.shape == (8, 16, 3)
    np.testing.assert_allclose(pixels, np.broadcast_to(RED, pixels.shape), atol=3)


def test_i05_the_format_is_decided_by_content_not_by_name(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(encode(Image.new("RGB", (8, 8), RED), "JPEG"))
    np.testing.assert_allclose(
        np.asarray(read_picture(path)).astype(int), np.broadcast_to(RED, (8, 8, 3)), atol=3
    )


# What is refused.


@pytest.mark.parametrize("content", [b"", b"\x89", b"some text\n" * 99, b"<html>404</html>"])
def test_i04_a_file_that_is_no_picture_is_refused_in_one_line_with_its_path(
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
def test_i06_other_formats_are_refused_even_when_named_png(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(encode(Image.new("RGB", (16, 16), RED), kind))
    with pytest.raises(ImageError, match="none of PNG, JPEG, WEBP, BMP, TIFF"):
        read_picture(path)


def test_i19_a_missing_file_and_a_directory_are_named(tmp_path: Path) -> None:
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
def test_i02_i03_truncated_pictures_are_refused_whatever_other_libraries_have_set(
    monkeypatch: pytest.MonkeyPatch, kind: str, missing: float, tolerant: bool
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", tolerant)
    content = encode(Image.fromarray(noise(32, 32)), kind)
    lost = int(missing * len(content)) if missing < 1 else int(missing)
    with pytest.raises(ImageError):
        decode(content[: len(content) - lost])
    assert ImageFile.LOAD_TRUNCATED_IMAGES is tolerant


@pytest.mark.parametrize("tolerant", [False, True])
def test_i02_reading_restores_the_switch_for_truncated_pictures(
    monkeypatch: pytest.MonkeyPatch, tolerant: bool
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", tolerant)
    pixels = noise(4, 4)
    np.testing.assert_array_equal(decode(encode(Image.fromarray(pixels), "PNG")), pixels)
    assert ImageFile.LOAD_TRUNCATED_IMAGES is tolerant


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "TIFF"])
def test_i03_every_cut_of_a_file_is_refused_or_leaves_the_picture_whole(kind: str) -> None:
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


def test_i03_every_flipped_byte_of_png_pixels_is_refused_or_changes_nothing() -> None:
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
def test_i11_pictures_without_a_defined_range_are_refused(
    dtype: type, value: float, kind: str
) -> None:
    content = encode(Image.fromarray(np.full((8, 8), value, dtype=dtype)), "TIFF")
    with pytest.raises(ImageError, match=f"{kind}.*save it as 8 or 16 bit"):
        decode(content)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_i14_animated_pictures_and_several_pages_are_refused(kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, WHITE)]
    content = encode(frames[0], kind, save_all=True, append_images=frames[1:])
    with pytest.raises(ImageError, match="animated or of several pages"):
        decode(content)


@pytest.mark.parametrize("limit", [None, Image.MAX_IMAGE_PIXELS])
@pytest.mark.parametrize(
    ("width", "height"), [(20_000, 20_000), (2**31 - 1, 1), (10_000, 9_500), (8_001, 8_000)]
)
def test_i01_a_huge_picture_is_refused_from_its_header(
    monkeypatch: pytest.MonkeyPatch, width: int, height: int, limit: int | None
) -> None:
    def forbidden(picture: Image.Image) -> None:
        raise AssertionError("the pixels were decoded")

    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    monkeypatch.setattr(ImageFile.ImageFile, "load", forbidden)
    with pytest.raises(ImageError, match=r"megapixels|decompression bomb"):
        decode(png(width, height, 8, 2))


def test_i01_a_picture_of_just_the_largest_size_is_read() -> None:
    policy = DecodePolicy(max_pixels=64)
    square, oblong = (encode(Image.new("RGB", (side, 8)), "PNG") for side in (8, 9))
    assert read_picture(io.BytesIO(square), policy=policy).size == (8, 8)
    with pytest.raises(ImageError, match=r"9x8 is more than 6\.4e-05 megapixels"):
        read_picture(io.BytesIO(oblong), policy=policy)


def test_i16_a_compressed_text_bomb_in_a_png_is_refused() -> None:
    bomb = chunk(b"zTXt", b"key\0\0" + zlib.compress(bytes(5_000_000)))
    with pytest.raises(ImageError):
        decode(png(1, 1, 8, 0, b"\0\0", bomb))


def test_the_photo_of_a_multi_picture_jpeg_is_read(tmp_path):
    path = tmp_path / "phone.jpg"
    photo, depth = Image.new("RGB", (32, 32), (200, 10, 10)), Image.new("RGB", (16, 16))
    photo.save(path, format="MPO", save_all=True, append_images=[depth])
    picture = read_picture(path)
    assert picture.size == (32, 32)
    assert np.abs(np.asarray(picture).astype(int) - [200, 10, 10]).max() <= 2


# The size alone.


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "TIFF"])
def test_the_size_is_that_of_the_picture(kind: str) -> None:
    content = encode(Image.new("RGB", (7, 5)), kind)
    assert size_of(io.BytesIO(content)) == read_picture(io.BytesIO(content)).size == (7, 5)
    if kind != "WEBP":  # whose decoder wants the whole file
        assert size_of(io.BytesIO(content[: len(content) - 2]), "cut") == (7, 5)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"no picture", encode(Image.new("RGB", (4, 4)), "GIF"),
        encode(Image.new("RGB", (90, 90)), "PNG"),
        encode(Image.new("RGB", (4, 4)), "WEBP", save_all=True,
               append_images=[Image.new("RGB", (4, 4), 9)]),
    ],
    ids=["empty", "text", "GIF", "too large", "animated"],
)  # fmt: skip
def test_what_the_header_shows_is_refused_as_by_decoding(content: bytes) -> None:
    policy, said = DecodePolicy(max_pixels=8000), []
    for read in (size_of, read_picture):
        with pytest.raises(ImageError) as caught:
            read(io.BytesIO(content), "p", policy)
        said.append(str(caught.value))
    assert said[0] == said[1]
