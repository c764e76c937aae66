"""What comes in, and what becomes of it; the numbers are the rows of a list of bad pictures."""

import contextlib
import io
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageFile

from latentlab import images
from latentlab.errors import ImageError
from latentlab.images import DecodePolicy, load_image, read_picture

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
    for width in (8, 9):
        content = io.BytesIO(encode(Image.new("RGB", (width, 8)), "PNG"))
        if width == 8:
            assert read_picture(content, "a.png", policy).size == (8, 8)
        else:
            with pytest.raises(ImageError, match="9x8"):
                read_picture(content, "a.png", policy)


def test_a_compressed_text_bomb_in_a_png_is_refused() -> None:
    bomb = chunk(b"zTXt", b"key\0\0" + zlib.compress(bytes(5_000_000)))
    with pytest.raises(ImageError):
        decode(png(1, 1, 8, 0, b"\0\0", bomb))


def test_the_photo_of_a_multi_picture_jpeg_is_read(tmp_path):
    path = tmp_path / "phone.jpg"
    photo, depth = Image.new("RGB", (32, 32), (200, 10, 10)), Image.new("RGB", (16, 16))
    photo.save(path, format="MPO", save_all=True, append_images=[depth])
    picture = images.read_picture(path)
    assert picture.size == (32, 32)
    assert np.abs(np.asarray(picture).astype(int) - [200, 10, 10]).max() <= 2


# What is left to choose, and what is said of it.


def told(content: bytes, name: str = "picture.png", **choices: Any) -> tuple[Any, tuple[str, ...]]:
    """The pixels of a picture, and its notes."""
    decoded = images.decode(io.BytesIO(content), name, DecodePolicy(**choices))
    return np.asarray(decoded.picture), decoded.notes


def test_an_ordinary_picture_has_no_notes() -> None:
    for kind, name in (("PNG", "a.png"), ("JPEG", "a.JPG"), ("WEBP", "b.webp"), ("BMP", "no name")):
        assert told(encode(Image.new("RGB", (8, 8), RED), kind), name)[1] == ()


def test_a_name_that_lies_about_the_format_is_noted() -> None:  # I5
    content = encode(Image.new("RGB", (8, 8), RED), "JPEG")
    assert told(content, "a.png")[1] == ("JPEG inside a .png file",)


def test_ignored_exif_is_noted() -> None:  # I7
    exif = Image.Exif()
    exif[0x0112] = 99
    content = encode(Image.new("RGB", (8, 8)), "PNG", exif=exif)
    assert told(content)[1] == ("unknown EXIF orientation ignored",)
    content = encode(Image.new("RGB", (8, 8)), "JPEG", exif=b"Exif\0\0garbage!")
    assert told(content, "a.jpg")[1] == ("corrupt EXIF ignored",)


@pytest.mark.parametrize(
    ("picture", "options"),
    [
        (Image.new("RGBA", (4, 4), (*RED, 0)), {}),
        (Image.new("LA", (4, 4), (9, 0)), {}),
        (Image.new("P", (4, 4), 0), {"transparency": 0}),
        (Image.new("L", (4, 4), 77), {"transparency": 77}),
        (Image.fromarray(np.full((4, 4), 1000, np.uint16)), {"transparency": 1000}),
    ],
)
def test_the_background_is_chosen_and_noted(picture: Image.Image, options: Any) -> None:  # I12, I13
    pixels, notes = told(encode(picture, "PNG", **options), background=(0, 128, 255))
    np.testing.assert_array_equal(pixels, np.broadcast_to((0, 128, 255), (4, 4, 3)))
    assert notes == ("transparency on #0080ff",)


def test_an_opaque_alpha_channel_is_no_note() -> None:
    assert told(encode(Image.new("RGBA", (4, 4), (*RED, 255)), "PNG"))[1] == ()


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_the_first_frame_is_taken_when_asked_for(kind: str) -> None:  # I14
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, WHITE, (0, 0, 0))]
    options = {"WEBP": {"lossless": True}}.get(kind, {})
    content = encode(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    with pytest.raises(ImageError):
        told(content)
    pixels, notes = told(content, "a", first_frame=True)
    np.testing.assert_array_equal(pixels, np.broadcast_to(RED, (8, 8, 3)))
    assert notes == ("first of 3 frames",)


# Colour profiles.


def profiled(picture: Image.Image, profile: bytes) -> bytes:
    return encode(picture, "PNG", icc_profile=profile)


def swapped_profile() -> bytes:
    """An RGB profile with the primaries of sRGB, red and green exchanged."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack_from(">I", profile, 128)[0]
    entries = {bytes(profile[132 + 12 * i : 136 + 12 * i]): 132 + 12 * i for i in range(count)}
    red, green = entries[b"rXYZ"], entries[b"gXYZ"]
    profile[red + 4 : red + 12], profile[green + 4 : green + 12] = (
        profile[green + 4 : green + 12], profile[red + 4 : red + 12],
    )  # fmt: skip
    name = entries[b"desc"]
    start, length = struct.unpack_from(">II", profile, name + 4)
    text = profile[start : start + length]
    profile[start : start + length] = text.replace(
        "sRGB".encode("utf-16-be"), "Swap".encode("utf-16-be")
    )
    return bytes(profile)


def test_colours_of_another_profile_become_srgb() -> None:
    pixels, notes = told(profiled(Image.fromarray(noise(16, 16)), swapped_profile()))
    exchanged = noise(16, 16)[..., [1, 0, 2]].astype(int)
    np.testing.assert_allclose(pixels.astype(int), exchanged, atol=2)
    assert "brought to sRGB" in notes[0]


def test_an_srgb_profile_changes_nothing() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    pixels, notes = told(profiled(Image.fromarray(noise(16, 16)), profile))
    np.testing.assert_array_equal(pixels, noise(16, 16))
    assert notes == ()


@pytest.mark.parametrize("profile", [b"x", b"garbage " * 40, swapped_profile()[:200]])
def test_a_damaged_profile_is_ignored_and_noted(profile: bytes) -> None:  # I16
    pixels, notes = told(profiled(Image.fromarray(noise(16, 16)), profile))
    np.testing.assert_array_equal(pixels, noise(16, 16))
    assert notes == ("damaged colour profile ignored",)


def test_a_profile_of_another_kind_is_left_aside() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    np.testing.assert_array_equal(
        told(profiled(Image.fromarray(noise(16, 16)), profile))[0], noise(16, 16)
    )


def test_a_huge_exif_block_takes_no_harm() -> None:  # I16
    exif = Image.Exif()
    exif[0x010E] = "x" * 8_000_000
    exif[0x0112] = 6
    pixels, _ = told(encode(Image.new("RGB", (4, 2), RED), "PNG", exif=exif))
    assert pixels.shape == (4, 2, 3)


# HEIC, where the extra is installed.


def heic(picture: Image.Image, **options: Any) -> bytes:
    pillow_heif = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    pillow_heif.from_pillow(picture).save(file, quality=100, chroma=444, **options)
    return file.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_heic_picture_is_read_upright(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(noise(6, 4).repeat(32, axis=0).repeat(32, axis=1))
    upright, _ = told(encode(stored, "PNG", exif=exif))
    pixels, notes = told(heic(stored, exif=exif.tobytes()), "photo.heic")
    assert pixels.shape == upright.shape
    assert np.abs(pixels.astype(int) - upright).mean() < 1
    assert notes == ()


def test_transparency_of_a_heic_picture_is_flattened() -> None:
    pixels, notes = told(heic(Image.new("RGBA", (64, 64), (*RED, 0))), "a.heic")
    assert pixels.min() >= 254
    assert notes == ("transparency on #ffffff",)


def test_damaged_heic_pictures_are_refused() -> None:
    content = heic(Image.fromarray(noise(64, 64)))
    rng = np.random.default_rng(0)
    cuts = [content[:length] for length in range(0, len(content) - 1, len(content) // 40)]
    flips = []
    for place in rng.integers(0, min(len(content), 600), 60):
        flipped = bytearray(content)
        flipped[place] ^= 1 << int(rng.integers(8))
        flips.append(bytes(flipped))
    for cut in cuts:
        with pytest.raises(ImageError):
            told(cut, "a.heic")
    for flipped in flips:  # flips within pixels change the picture, and nothing else may happen
        with contextlib.suppress(ImageError):
            assert told(flipped, "a.heic")[0].ndim == 3


def test_a_huge_heic_picture_is_refused_from_its_header() -> None:
    with pytest.raises(ImageError, match="megapixels"):
        told(heic(Image.new("RGB", (64, 64))), "a.heic", max_pixels=64 * 63)


def test_without_the_extra_a_heic_picture_tells_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(
        ImageError, match=r"a\.heic: is a HEIC picture.*pip install latentlab\[heic\]"
    ):
        told(b"\0\0\0\x18ftypheic" + bytes(99), "a.heic")


def test_reading_heic_registers_nothing_with_pillow() -> None:
    told(heic(Image.new("RGB", (64, 64))), "a.heic")
    assert "HEIF" not in Image.OPEN


# Files that change while they are listed (I19).


def test_a_file_that_is_gone_or_locked_is_named(tmp_path: Path) -> None:
    path = tmp_path / "gone.png"
    Image.new("RGB", (4, 4)).save(path)
    path.unlink()
    with pytest.raises(ImageError, match=r"gone\.png: no such file"):
        images.decode(path)


# Memory (I1, I16), in a process of its own.

BOMBS = """
import io, pathlib, resource, sys
from latentlab.decoding import decode
from latentlab.errors import ImageError
from tests.test_decoding import chunk, png
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
text = pathlib.Path(sys.argv[1]).read_bytes()
for content in (
    png(20_000, 20_000, 8, 2), png(2**31 - 1, 1, 8, 0),
    png(1, 1, 8, 0, b"\\0\\0", chunk(b"zTXt", b"key\\0\\0" + text)),
    png(1, 1, 8, 0, b"\\0\\0", chunk(b"iTXt", b"key\\0\\1\\0\\0\\0" + text)),
    png(1, 1, 8, 2, b"\\0\\0\\0\\0", chunk(b"iCCP", b"name\\0\\0" + text)),
):
    try:
        decode(io.BytesIO(content), "bomb.png")
    except ImageError:
        pass
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
sys.exit(0 if after - before < 64 * 1024 else f"{(after - before) / 1024:.0f} MB more")
"""


def test_bombs_take_no_memory() -> None:
    root = Path(__file__).parents[1]
    with tempfile.NamedTemporaryFile() as file:
        packer = zlib.compressobj(9)
        for _ in range(200):
            file.write(packer.compress(bytes(2_000_000)))
        file.write(packer.flush())
        file.flush()
        done = subprocess.run(
            [sys.executable, "-c", BOMBS, file.name], cwd=root, capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
