"""Compressed checkpoints open within bounds; what grows without measure is refused at once."""

import bz2
import gzip
import hashlib
import lzma
import tempfile
import time
import zlib

import pytest
import torch

import latentlab
from latentlab import CheckpointError, TruncatedCheckpoint, UnsupportedCheckpoint
from latentlab.checkpoints.others import compressed
from tests.conftest import scarce_memory
from tests.support import foreign
from tests.support.attacks import finish

PACK = {"gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress}
kinds = pytest.mark.parametrize("kind", PACK)


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """Temporary files go to a folder that is empty afterwards."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


@kinds
def test_a_compressed_checkpoint_is_the_checkpoint(kind, sound, tmp_path):
    plain, packed = tmp_path / "g.safetensors", tmp_path / "g.packed"
    plain.write_bytes(sound)
    packed.write_bytes(PACK[kind](sound))
    checkpoint = latentlab.load(packed)
    assert checkpoint.kind == "stylegan2-native"
    assert checkpoint.path == packed
    assert checkpoint.sha256 == hashlib.sha256(packed.read_bytes()).hexdigest()
    z = torch.ones(1, 6)
    assert torch.equal(checkpoint.generator(z), latentlab.load(plain).generator(z))


@kinds
@pytest.mark.parametrize("zipped", [True, False])
def test_every_container_opens(kind, zipped, tmp_path):
    torch.save(foreign.rosinality_g(), tmp_path / "g.pt", _use_new_zipfile_serialization=zipped)
    packed = tmp_path / "g.pt.gz"
    packed.write_bytes(PACK[kind]((tmp_path / "g.pt").read_bytes()))
    assert latentlab.load(packed).kind == "stylegan2-rosinality"


def test_the_genuine_file_opens(shared):
    assert latentlab.load(shared / "reports" / "gzipped.pkl").kind == "stylegan2-ada"


@kinds
def test_several_parts_are_one_file(kind, sound, tmp_path):
    half = len(sound) // 2
    parts = PACK[kind](sound[:half]) + PACK[kind](sound[half:]) + bytes(32)
    (tmp_path / "x.gz").write_bytes(parts)
    assert latentlab.load(tmp_path / "x.gz").kind == "stylegan2-native"


@kinds
class TestDamage:
    @pytest.mark.parametrize("left", [8, 30, 0.5, -1])
    def test_files_that_end_too_early(self, kind, left, sound, told):
        packed = PACK[kind](sound)
        cut = packed[: int(left * len(packed)) if isinstance(left, float) else left]
        message = told(cut, "x.gz", TruncatedCheckpoint)
        assert f"{kind}: the file ends too early" in message

    def test_other_bytes(self, kind, sound, told):
        """In a checksum: damage elsewhere may make a decoder read on past the end of the file."""
        packed = bytearray(PACK[kind](sound))
        checksum = {"gzip": len(packed) - 8, "bzip2": 10, "xz": 8}[kind]
        packed[checksum] ^= 0x55
        assert f"damaged {kind}" in told(bytes(packed), "x.gz")

    def test_something_after_the_end(self, kind, sound, told):
        assert f"{kind}: something else follows" in told(PACK[kind](sound) + b"more", "x.gz")

    def test_what_is_inside_is_refused_as_ever(self, kind, told):
        assert f"({kind}, unpacked)" in told(
            PACK[kind](finish(b"cos\nsystem\n(X\1\0\0\0xtR")), "x.gz"
        )
        page = told(PACK[kind](b"<html><title>No</title>"), "x.gz")
        assert page.endswith("file that it leads to")
        assert f"({kind}, unpacked): an HTML page ('No')" in page
        assert "an empty file" in told(PACK[kind](b""), "x.gz")

    def test_compressed_twice(self, kind, sound, told):
        message = told(gzip.compress(PACK[kind](sound)), "x.gz", UnsupportedCheckpoint)
        assert f"compressed twice ({kind} in gzip)" in message


@kinds
def test_bombs_are_refused_at_once(kind, told):
    """A gigabyte of zeros; of them, no more than the allowance reaches the disk."""
    block = PACK[kind](bytes(2**24))
    started = time.monotonic()
    message = told(block * 64, "x.gz")
    assert "no checkpoint grows so much" in message
    assert time.monotonic() - started < 20  # a second or two, on a busy machine more


def test_xz_that_wants_all_memory(told):
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 2**30}]
    packer = lzma.LZMACompressor(lzma.FORMAT_XZ, filters=[{**filters[0], "dict_size": 2**28}])
    assert "damaged xz" in told(packer.compress(b"x" * 99) + packer.flush(), "x.xz")


def test_many_parts_are_refused(told, monkeypatch):
    monkeypatch.setattr(compressed, "_MOST_PARTS", 100)
    assert "more than 100 parts" in told(gzip.compress(b"") * 200, "x.gz")


def test_many_small_parts_are_not_read_again_and_again(told):
    """What follows each part was kept, and grew with every one."""
    started = time.monotonic()
    assert "parts; unpack it by hand" in told(gzip.compress(b"") * 800_000, "x.gz")
    assert time.monotonic() - started < 10


def test_a_header_without_end_is_read_once(told):
    """A name in the header that never ends."""
    header = b"\x1f\x8b\x08\x08" + bytes(6) + b"n" * 3_000_000
    started = time.monotonic()
    assert "ends too early" in told(header, "x.gz")
    assert time.monotonic() - started < 10


def test_a_full_disk_is_told(sound, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")
        yield

    monkeypatch.setattr(compressed, "_chunks", full)
    (tmp_path / "x.gz").write_bytes(gzip.compress(sound))
    with scarce_memory(), pytest.raises(CheckpointError, match=r"unpacked in .*No space left"):
        latentlab.load(tmp_path / "x.gz")


def test_the_decoder_of_gzip_hands_over_what_follows():
    decoder = compressed._Gzip()
    packed = zlib.compress(b"x" * 1000, wbits=31)
    out = decoder.decompress(packed + b"next", 600)
    assert (len(out), decoder.needs_input, decoder.eof) == (600, False, False)
    assert len(decoder.decompress(b"", 600)) == 400
    assert decoder.eof
    assert decoder.unused_data == b"next"
