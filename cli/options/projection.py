"""The options that say how a projection searches."""

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.options.common import grouped_options, seed_option, steps_option
from cli.options.values import FiniteFloat
from cli.text import plain_text

if TYPE_CHECKING:
    from latentlab import ProjectorSettings


@dataclass(frozen=True)
class SearchOrder:
    """How latents are to be searched; the names are those of ProjectorSettings."""

    space: str
    steps: int
    seed: int
    learning_rate: float
    noise_weight: float
    start_samples: int
    w_plus_pull: float
    start: Path | None  # no constant, and no setting

    def settings(self) -> "ProjectorSettings":
        """Return the constants of the optimisation."""
        from latentlab import ProjectorSettings

        names = [each.name for each in fields(self) if each.name != "start"]
        return ProjectorSettings(**{name: getattr(self, name) for name in names})

    def facts(self) -> dict[str, Any]:
        """Return what a report says of it."""
        start = None if self.start is None else plain_text(self.start)
        return {**asdict(self.settings()), "start": start}


search_options = grouped_options("search", SearchOrder, (
    click.option("--space", type=click.Choice(["w", "w+"]), default="w", show_default=True,
                 help="w: one vector for all layers; w+: one a layer, closer and less editable."),
    steps_option(1000),
    seed_option("Seed of the noise, of --start-samples and --shuffle."),
    click.option("--learning-rate", type=FiniteFloat(min=0, min_open=True), default=0.1,
                 show_default=True, metavar="RATE", help="Largest step of Adam."),
    click.option("--noise-weight", type=FiniteFloat(min=0), default=1e5, show_default=True,
                 metavar="WEIGHT", help="Weight of the noise regularisation."),
    click.option("--start-samples", type=click.IntRange(0, 1_000_000), default=0,
                 show_default=True, metavar="N",
                 help="Start from the closest of N random pictures; 0: from the mean w."),
    click.option("--w-plus-pull", type=FiniteFloat(min=0), default=0.0, show_default=True,
                 metavar="WEIGHT", help="Pull the rows of W+ towards each other."),
    click.option("--start", type=click.Path(path_type=Path), metavar="FILE|DIR",
                 help="Go on from saved latents: a file, or a folder of an earlier projection."),
))  # fmt: skip
