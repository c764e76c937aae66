"""How commands that render end: nothing is lost, and a dry run only reports."""

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
    """Draw ``files`` and write the manifest; for a dry run, print the settings instead.

    Results are replaced only where the request allows it, files to ``keep`` never.
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
