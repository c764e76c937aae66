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

    A folder stands for the snapshots in it, which are searched one after the other:
    over_training.png shows the share over the images shown in training.

    \b
    Examples:
      latentlab droplets ffhq.pkl -o droplets
      latentlab droplets builtin:digits-stylegan1 --samples 64 --html -o droplets
      latentlab droplets runs/photos --html -o training
    """
    from cli.measuring.droplet_search import measure_droplets

    measure_droplets(checkpoint, samples, threshold, noise, request)
# fmt: on
