"""The report of a projection run: besides the table, the latents of all pictures and a page."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cli.pictures.plan import PicturePlan
from cli.pictures.report import PictureReport, as_json
from cli.projecting.files import latents_in
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

    def shown(self) -> list[Path]:
        """Return what shows the results best: the page where there is one, then each picture."""
        page = self.layout.output / PAGE
        drawn = PAGE in self.manifest().get("files", {}) and page.is_file()
        return [page, *super().shown()] if drawn else super().shown()

    def files(self) -> dict[str, str]:
        """Write the latents of all pictures, and the page; returns the SHA-256 of all files."""
        output, records, files = self.layout.output, self.records, {}
        saved = {r.source.path: latents_in(self.layout.folder(n)) for n, r in records.items()}
        if saved:
            write_latents(output / self._latents, saved, self.facts)
            files[self._latents] = sha256_of(output / self._latents)
        files |= self._overview()
        for path in map(self.layout.record, records):
            files[path.relative_to(output).as_posix()] = sha256_of(path)
        return files | super().files()

    def _overview(self) -> dict[str, str]:
        """Draw the page where it is wanted and none is there, or one that is out of date."""
        output, manifest = self.layout.output, self.manifest()
        before = manifest.get("files", {})
        drawn = {name: before[name] for name in (PAGE, PLOT) if name in before}
        if not self._page and PAGE not in drawn:
            return {}
        # The same command again changes nothing, although a page has a date.
        stays = all(_is(output / name, digest) for name, digest in drawn.items())
        same = manifest.get("settings") == as_json(self.facts)
        current = same and before.get(self.path.name) == sha256_of(self.path)
        if PAGE in drawn and current and (stays or not self._page):
            return drawn
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


def _is(file: Path, digest: str) -> bool:
    return file.is_file() and sha256_of(file) == digest


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
