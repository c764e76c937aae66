"""latentlab ppl: the perceptual path length of a generator."""

import click

from cli.options.common import checkpoint_argument, distance_option, trust_option
from cli.options.measuring import (
    PROTOCOL_NAMES,
    MeasuringRequest,
    measuring_options,
    samples_option,
)
from cli.options.option import Option
from cli.options.values import FiniteFloat


# fmt: off
@click.command()
@checkpoint_argument
@click.option("--protocol", "protocols", type=click.Choice(PROTOCOL_NAMES), multiple=True,
              default=["ppl2_wend"], show_default=True,
              help='Path length protocol, see "Protocols" above; may be repeated.')
@samples_option(50_000, "Number of paths.")
@click.option("--noise-mode", "noise", cls=Option, old=["--noise"],
              type=click.Choice(["random", "const"]), default="random", show_default=True,
              help="Noise maps: new ones for each path, as published, or the stored ones.")
@click.option("--relative-width", type=FiniteFloat(min=0, min_open=True), metavar="SHARE",
              help="Stop early, once the 95 % interval is narrower than this share of the value.")
@distance_option
@trust_option
@measuring_options(compiles=True)
def ppl(
    checkpoint: str,
    protocols: tuple[str, ...],
    samples: int,
    noise: str,
    relative_width: float | None,
    distance: str,
    request: MeasuringRequest,
) -> None:
    """Measure the perceptual path length.

    How much pictures change along paths through the latent space, in small steps: lower is
    smoother. DIR receives report.csv (the value with its interval), path_lengths.csv,
    histogram.png and extremes.png (the lowest and highest paths). The same command again
    continues a stopped measurement.

    By several protocols, the report has a row of each, and each has plots of its own. A folder
    stands for the snapshots in it, which are measured one after the other: over_training.png
    shows the value over the images shown in training.

    \b
    Protocols, as in StyleGAN's and StyleGAN2's code:
      ppl_zfull, ppl_wfull   anywhere on paths in Z or W, cropped to a face
      ppl_zend, ppl_wend     at the start of paths, cropped to a face
      ppl2_wend              at the start of paths in W, whole pictures

    \b
    Examples:
      latentlab ppl ffhq.pkl --protocol ppl_wend -o ppl
      latentlab ppl cars.pkl --relative-width 0.02 --html -o ppl
      latentlab ppl ffhq.pkl --protocol ppl_wend --protocol ppl2_wend -o ppl
      latentlab ppl runs/photos --samples 5000 --html -o training
      latentlab ppl builtin:digits-stylegan2 --distance builtin:digits \\
          --samples 5000 -o ppl
    """
    from cli.measuring.path_lengths import PathLengthRequest, measure_path_lengths

    chosen = tuple(dict.fromkeys(protocols))
    wanted = PathLengthRequest(chosen, samples, noise, relative_width, distance)
    measure_path_lengths(checkpoint, wanted, request)
# fmt: on
