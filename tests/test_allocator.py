"""Freed memory is kept for the next tensors."""

import ctypes
import subprocess
import sys

import pytest

from latentlab import allocator

_SETTLED = (
    "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_", "MALLOC_MMAP_MAX_",
    "GLIBC_TUNABLES",
)  # fmt: skip
_HAS_GLIBC = sys.platform == "linux" and hasattr(ctypes.CDLL(None), "gnu_get_libc_version")

# The pages that the system gives for tensors of a size that others were freed of before. What is
# freed last lies beside small things of others, so that it takes some until one finds its place.
_FAULTS = """
import resource, sys, torch
from latentlab.allocator import keep_freed_memory
if sys.argv[1] == "kept":
    assert keep_freed_memory()
def fill(times):
    for _ in range(times):
        torch.ones(10_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
before = fill(30)
print(fill(5) - before)
"""


class Library:
    """A C library that notes how it is told to keep memory."""

    def __init__(self, most: int = 2**31) -> None:
        self.told: list[tuple[int, int]] = []
        self._most = most
        self.gnu_get_libc_version = None

    @property
    def mallopt(self) -> "Library":
        return self

    def __call__(self, what: int, value: int) -> int:
        self.told.append((what, value))
        return int(value <= self._most)


@pytest.fixture
def unsettled(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Nobody has said how memory is to be kept."""
    for name in _SETTLED:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.skipif(not _HAS_GLIBC, reason="the C library is not glibc")
def test_a_freed_tensor_gives_its_pages_to_the_next(unsettled: pytest.MonkeyPatch) -> None:
    faults = {
        form: int(
            subprocess.run(
                [sys.executable, "-c", _FAULTS, form], check=True, capture_output=True, text=True
            ).stdout
        )
        for form in ("kept", "given back")
    }
    assert faults["kept"] < faults["given back"] / 10


def test_older_versions_have_a_limit(unsettled: pytest.MonkeyPatch) -> None:
    library = Library(most=64 << 20)
    unsettled.setattr(ctypes, "CDLL", lambda _: library)
    assert allocator.keep_freed_memory()
    assert library.told == [(-3, 80 << 20), (-3, 32 << 20), (-1, -1), (-2, 64 << 20)]


@pytest.mark.parametrize("name", _SETTLED)
def test_what_a_user_has_set_holds(name: str, unsettled: pytest.MonkeyPatch) -> None:
    library = Library()
    unsettled.setattr(ctypes, "CDLL", lambda _: library)
    unsettled.setenv(name, "glibc.malloc.trim_threshold=1" if name == _SETTLED[-1] else "1")
    assert not allocator.keep_freed_memory()
    assert not library.told


def test_other_tunables_say_nothing_of_memory(unsettled: pytest.MonkeyPatch) -> None:
    library = Library()
    unsettled.setattr(ctypes, "CDLL", lambda _: library)
    unsettled.setenv("GLIBC_TUNABLES", "glibc.cpu.x86_ibt=off")
    assert allocator.keep_freed_memory()


@pytest.mark.parametrize("error", [OSError, TypeError, AttributeError])
def test_nothing_happens_with_other_libraries(
    error: type[Exception], unsettled: pytest.MonkeyPatch
) -> None:
    def library(_: object) -> None:
        raise error

    unsettled.setattr(ctypes, "CDLL", library)
    assert not allocator.keep_freed_memory()
