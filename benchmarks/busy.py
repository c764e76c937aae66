"""Print how much longer the demo takes while another process keeps one core busy, as JSON.

    python benchmarks/busy.py [--steps 100] [--repeats 3] [--threads N]

Quiet and busy runs alternate, and their medians are compared. The other process is a loop of the
same priority that is held on one core. The machine should have nothing else to do.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import click

_LOOP = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\nwhile True: pass"


@contextmanager
def one_core_busy() -> Iterator[None]:
    """Keep the first core busy."""
    loop = subprocess.Popen([sys.executable, "-c", _LOOP])
    try:
        yield
    finally:
        loop.kill()
        loop.wait()


def seconds(options: list[str]) -> float:
    """Run the demo; returns how long it took."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "cli", "demo", "--device", "cpu", "-o", folder, *options]
        started = time.perf_counter()
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        return time.perf_counter() - started


@click.command()
@click.option("--steps", type=click.IntRange(min=1), default=100, show_default=True)
@click.option("--repeats", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--threads", type=click.IntRange(min=1), help="Passed to the demo.")
def main(steps: int, repeats: int, threads: int | None) -> None:
    """Print the medians and their ratio."""
    options = ["--steps", str(steps)]
    if threads is not None:
        options += ["--threads", str(threads)]
    times: dict[str, list[float]] = {"quiet": [], "busy": []}
    for _ in range(repeats):
        for name, load in (("quiet", nullcontext()), ("busy", one_core_busy())):
            with load:
                times[name].append(seconds(options))
    quiet, busy = (statistics.median(times[name]) for name in ("quiet", "busy"))
    facts = {"cpus": os.cpu_count(), "threads": threads, "steps": steps}
    facts |= {"quiet_seconds": round(quiet, 1), "busy_seconds": round(busy, 1)}
    facts |= {"times_quiet": round(busy / quiet, 2)}
    click.echo(json.dumps({**facts, "all": times}, indent=1))


if __name__ == "__main__":
    main()
