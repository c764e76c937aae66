"""latentlab equivariance: whether what a StyleGAN3 draws moves with its input."""

import click

from cli.options.common import checkpoint_argument
from cli.options.measuring import MeasuringRequest, measuring_options, samples_option


# fmt: off
@click.command()
@checkpoint_argument
@samples_option(50_000, "Number of pictures.")
@measuring_options()
def equivariance(checkpoint: str, samples: int, request: MeasuringRequest) -> None:
    """Measure EQ-T and EQ-R of a StyleGAN3.

    Pictures are drawn as they are and with their input shifted or turned; the moved ones are
    compared with the first, moved as signal processing would. The more decibels, the less of the
    detail sticks to the pixels. DIR receives report.csv, pictures.csv (the squared error of each
    and how many pixels count) and moved.png (some of the pictures). The same command again
    continues a stopped measurement.

    \b
    Measures, as in NVIDIA's metrics:
      EQ-T       eqt50k_int: shifts by whole pixels, up to an eighth
      EQ-T_frac  eqt50k_frac: shifts by fractions of a pixel
      EQ-R       eqr50k: turns by any angle

    \b
    Examples:
      latentlab equivariance ffhqu.pkl -o equivariance
      latentlab equivariance ffhqu.pkl --samples 2000 --html -o equivariance
    """
    (name,) = request.titles([checkpoint])
    from cli.measuring.equivariance import FILES, write
    from cli.measuring.work import claimed_results, sampling, work_on
    from cli.models import open_model
    from latentlab import distributed
    from metrics import MetricResult
    from metrics import equivariance as measure_equivariance
    from metrics.aliasing.moved_pictures import check_movable

    model = open_model(checkpoint, request.device, None, name)
    check_movable(model.g)
    settings = {"metric": "equivariance", "seed": request.seed}
    tasks = [sampling(model, request, "Moving", samples, "picture", pictures=4)]

    def measure() -> MetricResult:
        with work_on(request, model, "equivariance", samples, "picture", settings) as work:
            return measure_equivariance(model.g, samples, request.seed, **work)

    with claimed_results(request, f"Equivariance of {model.short_name}", FILES, [model],
                         {**settings, "samples": samples}, tasks=tasks) as results:
        result = results.saved_or(model.facts(), measure)
        if distributed.is_main():
            write(results, model, result)
# fmt: on
