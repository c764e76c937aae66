"""The report of a projection run: besides the table, the latents of all pictures and a page."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cli.pictures.plan import PicturePlan
from cli.pictures.report import PictureReport
from cli.projecting.files import W
from cli.projecting.latent_table import write_latents
from cli.projecting.overview import PAGE, PLOT, Shown, write_overview
from latentlab import ImageError
from latentlab.files import sha256_of


class ProjectionReport(PictureReport):
    """The report of a projection run."""

    def __init__(
        self,
        plan: PicturePlan,
        failures: Mapping[str, ImageError],
        facts: dict[str, Any],
        latents: str,
        page: bool,
    ) -> None:
        """Begin as any report; ``latents`` is the file for these, ``page`` whether to draw one."""
        super().__init__(plan, failures, facts)
        self._latents, self._page = latents, page

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows of what there is so far."""
        return [_renamed(row) for row in super().rows]

    def files(self) -> dict[str, str]:
        """Write the latents of all pictures, and the page; returns the SHA-256 of all files."""
        output, records, files = self.layout.output, self.records, {}
        saved = {r.source.path: self.layout.folder(n) / W for n, r in records.items()}
        if saved:
            write_latents(output / self._latents, saved, self.facts)
            files[self._latents] = sha256_of(output / self._latents)
        files |= self._overview()
        for path in map(self.layout.record, records):
            files[path.relative_to(output).as_posix()] = sha256_of(path)
        return files | super().files()

    def _overview(self) -> dict[str, str]:
        """Draw the page where it is wanted, or one is there that has become out of date."""
        output, before = self.layout.output, self.manifest().get("files", {})
        if not self._page and PAGE not in before:
            return {}
        if not self._page and before.get(self.path.name) == sha256_of(self.path):
            return {name: before[name] for name in (PAGE, PLOT) if name in before}
        pictures = [
            Shown(
                name or Path(record.source.path).stem,
                self.layout.folder(name),
                _renamed(record.row),
            )
            for name, record in self.records.items()
        ]
        written = write_overview(output, pictures, self.rows, self.facts)
        return {file.name: sha256_of(file) for file in written}


def _renamed(row: dict[str, Any]) -> dict[str, Any]:
    """Return a picture's row with today's names.

    Up to 0.1.0 `distance` was that within the mask, and `whole_distance` that of the picture.
    """
    if "whole_distance" not in row:
        return row
    now = {**row, "distance": row["whole_distance"]}
    del now["whole_distance"]
    if row.get("mask") is not None:
        names = ("start_distance", "mean_image_distance")
        now |= {f"mask_{name}": row[name] for name in ("distance", *names)}
        now |= dict.fromkeys(names)
    return now
