"""What a reader must not do is found, named by its case, and the cases after it go on."""

import ctypes
import mmap
import os
import random
import signal
import warnings
from pathlib import Path

import numpy as np
import pytest

from latentlab.errors import LatentError
from tests.fuzzing import workers
from tests.fuzzing.mutants import mutant
from tests.fuzzing.mutants.pickled import MARKER
from tests.fuzzing.readers import READERS, Reader

SOUND = {"a.bin": bytes(range(256))}


def refused(path):
    raise LatentError(f"{path}: damaged")


def raising(error):
    def read(path):
        raise error

    return read


def taking_memory(path):
    """Use 32 MiB that the system gives anew: freed memory that a process has kept is no growth."""
    with mmap.mmap(-1, 2**25) as taken:
        taken[::4096] = bytes(2**13)


def without_memory(path):
    try:
        np.ones(2**34)
    except MemoryError as error:
        raise LatentError(f"{path}: damaged") from error


def run(path):
    Path(MARKER).touch()
    return True


def spinning(path):
    while True:
        pass


def forged(path):
    error = LatentError(f"{path}: damaged")
    error.message = "x" * 5000
    raise error


BAD = {
    "an error of another family": (raising(KeyError("a")), "KeyError"),
    "a warning": (lambda path: warnings.warn("odd", stacklevel=1), "UserWarning"),
    "an exit": (raising(SystemExit(3)), "SystemExit"),
    "no end": (spinning, "over 0.2 s"),
    "a signal": (lambda path: os.kill(os.getpid(), signal.SIGKILL), "ended with -9"),
    "an early end": (lambda path: os._exit(0), "ended with 0"),
    "much memory": (taking_memory, "MB"),
    "memory that is not there": (without_memory, "MemoryError behind LatentError"),
    "a payload": (run, "a payload was run"),
    "a program": (lambda path: os.system("true"), "ran os.system"),
    "a long message": (forged, "a message of 5000 characters"),
    "a nameless message": (raising(LatentError("damaged")), "names no file"),
}


@pytest.fixture
def outcomes(tmp_path, monkeypatch):
    """Returns a function that gives a reader three cases, the second of which it reads badly."""
    monkeypatch.setattr(workers, "SECONDS", 0.2)
    monkeypatch.setattr(workers, "MEMORY", 2**24)

    def found(bad):
        def read(path):
            return (bad if path.read_bytes()[-1:] == b"!" else refused)(path)

        reader = Reader(lambda: SOUND, read)
        monkeypatch.setitem(READERS, "bad", reader)
        monkeypatch.setattr(
            workers, "made", lambda name, seed, case, sound: ("a.bin", b"!" if case == 1 else b"?")
        )
        return list(workers.results("bad", 0, range(3), tmp_path))

    return found


@pytest.mark.parametrize("bad", BAD)
def test_what_must_not_happen_is_found(bad, outcomes):
    read, said = BAD[bad]
    first, second, third = outcomes(read)
    assert (first.case, first.outcome, third.case, third.outcome) == (
        0,
        "LatentError",
        2,
        "LatentError",
    )
    assert (second.case, second.outcome) == (1, "finding")
    assert said in second.detail


def test_what_is_refused_or_opened_is_none(outcomes):
    assert [each.outcome for each in outcomes(refused)] == ["LatentError"] * 3
    assert [each.outcome for each in outcomes(lambda path: 1)][1] == "opened"
    assert [each.outcome for each in outcomes(lambda path: None)][1] == "passed over"


def test_a_call_that_cannot_be_interrupted_is_ended(outcomes, monkeypatch):
    monkeypatch.setattr(workers, "_MOST_SECONDS", 0.3)
    spin = ctypes.PyDLL(None).strlen  # holds Python's lock
    text = ctypes.create_string_buffer(b"x" * 2**25)

    def stuck(path):
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGPROF])
        while True:
            spin(text)

    assert "cannot interrupt" in outcomes(stuck)[1].detail


@pytest.mark.parametrize("reader", ["pickles", "directions", "landmarks"])
def test_a_seed_and_a_number_are_a_case(reader):
    sound = READERS[reader].sound()
    made = [workers.made(reader, 1, case, sound) for case in range(20)]
    assert made == [workers.made(reader, 1, case, sound) for case in range(20)]
    assert len({content for _, content in made}) > 15
    assert workers.made(reader, 2, 3, sound) != made[3]


def test_most_mutants_are_not_what_they_were():
    for reader in (READERS[name] for name in ("pickles", "latents", "landmarks", "pictures")):
        for content in list(reader.sound().values())[:2]:
            changed = [mutant(random.Random(i), content, [content]) != content for i in range(20)]
            assert sum(changed) > 10
