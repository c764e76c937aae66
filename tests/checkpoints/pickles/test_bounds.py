"""How much a pickle may ask for: opcodes, and texts that Python keeps in four times their bytes."""

import struct
import time
import tracemalloc

import pytest

from latentlab import CheckpointError, TruncatedCheckpoint
from latentlab.checkpoints.pickles.limits import MAX_OPCODES, MAX_TEXT, MAX_WIDE_TEXT
from latentlab.checkpoints.pickles.reader import read_pickle
from latentlab.checkpoints.pickles.torch_save import read_torch
from latentlab.errors import UnsafeCheckpoint
from tests.support import attacks

FACE = "\N{GRINNING FACE}"


@pytest.fixture
def read(tmp_path):
    def reading(body):
        path = tmp_path / "a.pkl"
        path.write_bytes(attacks.finish(body))
        return read_pickle(path)

    return reading


def peak_of(function, *arguments):
    """Return the most memory that a function takes, and the error that it ends with."""
    tracemalloc.start()
    try:
        function(*arguments)
    except CheckpointError as error:
        return tracemalloc.get_traced_memory()[1], error
    finally:
        tracemalloc.stop()
    return 0, None


@pytest.mark.parametrize("parts", [1, 100, 10_000])
def test_d04_a_character_does_not_make_four_times_the_text(parts, tmp_path):
    # Each text has a character beyond Latin-1: in Python, all of its own take four bytes.
    size = 2 * MAX_WIDE_TEXT
    body = b"](" + attacks.text("a" * (size // parts) + FACE) * parts + b"e"
    path = tmp_path / "a.pkl"
    path.write_bytes(attacks.finish(body))
    peak, error = peak_of(read_pickle, path)
    assert "beyond Latin-1" in str(error)
    assert peak < 4 * MAX_WIDE_TEXT + 3 * size


def test_texts_within_the_bounds_are_read(read):
    latin = "\xe9\xff" * 3_000_000  # arrays of protocol 2 are such
    names = ["\N{CJK UNIFIED IDEOGRAPH-4E00}" * 1000, "caf\xe9", FACE, "\udcff"]
    assert read(attacks.plain({"a": latin, "b": names})) == {"a": latin, "b": names}


@pytest.mark.parametrize(("code", "length"), [(b"X", "<I"), (b"\x8d", "<Q")])
def test_d04_a_text_longer_than_any_is_refused_before_it_is_read(code, length, tmp_path):
    path = tmp_path / "a.pkl"
    with path.open("wb") as file:
        file.write(b"\x80\x04" + code + struct.pack(length, MAX_TEXT + 1))
        file.truncate(MAX_TEXT + 100)  # without taking the space
    peak, error = peak_of(read_pickle, path)
    assert f"more than {MAX_TEXT}" in str(error)
    assert peak < 2**20


@pytest.mark.parametrize("start", [b"X\xff\xff\xff\xff", b"X\xff", b"\x8c", b"\x8c\xff", b"\x8d\0"])
def test_d04_a_text_beyond_the_file_is_truncated(start, tmp_path):
    path = tmp_path / "a.pkl"
    path.write_bytes(b"\x80\x04" + start)
    with pytest.raises(TruncatedCheckpoint, match="byte 2: "):
        read_pickle(path)


def test_d06_two_million_opcodes_are_refused_in_a_second(tmp_path):
    path = tmp_path / "a.pkl"
    path.write_bytes(attacks.finish(b"](" + b"K\1" * 2_000_000 + b"e"))
    before = time.process_time()
    with pytest.raises(CheckpointError, match=f"more than {MAX_OPCODES} opcodes"):
        read_pickle(path)
    assert time.process_time() - before < 2  # 0.4 on a machine with nothing else to do


ARGUMENTS = {
    "INT": b"I" + b"1" * 10_000 + b"\n",
    "LONG4": b"\x8b" + struct.pack("<i", 2**20) + b"\1" * 2**20,
    "STRING": b"S'" + b"a" * 10_000 + b"'\n",
    "UNICODE": b"V" + b"a" * 10_000 + b"\n",
    "FLOAT": b"F1e400\n",
    "PERSID": b"P" + b"a" * 10_000 + b"\n",
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_an_opcode_of_no_checkpoint_is_refused_before_its_argument_is_read(name, read):
    kind = UnsafeCheckpoint if name == "PERSID" else CheckpointError
    with pytest.raises(kind, match=f"byte 2: the opcode {name} is in no StyleGAN checkpoint"):
        read(ARGUMENTS[name])


def test_genuine_files_are_far_within_the_bounds(shared, monkeypatch):
    taken = {"opcodes": 0, "objects": 0, "wide": 0, "text": 0}
    from latentlab.checkpoints.pickles import limits

    class Counting(limits.Budget):
        def take_opcode(self):
            super().take_opcode()
            taken["opcodes"] = max(taken["opcodes"], limits.MAX_OPCODES - self.opcodes)

        def take_object(self):
            super().take_object()
            taken["objects"] = max(taken["objects"], limits.MAX_OBJECTS - self.objects)

        def check_text(self, length):
            super().check_text(length)
            taken["text"] = max(taken["text"], length)

        def take_wide_text(self, length):
            super().take_wide_text(length)
            taken["wide"] += length

    for room in ("reader", "torch_save"):
        monkeypatch.setattr(f"latentlab.checkpoints.pickles.{room}.Budget", Counting)
    for name in ("ada_cond_32.pkl", "sg3t_32.pkl", "sg2_skip_32.pkl", "pgan_32.pkl"):
        read_pickle(shared / name)
    for name in ("ros2_32.pt", "ros1_1024.model", "yuuho2_32.pth"):
        read_torch(shared / name)
    assert 20_000 < taken["opcodes"] < limits.MAX_OPCODES / 10
    assert taken["objects"] < limits.MAX_OBJECTS / 10
    assert taken["wide"] == 0
    assert taken["text"] < limits.MAX_TEXT / 10
