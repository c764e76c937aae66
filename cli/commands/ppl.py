"""latentlab ppl: the perceptual path length of a generator."""

from typing import TYPE_CHECKING

import click

from cli.options.common import checkpoint_argument, distance_option
from cli.options.measuring import PROTOCOL_NAMES, Order, measuring_options, samples_option
from cli.options.values import FiniteFloat
from cli.text import say

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from latentlab import Generator
    from latentlab.perceptual import PerceptualDistance
    from metrics import MetricResult

LENGTHS, HISTOGRAM, EXTREMES = "path_lengths.csv", "histogram.png", "extremes.png"


_SHOWN = 8  # pictures of the lowest, and of the highest paths


# fmt: off
@click.command()
@checkpoint_argument
@click.option("--protocol", type=click.Choice(PROTOCOL_NAMES), default="ppl2_wend",
              show_default=True, help="What the papers' code calls it, see above.")
@samples_option(50_000, "Number of paths.")
@click.option("--noise", type=click.Choice(["random", "const"]), default="random",
              show_default=True, help="New noise maps for each path, as published, or the stored.")
@click.option("--relative-width", type=FiniteFloat(min=0, min_open=True), metavar="SHARE",
              help="Stop early, once the 95 % interval is narrower than this share of the value.")
@distance_option
@measuring_options
def ppl(
    checkpoint: str,
    protocol: str,
    samples: int,
    noise: str,
    relative_width: float | None,
    distance: str,
    order: Order,
) -> None:
    """Measure the perceptual path length.

    How much pictures change along paths through the latent space, in small steps: lower is
    smoother. DIR receives report.csv (the value with its interval), path_lengths.csv,
    histogram.png and extremes.png (the lowest and highest paths). The same command again
    continues a stopped measurement.

    \b
    Protocols, as in StyleGAN's and StyleGAN2's code:
      ppl_zfull, ppl_wfull   anywhere on paths in Z or W, cropped to a face
      ppl_zend, ppl_wend     at the start of paths, cropped to a face
      ppl2_wend              at the start of paths in W, whole pictures

    \b
    Examples:
      latentlab ppl ffhq.pkl --protocol ppl_wend -o ppl
      latentlab ppl cars.pkl --relative-width 0.02 --html -o ppl
      latentlab ppl builtin:digits-stylegan2 --distance builtin:digits \\
          --samples 5000 -o ppl
    """
    from cli.measuring.path_length import histogram
    from cli.measuring.results import Results
    from cli.measuring.work import tell_dry_run, work_on
    from cli.models import open_model
    from latentlab import distributed, perceptual_distance
    from metrics.path_length import perceptual_path_length
    from metrics.path_protocols import PROTOCOLS

    paths = PROTOCOLS[protocol]
    model = open_model(checkpoint, order.device)
    compare = perceptual_distance(distance, model.place)
    results = Results(order, f"Perceptual path length of {model.name}",
                      [LENGTHS, HISTOGRAM, EXTREMES])
    settings = {"protocol": protocol, "distance": compare.name, "noise": noise, "seed": order.seed}
    check_fit(compare, model.g, paths.crop)
    if order.dry_run:
        tell_dry_run([model], {**settings, "samples": samples})
        return
    with results.claimed():
        with work_on(order.output, model, protocol, samples, "path", settings) as work:
            result = perceptual_path_length(
                model.g, compare, paths.space, paths.sampling, samples, paths.crop, order.seed,
                noise=noise, relative_width=relative_width, batch=order.batch, **work,
            )
        if not distributed.is_main():
            return
        for line in summary(result):
            say(line)
        results.page.lead += summary(result)
        results.table(LENGTHS, result.samples)
        results.page.section("Distribution")
        results.figure(HISTOGRAM, histogram({model.name: result}),
                       "How often each path length occurs.")
        results.page.section("The lowest and the highest paths")
        results.figure(EXTREMES, _extremes(model.g, result), "Pictures at the start of the steps "
                       "that changed least and most; below each, its path length.")
        results.finish(model.tidy(result), {**model.facts(), **result.settings,
                                            "seconds": round(result.seconds, 1)})
        say(f"See {order.output}")
# fmt: on


def check_fit(compare: "PerceptualDistance", g: "Generator", crop: bool) -> None:
    """Let a distance that does not take the generator's pictures say so before any is made."""
    import torch

    from metrics.path_length import face_crop

    picture = torch.zeros(1, g.channels, g.resolution, g.resolution)
    compare.features(face_crop(picture) if crop else picture)


def summary(result: "MetricResult") -> list[str]:
    """Say the value, and what it is worth."""
    settings = result.settings
    stopped = ", stopped early as asked" if settings["stopped_early"] else ""
    return [
        f"{settings['protocol']} = {result.value:.4g}, 95 % interval {result.ci_low:.4g} to "
        f"{result.ci_high:.4g}, from {settings['n']:,} paths{stopped}."
    ]


def _extremes(g: "Generator", result: "MetricResult") -> "Figure":
    """Draw the pictures of the lowest and of the highest paths."""
    from cli.reports.tables import short
    from cli.reports.tiles import tiles
    from metrics.path_protocols import PathProtocol, path_images

    names = ("space", "sampling", "crop", "epsilon", "noise")
    protocol = PathProtocol(**{name: result.settings[name] for name in names})
    ranked = result.samples.sort_values("path_length")
    rows = {}
    for label, part in (("lowest", ranked.head(_SHOWN)), ("highest", ranked.tail(_SHOWN)[::-1])):
        images = path_images(g, protocol, part["sample"].tolist(), result.settings["seed"])
        captions = [short(float(f"{length:.3g}")) for length in part["path_length"]]
        rows[label] = list(zip(images, captions, strict=True))
    return tiles(rows)
