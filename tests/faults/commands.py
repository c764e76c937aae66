"""Command lines that meet with an accident, each in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Accident:
    """What happens to a command.

    Attributes:
        at_operation: The number of the change to its output folder before which ``action`` comes.
        action: "kill" by SIGKILL, "delete" the output folder, or "interrupt" as Ctrl-C does.
        kill_after: Seconds of the processor after which SIGKILL comes.
        file_bytes: Most bytes of one file: a disk that is full.
        memory_bytes: Most bytes of addresses beyond those that are taken at the start.
        patches: Values in place of module-level ones, by their dotted names; None: a function that
            does nothing.
    """

    at_operation: int = 0
    action: Literal["kill", "delete", "interrupt"] = "kill"
    kill_after: float | None = None
    file_bytes: int | None = None
    memory_bytes: int | None = None
    patches: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        code: Its exit code; below 0, the signal that ended it.
        stdout: What it wrote.
        stderr: What it said.
        operations: How many changes to its output folder there were; None if it was killed.
        seconds: Of the processor; None if it was killed.
    """

    code: int
    stdout: str
    stderr: str
    operations: int | None
    seconds: float | None


class Commands:
    """The process that forks."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def run(
        self,
        words: Sequence[object],
        output: Path,
        accident: Accident = Accident(),
        folder: Path = ROOT,
    ) -> Ended:
        """Run ``latentlab WORDS``, whose output folder is given besides."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {**asdict(accident), "words": [str(word) for word in words], "output": str(output),
                 "folder": str(folder)}  # fmt: skip
        print(json.dumps(order), file=self._process.stdin, flush=True)
        return Ended(**json.loads(self._process.stdout.readline()))


@contextmanager
def commands() -> Iterator[Commands]:
    """Open the process; it takes some seconds to import all."""
    command = [sys.executable, "-m", "tests.faults.server"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT) as process:
        yield Commands(process)
        assert process.stdin is not None
        process.stdin.close()
