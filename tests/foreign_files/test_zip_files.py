"""Zip archives are read as others write them, within bounds, and damage has one name."""

import io
import json
import random
import struct
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

import latentlab
from latentlab import CheckpointError, DataError, LatentError
from latentlab.datasets.pictures import PictureDataset
from latentlab.foreign_files.zip_files import DamagedZip, ZipArchive
from latentlab.tensor_files import read_all_npz, read_npz
from latentlab.torchscript import is_torchscript
from tests.conftest import scarce_memory

MOST = 2**20


class OneWay(io.RawIOBase):
    """A file that cannot go back: sizes come after the content."""

    def __init__(self):
        self.bytes = bytearray()

    def writable(self):
        return True

    def write(self, content):
        self.bytes += content
        return len(content)


def archive_of(members, method=zipfile.ZIP_DEFLATED, file=None, comment=b""):
    file = io.BytesIO() if file is None else file
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        archive.comment = comment
    return file.getvalue() if isinstance(file, io.BytesIO) else bytes(file.bytes)


def contents(path):
    archive = ZipArchive(path)
    return {name: archive.read(name, MOST) for name in archive.names()}


MEMBERS = {"a/": b"", "a/b.txt": b"text " * 999, "é.bin": bytes(range(256)) * 400, "c": b""}


def widened():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in MEMBERS.items():
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(content)
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        archive_of(MEMBERS), archive_of(MEMBERS, zipfile.ZIP_STORED),
        archive_of(MEMBERS, comment=b"PK\x05\x06 and a comment"),
        archive_of(MEMBERS, file=OneWay()), widened(),
    ],
    ids=["deflated", "stored", "with a comment", "one way", "zip64"],
)  # fmt: skip
def test_what_others_write_is_read(content, tmp_path):
    (tmp_path / "x.zip").write_bytes(content)
    assert contents(tmp_path / "x.zip") == MEMBERS


@pytest.mark.parametrize("size", [2**16, 2**16 + 1, 2**16 + 8, 2**17 + 200])
def test_a_member_whose_last_bytes_wait_in_zlib_is_whole(size, tmp_path):
    """Its packed bytes are used up before its content has been given."""
    content = bytes(size)
    (tmp_path / "x.zip").write_bytes(archive_of({"a": content}))
    assert ZipArchive(tmp_path / "x.zip").read("a", MOST) == content


def test_a_directory_with_wide_numbers_and_an_empty_one(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)  # 65,535 otherwise
        content = archive_of(MEMBERS)
    assert b"PK\x06\x06" in content
    (tmp_path / "x.zip").write_bytes(content)
    assert contents(tmp_path / "x.zip") == MEMBERS
    (tmp_path / "x.zip").write_bytes(archive_of({}))
    assert ZipArchive(tmp_path / "x.zip").names() == []


def packed(content):
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return deflate.compress(content) + deflate.flush()


def made(name=b"a.png", raw=b"", *, flags=0, method=8, crc=0, size=0, twice=False, **claims):
    """An archive of one member whose directory claims what it is told to."""
    local = struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, flags, method, 0, 33, crc, len(raw), size,
                        len(name), 0) + name + raw  # fmt: skip
    entry = struct.pack(
        "<4s6H3I5H2I", b"PK\x01\x02", 20, 20, flags, method, 0, 33, claims.get("said_crc", crc),
        claims.get("said_packed", len(raw)), size, len(name), 0, 0, 0, 0, 0,
        claims.get("header", 0)
    ) + name  # fmt: skip
    count = 2 if twice else 1
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, count, claims.get("count", count),
                      len(entry) * count, len(local), 0)  # fmt: skip
    return local + entry * count + end


TEXT = b"text" * 99
CRC = zlib.crc32(TEXT)
SOUND = {"raw": packed(TEXT), "crc": CRC, "size": len(TEXT)}
BIG = 2**27


def grown(start=b""):
    """What unpacks to ``start`` and 128 MiB of zeros."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    first = deflate.compress(start) + deflate.flush(zlib.Z_FULL_FLUSH)
    again = deflate.compress(bytes(2**20)) + deflate.flush(zlib.Z_FULL_FLUSH)
    return first + again * 128 + deflate.flush()


ZEROS = grown()
DAMAGED = {
    "encrypted": (made(**SOUND, flags=1), "encrypted"),
    "bzip2": (made(**SOUND, method=12), "method 12"),
    "unknown method": (made(**SOUND, method=99), "method 99"),
    "a name that is no text": (made(b"\xff\xfe.png", **SOUND, flags=0x800), "no text"),
    "a name with a zero byte": (made(b"a\0b.png", **SOUND), "the name 'a"),
    "twice": (made(**SOUND, twice=True), "there twice"),
    "another count": (made(**SOUND, count=2), "several parts"),
    "another checksum": (made(**SOUND | {"said_crc": CRC ^ 1}), "CRC-32 differs"),
    "behind the end": (made(**SOUND, header=2**31), "behind it"),
    "more packed bytes than there are": (made(**SOUND, said_packed=2**20), "behind it"),
    "cut": (made(**SOUND | {"raw": SOUND["raw"][:-3]}), "ends too early"),
    "something after its end": (made(**SOUND | {"raw": SOUND["raw"] + b"!"}), "after its end"),
    "larger than announced": (made(**SOUND | {"size": 100}), "larger than announced"),
    "smaller than announced": (made(**SOUND | {"size": 999}), "ends too early"),
    "not deflate": (made(**SOUND | {"raw": b"\xff" * 40}), "is damaged"),
    "a bomb": (made(raw=ZEROS, size=BIG), "larger than expected (134,217,728 bytes"),
    "a bomb that hides": (made(raw=ZEROS, size=9), "larger than announced"),
    "no zip": (b"no zip " * 99, "without its end"),
    "a byte more": (made(**SOUND) + b"\0", "without its end"),
}


@pytest.fixture(params=DAMAGED.values(), ids=DAMAGED)
def damaged(request, tmp_path):
    content, words = request.param
    (tmp_path / "x.zip").write_bytes(content)
    return tmp_path / "x.zip", words


def test_d13_damage_has_one_name(damaged):
    path, words = damaged
    with scarce_memory(2**25), pytest.raises(DamagedZip) as caught:
        contents(path)
    assert words in str(caught.value)


def test_d13_a_damaged_set_of_pictures_is_refused(damaged):
    path, words = damaged
    with scarce_memory(2**27), pytest.raises(DataError) as caught:
        PictureDataset(path, resolution=8).image(0)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)


def test_d13_a_damaged_archive_is_no_classifier(damaged):
    path, _ = damaged
    assert not is_torchscript(path)
    with scarce_memory(2**27), pytest.raises(CheckpointError):
        latentlab.load_classifier(path)


def flipped(content, count):
    rng = random.Random(0)
    for _ in range(count):
        changed = bytearray(content)
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
        yield bytes(changed[: rng.randrange(len(changed))] if rng.random() < 0.2 else changed)


def test_d13_flipped_bits_are_refused_or_change_no_content(tmp_path):
    members = {"a.txt": TEXT, "b.txt": bytes(range(256))}
    for content in flipped(archive_of(members), 400):
        (tmp_path / "x.zip").write_bytes(content)
        try:
            found = contents(tmp_path / "x.zip")
        except DamagedZip:
            continue
        assert list(found.values()) == list(members.values())


def picture(side=8):
    file = io.BytesIO()
    Image.new("RGB", (side, side)).save(file, format="BMP")
    return file.getvalue()


@pytest.mark.parametrize("unit", ["0,", "[],", "{},", '{"a":0},', '["a.png",0],'])
def test_labels_that_would_grow_are_refused(unit, tmp_path):
    text = '{"labels": [' + unit * (2**23 // len(unit))
    (tmp_path / "x.zip").write_bytes(archive_of({"a.bmp": picture(), "dataset.json": text}))
    with scarce_memory(2**27), pytest.raises(DataError, match=r"x\.zip/dataset\.json"):
        PictureDataset(tmp_path / "x.zip", labels=True)


def test_plain_pictures_and_many_labels_are_no_bombs(tmp_path):
    """A black picture of 3 MB packs to a thousandth; labels may be of more pictures."""
    labels = json.dumps({"labels": [["a.bmp", 1], *([f"{i}.png", 0] for i in range(20_000))]})
    files = {"a.bmp": picture(1024), "dataset.json": labels}
    (tmp_path / "x.zip").write_bytes(archive_of(files))
    dataset = PictureDataset(tmp_path / "x.zip", resolution=4, labels=True)
    assert float(dataset.image(0).max()) == -1
    assert dataset.label(0).tolist() == [0, 1]


def test_d19_an_array_that_would_grow_is_refused(tmp_path):
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({BIG}, 1)}}".encode()
    start = b"\x93NUMPY\x01\0" + struct.pack("<H", len(header)) + header
    content = made(b"w.npy", raw=grown(start), size=len(start) + BIG)
    (tmp_path / "w.npz").write_bytes(content)
    with scarce_memory(2**26), pytest.raises(LatentError, match="larger than expected"):
        read_npz(tmp_path / "w.npz", {"w": [("N", "D")]}, max_bytes=2**40)


def test_d19_bytes_that_make_no_array_are_refused(tmp_path):
    file = io.BytesIO()
    np.save(file, np.zeros([2, 3], dtype=np.float32))
    for wrong in (file.getvalue() + b"\0", file.getvalue()[:-1]):
        (tmp_path / "w.npz").write_bytes(archive_of({"w.npy": wrong}))
        with pytest.raises(LatentError, match=r"bytes of numbers do not make \[2, 3\] in `w`"):
            read_npz(tmp_path / "w.npz", {"w": [("N", "D")]})


def test_arrays_of_every_plain_type_come_back_and_no_others(tmp_path):
    path = tmp_path / "x.npz"
    arrays = {"a": np.arange(3), "b": np.array(["é", "zz"]), "c/d": np.array([True, False])}
    np.savez(path, **arrays)
    found = read_all_npz(path)
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array, strict=True)
    np.savez(path, a=np.array([{}]))
    with pytest.raises(LatentError, match="`a` is no plain array"):
        read_all_npz(path)
    np.savez_compressed(path, a=np.zeros(2**20))
    with pytest.raises(LatentError, match="`a` is no plain array"):
        read_all_npz(path)
    for content in flipped(archive_of({"w.npy": b""}), 60):
        path.write_bytes(content)
        with pytest.raises(LatentError):
            read_all_npz(path)
