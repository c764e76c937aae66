"""Give every reader files that are nearly right, and say what becomes of them.

    python -m tests.fuzzing [--seed 1] [--cases 2000] [--reader checkpoints] [--case 17 --file F]

A seed and a number are a case: the same bytes each time, given the same sound files. These are made
here; where the reference data stands beside the repository, they are joined by genuine ones.

What counts as a finding: an error outside latentlab's family, a process that ends, 2 seconds of the
processor, 300 MB of memory, a payload that is run, and a message that is more than one printable
line or does not say which file it is about. With any, the exit code is 1.
"""

import hashlib
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import click

from latentlab.files import atomic_write
from tests.fuzzing import samples
from tests.fuzzing.readers import READERS
from tests.fuzzing.workers import Result, made, put, results

_PAUSE = 10.0  # seconds between writes of what there is so far


class Summary:
    """What became of the cases of one reader."""

    def __init__(self, reader: str, seed: int) -> None:
        self.reader, self.seed, self.started = reader, seed, time.monotonic()
        self.outcomes: Counter[str] = Counter()
        self.slowest = self.largest = Result(0, "")
        self.findings: list[Result] = []
        sound = READERS[reader].sound()
        self.sound = len(sound)
        self.digest = hashlib.sha256(repr(sorted(sound.items())).encode()).hexdigest()[:8]

    def add(self, result: Result) -> None:
        """Count a case."""
        self.outcomes[result.outcome] += 1
        self.slowest = max(self.slowest, result, key=lambda each: each.seconds)
        self.largest = max(self.largest, result, key=lambda each: each.memory)
        if result.outcome == "finding":
            self.findings.append(result)

    def line(self) -> str:
        """Say it in one line."""
        own = ("opened", "passed over", "finding")
        errors = ", ".join(
            f"{n:,} {name}" for name, n in self.outcomes.most_common() if name not in own
        )
        passed = self.outcomes["passed over"]
        return (
            f"{self.reader}: {self.outcomes.total():,} cases of {self.sound} sound files "
            f"({self.digest}), {self.outcomes['opened']:,} opened"
            + (f", {passed:,} passed over" if passed else "")
            + (f", refused: {errors}" if errors else "")
            + f"; slowest {self.slowest.seconds:.2f} s (case {self.slowest.case}), largest "
            f"{self.largest.memory / 1e6:.0f} MB (case {self.largest.case}); "
            f"{len(self.findings):,} findings in {time.monotonic() - self.started:.0f} s"
        )

    def kinds(self) -> list[str]:
        """Say what was found, once for each kind, with the first case of it."""
        first: dict[str, Result] = {}
        count: Counter[str] = Counter()
        for each in self.findings:
            kind = each.detail.split(":")[0] + each.detail[each.detail.rfind(" < ") :]
            first.setdefault(kind, each)
            count[kind] += 1
        return [
            f"  {n:,} x, first case {first[kind].case}: {first[kind].detail}"
            for kind, n in count.most_common()
        ]


def _run(
    reader: str, seed: int, cases: int, processes: int, folder: Path, out: Path | None
) -> Summary:
    summary, written = Summary(reader, seed), time.monotonic()
    for result in results(reader, seed, range(cases), folder / reader, processes):
        summary.add(result)
        if out is not None and time.monotonic() - written > _PAUSE:
            _write(out, [summary])
            written = time.monotonic()
    return summary


def _warm_up(reader: str, folder: Path) -> None:
    """Read all sound files, and with them what is loaded late; raises what a reader does."""
    for sound, content in READERS[reader].sound().items():
        found = READERS[reader].read(put(READERS[reader], folder, sound, content))
        if found is None:
            raise ValueError(f"{reader}: {sound} is passed over as it is")
        shutil.rmtree(folder)


def _write(out: Path, summaries: list[Summary]) -> None:
    rows = [{"reader": s.reader, "seed": s.seed, "outcomes": dict(s.outcomes), "line": s.line(),
             "findings": [asdict(each) for each in s.findings]} for s in summaries]  # fmt: skip
    with atomic_write(out) as temporary:
        temporary.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def _one(reader: str, seed: int, case: int, file: Path | None) -> None:
    """Run one case in this process, without limits, and show where it leads."""
    chosen, content = made(reader, seed, case, READERS[reader].sound())
    if file is not None:
        file.write_bytes(content)
    with tempfile.TemporaryDirectory() as name:
        path = put(READERS[reader], Path(name), chosen, content)
        click.echo(f"{len(content):,} bytes made of {chosen}")
        started = time.process_time()
        try:
            click.echo(f"found {READERS[reader].read(path)!r:.300}")
        finally:
            click.echo(f"{time.process_time() - started:.2f} s")


@click.command()
@click.option("--seed", default=1, show_default=True)
@click.option("--cases", default=2000, show_default=True, help="For each reader.")
@click.option("--reader", "readers", multiple=True, type=click.Choice(list(READERS)))
@click.option("--case", type=int, help="Only this case, with its traceback.")
@click.option("--file", type=click.Path(path_type=Path), help="Where to keep the file of the case.")
@click.option("--processes", default=1, show_default=True)
@click.option("--genuine/--no-genuine", default=True, help="With the reference data, where it is.")
@click.option("--out", type=click.Path(path_type=Path), help="JSON, written as results come.")
def main(
    seed: int, cases: int, readers: tuple[str, ...], case: int | None, file: Path | None,
    processes: int, genuine: bool, out: Path | None,
) -> None:  # fmt: skip
    """Run the cases of one reader or all."""
    import torch

    torch.set_num_threads(1)  # a process that is forked has no other threads
    if not genuine:
        samples.SHARED = Path("none")
    if case is not None:
        for reader in readers or READERS:
            _one(reader, seed, case, file)
        return
    summaries = []
    with tempfile.TemporaryDirectory() as name:
        for reader in readers or READERS:
            _warm_up(reader, Path(name, "sound"))
            summaries.append(_run(reader, seed, cases, processes, Path(name), out))
            click.echo("\n".join([summaries[-1].line(), *summaries[-1].kinds()]))
            if out is not None:
                _write(out, summaries)
    sys.exit(any(each.findings for each in summaries))


if __name__ == "__main__":
    main()
