"""Checkpoints of the network, fetched with a bar before they are opened."""

import sys

import click

from cli.text import plain_text, say
from latentlab import distributed
from latentlab.downloads import fetch, fetched, is_address
from latentlab.errors import CheckpointError


def fetch_first(checkpoint: str) -> None:
    """Have what an address names on this machine, and say its SHA-256; files are left alone.

    Raises:
        CheckpointError: If it cannot be fetched, or it is a dry run, which fetches nothing.
        OutputError: If there is no room for it.
    """
    if not is_address(checkpoint) or fetched(checkpoint) is not None:
        return
    ctx = click.get_current_context(silent=True)
    if ctx is not None and ctx.params.get("dry_run"):
        raise CheckpointError(
            f"{checkpoint}: is not on this machine, and a dry run fetches nothing; "
            f"`latentlab info {checkpoint}` fetches it"
        )
    if not distributed.is_main():
        fetch(checkpoint)
        return
    _fetch_with_bar(checkpoint)


def _fetch_with_bar(checkpoint: str) -> None:
    from tqdm import tqdm

    from latentlab.downloads.cache import origin_of

    say(f"Fetching {plain_text(checkpoint)} ...")
    shown = sys.stderr.isatty()
    with tqdm(unit="B", unit_scale=True, unit_divisor=1000, disable=not shown) as bar:

        def move(there: int, whole: int | None) -> None:
            if bar.n == 0:
                bar.initial = bar.last_print_n = there  # what is there from before has no rate
            bar.total = whole
            bar.update(there - bar.n)

        file = fetch(checkpoint, move)
    record = origin_of(file)
    say(f"Saved {file} ({record['size'] / 1e6:,.1f} MB, SHA-256 {record['sha256']})")
