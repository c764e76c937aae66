"""HEIC pictures, encoded here by pillow-heif."""

import builtins
import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from latentlab.errors import ImageError
from latentlab.images import Decoded, DecodePolicy, decode, heic, load_image
from tests.images.test_colour import DISPLAY_P3, in_srgb, profile
from tests.support.picture_bytes import RED, WHITE, blocks, noise

pillow_heif = pytest.importorskip("pillow_heif", reason="the extra `heic` is not installed")

ATOL = 3  # levels that coding without loss still costs, by its change of colour space


def encode(picture: Image.Image, **options: Any) -> bytes:
    file = io.BytesIO()
    container = pillow_heif.from_pillow(picture)
    container.save(file, quality=-1, chroma=444, matrix_coefficients=0, **options)
    return file.getvalue()


def read(content: bytes, name: str = "IMG_1.HEIC", **policy: Any) -> Decoded:
    return decode(io.BytesIO(content), name, DecodePolicy(**policy))


def levels(found: Decoded) -> NDArray[np.int64]:
    return np.asarray(found.picture).astype(np.int64)


def large_blocks() -> NDArray[np.uint8]:
    return blocks().repeat(2, axis=0).repeat(2, axis=1)


def test_a_heic_picture_is_read_by_its_content(tmp_path: Path) -> None:
    content = encode(Image.fromarray(noise(48, 32)))
    np.testing.assert_allclose(levels(read(content)), noise(48, 32), atol=ATOL)
    assert read(content).notes == ()
    assert read(content).picture.info == {}
    assert read(content, "a.jpg").notes == ("HEIC inside a .jpg",)
    path = tmp_path / "picture.heic"
    path.write_bytes(content)
    assert load_image(path, 32).shape == (3, 32, 32)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_i07_a_heic_picture_is_turned_once(orientation: int) -> None:
    upright = large_blocks()
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.swapaxes(0, 1), 6: np.rot90(upright), 7: upright[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(upright, -1),
    }[orientation]  # fmt: skip
    file = io.BytesIO()  # `encode` takes pixels as they are stored; `from_pillow` would turn them
    pillow_heif.encode(
        "RGB", stored.shape[1::-1], stored.tobytes(), file, quality=-1, chroma=444,
        matrix_coefficients=0, exif=exif.tobytes(),
    )  # fmt: skip
    content = file.getvalue()
    if orientation in (3, 6, 8):  # anticlockwise quarters (ISO/IEC 23008-12, 6.5.10)
        assert content.split(b"irot")[1][0] == {3: 2, 6: 3, 8: 1}[orientation]
    assert (b"imir" in content) == (orientation in (2, 4, 5, 7))
    assert b"Exif" in content
    found = read(content)
    np.testing.assert_allclose(levels(found), upright, atol=ATOL)
    assert found.notes == ()


def test_transparency_is_laid_on_the_background() -> None:
    content = encode(Image.new("RGBA", (32, 32), (*RED, 0)))
    np.testing.assert_allclose(levels(read(content)), 255, atol=1)
    found = read(content, background=(0, 0, 0))
    assert levels(found).max() <= 1
    assert found.notes == ("transparency laid on black",)


@pytest.mark.parametrize(
    ("mode", "level", "expected"),
    [("RGB;16", 8191, 31), ("RGB;16", 65535, 255), ("L;16", 8191, 32)],
)
def test_pictures_of_ten_bits_become_eight(mode: str, level: int, expected: int) -> None:
    shape = (32, 32, 3) if mode == "RGB;16" else (32, 32)
    content = io.BytesIO()
    mode = "I;16" if mode == "L;16" else mode
    ten = pillow_heif.from_bytes(mode, (32, 32), np.full(shape, level, dtype=np.uint16).tobytes())
    ten.save(content, quality=-1, chroma=444)
    found = read(content.getvalue())
    np.testing.assert_allclose(levels(found), expected, atol=1)
    assert found.notes == ("10-bit picture cut to 8 bit",)


def test_the_colours_of_an_iphone_are_brought_to_srgb() -> None:
    picture = Image.new("RGB", (32, 32), (200, 40, 40))
    picture.info["icc_profile"] = profile(DISPLAY_P3, None)
    found = read(encode(picture))
    red = in_srgb(np.array([200, 40, 40]), DISPLAY_P3, None)
    np.testing.assert_allclose(levels(found), np.broadcast_to(red, (32, 32, 3)), atol=ATOL)


def test_the_main_picture_is_read_wherever_it_stands() -> None:
    container = pillow_heif.HeifFile()
    for colour in (RED, WHITE, (0, 0, 0)):
        container.add_from_pillow(Image.new("RGB", (32, 32), colour))
    content = io.BytesIO()
    container.save(content, quality=-1, chroma=444, primary_index=1)
    found = read(content.getvalue())
    np.testing.assert_allclose(levels(found), 255, atol=1)
    assert found.notes == ("main picture of 3",)


def test_i01_a_large_heic_is_refused_before_its_pixels_are_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def forbidden(picture: Any) -> None:
        raise AssertionError("the pixels were decoded")

    content = encode(Image.new("RGB", (48, 32)))
    assert read(content, max_pixels=48 * 32).picture.size == (48, 32)
    monkeypatch.setattr(pillow_heif.HeifImage, "load", forbidden)
    with pytest.raises(ImageError, match="48x32 is more than"):
        read(content, max_pixels=48 * 32 - 1)


def test_i03_every_cut_of_a_heic_is_refused() -> None:
    content = encode(Image.new("RGB", (16, 16), RED))
    for length in range(len(content)):
        with pytest.raises(ImageError) as caught:
            read(content[:length])
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("bits", [0x01, 0x80])
def test_i03_a_flipped_byte_of_a_heic_is_refused_or_gives_a_picture(bits: int) -> None:
    content = encode(Image.fromarray(large_blocks()[:16, :16]))
    refused = 0
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= bits
        try:
            assert read(bytes(damaged)).picture.mode == "RGB"
        except ImageError:
            refused += 1
    assert refused > len(content) / 10


@pytest.mark.parametrize(
    ("major", "others", "expected"),
    [
        (b"heic", [b"mif1", b"heic"], "HEIC"),
        (b"mif1", [b"mif1", b"heic", b"miaf"], "HEIC"),
        (b"mif1", [], "HEIC"),
        (b"msf1", [b"hevc"], "HEIC"),
        (b"avif", [b"mif1", b"miaf"], "AVIF"),
        (b"mif1", [b"avif", b"miaf"], "AVIF"),
        (b"isom", [b"mp42"], None),
        (b"qt  ", [], None),
    ],
)
def test_brands_tell_heic_from_avif_and_videos(
    major: bytes, others: list[bytes], expected: str | None
) -> None:
    size = 16 + 4 * len(others)
    head = struct.pack(">I", size) + b"ftyp" + major + bytes(4) + b"".join(others)
    assert heic.kind(head + b"avif") == expected  # what follows the box is no brand


@pytest.mark.parametrize("head", [b"", b"\0\0\0\x18ftyp", b"\xff\xff\xff\xffftyp", b"heicheicheic"])
def test_other_heads_are_no_heic(head: bytes) -> None:
    assert heic.kind(head) is None


def test_avif_and_videos_are_refused() -> None:
    with pytest.raises(ImageError, match="an AVIF picture, which is not read; save it as PNG"):
        read(b"\0\0\0\x14ftypavif\0\0\0\0avif" + bytes(50))
    with pytest.raises(ImageError, match="not a picture"):
        read(b"\0\0\0\x14ftypisom\0\0\0\0isom" + bytes(50))


def test_without_the_extra_the_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = encode(Image.new("RGB", (16, 16)))
    plain_import = builtins.__import__

    def without(name: str, *args: Any) -> Any:
        if name.startswith("pillow_heif"):
            raise ModuleNotFoundError(f"No module named {name!r}")
        return plain_import(name, *args)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImageError) as caught:
        read(content)
    assert str(caught.value) == (
        "IMG_1.HEIC: a HEIC picture; to read it, run `pip install 'latentlab[heic]'`"
    )


def test_reading_registers_nothing_with_pillow() -> None:
    read(encode(Image.new("RGB", (16, 16))))
    assert "HEIF" not in Image.OPEN
    assert ".heic" not in Image.EXTENSION


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_brightness_coded_for_hdr_screens_is_noted(transfer: int, name: str) -> None:
    found = read(encode(Image.new("RGB", (16, 16)), transfer_characteristics=transfer))
    assert found.notes == (f"HDR brightness ({name}) taken as it is",)
