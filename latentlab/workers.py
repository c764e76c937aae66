"""Work on numbered pieces, spread over processes that this one starts, feeds and ends.

For networks that are too small for several threads. Each process is given a piece whenever it is
free. It ends when this one does, however that ends: it finds its pipe closed at the latest when it
next says how far it is.

On Linux the processes are forked: they have what is open here without opening it again, and its
memory is shared. How many are wanted is a setting of this process, as torch's threads are.
"""

import multiprocessing
import signal
import sys
import time
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Any, NamedTuple, NoReturn, TypeVar, cast

import torch

from latentlab.errors import LatentlabError, ProcessError

Piece = TypeVar("Piece")
Result = TypeVar("Result")
Step = Callable[[dict[str, float]], None]  # takes numbers to show

_PATIENCE = 10.0  # seconds for a process that has been told to end
_WORTH = 1.0  # seconds of work that are left: forking takes a tenth of it
_TERMINATED = 143  # as shells report SIGTERM
_wanted = 1


class _GoneError(Exception):
    """The process that wants the results is no more."""


class _Worker(NamedTuple):
    process: BaseProcess
    pipe: Connection


def spread_over(count: int) -> int:
    """Say over how many processes of one thread work may be spread from now on; 1 is this alone.

    Returns over how many it was until now.
    """
    global _wanted
    before, _wanted = _wanted, count
    return before


def forks() -> bool:
    """Whether processes are forked: on Linux, where torch can use no GPU.

    Libraries of other systems do not survive a fork, nor do torch's threads for gradients where
    there is a GPU.
    """
    return sys.platform == "linux" and not torch.accelerator.is_available()


def usable_workers() -> int:
    """Over how many forked processes work may be spread that has been opened here.

    That is one where processes cannot be forked, see ``forks``, and in such a process itself.
    """
    return 1 if multiprocessing.parent_process() is not None or not forks() else _wanted


def computed(
    compute: Callable[[Piece], Result], pieces: Sequence[Piece]
) -> Iterator[tuple[Piece, Result]]:
    """Compute pieces of work and yield each with its result, as they come.

    The first ones are computed here, which shows how long they take; the others in forked
    processes, if ``usable_workers`` says so and enough is left. Results are the same bits, if this
    process has one thread as well; ``compute`` may change nothing outside it.

    Args:
        compute: Gives the result of a piece, which is pickled on its way.
        pieces: The work.

    Raises:
        LatentlabError: As ``compute`` does.
        ProcessError: If a process ends otherwise.
    """
    for i, piece in enumerate(pieces, 1):
        started = time.perf_counter()
        result = compute(piece)
        seconds = time.perf_counter() - started
        yield piece, result
        left = pieces[i:]
        count = min(usable_workers(), len(left))
        if count > 1 and seconds * len(left) > _WORTH:
            with closing(spread(_begin, (compute,), left, count, lambda _: None)) as found:
                yield from found
            return


def _begin(
    compute: Callable[[Piece], Result], _: Step
) -> Callable[[Piece], Iterator[tuple[Piece, Result]]]:
    def one(piece: Piece) -> Iterator[tuple[Piece, Result]]:
        yield piece, compute(piece)

    return one


def spread(
    begin: Callable[..., Callable[[Piece], Iterable[Result]]],
    arguments: Sequence[Any],
    pieces: Sequence[Piece],
    count: int,
    on_step: Step,
) -> Generator[Result, None, None]:
    """Compute the results of pieces of work, and yield them as they come.

    Everything that goes to the processes and back is pickled: plain values and arrays. So are
    ``begin``, which then stands at the top of a module, and ``arguments`` where processes cannot
    be forked.

    Args:
        begin: Called once in each process with ``arguments`` and a function to be called after
            every step; returns what computes a piece.
        arguments: For ``begin``.
        pieces: The work.
        count: Processes.
        on_step: Called here for every step of any process, with the numbers that it tells.

    Raises:
        LatentlabError: The first that a process raises; the others are ended.
        ProcessError: If a process ends otherwise.
    """
    with _started(begin, arguments, min(count, len(pieces))) as workers:
        left = list(reversed(pieces))
        busy = {worker.pipe: worker for worker in workers}
        for pipe in busy:
            _give(pipe, left.pop())
        while busy:
            for pipe in cast("list[Connection]", wait(list(busy))):
                kind, content = _received(busy[pipe], workers)
                if kind == "step":
                    on_step(content)
                elif kind == "result":
                    yield content
                elif kind == "error":
                    raise content
                elif left:
                    _give(pipe, left.pop())
                else:
                    del busy[pipe]


@contextmanager
def _started(
    begin: Callable[..., Any], arguments: Sequence[Any], count: int
) -> Iterator[list[_Worker]]:
    """Start processes; at the end of the block, or of this process, they end too."""
    forked = forks()
    context: Any = multiprocessing.get_context("fork" if forked else "spawn")
    workers: list[_Worker] = []
    try:
        with _ctrl_c_ignored():  # they inherit that: Ctrl-C ends this process, and it ends them
            for _ in range(count):
                here, there = context.Pipe()
                # A forked process has this one's ends as well, and would keep them open.
                not_its = [here, *(worker.pipe for worker in workers)] if forked else []
                process = context.Process(
                    target=_serve, args=(there, begin, arguments, not_its), daemon=True
                )
                with warnings.catch_warnings():
                    # Of threads beside a fork. Those of torch wait for work that never comes.
                    warnings.simplefilter("ignore", DeprecationWarning)
                    process.start()
                there.close()
                workers.append(_Worker(process, here))
        yield workers
    except BaseException:
        for worker in workers:
            worker.process.terminate()
        raise
    finally:
        for worker in workers:
            worker.pipe.close()
        for worker in workers:
            worker.process.join(_PATIENCE)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()


@contextmanager
def _ctrl_c_ignored() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _give(pipe: Connection, piece: object) -> None:
    with suppress(BrokenPipeError, ConnectionResetError):  # told when its answer is waited for
        pipe.send(piece)


def _received(worker: _Worker, workers: Sequence[_Worker]) -> tuple[str, Any]:
    """Return a worker's next message; raises ProcessError if there will be none."""
    try:
        message: tuple[str, Any] = worker.pipe.recv()
    except (EOFError, ConnectionResetError) as error:
        raise ProcessError(
            f"process {workers.index(worker)} of {len(workers)} that the work was spread over has "
            f"ended early ({_why_it_ended(worker.process)})",
            advice=["repeat the command", "use `workers` 0 to spread nothing"],
        ) from error
    return message


def _why_it_ended(process: BaseProcess) -> str:
    process.join(_PATIENCE)
    if (code := process.exitcode) is None or code == -signal.SIGKILL:
        return "for lack of memory, perhaps"
    if code < 0:
        return f"by signal {signal.Signals(-code).name}"
    return "by the error above" if code == 1 else f"with exit code {code}"


def _serve(
    pipe: Connection,
    begin: Callable[..., Any],
    arguments: Sequence[Any],
    not_its: Sequence[Connection],
) -> None:
    """Compute pieces in a process of its own until there are no more."""
    for other in not_its:
        other.close()
    signal.signal(signal.SIGTERM, _unwind)
    if torch.get_num_threads() != 1:
        torch.set_num_threads(1)

    def tell(kind: str, content: object) -> None:
        try:
            pipe.send((kind, content))
        except OSError as error:
            raise _GoneError from error

    with suppress(_GoneError, EOFError, ConnectionResetError):
        try:
            compute = begin(*arguments, lambda numbers: tell("step", numbers))
            while True:
                for result in compute(pipe.recv()):
                    tell("result", result)
                tell("done", None)
        except LatentlabError as error:
            tell("error", error)


def _unwind(_: int, __: FrameType | None) -> NoReturn:
    """Put away what is in hand, as on Ctrl-C."""
    raise SystemExit(_TERMINATED)
