"""latentlab droplets: the blob artefacts in a generator's feature maps."""

from typing import TYPE_CHECKING

import click

from cli.options.common import checkpoint_argument
from cli.options.measuring import Order, measuring_options, samples_option
from cli.options.values import FiniteFloat
from cli.text import say

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from latentlab import Generator
    from metrics import MetricResult

DETECTIONS, HEAT = "detections.csv", "heat.png"

_THRESHOLD = 5.0  # as metrics.droplet_detection.THRESHOLD, without torch
_SHOWN = 9  # pictures


# fmt: off
@click.command()
@checkpoint_argument
@samples_option(256, "Number of pictures.")
@click.option("--threshold", type=FiniteFloat(min=0, min_open=True), default=_THRESHOLD,
              show_default=True, metavar="SIGMAS",
              help="Robust standard deviations that 40 % of the channels must deviate by.")
@click.option("--noise", type=click.Choice(["const", "random"]), default="const",
              show_default=True, help="The stored noise maps, or new ones for each picture.")
@measuring_options
def droplets(
    checkpoint: str, samples: int, threshold: float, noise: str, order: Order
) -> None:
    """Find droplets in the feature maps.

    Droplets are the blob artefacts of StyleGAN that the StyleGAN2 paper describes: strong, local
    spikes in many feature maps at one place, seen even where the picture hides them. All
    layers are looked through. DIR receives report.csv (the share of pictures with a
    droplet, in all and by layer), detections.csv (where, how strong, how large) and heat.png.

    \b
    Examples:
      latentlab droplets ffhq.pkl -o droplets
      latentlab droplets builtin:digits-stylegan1 --samples 64 --html -o droplets
    """
    from cli.measuring.results import Results
    from cli.measuring.work import tell_dry_run, work_on
    from cli.models import open_model
    from latentlab import distributed
    from metrics import droplets as measure

    model = open_model(checkpoint, order.device)
    results = Results(order, f"Droplets of {model.name}", [DETECTIONS, HEAT])
    settings = {"metric": "droplets", "threshold": threshold, "noise": noise, "seed": order.seed}
    if order.dry_run:
        tell_dry_run([model], {**settings, "samples": samples})
        return
    with results.claimed():
        with work_on(order.output, model, "droplets", samples, "picture", settings) as work:
            result = measure(model.g, samples, order.seed, threshold=threshold, noise=noise,
                             batch=order.batch, **work)
        if not distributed.is_main():
            return
        words = summary(result)
        for line in words:
            say(line)
        results.page.lead += words
        results.table(DETECTIONS, result.samples)
        results.page.section("Where they are" if len(result.samples) else "Some of the pictures")
        results.figure(HEAT, heat(model.g, result), caption(result))
        results.finish(model.tidy(result), {**model.facts(), **result.settings,
                                            "seconds": round(result.seconds, 1)})
        say(f"See {order.output}")
# fmt: on


def summary(result: "MetricResult") -> list[str]:
    """Say in how many pictures droplets are, and in which layers."""
    n, found = result.settings["n"], result.samples
    interval = f"95 % interval {100 * result.ci_low:.1f} to {100 * result.ci_high:.1f} %"
    lines = [f"{found['sample'].nunique()} of {n:,} pictures have a droplet ({interval})."]
    layers = found.groupby("layer", sort=False)["sample"].nunique().sort_values(ascending=False)
    if len(layers):
        words = ", ".join(f"{layer} ({count})" for layer, count in layers.items())
        lines.append(f"Layers, with their number of pictures: {words}.")
    return lines


def caption(result: "MetricResult") -> str:
    """Say what is seen on the picture of the heat."""
    if len(result.samples) == 0:
        return "No droplet was found; the first pictures, and beside each the heat of its maps."
    return (
        "Pictures with the strongest droplets; beside each, the heat of its maps, the strength of "
        "the strongest in it, and that one's layer."
    )


def heat(g: "Generator", result: "MetricResult", most: int = _SHOWN) -> "Figure":
    """Draw the pictures with the strongest droplets, or the first ones where there is none."""
    from cli.measuring.droplets import overlays
    from metrics.droplet_rates import images_and_heat, in_picture

    settings, found = result.settings, in_picture(g, result.samples)
    strongest = found.sort_values("strength", ascending=False)["sample"].drop_duplicates()
    chosen = strongest.head(most).tolist() or list(range(min(most, settings["n"])))
    images, maps = images_and_heat(g, chosen, settings["seed"], noise=settings["noise"])
    return overlays(images, maps, chosen, found, settings["threshold"])
