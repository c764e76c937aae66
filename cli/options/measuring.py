"""The options that the measuring commands share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from cli.options.acceleration import compile_option
from cli.options.classifier_files import classifier_files
from cli.options.common import (
    device_option,
    distance_option,
    dry_run_option,
    given_options,
    grouped_options,
    output_option,
    overwrite_option,
    seed_option,
    steps_option,
    trust_option,
    workers_option,
)
from cli.options.values import TABLE_SUFFIXES, Count, file_name
from cli.running.processes import joined_processes
from cli.text import distinct_names, one_line, plain_text

Decorator = Callable[[Callable[..., None]], Callable[..., None]]

# As metrics.path_protocols.PROTOCOLS and metrics.fidelity_networks.METRICS, without torch.
PROTOCOL_NAMES = ("ppl_zfull", "ppl_wfull", "ppl_zend", "ppl_wend", "ppl2_wend")
METRIC_NAMES = ("fid", "kid", "prc")

# Where classifiers and labels are explained: in the command's own help, or in another's.
_ABOVE = ('"Classifiers" above', '"Labels" above')
ELSEWHERE = ("`latentlab separability --help`",) * 2

_FILE = click.Path(path_type=Path)
_LONGEST_NAME = 80  # characters of a model's


@dataclass(frozen=True)
class MeasuringRequest:
    """What every measuring command is given: where to write what, and how to compute."""

    output: Path
    overwrite: bool
    device: str
    report: str = "report.csv"
    seed: int = 0
    batch: int | None = None
    dry_run: bool = False
    html: bool = True
    names: tuple[str, ...] = ()
    compiled: bool = False

    def titles(self, paths: Sequence[str], of: str = "model") -> list[str]:
        """Return what models are called, as --name says, or after their files; each differently.

        Args:
            paths: Their files.
            of: What messages call one of them.

        Raises:
            UsageError: If there are names, yet not one for each model, or two are alike.
        """
        if len(self.names) > 1 == len(paths):
            raise click.UsageError(f"Give --name once: there is one {of}.")
        if self.names and len(self.names) != len(paths):
            raise click.UsageError(
                f"Give --name once for each {of}, in their order: {len(paths)} times, "
                f"not {len(self.names)}."
            )
        if len(set(self.names)) < len(self.names):
            raise click.UsageError(f"Two {of}s have the same --name.")
        return [*self.names] or distinct_names([plain_text(path) for path in paths])


@dataclass(frozen=True)
class AttributesRequest:
    """The attributes that latents are divided by: read by classifiers, or labelled already.

    Attributes:
        classifiers: Files of classifiers, or names of bundled ones.
        outputs: What several outputs of one classifier are.
        keep: Samples that count for an attribute; None takes half of them, or all with labels.
        latents: Latents that exist already.
        labels: Their labels.
        layer: Which w of several; None takes the last.
    """

    classifiers: tuple[str, ...]
    outputs: str
    keep: int | None
    latents: Path | None
    labels: Path | None
    layer: int | None

    @property
    def labelled(self) -> tuple[Path, Path] | None:
        """Latents and labels, where both are given."""
        return None if self.latents is None or self.labels is None else (self.latents, self.labels)

    def refuse_conflicts(self, needed: str, samples: int) -> None:
        """Raise UsageError unless there are either classifiers, or latents with labels.

        Args:
            needed: The sentence that says so.
            samples: Pictures to classify.
        """
        labelled = self.latents is not None
        if labelled != (self.labels is not None) or labelled == bool(self.classifiers):
            raise click.UsageError(needed)
        if self.layer is not None and not labelled:
            raise click.UsageError("--layer goes with --latents.")
        if self.keep is not None and not labelled and self.keep > samples:
            raise click.UsageError(f"--keep {self.keep} is more than --samples {samples}.")


@dataclass(frozen=True)
class SeparabilityRequest:
    """What planes are to divide: how many latents, in which spaces, by which attributes."""

    attributes: AttributesRequest
    samples: int
    space: str | None
    dual: bool


@dataclass(frozen=True)
class ComparisonRequest:
    """What the metrics of a comparison need.

    ``dual`` is for separability: whether planes are found by the published solver.
    """

    protocols: tuple[str, ...]
    distance: str
    classifiers: tuple[str, ...]
    outputs: str
    data: str | None
    weights: str | None
    dual: bool = False
    real: tuple[str, ...] = ()
    steps: int = 1000

    @property
    def real_pictures(self) -> tuple[str, ...]:
        """The real pictures of attribution: those of fidelity where none are given for it."""
        return self.real or ((self.data,) if self.data else ())

    @property
    def steps_given(self) -> bool:
        """Whether the command line says how many steps a projection has."""
        ctx = click.get_current_context(silent=True)
        return ctx is not None and "steps" in given_options(ctx)

    def lacking(self, asked: Sequence[str] = ()) -> dict[str, str]:
        """Return the option that a metric cannot do without and that is not given, by metric.

        Attribution takes long: the pictures of fidelity do for it only where it is ``asked`` for.
        """
        real = self.real_pictures if "attribution" in asked else self.real
        options = {
            "separability": ("--classifier", self.classifiers),
            "fidelity": ("--data", self.data),
            "attribution": ("--real", real),
        }
        return {metric: option for metric, (option, given) in options.items() if not given}


def measuring_options(
    report: str = "report.csv",
    always_page: bool = False,
    several: bool = False,
    compiles: bool = False,
) -> Decorator:
    """Return the options of a MeasuringRequest, passed to the command as ``request``.

    Args:
        report: Default name of the table.
        always_page: Whether the page is written without being asked for.
        several: Whether the command measures several models.
        compiles: Whether its networks may be compiled.
    """
    name = (
        "What titles, tables and plots call the models: once for each, in their order. Default: "
        "the names of their files." if several else
        "What titles, tables and plots call the model. Default: the name of its file."
    )  # fmt: skip
    html = click.option("--html", is_flag=True, help="Also write DIR/report.html: tables, plots "
                        "and pictures in one file.")  # fmt: skip
    options = (
        *([] if always_page else [html]),
        click.option("--name", "names", type=_model_name, multiple=True, metavar="TEXT", help=name),
        seed_option("Seed of latents, noise and resampling."),
        click.option("--batch", type=click.IntRange(min=1), metavar="N",
                     help="Samples at once on a GPU; default: by the size of the images."),
        output_option,
        click.option("--report", type=file_name(*TABLE_SUFFIXES), default=report, show_default=True,
                     metavar="NAME", help="Table in DIR: .csv, .json, .parquet or .md."),
        overwrite_option,
        *([compile_option] if compiles else []),
        dry_run_option,
        device_option,
        workers_option,
    )  # fmt: skip
    group = grouped_options("request", MeasuringRequest, options)
    return lambda command: group(joined_processes(command))


def _model_name(text: str) -> str:
    name = one_line(text)
    if not name or len(name) > _LONGEST_NAME:
        raise click.BadParameter(f"a name has 1 to {_LONGEST_NAME} characters")
    return name


def samples_option(default: int, text: str) -> Decorator:
    """--samples: how many, passed to the command as ``samples``."""
    return click.option(
        "--samples", type=Count(1, 10_000_000), default=default, show_default=True,
        metavar="N", help=text,
    )  # fmt: skip


def classifier_options(use: str, where: tuple[str, str]) -> tuple[Decorator, ...]:
    """Return --classifier and --outputs; ``use`` says what for, ``where[0]`` they are explained."""
    return (
        click.option("--classifier", "classifiers", multiple=True, metavar="FILE|DIR|PATTERN",
                     callback=classifier_files,
                     help=f"Classifier of pictures{use}, see {where[0]}; a folder or a pattern "
                     "stands for all in it; may be repeated. TorchScript is a program: --trust."),
        click.option("--outputs", type=click.Choice(["classes", "attributes"]), default="classes",
                     show_default=True, help="What several outputs of one classifier are: classes "
                     "that exclude each other, each taken against the rest, or independent "
                     "attributes."),
    )  # fmt: skip


def attributes_options(
    use: str = "", where: tuple[str, str] = _ABOVE, arrays: str = "w or z"
) -> Decorator:
    """Return the options of an AttributesRequest, passed to the command as ``attributes``.

    Args:
        use: What they are for, where a command has another use as well: " for ...".
        where: Where classifiers are explained, and where labels are.
        arrays: What latents may be.
    """
    return grouped_options("attributes", AttributesRequest, (
        *classifier_options(use, where),
        trust_option,
        click.option("--keep", type=Count(min=1), metavar="N",
                     help="How many samples count for an attribute, the most confident first. "
                     "Default: half; with --labels, all."),
        click.option("--latents", type=_FILE, metavar="FILE|DIR",
                     help=f"Your own latents{use}: a folder of `latentlab project`, its "
                     f"latents.safetensors or .parquet, or an .npz with {arrays}, .npy or .pt."),
        click.option("--labels", type=_FILE, metavar="CSV",
                     help=f"Labels of these latents, see {where[1]}."),
        click.option("--layer", type=click.IntRange(min=0), metavar="N",
                     help="Which w, where --latents have one per layer. Default: the last."),
    ))  # fmt: skip


_dual_option = click.option(
    "--dual", is_flag=True, help="Solve the SVM of separability as the published code does, which "
    "seldom converges and depends on the seed: for published figures, as scores of the default "
    "solver lie below those.",
)  # fmt: skip
separability_options = grouped_options("wanted", SeparabilityRequest, (
    attributes_options(),
    samples_option(200_000, "Number of pictures."),
    click.option("--space", type=click.Choice(["z,w", "z", "w"]),
                 help="Spaces to measure. Default: both, or Z alone where there is no W."),
    _dual_option,
))  # fmt: skip
comparison_options = grouped_options("needs", ComparisonRequest, (
    click.option("--protocol", "protocols", type=click.Choice(PROTOCOL_NAMES), multiple=True,
                 default=["ppl2_wend"], show_default=True,
                 help="Path length protocol, see `latentlab ppl --help`; may be repeated."),
    distance_option,
    *classifier_options(" for separability", ELSEWHERE),
    trust_option,
    _dual_option,
    click.option("--data", metavar="DIR|ZIP|builtin:digits",
                 help="For fidelity: real pictures, brought to the generator's size as for "
                 "training."),
    click.option("--weights", type=click.Path(), metavar="FILE",
                 help="For fidelity: weights of the Inception network; default: fetched once."),
    click.option("--real", multiple=True, metavar="REAL",
                 help="For attribution: a real picture, a folder of them, or builtin:digits, see "
                 "`latentlab attribution --help`; may be repeated. Default: --data, where "
                 "attribution is asked for."),
    steps_option(1000),
))  # fmt: skip
