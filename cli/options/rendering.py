"""The options of commands that render pictures, as one request."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.options import common
from cli.options.acceleration import accelerated, compile_option, facts, precision_option
from cli.options.values import finite_float, float_pair

if TYPE_CHECKING:
    from cli.models import RenderingModel
    from latentlab import Generator


@dataclass(frozen=True)
class RenderingRequest:
    """What rendering commands are given: the model, how seeds are mapped, where results go."""

    checkpoint: str
    truncation_cutoff: int | None
    classes: tuple[str, ...] | None
    dry_run: bool
    output: Path
    overwrite: bool
    device: str
    truncation_psi: float = 1.0
    tuning: Path | None = None
    video: str | None = None
    fps: float = 30.0
    any_checkpoint: bool = False
    translate: tuple[float, float] | None = None
    rotate: float | None = None
    anchor: bool = False
    compiled: bool = False
    precision: str = "float32"

    def open(self) -> "RenderingModel":
        """Open the model; raises SettingsError before if there can be no such video."""
        from cli.classes import classes_of
        from cli.models import RenderingModel, open_model

        common.check_asked_video(self.video, self.fps)
        model = open_model(self.checkpoint, self.device, self.tuning)
        asked = self.truncation_cutoff
        cutoff = model.opened.truncation_cutoff if asked is None else asked
        truncation = (self.truncation_psi, cutoff)
        labels = classes_of(model.opened, model.g, self.classes or ())
        rendering = RenderingModel(**vars(model), truncation=truncation, labels=labels)
        g = accelerated(model.g, self.compiled, self.precision)
        return replace(rendering, g=g, pace=facts(self.compiled, self.precision))

    def placed(self, g: "Generator") -> AbstractContextManager[None]:
        """Return what has pictures moved and turned while it lasts.

        Raises:
            LatentError: If that is asked for, or --anchor, and the generator cannot do it.
        """
        from latentlab.networks.placement import placement_matrix, placing_rows

        if self.anchor:
            placing_rows(g.synthesis)
        if self.translate is None and self.rotate is None:
            return nullcontext()
        matrix = placement_matrix(self.translate or (0.0, 0.0), self.rotate or 0.0)
        return g.synthesis.moved(matrix)

    def placement(self) -> dict[str, Any]:
        """Return what is asked for of where pictures lie."""
        asked = {"translate": self.translate, "rotate": self.rotate, "anchor": self.anchor or None}
        return {name: value for name, value in asked.items() if value is not None}

    def settings(self, of_seeds: bool) -> dict[str, Any]:
        """Return what a manifest says of truncation, which is for seeds, and of the video."""
        return {
            "truncation_psi": self.truncation_psi if of_seeds else None,
            "video": self.video,
            "fps": self.fps if self.video else None,
        }


placement_options = (
    click.option("--translate", type=float_pair, metavar="X,Y",
                 help="Of StyleGAN3: move what is drawn to the right and down, in sizes of the "
                 "picture, such as 0.25,-0.1."),
    click.option("--rotate", type=finite_float, metavar="DEGREES",
                 help="Of StyleGAN3: turn what is drawn against the clock, before it is moved."),
    common.anchor_option,
)  # fmt: skip
options_of_seeds = (
    common.truncation_option(),
    common.cutoff_option,
    common.classes_option(
        "Classes of a conditional generator, for seeds: 3, 0-4, all, or their names; each seed is "
        "taken in each of them."
    ),
)


def rendering_options(
    *options: Callable[[Any], Any],
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add CKPT, the given options and those of the results; the command gets ``request``.

    What a ``RenderingRequest`` has no field for is passed to the command by its own name.
    """
    every = (
        common.checkpoint_argument, *options, compile_option, precision_option(),
        common.dry_run_option, common.output_option, common.overwrite_option, common.device_option,
    )  # fmt: skip
    return common.grouped_options("request", RenderingRequest, every)
