"""Cases in processes of their own, within limits; one that dies names its case.

Processor time counts, not the clock: the machine may be busy. What sleeps is ended by the clock.
"""

import json
import logging
import os
import resource
import select
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from latentlab.errors import _MESSAGE, LatentlabError
from tests.fuzzing.mutants import mutant
from tests.fuzzing.mutants.pickled import MARKER
from tests.fuzzing.readers import READERS, Reader

SECONDS = 2.0  # of the processor
MEMORY = 300 * 2**20  # bytes that are really used, above the process before
_ADDRESSES = 2**31  # bytes that may be asked for besides, used or not
_MOST_SECONDS = 5 * SECONDS  # after which a call that cannot be interrupted is
_ASLEEP = 300.0  # seconds by the clock without a word
# What Python reports when something is run or fetched.
_WATCHED = frozenset({
    "os.exec", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system", "pickle.find_class",
    "socket.connect", "subprocess.Popen",
})  # fmt: skip


class TooLong(BaseException):
    """A case has had its time."""


@dataclass
class Result:
    """How a case ended.

    Attributes:
        case: Its number.
        outcome: "opened", "passed over", the error that it was refused by, or "finding".
        detail: What was found, and where.
        seconds: Of the processor.
        memory: Bytes at most above those of the process before.
    """

    case: int
    outcome: str
    detail: str = ""
    seconds: float = 0.0
    memory: int = 0


def made(name: str, seed: int, case: int, sound: Mapping[str, bytes]) -> tuple[str, bytes]:
    """Return the file of a case: its name and its content."""
    rng = Random(f"{seed} {name} {case}")
    names = list(sound)
    chosen = names[case % len(names)]
    return chosen, mutant(rng, sound[chosen], [sound[each] for each in names])


_events: list[str] = []


def _note(event: str, arguments: object) -> None:
    if event in _WATCHED:
        _events.append(f"{event} {arguments!r:.200}")


def judged(reader: Reader, path: Path) -> tuple[str, str]:
    """Read a file within the limits; returns the outcome and what was found."""
    _events.clear()
    try:
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            found = reader.read(path)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        outcome, detail = ("passed over" if found is None else "opened"), ""
    except TooLong:
        outcome, detail = "finding", f"over {SECONDS:g} s {_where(sys.exc_info()[2])}"
    except LatentlabError as error:
        outcome, detail = _refusal(error, path, reader)
    except reader.promised as error:
        outcome, detail = type(error).__name__, ""
    except BaseException as error:  # a finding, whatever it is
        outcome, detail = (
            "finding",
            f"{type(error).__name__}: {error!s:.150} {_where(error.__traceback__)}",
        )
    if _events:
        return "finding", f"ran {_events[0]}"
    for marker in (Path(MARKER), path.with_name(MARKER)):
        if marker.exists():
            marker.unlink()
            return "finding", "a payload was run"
    return outcome, detail


def _refusal(error: LatentlabError, path: Path, reader: Reader) -> tuple[str, str]:
    """Look at a refusal: its message, and whether memory ran out on the way."""
    message, cause, kind = str(error), error.__cause__, type(error).__name__
    while cause is not None and not isinstance(cause, MemoryError):
        cause = cause.__cause__ or cause.__context__
    if cause is not None:
        return "finding", f"MemoryError behind {kind} {_where(cause.__traceback__)}"
    where = f"{message[:100]!r} {_where(error.__traceback__)}"
    if not message.isprintable() or len(message) > _MESSAGE:
        return "finding", f"a message of {len(message)} characters: {where}"
    if not reader.quiet and str(path.parent) not in message:
        return "finding", f"a message that names no file: {where}"
    return kind, ""


def _where(trace: Any) -> str:
    frames = [each for each in traceback.extract_tb(trace) if "/tests/" not in each.filename]
    return " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in frames[:-4:-1])


def _too_long(*_: object) -> None:
    raise TooLong


def work(name: str, seed: int, cases: Sequence[int], folder: Path, told: int) -> None:
    """Run cases, and tell of each before and after; for a process of its own."""
    reader, sound = READERS[name], READERS[name].sound()
    _prepare()
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    for case in cases:
        os.write(told, f"{case}\n".encode())
        chosen, content = made(name, seed, case, sound)
        path = put(reader, folder / "case", chosen, content)
        del content
        before, started = _forget_most(), time.process_time()
        with _few_addresses():
            outcome, detail = judged(reader, path)
        seconds, memory = time.process_time() - started, _memory("VmHWM") - before
        if memory > MEMORY and outcome != "finding":
            outcome, detail = "finding", f"{memory / 2**20:.0f} MB"
        result = Result(case, outcome, detail, round(seconds, 3), memory)
        os.write(told, json.dumps(asdict(result)).encode() + b"\n")
        shutil.rmtree(folder / "case", ignore_errors=True)


def put(reader: Reader, folder: Path, chosen: str, content: bytes) -> Path:
    """Write the file of a case, and what stands beside it."""
    path = folder / chosen
    for place, raw in (
        {folder / n: raw for n, raw in reader.beside().items()} | {path: content}
    ).items():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(raw)
    return path


def _prepare() -> None:
    signal.signal(signal.SIGPROF, _too_long)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one that forked ends the others
    warnings.simplefilter("error")
    logging.disable()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.addaudithook(_note)


@contextmanager
def _few_addresses() -> Iterator[None]:
    """Let the process ask for no more memory than a limit, whether it is used or not."""
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + _ADDRESSES, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def _forget_most() -> int:
    """Forget the most memory that was used so far; returns the bytes that are used now."""
    Path("/proc/self/clear_refs").write_text("5")
    return _memory("VmRSS")


def _memory(name: str) -> int:
    """Return a size of this process in bytes."""
    text = Path("/proc/self/status").read_text()
    return int(text.partition(f"{name}:")[2].split()[0]) * 1024


@dataclass
class _Worker:
    """A process, the cases it was given, and what it has said so far."""

    pid: int
    pipe: int
    cases: Sequence[int]
    folder: Path
    heard: float = field(default_factory=time.monotonic)
    spent: float = 0.0  # of the processor, when it began a case
    said: bytes = b""
    begun: int | None = None
    done: int = 0
    ended_for: str = ""

    def end_if_stuck(self) -> None:
        """End a process that has had far more than its time."""
        if self.ended_for:
            return
        if time.monotonic() - self.heard > _ASLEEP:
            self.ended_for = f"slept for {_ASLEEP:g} s"
        elif self.begun is not None and _spent(self.pid) - self.spent > _MOST_SECONDS:
            self.ended_for = f"over {_MOST_SECONDS:g} s in a call that Python cannot interrupt"
        if self.ended_for:
            os.kill(self.pid, signal.SIGKILL)


def _spent(pid: int) -> float:
    """Return the seconds of the processor that a process has used; 0 if it has ended."""
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0


def _start(name: str, seed: int, cases: Sequence[int], folder: Path) -> _Worker:
    ends = os.pipe()
    sys.stdout.flush(), sys.stderr.flush()
    pid = os.fork()
    if pid:
        os.close(ends[1])
        return _Worker(pid, ends[0], cases, folder)
    code, screen = 1, os.dup(2)
    try:
        os.close(ends[0])
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libraries speak of what is damaged
        work(name, seed, cases, folder, ends[1])
        code = 0
    except BaseException:
        os.dup2(screen, 2)
        traceback.print_exc()
    finally:
        os._exit(code)


def results(
    name: str, seed: int, cases: Sequence[int], folder: Path, processes: int = 1
) -> Iterator[Result]:
    """Run cases in processes, and yield how each ended; the folder is theirs."""
    places = [folder / str(i) for i in range(processes)]
    workers = [_start(name, seed, cases[i::processes], each) for i, each in enumerate(places)]
    try:
        while workers:
            ready, _, _ = select.select([each.pipe for each in workers], [], [], 1.0)
            for i, worker in enumerate(list(workers)):
                if worker.pipe not in ready:
                    worker.end_if_stuck()
                    continue
                more = os.read(worker.pipe, 2**16)
                yield from _heard(worker, more)
                if not more:
                    workers.remove(worker)
                    lost, left = _ended(worker)
                    yield from lost
                    if left:
                        workers.insert(i, _start(name, seed, left, worker.folder))
    finally:
        for worker in workers:
            os.kill(worker.pid, signal.SIGKILL)
            os.waitpid(worker.pid, 0)


def _ended(worker: _Worker) -> tuple[list[Result], Sequence[int]]:
    """Return the case at which a process has ended, if it has, and those that are left."""
    status = os.waitstatus_to_exitcode(os.waitpid(worker.pid, 0)[1])
    os.close(worker.pipe)
    left = worker.cases[worker.done :]
    if worker.begun is not None:
        why = worker.ended_for or f"the process ended with {status}"
        return [Result(worker.begun, "finding", why)], left[1:]
    if status:
        raise RuntimeError(f"a process ended with {status} outside any case")
    return [], left


def _heard(worker: _Worker, more: bytes) -> Iterator[Result]:
    worker.heard = time.monotonic()
    *lines, worker.said = (worker.said + more).split(b"\n")
    for line in lines:
        if line.startswith(b"{"):
            yield Result(**json.loads(line))
            worker.begun = None
            worker.done += 1
        else:
            worker.begun, worker.spent = int(line), _spent(worker.pid)
