"""Command lines in processes of their own, forked from one that has opened the command line.

Each begins as the console script does, with nothing imported but what ``cli.main`` imports, and
takes a tenth of the time that an interpreter takes to start.
"""

import json
import subprocess
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_SERVER = """
import json, os, sys, tempfile, traceback
from cli.main import main

def call(arguments, folder, outputs):
    os.chdir(folder)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for stream, file in zip((1, 2), outputs):
        os.dup2(file.fileno(), stream)
    sys.argv = ["latentlab", *arguments]
    code = 0
    try:
        main(prog_name="latentlab")
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        traceback.print_exc()
        code = 1
    print("imported:", *sorted(set(HEAVY) & set(sys.modules)), file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)

for line in sys.stdin:
    arguments, folder = json.loads(line)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if child == 0:
            call(arguments, folder, (out, err))
        _, status = os.waitpid(child, 0)
        out.seek(0), err.seek(0)
        told = os.waitstatus_to_exitcode(status), out.read().decode(), err.read().decode()
    print(json.dumps(told), flush=True)
"""


@dataclass(frozen=True)
class Done:
    """How a command line ended; the last line of stderr names the heavy modules it imported."""

    returncode: int
    stdout: str
    stderr: str


class CommandLines:
    """The process that forks."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def run(self, arguments: Sequence[str], folder: Path) -> Done:
        """Run ``latentlab ARGUMENTS`` in a folder."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps([list(arguments), str(folder)]), file=self._process.stdin, flush=True)
        return Done(*json.loads(self._process.stdout.readline()))


@contextmanager
def command_lines(heavy: Collection[str]) -> Iterator[CommandLines]:
    """Open the process; ``heavy`` are the modules to look for."""
    script = f"HEAVY = {sorted(heavy)!r}\n{_SERVER}"
    command = [sys.executable, "-W", "error", "-c", script]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        yield CommandLines(process)
        assert process.stdin is not None
        process.stdin.close()
