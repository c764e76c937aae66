"""One holder for each lock, whatever lies under its name, and none once that one has ended."""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack, chdir
from pathlib import Path

import pytest

from latentlab import OutputError, locks
from latentlab.locks import locked

ELSEWHERE = "write elsewhere"
POSIX = pytest.mark.skipif(os.name == "nt", reason="no such files there")
# The room alone: without torch, which takes long to import.
HOLDER = """
import os, sys, types
sys.modules["latentlab"] = package = types.ModuleType("latentlab")
package.__path__ = [sys.argv[1]]
from pathlib import Path
from latentlab.locks import locked
with locked(Path(sys.argv[2]), "x", elsewhere="", command="latentlab train --seed 1"):
    if os.fork() == 0:  # as workers are: it has the lock's file open as well
        sys.stdin.read()
        os._exit(0)
    print("held", flush=True)
    sys.stdin.read()
"""


def hold(path, **more):
    return locked(path, path.parent, elsewhere=ELSEWHERE, **more)


def refusal(path, **more):
    with pytest.raises(OutputError) as caught:
        ExitStack().enter_context(hold(path, **more))
    return str(caught.value)


def test_j12_who_holds_it_is_told(tmp_path):
    with hold(tmp_path / "lock", command="latentlab train --seed 1"):
        said = refusal(tmp_path / "lock")
    who = f"(process {os.getpid()} on {socket.gethostname()} since 20"
    assert said.startswith(f"{tmp_path}: another latentlab is writing there {who}")
    assert said.endswith(": latentlab train --seed 1); wait for it, or write elsewhere")
    assert "\n" not in said


@pytest.mark.parametrize(
    "note",
    [b"", b"\n[]", b"\n{", b'\n{"pid": "1", "host": 2}', b"\xff" * 9000, b"\n" + b"[" * 4000],
)
def test_j12_a_holder_that_says_nothing_of_itself_holds_all_the_same(tmp_path, note):
    with hold(tmp_path / "lock"):
        (tmp_path / "lock").write_bytes(note)
        said = refusal(tmp_path / "lock")
    assert said == f"{tmp_path}: another latentlab is writing there; wait for it, or {ELSEWHERE}"


def test_what_a_holder_says_of_itself_steers_no_terminal_and_has_a_length(tmp_path):
    with hold(tmp_path / "lock", command="\x1b[2Jtrain\nError: fake" + "x" * 9000):
        said = refusal(tmp_path / "lock")
    assert said.isprintable()
    assert len(said) < 600


@POSIX
@pytest.mark.parametrize(
    "kind", ["link", "dangling link", "other name", "fifo", "folder", "socket"]
)
def test_j12_what_is_no_lock_is_neither_followed_nor_waited_for_nor_changed(tmp_path, kind):
    path, target = tmp_path / "here" / "lock", tmp_path / "target"
    path.parent.mkdir()
    opened = ExitStack()
    if kind == "link":
        target.write_text("precious")
        path.symlink_to(target)
    elif kind == "dangling link":
        path.symlink_to(target)
    elif kind == "other name":
        target.write_text("precious")
        path.hardlink_to(target)
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        bound = opened.enter_context(socket.socket(socket.AF_UNIX))
        with chdir(path.parent):  # names of sockets are short
            bound.bind("lock")
    with opened:
        before = os.lstat(path)
        said = refusal(path, wait=True)
        after = os.lstat(path)
    assert (before.st_ino, before.st_mode) == (after.st_ino, after.st_mode)
    assert f"{path} " in said
    assert "was left as it is; remove it, or write elsewhere" in said
    assert not target.exists() or target.read_text() == "precious"


@POSIX
def test_a_link_that_comes_between_looking_and_opening_is_not_followed(tmp_path, monkeypatch):
    lstat = os.lstat

    def looked(path):
        monkeypatch.setattr(os, "lstat", lstat)
        (tmp_path / "lock").symlink_to(tmp_path / "target")
        raise FileNotFoundError(errno.ENOENT, "gone", str(path))

    monkeypatch.setattr(os, "lstat", looked)
    assert "cannot be locked with lock (" in refusal(tmp_path / "lock")
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize(
    "error", [BlockingIOError("full"), OSError(28, "full"), TimeoutError("slow")]
)
def test_an_error_of_the_block_is_its_own(tmp_path, error):
    with pytest.raises(type(error)) as caught, hold(tmp_path / "lock"):
        raise error
    assert caught.value is error
    assert list(tmp_path.iterdir()) == []


@POSIX
def test_j12_a_kill_releases_it_once_what_it_forked_has_ended(tmp_path):
    path = tmp_path / "lock"
    command = [sys.executable, "-c", HOLDER, str(Path(locks.__file__).parent), str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        assert f"process {holder.pid} on" in refusal(path)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        threading.Timer(0.1, holder.stdin.close).start()  # which ends the forked one
        with hold(path):
            assert holder.stdin.closed
            assert json.loads(path.read_bytes())["pid"] == os.getpid()
    assert list(tmp_path.iterdir()) == []


def test_where_a_file_system_has_no_locks_it_says_so_and_goes_on(tmp_path, monkeypatch, caplog):
    def missing(handle, blocking):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks, "lock_descriptor", missing)
    with hold(tmp_path / "lock"):
        pass
    assert "its file system has no locks" in caplog.text


def test_what_was_removed_meanwhile_is_no_matter(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    with hold(folder / "lock"):
        (folder / "lock").unlink()
        folder.rmdir()
    assert list(tmp_path.iterdir()) == []


def test_another_ones_file_of_the_name_is_not_removed(tmp_path):
    with hold(tmp_path / "lock"):
        (tmp_path / "lock").unlink()
        (tmp_path / "lock").write_text("another's")
    assert (tmp_path / "lock").read_text() == "another's"


def test_who_may_wait_gets_it_in_the_end(tmp_path, monkeypatch):
    with ExitStack() as first:
        first.enter_context(hold(tmp_path / "lock"))
        monkeypatch.setattr(locks.time, "sleep", lambda _: first.close())
        with hold(tmp_path / "lock", wait=True):
            assert (tmp_path / "lock").exists()
