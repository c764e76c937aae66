"""The end of commands that render: nothing is lost, and a dry run only tells."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from cli.options.rendering import RenderingRequest
from cli.reports.tables import MANIFEST, refuse_existing, write_manifest


def draw_or_tell(
    request: RenderingRequest,
    files: Sequence[Path],
    settings: dict[str, Any],
    draw: Callable[[], None],
    keep: Sequence[Path] = (),
) -> None:
    """Draw the files and write the manifest; for a dry run, print the settings instead.

    Args:
        request: What the command line says.
        files: All that ``draw`` writes.
        settings: For the manifest.
        draw: Draws, and says what it has drawn.
        keep: Inputs, which are never replaced.

    Raises:
        OutputError: If results are there already and may not be replaced.
    """
    refuse_existing([*files, request.output / MANIFEST], request.overwrite, keep)
    if request.dry_run:
        tell_settings(settings)
        return
    draw()
    write_manifest(request.output, settings, files)


def tell_settings(settings: dict[str, Any]) -> None:
    """Print settings as JSON."""
    click.echo(json.dumps(settings, indent=1))
