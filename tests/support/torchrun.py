"""Starting two processes that work together, as users do."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMMAND = [
    sys.executable, "-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1",
    "--nproc-per-node", "2",
]  # fmt: skip


def start(*arguments, **options):
    """Start torchrun in the repository's root; returns the process."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, env=environment, text=True, **options)


def finish(process, timeout=300):
    """Wait for torchrun; returns its exit code and what was said on stderr, if that is a pipe."""
    try:
        _, said = process.communicate(timeout=timeout)
    finally:
        process.terminate()  # torchrun ends its processes, which are groups of their own
        process.wait(timeout=30)
    return process.returncode, said


def facts_of_two(script, folder):
    """Run a script in two processes; returns what each leaves in FOLDER/RANK.json."""
    file = folder / "script.py"
    file.write_text(script)
    code, _ = finish(start(file, folder))
    assert code == 0
    return facts_in(folder)


def facts_in(folder):
    """Return what two processes have left in FOLDER/RANK.json."""
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in (0, 1)]
