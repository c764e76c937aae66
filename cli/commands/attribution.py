"""latentlab attribution: whether projection tells real pictures from generated ones."""

from typing import TYPE_CHECKING

import click

from cli.options.common import checkpoint_argument, distance_option, steps_option
from cli.options.measuring import Order, measuring_options
from cli.options.values import FiniteFloat
from cli.text import counted, say

if TYPE_CHECKING:
    from latentlab.images import Crop
    from metrics import MetricResult

DISTANCES, HISTOGRAM, ROC, EXAMPLES = (
    "distances.csv", "histogram.png", "roc.png", "examples.png"
)  # fmt: skip

_PARTLY_BAD, _DIVERGED = 4, 5  # exit codes


# fmt: off
@click.command()
@checkpoint_argument
@click.argument("real", nargs=-1, required=True, metavar="REAL...")
@click.option("--generated", type=click.IntRange(1, 1_000_000), metavar="N",
              help="Number of generated pictures; default: as many as real ones.")
@click.option("--most-real", type=click.IntRange(min=1), metavar="N",
              help="Take the first N real pictures; default: all.")
@click.option("--space", type=click.Choice(["w", "w+"]), default="w", show_default=True,
              help="w: one vector for all layers, as published; w+: one a layer.")
@steps_option(1000)
@click.option("--truncation-psi", type=FiniteFloat(), default=1.0, show_default=True,
              metavar="PSI", help="Truncation of the generated pictures.")
@click.option("--crop", type=click.Choice(["center", "none"]), default="center",
              show_default=True, help="Largest centred square, or square pictures only.")
@click.option("--max-upscale", type=FiniteFloat(min=1), default=4.0, show_default=True,
              metavar="FACTOR", help="Refuse pictures that would be enlarged more than this.")
@distance_option
@measuring_options
def attribution(
    checkpoint: str,
    real: tuple[str, ...],
    generated: int | None,
    most_real: int | None,
    space: str,
    steps: int,
    truncation_psi: float,
    crop: "Crop",
    max_upscale: float,
    distance: str,
    order: Order,
) -> None:
    """Tell real pictures from generated ones by projecting them.

    A generator's own pictures can be projected back almost exactly, others less so. Both are
    projected, and the distances that remain are compared: the area under the ROC curve is 1
    where they tell real from generated always, and 0.5 where they do not.

    REAL are pictures, folders of pictures, or builtin:digits (the digits that the bundled
    models were not trained on). DIR receives report.csv, distances.csv (a row a picture),
    histogram.png, roc.png and examples.png (the closest and the farthest of both groups).
    The same command again continues a stopped measurement.

    \b
    Examples:
      latentlab attribution ffhq.pkl photos --html -o attribution
      latentlab attribution builtin:digits-stylegan2 builtin:digits \\
          --distance builtin:digits --most-real 20 --steps 200 -o attribution
    """
    from cli.measuring import attribution as plots
    from cli.measuring.results import Results
    from cli.measuring.work import tell_dry_run, work_on
    from cli.models import open_model
    from cli.pictures.real_pictures import read_real
    from latentlab import distributed, perceptual_distance
    from metrics.source_attribution import project_groups

    model = open_model(checkpoint, order.device)
    pictures = read_real(real, model.g, most_real, crop, max_upscale)
    compare = perceptual_distance(distance, model.place)
    compare.features(pictures[0][None].to(model.place))  # a distance for another size ends here
    results = Results(order, f"Attribution to {model.name}",
                      [DISTANCES, HISTOGRAM, ROC, EXAMPLES])
    count = generated or len(pictures)
    settings = {"distance": compare.name, "generated": count, "real": len(pictures),
                "space": space, "steps": steps, "truncation_psi": truncation_psi,
                "seed": order.seed}
    if order.dry_run:
        tell_dry_run([model], {**settings, "left_out": pictures.refused})
        return _end(pictures.refused, 0)
    identity = {"metric": "attribution", **settings, "pictures": pictures.digest}
    with results.claimed():
        with work_on(order.output, model, "projecting", count + len(pictures), "picture",
                     identity) as work:
            found = project_groups(
                model.g, pictures, compare, count, space=space, steps=steps, seed=order.seed,
                truncation_psi=truncation_psi, batch=order.batch, **work,
            )
        if not distributed.is_main():
            return None
        result = found.result()
        names = [*(f"generated {i}" for i in range(count)), *pictures.names]
        samples = result.samples.assign(picture=names)
        say(summary(result))
        results.page.lead.append(summary(result))
        results.table(DISTANCES, samples)
        results.page.section("Distances", *(f"Left out: {line}." for line in pictures.refused))
        results.figure(HISTOGRAM, plots.histogram(result), "How often each distance between a "
                       "picture and its projection occurs.")
        results.page.section("How well they are told apart")
        results.figure(ROC, plots.roc_curve(result), "Share of real pictures taken for real, "
                       "against the share of generated ones, for every threshold.")
        results.page.section("The closest and the farthest")
        results.figure(EXAMPLES, plots.examples(found, names), "Pairs of a picture and its "
                       "projection; below the projection, their distance.")
        results.finish(model.tidy(result), {
            **model.facts(), **result.settings, "crop": crop, "max_upscale": max_upscale,
            "left_out": pictures.refused, "seconds": round(result.seconds, 1),
        })
        say(f"See {order.output}")
    return _end(pictures.refused, result.settings["diverged"])
# fmt: on


def summary(result: "MetricResult") -> str:
    """Say how well the distances tell the groups apart."""
    values = result.rows.set_index("quantity")["value"]
    real, generated = result.settings["num_real"], result.settings["num_generated"]
    return (
        f"Area under the ROC curve {result.value:.3f}, 95 % interval {result.ci_low:.3f} to "
        f"{result.ci_high:.3f}, from {generated:,} generated and {real:,} real pictures; median "
        f"distance {values['generated_median']:.4g} and {values['real_median']:.4g}. At the "
        f"threshold {values['threshold']:.4g}, {values['true_positive_rate']:.0%} of the real and "
        f"{values['false_positive_rate']:.0%} of the generated are taken for real."
    )


def _end(refused: list[str], diverged: int) -> None:
    """Name what was left out, and end with the exit code that tells so."""
    for line in refused:
        say(f"Left out: {line}")
    if diverged:
        say(f"Left out: {counted(diverged, 'projection')} left the finite numbers")
    if refused or diverged:
        raise click.exceptions.Exit(_DIVERGED if diverged else _PARTLY_BAD)
