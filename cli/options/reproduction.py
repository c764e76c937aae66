"""The options of `latentlab reproduce`: which table or figure, and what it needs.

Nothing here imports torch: help and usage errors answer at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import click

from cli.options.common import (
    distance_option,
    given_options,
    grouped_options,
    steps_option,
    trust_option,
)
from cli.options.measuring import ELSEWHERE, classifier_options
from cli.options.values import Count, sample_counts

FIDELITY, PATHS, SEPARABILITY = "fidelity", "ppl", "separability"
CONTRIBUTIONS, PROJECTION = "contributions", "attribution"
OVER_RUN, PROJECTIONS = "stylegan2-fig8", "stylegan2-projection"

# How many samples of each metric the papers took; of projections, as many as there are real ones.
_STYLEGAN = {FIDELITY: 50_000, PATHS: 100_000, SEPARABILITY: 200_000}
_STYLEGAN2 = {FIDELITY: 50_000, PATHS: 50_000}
TABLES: Mapping[str, Mapping[str, int]] = MappingProxyType({
    "stylegan-table1": {FIDELITY: _STYLEGAN[FIDELITY]},
    "stylegan-table2": {FIDELITY: _STYLEGAN[FIDELITY]},
    "stylegan-table3": {PATHS: _STYLEGAN[PATHS], SEPARABILITY: _STYLEGAN[SEPARABILITY]},
    "stylegan-table4": _STYLEGAN,
    "stylegan2-table1": _STYLEGAN2,
    "stylegan2-table3": _STYLEGAN2,
    OVER_RUN: {CONTRIBUTIONS: 1024},
    PROJECTIONS: {PROJECTION: 0},
})  # fmt: skip

# As metrics.published_figures has them, without torch.
DATA_SETS = ("ffhq", "celebahq", "car", "cat", "church", "horse")

_METRICS = (FIDELITY, PATHS, SEPARABILITY)
_TENTH = 10
# The options that each metric has a use for, by their parameters.
_OF_METRIC: Mapping[str, Mapping[str, str]] = MappingProxyType({
    FIDELITY: {"data": "--data", "mirror": "--mirror", "num_reals": "--reals",
               "weights": "--weights", "vgg_weights": "--vgg-weights"},
    PATHS: {"distance": "--distance", "whole_pictures": "--whole-pictures"},
    SEPARABILITY: {"classifiers": "--classifier", "outputs": "--outputs"},
    PROJECTION: {"distance": "--distance", "real": "--real", "most_real": "--most-real",
                 "generated": "--generated", "steps": "--steps"},
    CONTRIBUTIONS: {},
})  # fmt: skip
_NEEDED: Mapping[str, tuple[str, str]] = MappingProxyType({
    FIDELITY: ("data", "real pictures, which --data gives"),
    SEPARABILITY: ("classifiers", "classifiers, which --classifier gives"),
    PROJECTION: ("real", "real pictures, which --real gives"),
})  # fmt: skip


@dataclass(frozen=True)
class ReproductionRequest:
    """What a table or figure is to be made from; the options of ``reproduction_options``."""

    metrics: tuple[str, ...]
    samples: Mapping[str, int] | None
    quick: bool
    dataset: str | None
    data: tuple[str, ...]
    mirror: bool | None
    num_reals: int | None
    weights: Path | None
    vgg_weights: Path | None
    distance: str
    whole_pictures: bool
    classifiers: tuple[str, ...]
    outputs: str
    real: tuple[str, ...]
    most_real: int | None
    generated: int | None
    steps: int

    def counts(self, table: str) -> dict[str, int]:
        """Return the sample counts of what is measured for a table, by metric."""
        asked, found = dict(self.samples or {}), {}
        for metric, count in TABLES[table].items():
            if self.metrics and metric not in self.metrics:
                continue
            fewer = max(count // _TENTH, 1) if self.quick and count else count
            found[metric] = asked.get(metric, fewer)
        return found

    def refuse_unfit(self, table: str) -> None:
        """Raise UsageError where a table lacks what it needs, or is given what it has no use for.

        Args:
            table: Its name, one of TABLES.
        """
        known = TABLES[table]
        _refuse_unknown("--metric", [m for m in self.metrics if m not in known], table, known)
        counted = [m for m in self.samples or () if m not in known]
        _refuse_unknown("--samples", counted, table, known)
        measured = self.counts(table)
        for metric in measured:
            name, words = _NEEDED.get(metric, ("", ""))
            if name and not getattr(self, name):
                without = " Or leave it out by --metric." if len(known) > 1 else ""
                raise click.UsageError(f"{table} needs {words}, for {metric}.{without}")
        given = given_options(click.get_current_context())
        useful = {name for metric in measured for name in _OF_METRIC[metric]}
        useful |= {"dataset"} if {*measured} & {*_METRICS} else set()
        every = {
            name: option for options in _OF_METRIC.values() for name, option in options.items()
        }
        for name, option in {**every, "dataset": "--dataset"}.items():
            if name in given and name not in useful and name != "distance":
                raise click.UsageError(f"{table} has no use for {option}.")
        if "dataset" in given and table == "stylegan2-table3":
            raise click.UsageError(f"{table} has a data set in each row; {_LABELS}.")


_LABELS = "name the row of a checkpoint, such as car-stylegan2=CKPT"


def _refuse_unknown(
    option: str, names: Sequence[str], table: str, known: Mapping[str, int]
) -> None:
    if names:
        raise click.UsageError(f"{option} {names[0]}: {table} has {', '.join(known)}.")


reproduction_options = grouped_options("wanted", ReproductionRequest, (
    click.option("--metric", "metrics", type=click.Choice(_METRICS), multiple=True,
                 help="Fill only the columns of this; may be repeated. Default: all."),
    click.option("--samples", type=sample_counts((*_METRICS, CONTRIBUTIONS)),
                 metavar="METRIC=N,...", help="How many samples, such as ppl=5000. Default: as "
                 "many as in the paper, see \"Tables and figures\" above."),
    click.option("--quick", is_flag=True, help="Take a tenth of the samples."),
    click.option("--dataset", type=click.Choice(DATA_SETS), help="What the models were trained on; "
                 "only then are numbers held against the published ones of that data set."),
    click.option("--data", multiple=True, metavar="DIR|ZIP|builtin:digits",
                 help="For fidelity: real pictures, brought to the generator's size as for "
                 "training. LABEL=DIR holds for the row LABEL alone."),
    click.option("--mirror/--no-mirror", default=None, help="For fidelity: flip real pictures at "
                 "random, as in training. Default: as published for the data set."),
    click.option("--reals", "num_reals", type=Count(min=1), metavar="N",
                 help="For fidelity: take the first N real pictures. Default: all, or with "
                 "--quick as many as are generated."),
    click.option("--weights", type=click.Path(exists=True, dir_okay=False, path_type=Path),
                 metavar="FILE",
                 help="For fidelity: weights of the Inception network; default: fetched once."),
    click.option("--vgg-weights", type=click.Path(exists=True, dir_okay=False, path_type=Path),
                 metavar="FILE", help="Weights of VGG16, for prc; default: fetched once. NVIDIA's "
                 "vgg16.pt is TorchScript, a program: --trust."),
    distance_option,
    click.option("--whole-pictures", is_flag=True, help="For ppl: compare whole pictures where "
                 "StyleGAN's paper takes the middle of a face, for models of other things."),
    *classifier_options(" for separability", ELSEWHERE),
    trust_option,
    click.option("--real", multiple=True, metavar="REAL",
                 help="For stylegan2-projection: a real picture, a folder of them, or "
                 "builtin:digits; may be repeated."),
    click.option("--most-real", type=Count(min=1), metavar="N",
                 help="Take the first N real pictures; default: all."),
    click.option("--generated", type=Count(1, 1_000_000), metavar="N",
                 help="Number of generated pictures; default: as many as real ones."),
    steps_option(1000),
))  # fmt: skip
