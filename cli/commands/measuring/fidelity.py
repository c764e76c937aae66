"""latentlab fidelity: FID, KID, precision and recall against real pictures."""

from pathlib import Path

import click

from cli.options.common import checkpoint_argument, trust_option
from cli.options.measuring import METRIC_NAMES, MeasuringRequest, measuring_options, samples_option


# fmt: off
@click.command()
@checkpoint_argument
@click.option("--data", required=True, metavar="DIR|ZIP|builtin:digits",
              help="Real pictures, brought to the generator's size as for training.")
@samples_option(50_000, "Number of generated pictures, and of real ones at most.")
@click.option("--metric", "chosen", type=click.Choice(METRIC_NAMES), multiple=True,
              help="Compute only this; may be repeated. Default: all.")
@click.option("--mirror", is_flag=True, help="Flip real pictures at random, as in training.")
@click.option("--weights", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              metavar="FILE", help="Weights of the Inception network; default: fetched once.")
@click.option("--vgg-weights", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              metavar="FILE", help="Weights of VGG16, for prc; default: fetched once. NVIDIA's "
              "vgg16.pt is TorchScript, a program: --trust.")
@trust_option
@measuring_options()
def fidelity(
    checkpoint: str,
    data: str,
    samples: int,
    chosen: tuple[str, ...],
    mirror: bool,
    weights: Path | None,
    vgg_weights: Path | None,
    request: MeasuringRequest,
) -> None:
    """Measure FID, KID, precision and recall.

    How near generated pictures are to real ones, by torch-fidelity (pip install
    latentlab[fidelity]). DIR receives report.csv and pictures.png (some of both). The same
    command again continues a stopped measurement.

    A folder stands for the snapshots in it, which are measured one after the other:
    over_training.png shows the scores over the images shown in training.

    \b
    Metrics:
      fid   Frechet distance of Inception features: lower is nearer
      kid   kernel distance of Inception features: lower is nearer
      prc   precision, recall and their F-score, on VGG16 features

    \b
    Examples:
      latentlab fidelity ffhq.pkl --data ffhq.zip --mirror -o fidelity
      latentlab fidelity builtin:digits-stylegan2 --data builtin:digits \\
          --metric fid --metric kid --html -o fidelity
      latentlab fidelity runs/photos --data photos.zip --metric fid -o training
    """
    from cli.measuring.fidelity import FidelityRequest, measure_fidelity

    metrics = tuple(name for name in METRIC_NAMES if name in chosen or not chosen)
    wanted = FidelityRequest(data, samples, metrics, mirror, weights, vgg_weights)
    measure_fidelity(checkpoint, wanted, request)
# fmt: on
