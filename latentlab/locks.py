"""Locks: what one process at a time writes, held by the operating system until that one ends.

The lock is on an open file, and goes with the process however that ends. What the file holds only
says who has it. A folder may come from a stranger, with anything under the name of its lock: no
link is followed, nothing but a plain file that has no other name is opened, emptied or removed,
and nothing is waited for that need not come.
"""

import errno
import json
import logging
import os
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import lock_descriptor, unlock_descriptor

from latentlab.errors import OutputError

_MOST_BYTES = 4096  # of what a holder says of itself
_LONGEST = 200  # characters of its command
_POLL = 0.05  # seconds
_PATIENCE = 10.0  # seconds for what a holder that was killed has left: processes that it forked
# Windows locks the first byte against readers as well: what is to be read comes after it.
_FIRST = b"\n"
# Of file systems that know no locks: an HPC cluster's may be mounted so.
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)
_FLAGS = os.O_RDWR | os.O_CREAT
for _name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):
    _FLAGS |= getattr(os, _name, 0)
_logger = logging.getLogger(__name__)


@contextmanager
def locked(
    path: Path,
    what: object,
    *,
    elsewhere: str,
    command: str | None = None,
    wait: bool = False,
) -> Iterator[None]:
    """Hold a lock for the length of a block; what the block raises passes as it is.

    Args:
        path: The lock's file, in a folder that exists; it goes when the block ends. One that a
            kill has left behind holds nobody up.
        what: What is written under the lock, for messages.
        elsewhere: What they advise, so that something else is written.
        command: What the holder does, for those that find it there.
        wait: Wait for whoever holds it, instead of raising.

    Raises:
        OutputError: If another process holds it, or there can be no lock.
    """
    try:
        handle = _acquired(path, what, wait)
    except OutputError as error:
        error.advice = (*error.advice, elsewhere)
        raise
    try:
        _sign(handle, command)
        yield
    finally:
        _release(handle, path)


def _acquired(path: Path, what: object, wait: bool) -> int:
    until = time.monotonic() + _PATIENCE
    while True:
        handle = _opened(path, what)
        try:
            held = not _has_locked(handle, path, what)
            if not held and _is_named(handle, path):
                return handle
            # Removed by one who left between our opening and locking: another is to be made.
            holder = _holder(handle) if held else {}
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
        if held and not wait and not (_is_dead(holder) and time.monotonic() < until):
            raise OutputError(
                f"{what}: another latentlab is writing there{_in_words(holder)}",
                advice=["wait for it"],
            )
        time.sleep(_POLL if held else 0)


def _opened(path: Path, what: object) -> int:
    """Open the lock's file, or make it; what is no plain file is not even opened."""
    try:
        with suppress(FileNotFoundError):
            _check_plain(os.lstat(path), path, what)
        handle = os.open(path, _FLAGS, 0o666)
        try:
            _check_plain(os.fstat(handle), path, what)
        except BaseException:
            os.close(handle)
            raise
    except OSError as error:
        raise _no_lock(path, what, error) from error
    return handle


def _check_plain(facts: os.stat_result, path: Path, what: object) -> None:
    """Refuse what a holder's note would be written into although it is no lock."""
    if not stat.S_ISREG(facts.st_mode) or facts.st_nlink > 1:
        kind = "has another name as well" if stat.S_ISREG(facts.st_mode) else "is no plain file"
        raise OutputError(
            f"{what}: cannot be locked: {path} {kind}, and was left as it is",
            advice=["remove it"],
        )


def _has_locked(handle: int, path: Path, what: object) -> bool:
    try:
        return lock_descriptor(handle, blocking=False)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise _no_lock(path, what, error) from error
        _logger.warning("%s: its file system has no locks; let nothing else write there", what)
        return True


def _no_lock(path: Path, what: object, error: OSError) -> OutputError:
    reason = error.strerror or str(error)
    return OutputError(f"{what}: cannot be locked with {path.name} ({reason})")


def _is_named(handle: int, path: Path) -> bool:
    """Whether the open file is the one that has the lock's name."""
    try:
        return os.path.samestat(os.fstat(handle), os.lstat(path))
    except OSError:
        return False


def _sign(handle: int, command: str | None) -> None:
    note = {
        "pid": os.getpid(), "host": socket.gethostname(),
        "since": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "command": (command or "")[:_LONGEST],
    }  # fmt: skip
    with suppress(OSError):  # no room for a note, on a full disk: the lock holds without it
        os.ftruncate(handle, 0)
        os.write(handle, _FIRST + json.dumps(note).encode() + b"\n")


def _holder(handle: int) -> dict[str, Any]:
    """Return what the holder says of itself; {} where that cannot be read."""
    try:
        os.lseek(handle, len(_FIRST), os.SEEK_SET)
        note = json.loads(os.read(handle, _MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return note if isinstance(note, dict) else {}


def _in_words(holder: dict[str, Any]) -> str:
    pid, host, since, command = (holder.get(n) for n in ("pid", "host", "since", "command"))
    if not (isinstance(pid, int) and all(isinstance(each, str) for each in (host, since))):
        return ""
    text = f"process {pid} on {str(host)[:_LONGEST]} since {str(since)[:_LONGEST]}"
    asked = isinstance(command, str) and command
    return f" ({text}: {str(command)[:_LONGEST]})" if asked else f" ({text})"


def _is_dead(holder: dict[str, Any]) -> bool:
    """Whether a holder of this machine has ended, so that its lock goes in a moment."""
    pid = holder.get("pid")
    # Windows ends a process that gets signal 0.
    if (
        os.name == "nt"
        or type(pid) is not int
        or pid < 1
        or holder.get("host") != (socket.gethostname())
    ):
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def _release(handle: int, path: Path) -> None:
    # The file goes while it is still ours. Whoever has opened it before finds, once it is free,
    # that it is no longer there, and does not take it for the lock.
    try:
        if _is_named(handle, path):
            with suppress(OSError):  # Windows keeps open files
                path.unlink()
        with suppress(OSError):  # a forked process may have it open still, where it means nothing
            unlock_descriptor(handle)
    finally:
        os.close(handle)
