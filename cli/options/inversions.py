"""The options of a report of inversions."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.options.common import grouped_options, trust_option

if TYPE_CHECKING:
    from latentlab.identity import FaceCrop

# As metrics.picture_pairs.quality.SCORES and latentlab.identity.FaceCrop, without torch.
SCORE_NAMES = ("fid", "kid")
FACE_CROPS = ("ffhq", "none")

_FOLDER = click.Path(path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@dataclass(frozen=True)
class InversionRequest:
    """What is compared, and by which networks.

    Attributes:
        targets: Folders of targets, one for all results or one for each.
        results: Folders of results of other tools.
        distance: Perceptual distances; none takes those that can be had.
        score: Of the two sets; none takes what can be had.
        weights: File of the Inception network.
        identity: File of a face-recognition network.
        crop: How faces are cut out for it.
    """

    targets: tuple[Path, ...]
    results: tuple[Path, ...]
    distance: tuple[str, ...]
    score: tuple[str, ...]
    weights: Path | None
    identity: Path | None
    crop: "FaceCrop"

    @property
    def scores(self) -> tuple[str, ...]:
        """The scores that are asked for."""
        return tuple(name for name in SCORE_NAMES if name in self.score)

    @property
    def without_scores(self) -> bool:
        """Whether there are to be none."""
        return "none" in self.score

    def pairs(self) -> list[tuple[Path, Path]]:
        """Return targets and results of each tool."""
        several = self.targets if len(self.targets) != 1 else self.targets * len(self.results)
        return list(zip(several, self.results, strict=True))

    def refuse_conflicts(self, folders: Sequence[Path]) -> None:
        """Raise UsageError for nothing to compare, and for options that do not go together."""
        if not (folders or self.targets or self.results):
            raise click.UsageError("Give DIR, or --targets and --results.")
        if bool(self.targets) != bool(self.results):
            raise click.UsageError("--targets and --results go together.")
        if self.results and len(self.targets) not in (1, len(self.results)):
            each = len(self.results)
            often = f" for all --results, or {each} times, once for each" if each > 1 else ""
            raise click.UsageError(f"Give --targets once{often}, not {len(self.targets)} times.")
        if self.without_scores and (self.scores or self.weights):
            raise click.UsageError("--score none goes with no other --score, nor with --weights.")
        if self.crop != "ffhq" and self.identity is None:
            raise click.UsageError("--face-crop goes with --identity.")


inversion_options = grouped_options("wanted", InversionRequest, (
    click.option("--targets", type=_FOLDER, multiple=True, metavar="DIR",
                 help="Pictures as another tool saw them; once for all of --results, or once for "
                 "each."),
    click.option("--results", type=_FOLDER, multiple=True, metavar="DIR",
                 help="What another tool made of them, matched by name; may be repeated."),
    click.option("--distance", multiple=True, metavar="NAME|FILE",
                 help='Perceptual distance, see "Perceptual distances" above; may be repeated. '
                 "Default: lpips-alex, and those by which pictures were projected."),
    click.option("--identity", type=_FILE, metavar="FILE",
                 help="TorchScript of a face-recognition network: faces [N,3,112,112] in [-1,1] to "
                 "vectors [N,D]. It is a program: --trust."),
    trust_option,
    click.option("--face-crop", "crop", type=click.Choice(FACE_CROPS), default="ffhq",
                 show_default=True, help="For --identity: cut the face out of pictures aligned as "
                 "FFHQ, or take them whole."),
    click.option("--score", type=click.Choice([*SCORE_NAMES, "none"]), multiple=True,
                 help="Score of the two sets; may be repeated. Default: both, where their network "
                 "can be had."),
    click.option("--weights", type=_FILE, metavar="FILE",
                 help="Weights of the Inception network; default: fetched once."),
))  # fmt: skip
