"""Work on samples that shows its progress and continues where it was stopped."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.models import Model
from cli.text import say

if TYPE_CHECKING:
    pass


def tell_dry_run(models: list[Model], settings: dict[str, Any]) -> None:
    """Print what would be measured, as JSON."""
    from latentlab import distributed

    facts = [model.facts() for model in models]
    if distributed.is_main():
        click.echo(json.dumps({"models": facts, **settings}, indent=1, default=str))


@contextmanager
def work_on(
    folder: Path, model: Model, label: str, total: int, unit: str, identity: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """Yield the arguments that let a metric show progress and continue where it was stopped.

    Args:
        folder: Where batches are kept until the results are written.
        model: What is measured.
        label: Stands at the progress bar.
        total: Number of samples.
        unit: What a sample is called there.
        identity: All that decides the numbers, besides the model, the device and the count.
    """
    import latentlab
    from cli.measuring.partial import PartialResults
    from cli.running.interrupt import sigterm_waits, unwind_on_sigterm
    from cli.running.progress import ProgressBar
    from latentlab import distributed

    place = model.place.split(":")[0]  # processes on several GPUs share what is finished
    facts = {"version": latentlab.__version__, "device": place, "sha256": model.sha256}
    finished = PartialResults(folder, {**identity, **facts})
    begun = len(finished) > 0
    if begun and distributed.is_main():
        say(f"{label}: continuing where it was stopped.")
    with ProgressBar(total, label, unit, hidden=not distributed.is_main()) as bar:
        if begun:
            bar.move_to(min(sum(map(len, finished)), total))
        try:
            with unwind_on_sigterm():
                yield {"finished": finished, "progress": lambda done, _: bar.move_to(done)}
        finally:
            with sigterm_waits():
                finished.write()
