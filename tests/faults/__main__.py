"""Kill long work at random moments, and say whether it always goes on to the same results.

    python -m tests.faults [--kills 50] [--seed 1] [--job train] [--out FILE]

The work is small, and of every kind that continues: training, projections one by one and in
batches, and a measurement. With any failure, the exit code is 1.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import click

from latentlab.files import atomic_write
from tests.faults.commands import commands
from tests.faults.jobs import JOBS, prepare
from tests.faults.kills import Killed, killed


def _line(name: str, found: Killed, seconds: float) -> str:
    return (
        f"{name}: {found.kills} kills in {found.rounds} rounds, {found.starts} starts; "
        f"{len(found.failures)} failures in {seconds:.0f} s"
    )


@click.command()
@click.option("--kills", default=50, show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--job", "names", multiple=True, type=click.Choice(list(JOBS)))
@click.option("--out", type=click.Path(path_type=Path), help="JSON, written after each round.")
@click.option("--keep", type=click.Path(path_type=Path), help="Where folders that differ stay.")
def main(
    kills: int, seed: int, names: tuple[str, ...], out: Path | None, keep: Path | None
) -> None:
    """Kill each job, and compare what it leaves."""
    told: dict[str, str] = {}
    failed = False
    with tempfile.TemporaryDirectory() as temporary, commands() as server:
        folder = Path(temporary) if keep is None else keep
        inputs = prepare(folder / "inputs")
        for name in names or JOBS:
            started, found = time.monotonic(), Killed()
            for found in killed(server, JOBS[name], inputs, kills, seed, folder / name):
                told[name] = _line(name, found, time.monotonic() - started)
                if out is not None:
                    with atomic_write(out) as file:
                        file.write_text(json.dumps([told, found.failures], indent=1) + "\n")
            failed |= bool(found.failures)
            click.echo("\n  ".join([told[name], *found.failures]))
    sys.exit(failed)


if __name__ == "__main__":
    main()
