"""latentlab noise: what noise alone changes in the images of a generator."""

import math
from typing import TYPE_CHECKING

import click

from cli.options.common import checkpoint_argument
from cli.options.measuring import Order, measuring_options, samples_option
from cli.options.values import FiniteFloat
from cli.text import counted, say

if TYPE_CHECKING:
    import pandas as pd

    from cli.measuring.noise import Example
    from latentlab import Generator
    from metrics import MetricResult

LATENTS, DEVIATION, REALISATIONS, VERSIONS = (
    "latents.csv", "deviation.png", "realisations.png", "versions.png"
)  # fmt: skip

_SHOWN = 3  # latents in the pictures
_DRAWS_SHOWN = 6


# fmt: off
@click.command()
@checkpoint_argument
@samples_option(16, "Number of latents.")
@click.option("--draws", type=click.IntRange(2, 1_000_000), default=100, show_default=True,
              metavar="N", help="Draws of all noise maps for each latent.")
@click.option("--fine-from", type=click.IntRange(min=1), metavar="RES",
              help="Resolution from which noise is fine; default: 64, or the upper half of the "
                   "resolutions in images up to 64 pixels.")
@click.option("--truncation-psi", type=FiniteFloat(), default=1.0, show_default=True,
              metavar="PSI", help="Truncation of the latents.")
@measuring_options
def noise(
    checkpoint: str,
    samples: int,
    draws: int,
    fine_from: int | None,
    truncation_psi: float,
    order: Order,
) -> None:
    """Measure what noise alone changes.

    Each latent is rendered under many draws of the noise maps, and the standard deviation of
    each pixel over them is taken: with noise in all layers, in the coarse ones (4x4 to 32x32),
    in the fine ones, and in none.

    DIR receives report.csv (means over pixels and latents), latents.csv (a row a latent), and
    for the first latents deviation.png (maps of the deviation), realisations.png (the place
    that varies most, enlarged, in several draws) and versions.png (noise in all, fine, coarse
    and no layers).

    \b
    Examples:
      latentlab noise ffhq.pkl -o noise
      latentlab noise ffhq.pkl --samples 50 --truncation-psi 0.7 --html -o noise
      latentlab noise builtin:digits-stylegan1 --fine-from 32 -o noise
    """
    from cli.measuring import noise as plots
    from cli.measuring.results import Results
    from cli.measuring.work import tell_dry_run, work_on
    from cli.models import open_model
    from latentlab import distributed
    from metrics.noise_variation import noise_sets, split_text, stochastic_variation

    model = open_model(checkpoint, order.device)
    sets = noise_sets(model.g, fine_from)
    results = Results(order, f"Stochastic variation of {model.name}",
                      [LATENTS, DEVIATION, REALISATIONS, VERSIONS])
    settings = {"draws": draws, "split": split_text(model.g, sets),
                "truncation_psi": truncation_psi, "seed": order.seed}
    if order.dry_run:
        tell_dry_run([model], {**settings, "samples": samples})
        return
    identity = {"metric": "stochastic_variation", **settings}
    with results.claimed():
        with work_on(order.output, model, "noise", samples, "latent", identity) as work:
            result = stochastic_variation(
                model.g, samples, draws, order.seed, fine_from=fine_from,
                truncation_psi=truncation_psi, batch=order.batch, **work,
            )
        if not distributed.is_main():
            return
        say(summary(result))
        results.page.lead.append(summary(result))
        results.table(LATENTS, result.samples)
        shown = _examples(model.g, result, sets, order.batch)
        results.page.section("Where images vary", *_caution(result))
        results.page.table(_in_levels(result))
        results.figure(DEVIATION, plots.deviation(shown), f"One draw, and the standard deviation "
                       f"of each pixel over {draws} draws, in grey levels of 8 bits.")
        results.page.section("What varies")
        results.figure(REALISATIONS, plots.realisations(shown), "The marked square, where the "
                       "deviation is largest, in several draws of all noise maps.")
        results.page.section("Which layers vary it")
        results.figure(VERSIONS, plots.versions(shown), f"One draw, kept in the named layers alone "
                       f"({result.settings['split']}), and the marked square of each.")
        results.finish(model.tidy(result), {**model.facts(), **result.settings,
                                            "seconds": round(result.seconds, 1)})
        say(f"See {order.output}")
# fmt: on


def summary(result: "MetricResult") -> str:
    """Say how far noise moves a pixel."""
    from metrics.noise_variation import GREY_LEVELS

    rows = result.rows.set_index("layers")
    levels, sizes = rows["grey_levels"], rows["resolutions"]
    low, high = result.ci_low * GREY_LEVELS, result.ci_high * GREY_LEVELS
    interval = "" if math.isnan(low) else f", 95 % interval {low:.3g} to {high:.3g}"
    alone = " and ".join(
        f"{levels[name]:.3g} from the {name} layers ({sizes[name]}) alone"
        for name in ("coarse", "fine")
    )
    latents = counted(result.settings["n"], "latent")
    return (
        f"Noise moves a pixel by {result.value * GREY_LEVELS:.3g} of 255 grey levels (standard "
        f"deviation{interval}), {alone}; {latents}, {result.settings['draws']:,} draws each."
    )


def _in_levels(result: "MetricResult") -> "pd.DataFrame":
    """Return the rows in grey levels, as the page shows them."""
    from metrics.noise_variation import GREY_LEVELS

    ends = ["ci_low", "ci_high"]
    names = {"grey_levels": "mean deviation, grey levels", "ci_low": "95 % from", "ci_high": "to"}
    rows = result.rows.assign(**{end: result.rows[end] * GREY_LEVELS for end in ends})
    rows = rows[["layers", "resolutions", "grey_levels", *ends]]
    return rows.rename(columns=names).rename(columns=lambda name: name.replace("_", " "))


def _caution(result: "MetricResult") -> list[str]:
    """Say where the pictures cannot show what the maps do."""
    if float(result.rows["grey_levels"].max()) >= 1:
        return []
    return ["The deviation is below one grey level on average: the maps show it, while pictures "
            "of several draws look alike."]  # fmt: skip


def _examples(
    g: "Generator", result: "MetricResult", sets: dict[str, list[int]], batch: int | None
) -> "list[Example]":
    """Render what the pictures show of the first latents."""
    from cli.measuring.noise import Example
    from metrics.noise_variation import deviation_maps, latent, realisations

    settings, found = result.settings, []
    seed, draws = settings["seed"], settings["draws"]
    for number in range(min(_SHOWN, settings["n"])):
        ws = latent(g, number, seed, settings["truncation_psi"])
        maps = {
            name: deviation_maps(g, ws, layers, draws, seed, numbers=[number], batch=batch)[0]
            for name, layers in sets.items()
            if layers
        }
        versions = {
            name: realisations(g, ws, layers, range(1), seed, number)[0].cpu()
            for name, layers in sets.items()
        }
        several = range(min(_DRAWS_SHOWN, draws))
        images = realisations(g, ws, sets["all"], several, seed, number).cpu()
        found.append(Example(number, images, maps, versions))
    return found
