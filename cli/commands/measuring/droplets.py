"""latentlab droplets: the blob artefacts in a generator's feature maps."""

import click

from cli.options.common import checkpoint_argument
from cli.options.measuring import MeasuringRequest, measuring_options, samples_option
from cli.options.option import Option
from cli.options.values import FiniteFloat

_THRESHOLD = 5.0  # as metrics.droplet_detection.THRESHOLD, without torch


# fmt: off
@click.command()
@checkpoint_argument
@samples_option(256, "Number of pictures.")
@click.option("--threshold", type=FiniteFloat(min=0, min_open=True), default=_THRESHOLD,
              show_default=True, metavar="SIGMAS",
              help="Robust standard deviations that 40 % of the channels must deviate by.")
@click.option("--noise-mode", "noise", cls=Option, old=["--noise"],
              type=click.Choice(["const", "random"]), default="const", show_default=True,
              help="Noise maps: the stored ones, or new ones for each picture.")
@measuring_options()
def droplets(
    checkpoint: str, samples: int, threshold: float, noise: str, request: MeasuringRequest
) -> None:
    """Find droplets in the feature maps.

    Droplets are the blob artefacts of StyleGAN that the StyleGAN2 paper describes: strong, local
    spikes in many feature maps at one place, found even where the picture hides them. All
    layers are searched. DIR receives report.csv (the share of pictures with a
    droplet, in all and by layer), detections.csv (where, how strong, how large) and heat.png.
    Spots at a map's border, which zero padding makes, are told apart and not counted.

    \b
    Examples:
      latentlab droplets ffhq.pkl -o droplets
      latentlab droplets builtin:digits-stylegan1 --samples 64 --html -o droplets
    """
    (name,) = request.titles([checkpoint])
    from cli.measuring.droplets import FILES, write
    from cli.measuring.work import claimed_results, sampling, work_on
    from cli.models import open_model
    from latentlab import distributed
    from metrics import MetricResult
    from metrics import droplets as find_droplets
    from metrics.droplet_detection import RULE

    model = open_model(checkpoint, request.device, None, name)
    settings = {"metric": "droplets", "threshold": threshold, "noise": noise, "rule": RULE,
                "seed": request.seed}
    tasks = [sampling(model, request, "Searching", samples, "picture")]

    def measure() -> MetricResult:
        with work_on(request, model, "droplets", samples, "picture", settings) as work:
            return find_droplets(model.g, samples, request.seed, threshold=threshold,
                                 noise=noise, **work)

    with claimed_results(request, f"Droplets of {model.short_name}", FILES, [model],
                         {**settings, "samples": samples}, tasks=tasks) as results:
        result = results.saved_or(model.facts(), measure)
        if distributed.is_main():
            write(results, model, result)
# fmt: on
