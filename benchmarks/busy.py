"""Print how much longer commands take while another process keeps one core busy, as JSON lines.

    python -m benchmarks.busy [--quick] [--repeats 3] [--only demo,ppl] [--threads N | --workers N]

Quiet and busy runs alternate, and their medians are compared. The other process is a loop of the
same priority that is held on one core. The machine should have nothing else to do: the seconds of
the CPU beside those of the clock say whether it had.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import click
from PIL import Image

from benchmarks.commands import run
from latentlab.datasets.digits import digits

_LOOP = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\nwhile True: pass"
_MODEL, _NEAR = "builtin:digits-stylegan2", ("--distance", "builtin:digits")
_PICTURES = 8
_LIMIT = 2.2  # times the quiet time


def commands(quick: bool, folder: Path) -> dict[str, list[str]]:
    """Return command lines by what they are called; ``folder`` holds pictures."""
    times = 1 if quick else 4
    return {
        "demo": ["demo", "--steps", str(25 * times)],
        "project": ["project", _MODEL, str(folder), *_NEAR, "--steps", str(50 * times)],
        "ppl": ["ppl", _MODEL, *_NEAR, "--samples", str(2000 * times)],
        "generate": ["generate", _MODEL, "--seeds", f"0-{500 * times}"],
        "train": ["train", "--data", "builtin:digits", "--config", "stylegan2-small", "--kimg",
                  str(0.32 * times)],
    }  # fmt: skip


@contextmanager
def one_core_busy() -> Iterator[None]:
    """Keep the first core busy."""
    loop = subprocess.Popen([sys.executable, "-c", _LOOP])
    try:
        yield
    finally:
        loop.kill()
        loop.wait()


def seconds(line: list[str]) -> tuple[float, float]:
    """Run a command line on the CPU; returns its seconds by the clock and of the CPU."""
    with tempfile.TemporaryDirectory() as folder:
        return run(*line, "--device", "cpu", "-o", f"{folder}/out")[:2]


@click.command()
@click.option("--quick", is_flag=True, help="A quarter of the work.")
@click.option("--repeats", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--only", default="demo,project,ppl,generate,train", show_default=True)
@click.option("--threads", type=click.IntRange(min=1), help="Passed to the commands.")
@click.option("--workers", type=click.IntRange(min=0), help="Passed to those that take it.")
def main(quick: bool, repeats: int, only: str, threads: int | None, workers: int | None) -> None:
    """Print the medians of each command and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        for number, pixels in enumerate(digits("held-out")[0][:_PICTURES]):
            Image.fromarray(pixels).save(f"{folder}/{number}.png")
        known = commands(quick, Path(folder))
        for name in only.split(","):
            line = known[name]
            if threads is not None:
                line += ["--threads", str(threads)]
            if workers is not None and name != "train":
                line += ["--workers", str(workers)]
            click.echo(json.dumps({"command": name, **compared(line, repeats)}))


def compared(line: list[str], repeats: int) -> dict[str, object]:
    """Run a command line quiet and busy in turn; returns the medians."""
    found: dict[str, list[tuple[float, float]]] = {"quiet": [], "busy": []}
    for _ in range(repeats):
        for name, load in (("quiet", nullcontext()), ("busy", one_core_busy())):
            with load:
                found[name].append(seconds(line))
    clock = {name: statistics.median(t for t, _ in runs) for name, runs in found.items()}
    cpu = {name: statistics.median(t for _, t in runs) for name, runs in found.items()}
    times = clock["busy"] / clock["quiet"]
    return {
        "cpus": len(os.sched_getaffinity(0)),
        **{f"{name}_seconds": round(value, 1) for name, value in clock.items()},
        **{f"{name}_cpu_seconds": round(value, 1) for name, value in cpu.items()},
        "times_quiet": round(times, 2), "within": times <= _LIMIT,
    }  # fmt: skip


if __name__ == "__main__":
    main()
