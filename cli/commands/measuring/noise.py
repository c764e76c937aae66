"""latentlab noise: what noise alone changes in the images of a generator."""

import click

from cli.options.common import checkpoint_argument
from cli.options.measuring import MeasuringRequest, measuring_options, samples_option
from cli.options.values import Count, finite_float


# fmt: off
@click.command()
@checkpoint_argument
@samples_option(16, "Number of latents.")
@click.option("--draws", type=Count(2, 1_000_000), default=100, show_default=True,
              metavar="N", help="Draws of all noise maps for each latent.")
@click.option("--fine-from", type=click.IntRange(min=1), metavar="RES",
              help="Resolution from which noise is fine; default: 64, or the upper half of the "
                   "resolutions in images up to 64 pixels.")
@click.option("--truncation-psi", type=finite_float, default=1.0, show_default=True,
              metavar="PSI", help="Truncation of the latents.")
@measuring_options()
def noise(
    checkpoint: str,
    samples: int,
    draws: int,
    fine_from: int | None,
    truncation_psi: float,
    request: MeasuringRequest,
) -> None:
    """Measure what noise alone changes.

    Each latent is rendered under many draws of the noise maps, and the standard deviation of
    each pixel over them is taken: with noise in all layers, in the coarse ones (4x4 to 32x32),
    in the fine ones, and in none.

    DIR receives report.csv (means over pixels and latents), latents.csv (one row for each
    latent), and for the first latents deviation.png (maps of the deviation), realisations.png
    (the place that varies most, enlarged, in several draws) and versions.png (noise in all,
    fine, coarse and no layers).

    \b
    Examples:
      latentlab noise ffhq.pkl -o noise
      latentlab noise ffhq.pkl --samples 50 --truncation-psi 0.7 --html -o noise
      latentlab noise builtin:digits-stylegan1 --fine-from 32 -o noise
    """
    (name,) = request.titles([checkpoint])
    from cli.measuring.noise import FILES, write
    from cli.measuring.work import claimed_results, sampling, work_on
    from cli.models import open_model
    from latentlab import distributed
    from metrics import MetricResult
    from metrics.noise_variation import noise_sets, split_text, stochastic_variation

    model = open_model(checkpoint, request.device, None, name)
    sets = noise_sets(model.g, fine_from)
    settings = {"draws": draws, "split": split_text(model.g, sets),
                "truncation_psi": truncation_psi, "seed": request.seed}
    identity = {"metric": "stochastic_variation", **settings}
    tasks = [sampling(model, request, "Varying the noise of", samples, "latent",
                      pictures=draws * len(sets), more=f", {draws} draws each")]

    def measure() -> MetricResult:
        with work_on(request, model, "noise", samples, "latent", identity) as work:
            return stochastic_variation(
                model.g, samples, draws, request.seed, fine_from=fine_from,
                truncation_psi=truncation_psi, **work,
            )

    with claimed_results(request, f"Stochastic variation of {model.short_name}", FILES, [model],
                         {**settings, "samples": samples}, tasks=tasks) as results:
        result = results.saved_or(model.facts(), measure)
        if distributed.is_main():
            write(results, model, result, sets, request.batch)
# fmt: on
