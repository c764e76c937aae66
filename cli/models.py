"""Opening a checkpoint with a tuning applied to it.

Nothing here imports torch before it is needed: help and usage errors answer at once.
"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.options.common import Command

if TYPE_CHECKING:
    from latentlab import Checkpoint


def tuning_option(command: Command) -> Command:
    """--tuning: a change of the generator's weights."""
    return click.option(
        "--tuning", type=click.Path(path_type=Path), metavar="FILE",
        help="Apply a tuning of this checkpoint, as `latentlab tune` writes it.",
    )(command)  # fmt: skip


def open_tuned(checkpoint: str, tuning: Path | None) -> "Checkpoint":
    """Open a checkpoint, and change its generator by a tuning's file where there is one.

    The checkpoint's metadata then says which file that was.

    Raises:
        CheckpointError: If the tuning is of another checkpoint, or damaged.
    """
    from latentlab import apply_tuning, load, load_tuning
    from latentlab.files import sha256_of

    opened = load(checkpoint)
    if tuning is None:
        return opened
    g, change = opened.generator, load_tuning(tuning)
    tuned = apply_tuning(g, change, opened.sha256)
    networks = {name: tuned if x is g else x for name, x in opened.networks.items()}
    facts = {"file": tuning.name, "sha256": sha256_of(tuning), "settings": dict(change.settings)}
    return replace(opened, networks=networks, metadata={**opened.metadata, "tuning": facts})
