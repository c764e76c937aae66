"""The options that say how pictures are projected, and a generator is tuned to them."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.options.acceleration import compile_option, precision_option
from cli.options.common import (
    anchor_option,
    any_checkpoint_option,
    class_option,
    distance_option,
    grouped_options,
    seed_option,
    trust_option,
    video_options,
)
from cli.options.option import Option
from cli.options.pictures import PictureRequest, limit_option, picture_options
from cli.options.values import Count, FiniteFloat, file_name
from cli.text import plain_text

if TYPE_CHECKING:
    from latentlab import ProjectorSettings, TuningSettings


_TERMS = ("pixel_weight", "identity_weight", "p_norm_weight", "anchor")
# As latentlab.projection.settings.STEPS, without torch.
_ALGORITHMS = ("published", "l-bfgs")
_IDENTITY_WEIGHT = 0.1  # as pSp and e4e weigh it beside LPIPS


@dataclass(frozen=True)
class SearchRequest:
    """How latents are to be searched; the names are those of ProjectorSettings."""

    space: str | None
    algorithm: str
    steps: int | None
    seed: int
    learning_rate: float
    noise_weight: float
    start_samples: int | None
    w_plus_pull: float
    pixel_weight: float
    identity_weight: float | None
    p_norm_weight: float
    anchor: bool
    identity: Path | None  # no setting, as what follows
    start: Path | None
    encoder: Path | None
    encoder_type: str | None

    def settings(self) -> "ProjectorSettings":
        """Return the constants of the optimisation; an encoder gives W+."""
        from latentlab import ProjectorSettings

        no_settings = ("identity", "start", "encoder", "encoder_type")
        settings = {k: v for k, v in vars(self).items() if k not in no_settings}
        settings["space"] = self.space or ("w" if self.encoder is None else "w+")
        settings["identity_weight"] = self._identity_weight()
        if self.start_samples is None and (self.start is not None or self.encoder is not None):
            settings["start_samples"] = 0
        return ProjectorSettings(**settings)

    def _identity_weight(self) -> float:
        if self.identity is None:
            return 0.0
        return _IDENTITY_WEIGHT if self.identity_weight is None else self.identity_weight

    def facts(self) -> dict[str, Any]:
        """Return what a report says of it: other networks by their names and SHA-256."""
        from latentlab.files import sha256_of

        start = None if self.start is None else plain_text(self.start)
        settings = asdict(self.settings())
        # As before there were these terms, so that folders of that time go on.
        facts = {k: v for k, v in settings.items() if v or k not in _TERMS} | {"start": start}
        if self.algorithm == _ALGORITHMS[0]:
            del facts["algorithm"]
        for kind, file in (("encoder", self.encoder), ("identity", self.identity)):
            if file is not None:
                facts[kind] = plain_text(file.name)
                facts[f"{kind}_sha256"] = sha256_of(file)
        return facts

    def check(self, video: bool, batch: int | None) -> None:
        """Raise UsageError for options that do not go together."""
        self._check_starts()
        if self.algorithm != _ALGORITHMS[0] and (batch or 1) > 1:
            raise click.UsageError(
                f"--batch goes with --algorithm {_ALGORITHMS[0]}: {self.algorithm} takes one "
                "picture after the other."
            )
        if self.identity is None and self.identity_weight is not None:
            raise click.UsageError("--identity-weight goes with --identity.")
        if self.identity_weight == 0:
            raise click.UsageError("--identity counts by --identity-weight: give more than 0.")
        if self.steps == 0 and self.encoder is None and self.start is None:
            raise click.UsageError(
                "--steps 0 goes with --encoder or --start: nothing is optimised."
            )
        if self.steps == 0 and video:
            raise click.UsageError("--video shows an optimisation; --steps 0 leaves that out.")

    def _check_starts(self) -> None:
        """Raise UsageError for options on where to start that do not go together."""
        if self.encoder is not None and self.start is not None:
            raise click.UsageError("give --encoder or --start: both say where to start.")
        if self.encoder is not None and self.start_samples:
            raise click.UsageError("give --encoder or --start-samples: both say where to start.")
        for option, given in (("--encoder", self.encoder), ("--start", self.start)):
            if given is not None and self.space == "z":
                raise click.UsageError(f"{option} gives w: use --space w or w+.")
        if self.encoder is None and self.encoder_type is not None:
            raise click.UsageError("--encoder-type goes with --encoder.")


@dataclass(frozen=True)
class ProjectionRequest:
    """What the command line asks of a projection."""

    search: SearchRequest
    distance: str
    reading: PictureRequest
    video: str | None
    fps: float
    limit: int | None
    shuffle: bool
    batch: int | None
    label: int | None
    latents: str
    html: bool
    any_checkpoint: bool
    compiled: bool
    precision: str


@dataclass(frozen=True)
class TuningRequest:
    """How a generator is to be tuned; the names are those of TuningSettings."""

    steps: int
    learning_rate: float
    l2_weight: float
    locality_weight: float
    locality_reach: float
    seed: int
    distance: str  # no setting, as what follows
    batch: int | None
    label: int | None
    any_checkpoint: bool

    def settings(self) -> "TuningSettings":
        """Return the constants of the tuning."""
        from latentlab import TuningSettings

        others = ("distance", "batch", "label", "any_checkpoint")
        return TuningSettings(**{k: v for k, v in vars(self).items() if k not in others})


# As latentlab.encoders.config.ENCODER_TYPES, without torch.
_ENCODER_TYPES = (
    "GradualStyleEncoder", "Encoder4Editing", "BackboneEncoderUsingLastLayerIntoW",
    "BackboneEncoderUsingLastLayerIntoWPlus",
)  # fmt: skip


def _from_zero(
    name: str, default: float, text: str, metavar: str = "WEIGHT", zero: bool = True
) -> Callable[[Any], Any]:
    """Return an option for a number from zero, or above it."""
    return click.option(
        name, type=FiniteFloat(min=0, min_open=not zero), default=default, show_default=True,
        metavar=metavar, help=text,
    )  # fmt: skip


def _batch_option(verb: str) -> Callable[[Any], Any]:
    return click.option(
        "--batch", type=click.IntRange(min=1), metavar="N",
        help=f"Pictures {verb} at once; default: 1 on the CPU, on a GPU up to 8, by its memory.",
    )  # fmt: skip


search_options = grouped_options("search", SearchRequest, (
    click.option("--space", type=click.Choice(["w", "w+", "z"]),
                 help="w: one vector for all layers; w+: one for each layer, closer and less "
                 "editable; z: what the mapping network takes, also of a Progressive GAN. "
                 "Default: w, and w+ with --encoder."),
    click.option("--algorithm", type=click.Choice(_ALGORITHMS), default=_ALGORITHMS[0],
                 show_default=True,
                 help="published: Adam by the StyleGAN2 paper's schedule; l-bfgs: closer in a "
                 "quarter of the time, one picture after the other."),
    click.option("--steps", type=Count(min=0), metavar="N",
                 help="Iterations of a projection; 0: --encoder or --start as it is. Default: "
                 "1000, and 200 with --algorithm l-bfgs."),
    seed_option("Seed of the noise, of --start-samples and --shuffle."),
    _from_zero("--learning-rate", 0.1, "Largest step of Adam.", "RATE", zero=False),
    _from_zero("--noise-weight", 1e5, "Weight of the noise regularisation."),
    click.option("--start-samples", type=Count(0, 1_000_000), metavar="N",
                 help="Start from the closest of N random pictures; 0: from the mean w, and in "
                 "space z from a random one. Default: 0, and 100 with --algorithm "
                 "l-bfgs."),
    _from_zero("--w-plus-pull", 0.0, "Pull the rows of W+ towards each other."),
    _from_zero("--pixel-weight", 0.0, "Weight of the mean squared difference of pixels."),
    _from_zero("--p-norm-weight", 0.0, "Weight of the pull of w towards those of random z."),
    click.option("--identity", type=click.Path(path_type=Path), metavar="FILE",
                 help="A face-recognition network, TorchScript, whose view of target and picture "
                 "counts as well. Such a file is a program: --trust."),
    click.option("--identity-weight", type=FiniteFloat(min=0), metavar="WEIGHT",
                 help=f"Weight of 1 - cosine of the network's vectors; default: "
                 f"{_IDENTITY_WEIGHT}."),
    anchor_option,
    click.option("--start", type=click.Path(path_type=Path), metavar="FILE|DIR",
                 help="Go on from saved latents: a folder of an earlier projection, one for each "
                 "picture by name, or a file of latents with names; or a file with one for all."),
    click.option("--encoder", type=click.Path(path_type=Path), metavar="FILE",
                 help="Start from what an encoder gives: a file of pSp or e4e. In space w, from "
                 "the mean of its rows."),
    click.option("--encoder-type", type=click.Choice([*_ENCODER_TYPES]), metavar="TYPE",
                 help="Which encoder it is, where the file does not say it: GradualStyleEncoder "
                 "is pSp's, Encoder4Editing e4e's."),
))  # fmt: skip
projection_options = grouped_options("request", ProjectionRequest, (
    search_options, distance_option, trust_option, picture_options,
    *video_options("A video of each projection"), limit_option,
    click.option("--shuffle", is_flag=True, help="Take the pictures in random order, by --seed."),
    _batch_option("optimised"),
    class_option("Class of a conditional generator; default: the mean of all."),
    click.option("--latents-file", "latents", cls=Option, old=["--latents"],
                 type=file_name(".safetensors", ".parquet"),
                 default="latents.safetensors", show_default=True, metavar="NAME",
                 help="File for the latents of all pictures: .safetensors or .parquet."),
    click.option("--html", is_flag=True,
                 help="Also write DIR/report.html: an overview of the folder, the worst first."),
    any_checkpoint_option, compile_option,
    precision_option("the large layers of a StyleGAN2, and of LPIPS while it is searched with"),
))  # fmt: skip
tuning_options = grouped_options("request", TuningRequest, (
    click.option("--steps", type=Count(min=1), default=350, show_default=True,
                 metavar="N", help="Iterations; each looks at every picture."),
    _from_zero("--learning-rate", 3e-4, "Step of Adam.", "RATE", zero=False),
    _from_zero("--l2-weight", 1.0, "Weight of the mean squared difference of pixels."),
    _from_zero("--locality-weight", 0.1,
               "How firmly other pictures are held as they were; 0: not at all."),
    _from_zero("--locality-reach", 1.0,
               "How far from the latents those are, in deviations of w.", "DEVIATIONS"),
    seed_option("Seed of the other pictures."), distance_option, trust_option,
    _batch_option("rendered"),
    class_option("Class of the other pictures in a conditional generator; default: all in turn."),
    any_checkpoint_option,
))  # fmt: skip
