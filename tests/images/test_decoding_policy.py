"""What may be chosen in decoding, what is noted, and what a hostile file may cost."""

import io
import struct
import subprocess
import sys
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFile

from latentlab.errors import ImageError, SettingsError
from latentlab.images import Decoded, DecodePolicy, decode, load_image
from tests.support.picture_bytes import RED, WHITE, chunk, encode, noise, png

TEAL = (0, 128, 129)
MOST_GROWTH = 60_000_000  # bytes that refusing a file, or reading a small picture, may cost


def read(content: bytes, name: str = "picture.png", **policy: Any) -> Decoded:
    return decode(io.BytesIO(content), name, DecodePolicy(**policy))


def pixels(content: bytes, **policy: Any) -> Any:
    return np.asarray(read(content, **policy).picture)


def frames(kind: str) -> bytes:
    pictures = [Image.new("RGB", (8, 6), colour) for colour in (RED, TEAL, WHITE)]
    return encode(pictures[0], kind, save_all=True, append_images=pictures[1:])


# Backgrounds.


@pytest.mark.parametrize(("alpha", "share"), [(0, 0), (128, 128 / 255), (255, 1)])
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_i12_i13_transparency_is_laid_on_the_background_asked_for(
    kind: str, alpha: int, share: float
) -> None:
    content = encode(Image.new("RGBA", (4, 4), (*RED, alpha)), kind, lossless=True, exact=True)
    expected = [red * share + teal * (1 - share) for red, teal in zip(RED, TEAL, strict=True)]
    np.testing.assert_allclose(
        pixels(content, background=TEAL), np.broadcast_to(expected, (4, 4, 3)), atol=0.6
    )


def test_i09_transparent_16_bit_grey_is_laid_on_the_background_asked_for() -> None:
    row = struct.pack(">4H", 0, 8191, 8190, 65535)
    content = png(4, 1, 16, 0, b"\0" + row, chunk(b"tRNS", struct.pack(">H", 8191)))
    levels = pixels(content, background=TEAL)[0].tolist()
    assert levels == [[0, 0, 0], list(TEAL), [32, 32, 32], [255, 255, 255]]


def test_i10_the_transparent_16_bit_colour_is_the_named_one_and_not_white() -> None:
    row = b"".join(struct.pack(">3H", level, level, level) for level in (0, 8191, 16384, 65535))
    content = png(4, 1, 16, 2, b"\0" + row, chunk(b"tRNS", struct.pack(">3H", 8191, 8191, 8191)))
    assert pixels(content)[0, :, 0].tolist() == [0, 255, 64, 255]
    assert pixels(content, background=TEAL)[0, 3].tolist() == list(WHITE)


@pytest.mark.parametrize("colour", [4, 6])
def test_i10_16_bit_pictures_with_alpha_keep_their_high_bytes(colour: int) -> None:
    one = (
        struct.pack(">4H", 8191, 8191, 8191, 65535)
        if colour == 6
        else struct.pack(">HH", 8191, 65535)
    )
    found = read(png(2, 1, 16, colour, b"\0" + one * 2))
    assert np.asarray(found.picture)[0].tolist() == [[31, 31, 31]] * 2
    assert found.notes == ("16-bit colour cut to 8 bit",)


def test_i13_hidden_colour_does_not_leak_through_the_resize(tmp_path: Path) -> None:
    shown = np.full((32, 32, 4), 255, dtype=np.uint8)
    shown[:, 16:] = (*RED, 0)
    path = tmp_path / "half.png"
    Image.fromarray(shown).save(path)
    assert float(load_image(path, 8).min()) == 1  # white throughout, across the edge too


def test_a_background_may_be_given_to_load_image(tmp_path: Path) -> None:
    path = tmp_path / "clear.png"
    Image.new("RGBA", (8, 8), (*RED, 0)).save(path)
    assert float(load_image(path, 8, policy=DecodePolicy(background=(0, 0, 0))).max()) == -1


@pytest.mark.parametrize(
    "changes",
    [{"background": (0, 0, 256)}, {"background": (0, -1, 0)}, {"background": (0, 0)},
     {"max_pixels": 0}],
)  # fmt: skip
def test_a_policy_outside_the_range_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=f"`{next(iter(changes))}` must be"):
        DecodePolicy(**changes)


# First frames.


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "GIF"])
def test_i14_animations_and_pages_are_refused_with_a_hint_or_give_their_first(kind: str) -> None:
    with pytest.raises(ImageError, match="take the first with `first_frame`"):
        read(frames(kind))
    found = read(frames(kind), f"picture.{kind.lower()}", first_frame=True)
    assert found.notes == (f"first of 3 {'pages' if kind == 'TIFF' else 'frames'}",)
    levels = np.asarray(found.picture).astype(int)
    assert levels.shape == (6, 8, 3)
    np.testing.assert_allclose(levels, np.broadcast_to(RED, levels.shape), atol=3)


def test_i06_a_still_gif_is_read_only_when_the_first_frame_is_asked_for() -> None:
    content = encode(Image.new("RGB", (8, 8), RED), "GIF")
    with pytest.raises(ImageError, match=r"a GIF .*PNG, JPEG, WEBP, BMP, TIFF"):
        read(content)
    assert read(content, first_frame=True).notes == ("GIF inside a .png",)


@pytest.mark.parametrize("kind", ["EPS", "ICO", "PDF", "PPM", "TGA"])
def test_i06_asking_for_the_first_frame_opens_no_other_format(kind: str) -> None:
    with pytest.raises(ImageError, match="none of PNG, JPEG, WEBP, BMP, TIFF"):
        read(encode(Image.new("RGB", (16, 16), RED), kind), first_frame=True)


# Notes.


@pytest.mark.parametrize(
    ("content", "name", "notes"),
    [
        (encode(Image.new("RGB", (8, 8)), "JPEG"), "a.png", ["JPEG inside a .png"]),
        (encode(Image.new("RGB", (8, 8)), "PNG"), "a.b/IMG.JPEG", ["PNG inside a .jpeg"]),
        (encode(Image.new("RGB", (8, 8)), "TIFF"), "a.tif", []),
        (encode(Image.new("RGB", (8, 8)), "JPEG"), "a.JPG", []),
        (encode(Image.new("RGB", (8, 8)), "JPEG"), "a", []),
        (encode(Image.new("RGB", (8, 8)), "JPEG"), "a.jfif", []),
        (encode(Image.new("L", (8, 8)), "PNG"), "a.png", []),
        (encode(Image.new("RGBA", (8, 8), (1, 2, 3, 255)), "PNG"), "a.png", []),
        (encode(Image.new("LA", (8, 8), (1, 9)), "PNG"), "a.png", ["transparency laid on white"]),
        (encode(Image.new("CMYK", (8, 8)), "TIFF"), "a.tif", ["CMYK converted to RGB"]),
        (encode(Image.new("I;16", (8, 8)), "PNG"), "a.png", ["16-bit grey scaled to 8 bit"]),
        (png(1, 1, 16, 2, bytes(7)), "a.png", ["16-bit colour cut to 8 bit"]),
    ],
)  # fmt: skip
def test_i05_what_was_done_to_a_picture_is_noted(
    content: bytes, name: str, notes: list[str]
) -> None:
    assert list(read(content, name).notes) == notes


@pytest.mark.parametrize(
    ("background", "name"), [((0, 0, 0), "black"), (WHITE, "white"), (TEAL, "rgb(0,128,129)")]
)
def test_the_note_on_transparency_names_the_colour(
    background: tuple[int, int, int], name: str
) -> None:
    content = encode(Image.new("RGBA", (8, 8)), "PNG")
    assert read(content, background=background).notes == (f"transparency laid on {name}",)


def test_no_metadata_travels_with_the_picture() -> None:
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    content = encode(Image.new("RGB", (8, 8)), "JPEG", exif=exif, comment=b"me", dpi=(300, 300))
    assert read(content).picture.info == {}
    assert b"a camera" not in encode(read(content).picture, "PNG")


@pytest.mark.parametrize("source", [str, Path, lambda path: path.open("rb")])
def test_a_picture_may_be_a_name_a_path_or_an_open_file(tmp_path: Path, source: Any) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(encode(Image.fromarray(noise(5, 4)), "PNG"))
    opened = source(path)
    np.testing.assert_array_equal(np.asarray(decode(opened).picture), noise(5, 4))
    if hasattr(opened, "close"):
        assert not opened.closed  # whoever opened it closes it
        opened.close()


def test_a_picture_may_come_through_a_pipe(tmp_path: Path) -> None:
    content = encode(Image.fromarray(noise(50, 40)), "PNG")
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as child:  # fmt: skip
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(content)
        child.stdin.close()
        found = decode(child.stdout, "-")
    np.testing.assert_array_equal(np.asarray(found.picture), noise(50, 40))


# CMYK, as programs of Adobe store it: all inks inverted, said so by a marker.


def as_adobe_stores(content: bytes, transform: int) -> bytes:
    """Put an Adobe marker into a JPEG that lacks one."""
    assert b"Adobe" not in content
    marker = (
        b"\xff\xee" + struct.pack(">H", 14) + b"Adobe" + struct.pack(">HHHB", 100, 0, 0, transform)
    )
    return content[:2] + marker + content[2:]


@pytest.mark.parametrize("inks", [(0, 0, 0, 0), (255, 0, 0, 0), (0, 100, 200, 60), (9, 9, 9, 255)])
def test_i08_adobes_inverted_cmyk_becomes_the_light_that_its_inks_leave(
    inks: tuple[int, ...],
) -> None:
    stored = encode(Image.new("CMYK", (8, 8), inks), "JPEG", quality=100)
    start = stored.find(b"\xff\xee")
    plain = stored if start < 0 else stored[:start] + stored[start + 16 :]
    # Pillow writes inks inverted, as Adobe does; without the marker none knows that they are.
    *colours, black = inks
    expected = [(255 - ink) * (255 - black) / 255 for ink in colours]
    found = pixels(as_adobe_stores(plain, 0))
    np.testing.assert_allclose(found, np.broadcast_to(expected, (8, 8, 3)), atol=2)


@pytest.mark.parametrize("colour", [RED, TEAL, WHITE, (0, 0, 0), (255, 0, 255)])
@pytest.mark.parametrize("subsampling", [0, 2])
def test_i08_ycbcr_becomes_the_colour_that_was_stored(
    colour: tuple[int, int, int], subsampling: int
) -> None:
    content = encode(
        Image.new("RGB", (16, 16), colour), "JPEG", quality=100, subsampling=subsampling
    )
    found = pixels(content).astype(int)
    np.testing.assert_allclose(found, np.broadcast_to(colour, (16, 16, 3)), atol=2)


# Switches of the process, and the limits.


@pytest.mark.parametrize("limit", [None, 1, 10**12])
def test_i01_the_limit_is_our_own_whatever_other_libraries_have_set(
    monkeypatch: pytest.MonkeyPatch, limit: int | None
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    content = encode(Image.new("RGB", (8, 8)), "PNG")
    assert read(content, max_pixels=64).picture.size == (8, 8)
    for most in (63, 31, 1):
        with pytest.raises(ImageError, match="megapixels"):
            read(content, max_pixels=most)
    assert limit == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF"])
def test_i01_every_format_is_refused_before_its_pixels_are_decoded(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    content = encode(Image.new("RGB", (40, 30)), kind)

    def forbidden(picture: Image.Image) -> None:
        raise AssertionError("the pixels were decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", forbidden)
    with pytest.raises(ImageError, match="megapixels"):
        read(content, first_frame=True, max_pixels=1199)


def test_i01_more_than_pillows_own_limit_may_be_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda picture: None)
    with pytest.raises(ImageError, match="400 megapixels"):
        read(png(20_001, 20_000, 1, 0), max_pixels=400_000_000)


# Bombs.


def webp_header(width: int, height: int) -> bytes:
    body = b"WEBPVP8X" + struct.pack("<IB3x", 10, 0x02)
    body += (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF" + struct.pack("<I", len(body)) + body


def exif_bomb(entries: int, size: int) -> bytes:
    """A directory whose entries all point to one and the same bytes."""
    block = b"MM\0*" + struct.pack(">IH", 8, entries)
    fields = [(1000 + i, 7, size, 0) for i in range(entries)]
    return (block + b"".join(struct.pack(">HHII", *field) for field in fields)).ljust(size, b"\0")


MUCH = zlib.compress(bytes(2 * 10**8))
GIF_HEADER = b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0)
CLEARED_AFTERWARDS = b"\x21\xf9\x04\x08\0\0\0\0"  # which Pillow makes room for on opening
BOMBS = {
    "i01_png": png(20_000, 20_000, 8, 2, zlib.compress(bytes(10**6))),
    "i01_png_wide": png(2**31 - 1, 1, 8, 2),
    "i01_webp": webp_header(16383, 16383),
    "i01_gif": GIF_HEADER + CLEARED_AFTERWARDS
    + b"\x2c" + struct.pack("<HHHHBB", 0, 0, 65535, 65535, 0, 8),
    "i16_ztxt": png(1, 1, 8, 0, b"\0\0", chunk(b"zTXt", b"key\0\0" + MUCH)),
    "i16_itxt": png(1, 1, 8, 0, b"\0\0", chunk(b"iTXt", b"key\0\1\0\0\0" + MUCH)),
    "i16_iccp": png(1, 1, 8, 0, b"\0\0", chunk(b"iCCP", b"x\0\0" + MUCH)),
    "i16_exif": png(1, 1, 8, 0, b"\0\0", chunk(b"eXIf", exif_bomb(4_000, 100_000))),
}  # fmt: skip


def memory(field: str) -> int:
    """A number of /proc/self/status, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024


@pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="the peak of memory is read from /proc"
)
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_or_its_metadata_ignored_at_no_cost(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts from here
    before = memory("VmRSS")
    if name == "i16_exif":
        assert read(BOMBS[name]).picture.size == (1, 1)
    else:
        reason = "megapixels" if name.startswith("i01") else "MAX_TEXT_CHUNK"
        with pytest.raises(ImageError, match=reason):
            read(BOMBS[name], first_frame=True)
    assert memory("VmHWM") - before < MOST_GROWTH


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "MPO"])
def test_i03_whatever_bytes_are_changed_the_picture_is_read_or_refused(kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    pictures = [Image.fromarray(noise(12, 9, seed)) for seed in range(2)]
    several = (
        {"save_all": True, "append_images": pictures[1:]} if kind not in ("JPEG", "BMP") else {}
    )
    content = encode(pictures[0], kind, exif=exif, **several)
    rng = np.random.default_rng(5)
    for _ in range(300):
        damaged = np.frombuffer(content, dtype=np.uint8).copy()
        places = rng.integers(
            0, min(len(damaged), int(rng.choice([64, 10**6]))), rng.integers(1, 4)
        )
        damaged[places] = rng.integers(0, 256, len(places))
        with suppress(ImageError):
            assert read(damaged.tobytes(), first_frame=True, max_pixels=10**6).picture.mode == "RGB"
