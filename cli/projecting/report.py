"""The report of a projection run: besides the table, the latents of all pictures in one file."""

from collections.abc import Mapping
from typing import Any

from cli.pictures.plan import PicturePlan
from cli.pictures.report import PictureReport
from cli.projecting.files import FILES
from cli.projecting.latent_table import write_latents
from cli.projecting.plan import ProjectionFolders
from latentlab import ImageError
from latentlab.files import sha256_of


class ProjectionReport(PictureReport):
    """The report of a projection run, whose rows say all settings."""

    def __init__(
        self,
        plan: PicturePlan,
        folders: ProjectionFolders,
        failures: Mapping[str, ImageError],
        facts: dict[str, Any],
    ) -> None:
        """Begin with what earlier runs have done; ``facts`` are the settings of this one."""
        self._folders = folders
        super().__init__(plan, failures, facts)

    @property
    def row_facts(self) -> dict[str, Any]:
        """The settings."""
        return self.facts

    def files(self) -> dict[str, str]:
        """Write the latents of all pictures; returns the SHA-256 of these and all other files."""
        folders, records, files = self._folders, self.records, {}
        if records and not folders.alone:
            path = folders.output / folders.latents
            saved = {
                record.source.path: folders.folder(name) / FILES[0]
                for name, record in records.items()
            }
            write_latents(path, saved, self.facts)
            files[path.name] = sha256_of(path)
        for name in records:
            path = folders.record(name)
            files[path.relative_to(folders.output).as_posix()] = sha256_of(path)
        return files | super().files()
