"""The options of commands that render pictures, as one request."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.options import common

if TYPE_CHECKING:
    from cli.models import RenderingModel


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
        return RenderingModel(**vars(model), truncation=truncation, labels=labels)

    def settings(self, of_seeds: bool) -> dict[str, Any]:
        """Return what a manifest says of truncation, which is for seeds, and of the video."""
        return {
            "truncation_psi": self.truncation_psi if of_seeds else None,
            "video": self.video,
            "fps": self.fps if self.video else None,
        }


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
        common.checkpoint_argument, *options, common.dry_run_option, common.output_option,
        common.overwrite_option, common.device_option,
    )  # fmt: skip
    return common.grouped_options("request", RenderingRequest, every)
