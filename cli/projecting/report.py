"""The report of a projection run: besides the table, the latents of all pictures in one file."""

from cli.pictures.report import PictureReport
from cli.projecting.files import FILES
from cli.projecting.latent_table import write_latents
from latentlab.files import sha256_of


class ProjectionReport(PictureReport):
    """The report of a projection run."""

    def files(self) -> dict[str, str]:
        """Write the latents of all pictures; returns the SHA-256 of these and all other files."""
        output, records, files = self.layout.output, self.records, {}
        saved = {r.source.path: self.layout.folder(n) / FILES[0] for n, r in records.items()}
        for name in self.layout.reports[2:] if saved else []:
            write_latents(output / name, saved, self.facts)
            files[name] = sha256_of(output / name)
        for path in map(self.layout.record, records):
            files[path.relative_to(output).as_posix()] = sha256_of(path)
        return files | super().files()
