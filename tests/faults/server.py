"""A process that has imported all that commands need, and forks one child for each command line.

It reads a line of JSON for each, an ``Order`` of ``commands``, and answers with one: how it ended.
"""

import contextlib
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from cli.main import main

# What changes a folder; an ``open`` counts where it is for writing.
_OPERATIONS = frozenset({
    "open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "shutil.rmtree",
    "os.link", "os.symlink",
})  # fmt: skip
_PAUSE = 0.0005  # seconds between looks at a child's clock


def _preload() -> None:
    """Import what commands import late."""
    for name in (
        "matplotlib.pyplot",
        "pandas",
        "scipy.ndimage",
        "sklearn.datasets",
        "torch._dynamo",
    ):
        import_module(name)
    from latentlab.datasets.digits import digits

    digits("train")
    for storey in ("latentlab", "metrics", "cli"):
        for file in sorted(Path(import_module(storey).__path__[0]).rglob("*.py")):
            parts = (
                file.relative_to(Path(import_module(storey).__path__[0]).parent)
                .with_suffix("")
                .parts
            )
            if parts[-1] not in ("__main__", "__init__"):
                with contextlib.suppress(ImportError):  # of an extra that is not there
                    import_module(".".join(parts))


class Operations:
    """Counts what is done to a folder, and has something happen before one of these."""

    def __init__(self, folder: str, number: int, act: Callable[[], None]) -> None:
        self.count, self._folder, self._number, self._act = 0, folder, number, act
        self._busy = False

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in _OPERATIONS or self._busy or not self._is_here(arguments):
            return
        if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & 3):
            return
        self.count += 1
        if self.count == self._number:
            self._busy = True
            self._act()
            self._busy = False

    def _is_here(self, arguments: tuple[Any, ...]) -> bool:
        """Whether a path is the folder's; the commands are given it relative to their own."""
        if not arguments or not isinstance(arguments[0], str | os.PathLike):
            return False
        return os.path.abspath(os.fspath(arguments[0])).startswith(self._folder)


def _nothing(*_: object, **__: object) -> None:
    """Stand in for what takes long, and is not what a test is about."""


def _child(order: dict[str, Any], outputs: list[Any], told: int) -> int:
    os.setsid()
    os.chdir(order["folder"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for stream, file in zip((1, 2), outputs, strict=True):
        os.dup2(file.fileno(), stream)
    for name, value in order["patches"].items():
        module, _, attribute = name.rpartition(".")
        setattr(import_module(module), attribute, _nothing if value is None else value)
    output = order["output"]
    acts: dict[str, Callable[[], None]] = {
        "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
        "delete": lambda: shutil.rmtree(output),
        "interrupt": lambda: os.kill(os.getpid(), signal.SIGINT),
    }
    operations = Operations(output, order["at_operation"], acts[order["action"]])
    sys.addaudithook(operations)
    _limit(order)
    sys.argv = ["latentlab", *order["words"]]
    code: Any = 0
    try:
        main(prog_name="latentlab")
    except SystemExit as end:
        code = end.code or 0
    except click.exceptions.Exit as end:
        code = end.exit_code
    except BaseException:
        traceback.print_exc()
        code = 99
    os.write(told, json.dumps([operations.count, time.process_time()]).encode())
    sys.stdout.flush(), sys.stderr.flush()
    return int(code)


def _limit(order: dict[str, Any]) -> None:
    if order["file_bytes"] is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["file_bytes"],) * 2)
    if order["memory_bytes"] is not None:
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + order["memory_bytes"],) * 2)


def _seconds(pid: int) -> float:
    """Return what a process has used of the processor: a clock that a busy machine stops."""
    ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    return float("inf") if ended else time.clock_gettime((~pid << 3) | 2)


def _run(order: dict[str, Any]) -> dict[str, Any]:
    ends = os.pipe()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        pid = os.fork()
        if pid == 0:
            code = 98
            try:
                code = _child(order, [out, err], ends[1])
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        os.close(ends[1])
        if order["kill_after"] is not None:
            while _seconds(pid) < order["kill_after"]:
                time.sleep(_PAUSE)
            os.kill(pid, signal.SIGKILL)  # one that has ended waits until it is asked for
        _, status = os.waitpid(pid, 0)
        said = os.read(ends[0], 2**12)
        os.close(ends[0])
        operations, seconds = json.loads(said) if said else (None, None)
        out.seek(0), err.seek(0)
        return {
            "code": os.waitstatus_to_exitcode(status), "stdout": out.read().decode(),
            "stderr": err.read().decode(), "operations": operations, "seconds": seconds,
        }  # fmt: skip


def serve() -> None:
    """Answer orders until there are no more."""
    import torch

    torch.set_num_threads(1)
    _preload()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        print(json.dumps(_run(json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    serve()
