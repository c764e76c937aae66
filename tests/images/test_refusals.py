"""What a decoder raises is told as damage; faults of our own code are not."""

import io
from typing import Any

import pytest
from PIL import Image, ImageFile

from latentlab.errors import ImageError
from latentlab.images import DecodePolicy, colour, decode, decoding, heic, orientation
from latentlab.images.refusals import refuse_damage
from tests.images.test_colour import DISPLAY_P3, profile
from tests.support.picture_bytes import encode, png

FAULTS = (KeyError, TypeError, IndexError, ValueError, RuntimeError, OSError)
PICTURE = encode(Image.new("RGB", (8, 8)), "PNG", icc_profile=profile(DISPLAY_P3, None))


def read(content: bytes) -> Any:
    return decode(io.BytesIO(content), "picture.png", DecodePolicy(first_frame=True))


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(
    ("module", "name"),
    [
        (decoding, "_check_header"), (decoding, "upright"), (decoding, "to_rgb"),
        (colour, "to_srgb"), (colour, "_rgb_profile"), (colour, "_is_identity"),
        (heic, "kind"),
    ],
)  # fmt: skip
def test_a_fault_of_our_own_code_is_not_told_as_a_damaged_picture(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, fault: type[Exception]
) -> None:
    # All of the decoding used to stand in one try that caught these.
    def faulty(*_: Any) -> None:
        raise fault("planted")

    read(PICTURE)
    monkeypatch.setattr(module, name, faulty)
    with pytest.raises(fault, match="planted"):
        read(PICTURE)


@pytest.mark.parametrize("fault", [KeyError, TypeError, IndexError])
def test_a_fault_in_reading_the_orientation_is_not_told_as_a_damaged_picture(
    monkeypatch: pytest.MonkeyPatch, fault: type[Exception]
) -> None:
    def faulty(*_: Any) -> None:
        raise fault("planted")

    monkeypatch.setattr(orientation, "_orientation", faulty)
    with pytest.raises(fault, match="planted"):
        read(PICTURE)


@pytest.mark.parametrize("fault", [KeyError, TypeError, IndexError])
def test_a_fault_of_our_own_code_for_heic_is_not_told_as_a_damaged_picture(
    monkeypatch: pytest.MonkeyPatch, fault: type[Exception]
) -> None:
    pillow_heif = pytest.importorskip("pillow_heif", reason="the extra `heic` is not installed")

    class Faulty:
        size, info = (8, 8), dict[str, Any]()

        def __len__(self) -> int:
            raise fault("planted")

    monkeypatch.setattr(pillow_heif, "open_heif", lambda *_, **__: Faulty())
    with pytest.raises(fault, match="planted"):
        read(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")


@pytest.mark.parametrize("fault", [KeyError, TypeError, IndexError, SyntaxError, EOFError])
@pytest.mark.parametrize("call", ["load", "seek", "convert"])
def test_the_same_errors_out_of_the_decoder_are(
    monkeypatch: pytest.MonkeyPatch, call: str, fault: type[Exception]
) -> None:
    def faulty(*_: Any, **__: Any) -> None:
        raise fault("planted")

    frames = {"save_all": True, "append_images": [Image.new("RGB", (8, 8), (9, 9, 9))]}
    content = encode(Image.new("RGB", (8, 8)), "PNG", **frames)
    kind = type(Image.open(io.BytesIO(content))) if call == "seek" else ImageFile.ImageFile
    monkeypatch.setattr(kind, call, faulty)
    with pytest.raises(ImageError, match=r"picture\.png: the picture cannot be read \('?planted"):
        read(content)


@pytest.mark.parametrize("name", ["a\0b.png", "a" * 5000])
def test_a_name_that_no_file_can_have_is_told_in_one_line(name: str) -> None:
    with pytest.raises(ImageError, match="the picture cannot be read") as caught:
        decode(name)
    assert "\n" not in str(caught.value)


def test_a_palette_picture_without_a_palette_is_damaged() -> None:
    # Pillow loads it, and then fails an assertion of its own.
    with pytest.raises(ImageError, match=r"picture\.png: .*its palette is missing"):
        read(png(2, 2, 8, 3, bytes(6)))


def test_other_errors_pass() -> None:
    with pytest.raises(KeyboardInterrupt), refuse_damage("picture"):
        raise KeyboardInterrupt
