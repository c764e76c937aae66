"""Where projections go, and whether what is left to project can be used at all."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from cli.pictures.plan import Layout, PicturePlan
from cli.pictures.records import RECORD
from cli.pictures.report import PictureReport, refused
from cli.projecting.files import FILES, REPORT
from cli.projecting.method import Method
from cli.reports.tables import MANIFEST
from cli.text import plain_text
from latentlab import ImageError, distributed


@dataclass(frozen=True)
class ProjectionFolders(Layout):
    """A folder for each picture, or the output itself for one that was named alone.

    Attributes:
        latents: Name of the file for the latents of all pictures, if there are several.
    """

    latents: str = ""

    @property
    def reports(self) -> list[Path]:
        """The table, the manifest, and the latents of all pictures where they are wanted."""
        names = [REPORT, MANIFEST] if self.alone else [REPORT, MANIFEST, self.latents]
        return [self.output / name for name in names]

    @property
    def reserved(self) -> list[str]:
        """Names of files."""
        return [*(path.name for path in self.reports), RECORD]

    def names(self) -> list[str]:
        """Return the names of the folders that have a record."""
        if self.alone:
            return [""]
        # Not those of stages, which a kill may have left complete, but not in their place.
        return [path.parent.name for path in sorted(self.output.glob(f"[!.]*/{RECORD}"))]

    def folder(self, name: str) -> Path:
        """Return the folder of a picture's files."""
        return self.output / name

    def record(self, name: str) -> Path:
        """Return the file of a picture's record."""
        return self.folder(name) / RECORD

    def results(self, name: str) -> list[Path]:
        """Return the files of a picture that may be there already."""
        folder = self.folder(name)
        return [folder / file for file in (*FILES, RECORD)] if folder.exists() else []


def check_plan(method: Method, plan: PicturePlan, failures: Mapping[str, ImageError]) -> None:
    """Refuse what could not begin, before anything is written.

    Raises:
        ImageError: If no picture can be used, and none has been.
        LatentlabError: If the distance is for pictures of another size.
    """
    errors = []
    for job in plan.left:
        try:
            target = method.reader(job.picture)
        except ImageError as error:
            errors.append(error)
            continue
        method.distance.features(target.image[None].to(method.g.device))
        return
    errors += failures.values()
    if plan.done or plan.others or not errors:
        return
    first = plain_text(errors[0])
    if len(errors) > 1:
        first = f"none of the {len(errors)} pictures can be used; first: {first}"
    raise ImageError(first)


def tell_plan(method: Method, plan: PicturePlan, report: PictureReport) -> None:
    """Print which pictures would be projected, and the settings, as JSON; report the others."""
    if not distributed.is_main():
        return
    usable = []
    for job in plan.left:
        try:
            method.reader(job.picture)
            usable.append(plain_text(job.picture))
        except ImageError as error:
            report.add(refused(job.picture, error, **method.facts))
    click.echo(json.dumps({"pictures": usable, "done": plan.done, **method.facts}, indent=1))
