"""Colours brought to sRGB, against the matrices computed here in float64."""

import io
import struct
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from latentlab.images import Decoded, decode
from tests.support.picture_bytes import encode, noise

D65 = np.array([0.3127, 0.3290])
D50 = np.array([0.9642, 1.0, 0.8249])
BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
DISPLAY_P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
ADOBE = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
ADOBE_GAMMA = 563 / 256


def to_xyz(primaries: Any) -> NDArray[np.float64]:
    """The matrix from linear RGB to XYZ under D65 (SMPTE RP 177)."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T
    white = np.array([D65[0] / D65[1], 1, (1 - D65.sum()) / D65[1]])
    return columns * np.linalg.solve(columns, white)


def adapted(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The matrix to XYZ under D50, as profiles hold it."""
    scale = BRADFORD @ D50 / (BRADFORD @ matrix.sum(axis=1))
    return np.linalg.inv(BRADFORD) @ np.diag(scale) @ BRADFORD @ matrix


def linear(levels: NDArray[Any], gamma: float | None) -> NDArray[np.float64]:
    x = levels / 255
    if gamma:
        return x**gamma
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def encoded(light: NDArray[np.float64]) -> NDArray[np.float64]:
    x = light.clip(0, 1)
    return 255 * np.where(x <= 0.0031308, x * 12.92, 1.055 * x ** (1 / 2.4) - 0.055)


def in_srgb(levels: NDArray[Any], primaries: Any, gamma: float | None) -> NDArray[np.float64]:
    turn = np.linalg.inv(to_xyz(SRGB)) @ to_xyz(primaries)
    return encoded(linear(levels, gamma) @ turn.T)


def fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def profile(primaries: Any, gamma: float | None, space: bytes = b"RGB ") -> bytes:
    """A display profile of three curves and a matrix (ICC.1, 8.3.3)."""
    curve = (  # a parametric curve: a pure power, or sRGB's with its linear part
        b"para" + bytes(4) + struct.pack(">HH", 0, 0) + fixed(gamma)
        if gamma
        else b"para" + bytes(4) + struct.pack(">HH", 3, 0)
        + b"".join(map(fixed, (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)))
    )  # fmt: skip
    text = "A planted profile".encode("utf-16-be")
    name = b"mluc" + bytes(4) + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(text), 28) + text
    columns = adapted(to_xyz(primaries)).T
    contents = {b"desc": name, b"wtpt": b"XYZ " + bytes(4) + b"".join(map(fixed, D50))}
    for letter, column in zip((b"r", b"g", b"b"), columns, strict=True):
        contents[letter + b"XYZ"] = b"XYZ " + bytes(4) + b"".join(map(fixed, column))
        contents[letter + b"TRC"] = curve
    table, body, start = b"", b"", 128 + 4 + 12 * len(contents)
    for tag, content in contents.items():
        table += tag + struct.pack(">II", start + len(body), len(content))
        body += content.ljust(-(-len(content) // 4) * 4, b"\0")
    header = struct.pack(
        ">I4sI4s4s4s", start + len(body), b"none", 0x04300000, b"mntr", space, b"XYZ "
    )
    header = header.ljust(36, b"\0") + b"acsp"
    header = header.ljust(68, b"\0") + b"".join(map(fixed, D50))
    return header.ljust(128, b"\0") + struct.pack(">I", len(contents)) + table + body


def read(picture: Image.Image, kind: str = "PNG", **options: Any) -> Decoded:
    return decode(io.BytesIO(encode(picture, kind, **options)), "picture")


@pytest.mark.parametrize(
    ("primaries", "gamma"), [(DISPLAY_P3, None), (ADOBE, ADOBE_GAMMA)], ids=["P3", "Adobe"]
)
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_colours_of_an_embedded_profile_are_brought_to_srgb(
    kind: str, primaries: Any, gamma: float | None
) -> None:
    levels = noise(64, 64)
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    planted = profile(primaries, gamma)
    found = read(Image.fromarray(levels), kind, icc_profile=planted, **options)
    expected = in_srgb(levels, primaries, gamma)
    assert np.abs(expected - levels).max() > 20  # the profile matters
    np.testing.assert_allclose(np.asarray(found.picture), expected, atol=1.5)
    assert found.notes == ("colours converted from A planted profile to sRGB",)
    assert found.picture.info == {}


def test_the_colours_of_a_jpeg_and_of_a_palette_are_converted_too() -> None:
    planted = profile(DISPLAY_P3, None)
    red = in_srgb(np.array([200, 40, 40]), DISPLAY_P3, None)
    plain = Image.new("RGB", (16, 16), (200, 40, 40))
    for picture, kind in ((plain, "JPEG"), (plain.quantize(4), "PNG")):
        found = np.asarray(read(picture, kind, icc_profile=planted).picture).astype(int)
        np.testing.assert_allclose(found, np.broadcast_to(red, found.shape), atol=3)


def test_the_background_is_srgb_and_only_the_picture_is_converted() -> None:
    layered = Image.new("RGBA", (4, 4), (200, 40, 40, 128))
    found = np.asarray(read(layered, icc_profile=profile(DISPLAY_P3, None)).picture)
    red = in_srgb(np.array([200, 40, 40]), DISPLAY_P3, None)
    expected = red * 128 / 255 + 255 * 127 / 255
    np.testing.assert_allclose(found, np.broadcast_to(expected, found.shape), atol=1.5)


@pytest.mark.parametrize(
    "stored",
    [profile(SRGB, None), ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), None],
    ids=["planted", "LittleCMS", "none"],
)
def test_pictures_in_srgb_stay_bit_for_bit(stored: bytes | None) -> None:
    found = read(Image.fromarray(noise(64, 64)), icc_profile=stored)
    np.testing.assert_array_equal(np.asarray(found.picture), noise(64, 64))
    assert found.notes == ()


LAB = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()


@pytest.mark.parametrize(
    "stored",
    [b"garbage", bytes(200), profile(DISPLAY_P3, None)[:-300], profile(DISPLAY_P3, None)[:140],
     profile(DISPLAY_P3, None, b"CMYK"), profile(DISPLAY_P3, None, b"GRAY"), LAB,
     profile(DISPLAY_P3, None).ljust(1_000_001, b"\0")],
    ids=["garbage", "zeros", "cut", "header", "CMYK", "grey", "Lab", "huge"],
)  # fmt: skip
def test_i16_a_bad_profile_is_ignored(stored: bytes) -> None:
    found = read(Image.fromarray(noise(8, 8)), "TIFF", icc_profile=stored)
    np.testing.assert_array_equal(np.asarray(found.picture), noise(8, 8))
    assert found.notes == ("colour profile ignored",)


@pytest.mark.parametrize("mode", ["L", "CMYK", "I;16"])
def test_a_profile_of_pictures_without_colours_of_light_changes_nothing(mode: str) -> None:
    picture = Image.new(mode, (4, 4), 99 if mode != "CMYK" else (10, 20, 30, 40))
    with_profile = read(picture, "TIFF", icc_profile=profile(DISPLAY_P3, None))
    assert with_profile.picture.tobytes() == read(picture, "TIFF").picture.tobytes()


def test_i16_a_flipped_byte_of_a_profile_gives_a_picture() -> None:
    whole = profile(ADOBE, ADOBE_GAMMA)
    for place in range(0, len(whole), 3):
        damaged = bytearray(whole)
        damaged[place] ^= 0x81
        found = read(Image.new("RGB", (2, 2), (9, 99, 199)), "TIFF", icc_profile=bytes(damaged))
        assert found.picture.mode == "RGB"
