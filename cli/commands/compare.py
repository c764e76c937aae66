"""latentlab compare: which model is better on what, on one page."""

from typing import Any

import click

from cli.options.common import distance_option
from cli.options.measuring import PROTOCOL_NAMES, Order, page_options
from cli.options.values import sample_counts
from cli.text import say

# What is measured, and on how many samples unless told: as published where there is a custom.
SAMPLES = {
    "ppl": 50_000, "separability": 200_000, "contributions": 1024, "droplets": 256,
    "fidelity": 50_000,
}  # fmt: skip

_NEEDS = {"separability": "--classifier", "fidelity": "--data"}


# fmt: off
@click.command()
@click.argument("checkpoints", nargs=-1, required=True, metavar="CKPT CKPT...")
@click.option("--metric", "metrics", type=click.Choice(list(SAMPLES)), multiple=True,
              help="What to measure; again for more. Default: all that the options allow.")
@click.option("--samples", type=sample_counts(tuple(SAMPLES)), metavar="METRIC=N,...",
              show_default="50,000 paths, 200,000 images, 1,024 latents, 256 images",
              help="Sample counts, such as ppl=5000,droplets=64.")
@click.option("--protocol", "protocols", type=click.Choice(PROTOCOL_NAMES), multiple=True,
              default=["ppl2_wend"], show_default=True, help="Of the path length; see ppl.")
@distance_option
@click.option("--classifier", "classifiers", multiple=True, metavar="FILE",
              help="For separability: see separability; again for more.")
@click.option("--outputs", type=click.Choice(["classes", "attributes"]), default="classes",
              show_default=True, help="What several outputs of a classifier are; see separability.")
@click.option("--data", metavar="DIR|ZIP|builtin:digits",
              help="For fidelity: real pictures; see fidelity.")
@click.option("--weights", type=click.Path(), metavar="FILE",
              help="For fidelity: weights of the Inception network; see fidelity.")
@click.option("--published", is_flag=True, help="Show the papers' figures beside, labelled so.")
@page_options
def compare(
    checkpoints: tuple[str, ...],
    metrics: tuple[str, ...],
    samples: dict[str, int] | None,
    protocols: tuple[str, ...],
    distance: str,
    classifiers: tuple[str, ...],
    outputs: str,
    data: str | None,
    weights: str | None,
    published: bool,
    order: Order,
) -> None:
    """Compare models on one page.

    The chosen metrics are measured on each with the same seeds. DIR/report.html says which is
    better on what, with the difference, its interval and whether it is significant, and shows
    samples side by side, path lengths, contributions and droplets. DIR receives the tables as
    well: report.csv and differences.csv. The same command again continues where it was stopped.

    Path length needs a perceptual distance (see ppl), separability a classifier, fidelity real
    pictures. A metric that does not apply to a model is noted.

    \b
    Examples:
      latentlab compare stylegan1-ffhq.pkl stylegan2-ffhq.pkl -o versus
      latentlab compare a.pkl b.pkl c.pkl --metric ppl --metric droplets \\
          --samples ppl=10000 -o versus
      latentlab compare builtin:digits-stylegan1 builtin:digits-stylegan2 \\
          --distance builtin:digits --classifier builtin:digits-classifier \\
          --samples ppl=2000,separability=4000 -o versus
    """
    from cli.measuring.work import tell_dry_run
    from cli.models import open_model
    chosen = _chosen_metrics(metrics, {"separability": classifiers, "fidelity": data})
    if len(set(checkpoints)) < max(len(checkpoints), 2):
        raise click.UsageError("Give two checkpoints or more, each once.")
    from cli.measuring.comparison import labels_of, measure, open_plan
    from cli.measuring.comparison_page import planned_files, write_comparison
    from cli.measuring.results import Results
    from latentlab import distributed

    models = [open_model(checkpoint, order.device) for checkpoint in checkpoints]
    counts = {name: (samples or {}).get(name, SAMPLES[name]) for name in chosen}
    labels = labels_of(models)
    title = f"{', '.join(labels[:-1])} and {labels[-1]}"
    results = Results(order, title, planned_files(len(models)))
    plan = open_plan(
        chosen, counts, order, models, protocols=protocols, distance=distance,
        classifiers=classifiers, outputs=outputs, data=data, weights=weights,
    )
    settings = {"metrics": chosen, "samples": counts, "protocols": protocols, **plan.identity()}
    if order.dry_run:
        tell_dry_run(models, settings)
        return
    with results.claimed():
        measured = [
            measure(model, label, plan, order.output)
            for model, label in zip(models, labels, strict=True)
        ]
        if distributed.is_main():
            for line in write_comparison(results, measured, settings, published):
                say(line)
            say(f"See {order.output / 'report.html'}")
# fmt: on


def _chosen_metrics(metrics: tuple[str, ...], needs: dict[str, Any]) -> tuple[str, ...]:
    """Return the metrics to measure; those asked for must have what they need."""
    for name in metrics:
        if name in needs and not needs[name]:
            raise click.UsageError(f"--metric {name} needs {_NEEDS[name]}.")
    return tuple(dict.fromkeys(metrics)) or tuple(
        name for name in SAMPLES if name not in needs or needs[name]
    )
