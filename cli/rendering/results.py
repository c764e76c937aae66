"""How commands that render end: nothing is lost, and a dry run only reports."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cli.options.rendering import RenderingRequest
from cli.reports.dry_run import DryRun, tell_dry_run
from cli.reports.tables import MANIFEST, refuse_existing, write_manifest
from cli.running.announcement import announce, open_first
from cli.running.estimates import Task
from cli.running.folder_lock import claimed


def draw_or_tell(
    request: RenderingRequest,
    files: Sequence[Path],
    settings: dict[str, Any],
    draw: Callable[[], None],
    keep: Sequence[Path] = (),
    *,
    task: Task,
    first: Path,
) -> None:
    """Hold the folder, announce ``task``, draw ``files`` and write the manifest; or tell of it.

    A dry run tells. Results are replaced only where the request allows it, files to ``keep`` never.
    At the end, ``first`` is what to open first.
    """
    planned = [*files, request.output / MANIFEST]
    with claimed(request.output, dry_run=request.dry_run):
        refuse_existing(planned, request.overwrite, keep)
        if request.dry_run:
            tell_rendering(request, planned, settings, task)
            return
        announce([task], settings["device"])
        draw()
        write_manifest(request.output, settings, files)
        open_first(first)


def tell_rendering(
    request: RenderingRequest, files: Sequence[Path], settings: dict[str, Any], task: Task
) -> None:
    """Print what a rendering command would do."""
    tell_dry_run(DryRun([task], request.output, files, settings["device"]), settings)
