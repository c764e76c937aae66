"""How the C library of Linux gives memory back to the system.

glibc maps every large tensor anew and unmaps it when it is freed, so that the system clears its
pages each time: a tenth of the time of four pictures of 256x256 at once. Told to keep what
is freed, it hands the same pages out again.
"""

import ctypes
import os

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # of malloc.h
_NEVER = -1
# Bytes; older versions refuse more than 32 MiB. Larger tensors (pictures of 1024x1024) would leave
# holes that others do not fit into: the projector would hold a quarter more.
_LARGEST = (80 << 20, 32 << 20)
_STEP = 64 << 20  # bytes by which the heap grows

# By these a user, or who runs the machine, has decided already.
_VARIABLES = (
    "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_", "MALLOC_MMAP_MAX_",
)  # fmt: skip
_TUNABLES = ("GLIBC_TUNABLES", "glibc.malloc.")


def keep_freed_memory() -> bool:
    """Have this process keep the memory that tensors free for the next ones.

    Returns whether it does.

    The commands do so before they compute; a program of one's own may call it at its start. What
    the process holds at most changes little, but it no longer falls between two peaks. Nothing
    happens where the C library is not glibc (macOS, Windows, Alpine), nor where a ``MALLOC_...``
    variable, or ``GLIBC_TUNABLES``, says how memory is to be kept.

    Tensors on a GPU are not concerned: torch keeps their memory anyway.
    """
    name, prefix = _TUNABLES
    if any(each in os.environ for each in _VARIABLES) or prefix in os.environ.get(name, ""):
        return False
    mallopt = _mallopt()
    if mallopt is None:
        return False
    if not any(mallopt(_MMAP_THRESHOLD, size) for size in _LARGEST):
        return False
    return bool(mallopt(_TRIM_THRESHOLD, _NEVER)) and bool(mallopt(_TOP_PAD, _STEP))


def _mallopt() -> "ctypes._NamedFuncPointer | None":
    """Return glibc's mallopt; None where there is no glibc."""
    try:
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version  # noqa: B018  # others have a mallopt with other numbers
        found = library.mallopt
    except (AttributeError, OSError, TypeError):  # Windows: there is no library without a name
        return None
    found.argtypes, found.restype = [ctypes.c_int, ctypes.c_int], ctypes.c_int
    return found
