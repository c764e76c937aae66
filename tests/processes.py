"""Two real processes that torchrun starts."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]

_COMMAND = "from cli.main import main\nmain(prog_name='latentlab')\n"


@dataclass(frozen=True)
class Outcome:
    """How two processes ended.

    Attributes:
        code: What torchrun exits with.
        said: What each process wrote on stderr, in the order of ranks.
        told: What each process wrote on stdout.
        report: What torchrun says itself.
        seconds: How long all took.
    """

    code: int
    said: list[str]
    told: list[str]
    report: str
    seconds: float

    def __str__(self) -> str:
        return f"exit code {self.code}\n" + "\n".join([*self.said, self.report])


def together(folder: Path, script: str, *arguments: object, timeout: float = 120) -> Outcome:
    """Run a script in two processes of this machine; ``folder`` is for the script and its logs."""
    path, logs = folder / "script.py", folder / "logs"
    path.write_text(script)
    run = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1",
        "--nproc-per-node", "2", "--log-dir", str(logs), "--redirects", "3", str(path),
        *map(str, arguments),
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    started = time.monotonic()
    process = subprocess.Popen(run, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        _, report = process.communicate(timeout=timeout)
    finally:
        process.terminate()  # torchrun ends its processes, which are groups of their own
        process.wait(timeout=30)
    seconds = time.monotonic() - started
    said, told = (
        [file.read_text() for file in sorted(logs.glob(f"*/attempt_0/*/{name}.log"))]
        for name in ("stderr", "stdout")
    )
    return Outcome(process.returncode, said, told, report, seconds)


def command_together(folder: Path, *arguments: object, before: str = "") -> Outcome:
    """Run the command line in two processes, each of which runs the script ``before`` first."""
    return together(folder, before + _COMMAND, *arguments)
