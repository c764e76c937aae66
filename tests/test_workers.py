"""Pieces of work in processes of their own: all results, and nothing left behind."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from latentlab import ImageError, ProcessError, workers
from latentlab.workers import computed, spread

ROOT = Path(__file__).parents[1]
ENDLESS = 10**6


def begin(factor, tell):
    """Open nothing; a piece below 0 fails, 13 and 14 are the end of the process."""

    def compute(piece):
        tell({"piece": float(piece)})
        if piece < 0:
            raise ImageError(f"{piece}.png: no picture")
        if piece == 13:
            os.kill(os.getpid(), signal.SIGKILL)
        if piece == 14:
            raise ZeroDivisionError
        yield piece * factor, os.getpid()

    return compute


def begin_endless(folder, tell):
    """Say in a file which process this is, make a file, and remove it at the end of the work."""
    made = Path(folder, f"{os.getpid()}.made")

    def compute(_):
        try:
            made.touch()
            for _ in range(ENDLESS):
                time.sleep(0.01)
                tell({})
        finally:
            made.unlink(missing_ok=True)
        yield None

    return compute


def run(pieces, count=2, on_step=lambda _: None):
    return spread(begin, (10,), pieces, count, on_step)


def test_every_piece_gives_its_result_and_tells_its_steps():
    steps = []
    found = list(run(range(5), on_step=lambda numbers: steps.append(numbers["piece"])))
    assert sorted(value for value, _ in found) == [0, 10, 20, 30, 40]
    assert sorted(steps) == [0, 1, 2, 3, 4]
    processes = {process for _, process in found}
    assert 1 <= len(processes) <= 2
    assert os.getpid() not in processes
    assert not multiprocessing.active_children()


def test_an_error_in_one_is_raised_here_and_ends_all():
    with pytest.raises(ImageError, match=r"^-1\.png: no picture$"):
        list(run([1, -1, 2]))
    assert not multiprocessing.active_children()


@pytest.mark.parametrize(("piece", "why"), [(13, "for lack of memory"), (14, "by the error above")])
def test_a_process_that_ends_early_ends_all_in_one_line(piece, why):
    with pytest.raises(ProcessError, match=rf"ended early \({why}.*repeat the command") as failed:
        list(run([piece, piece]))
    assert "\n" not in str(failed.value)
    assert not multiprocessing.active_children()


def test_whoever_wants_no_more_ends_all(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        list(spread(begin_endless, (str(tmp_path),), [0, 1], 2, interrupt))
    assert not multiprocessing.active_children()
    assert not list(tmp_path.iterdir()), "they have put away what they had made"


@pytest.fixture
def two_workers(monkeypatch):
    """Two forked processes, worth it for any work."""
    monkeypatch.setattr(workers, "_WORTH", 0.0)
    workers.spread_over(2)
    yield
    workers.spread_over(1)


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux alone")
def test_forked_processes_have_what_is_open_here(two_workers):
    opened = {"factor": 10}  # of no module, and never pickled
    found = dict(computed(lambda piece: (piece * opened["factor"], os.getpid()), range(6)))
    assert [found[i][0] for i in range(6)] == [0, 10, 20, 30, 40, 50]
    assert found[0][1] == os.getpid(), "the first shows how long they take"
    assert os.getpid() not in {found[i][1] for i in range(1, 6)}
    assert not multiprocessing.active_children()
    inside = dict(computed(lambda _: workers.usable_workers(), range(3)))
    assert inside == {0: 2, 1: 1, 2: 1}, "a forked process forks none"


def test_nothing_is_forked_where_torch_could_use_a_gpu(two_workers, monkeypatch):
    """Torch's threads for gradients do not survive it."""
    monkeypatch.setattr("torch.accelerator.is_available", lambda: True)
    assert not workers.forks()
    asked = []
    monkeypatch.setattr("multiprocessing.get_context", lambda kind: asked.append(kind))
    with pytest.raises(AttributeError):  # this stand-in starts none
        next(workers.spread(lambda: None, (), [1, 2], 2, lambda _: None))
    assert (asked, workers.usable_workers()) == (["spawn"], 1)


def test_little_work_is_done_here(two_workers, monkeypatch):
    monkeypatch.setattr(workers, "_WORTH", 60.0)
    assert dict(computed(lambda _: os.getpid(), range(4))) == dict.fromkeys(range(4), os.getpid())


def test_an_error_in_a_forked_process_is_raised_here(two_workers):
    def fail(piece):
        if piece == 2:
            raise ImageError("2.png: no picture", advice=["leave `pictures` out"])
        return piece

    with pytest.raises(ImageError, match=r"^2\.png: no picture; leave") as failed:
        list(computed(fail, range(9)))
    assert failed.value.advice == ("leave `pictures` out",)
    assert not multiprocessing.active_children()


def interrupt(_):
    raise KeyboardInterrupt


PARENT = """
from latentlab import workers
from latentlab.workers import computed, spread
from tests.test_workers import begin_endless

if __name__ == "__main__":
    list(spread(begin_endless, (FOLDER,), [0, 1], 2, lambda _: None))
"""


def test_none_outlives_the_process_that_feeds_them(tmp_path):
    script, folder = tmp_path / "script.py", tmp_path / "made"
    folder.mkdir()
    script.write_text(PARENT.replace("FOLDER", repr(str(folder))))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    parent = subprocess.Popen([sys.executable, script], env=environment, stderr=subprocess.PIPE)
    wait_for(lambda: len(list(folder.iterdir())) == 2)
    workers = [int(file.stem) for file in folder.iterdir()]
    parent.kill()
    parent.communicate()
    wait_for(lambda: not list(folder.iterdir()))
    wait_for(lambda: not any(map(is_alive, workers)))


def wait_for(condition):
    deadline = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_alive(process):
    """Whether there is such a process that has not ended; nobody may have asked for its end."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
