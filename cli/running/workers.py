"""Work on numbered pieces, spread over processes that this one starts, feeds and ends.

For networks that are too small for several threads. Each process opens what it needs by itself
and is given a piece whenever it is free. It ends when this one does, however that ends: it finds
its pipe closed at the latest when it next says how far it is.
"""

import multiprocessing
import signal
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple, TypeVar, cast

from cli.running.interrupt import unwind_on_sigterm
from latentlab.errors import LatentlabError, ProcessError

Piece = TypeVar("Piece")
Result = TypeVar("Result")
_Pipe = Connection
Step = Callable[[dict[str, float]], None]  # takes numbers to show

_PATIENCE = 10.0  # seconds for a process that has been told to end


class _GoneError(Exception):
    """The process that wants the results is no more."""


class _Worker(NamedTuple):
    process: BaseProcess
    pipe: _Pipe


def spread(
    begin: Callable[..., Callable[[Piece], Iterable[Result]]],
    arguments: Sequence[Any],
    pieces: Sequence[Piece],
    count: int,
    on_step: Step,
) -> Generator[Result, None, None]:
    """Compute the results of pieces of work, and yield them as they come.

    Everything that goes to the processes and back is pickled: plain values, and functions that
    stand at the top of a module.

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
            for pipe in cast("list[_Pipe]", wait(list(busy))):
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
    context = multiprocessing.get_context("spawn")  # the same on all systems
    workers: list[_Worker] = []
    try:
        with _ctrl_c_ignored():  # they inherit that: Ctrl-C ends this process, and it ends them
            for _ in range(count):
                here, there = context.Pipe()
                process = context.Process(
                    target=_serve, args=(there, begin, arguments), daemon=True
                )
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


def _give(pipe: _Pipe, piece: object) -> None:
    with suppress(BrokenPipeError, ConnectionResetError):  # told when its answer is waited for
        pipe.send(piece)


def _received(worker: _Worker, workers: Sequence[_Worker]) -> tuple[str, Any]:
    """Return a worker's next message; raises ProcessError if there will be none."""
    try:
        message: tuple[str, Any] = worker.pipe.recv()
    except (EOFError, ConnectionResetError) as error:
        raise ProcessError(
            f"process {workers.index(worker)} of {len(workers)} that the work was spread over has "
            "ended early (for lack of memory, perhaps); repeat the command, with --threads 1 to "
            "spread nothing"
        ) from error
    return message


def _serve(pipe: _Pipe, begin: Callable[..., Any], arguments: Sequence[Any]) -> None:
    """Compute pieces in a process of its own until there are no more."""

    def tell(kind: str, content: object) -> None:
        try:
            pipe.send((kind, content))
        except OSError as error:
            raise _GoneError from error

    with suppress(_GoneError, EOFError, ConnectionResetError), unwind_on_sigterm():
        try:
            compute = begin(*arguments, lambda numbers: tell("step", numbers))
            while True:
                for result in compute(pipe.recv()):
                    tell("result", result)
                tell("done", None)
        except LatentlabError as error:
            tell("error", error)
