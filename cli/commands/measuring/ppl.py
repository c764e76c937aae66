"""latentlab ppl: the perceptual path length of a generator."""

import click

from cli.options.common import checkpoint_argument, distance_option
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
@click.option("--protocol", type=click.Choice(PROTOCOL_NAMES), default="ppl2_wend",
              show_default=True, help='Path length protocol, see "Protocols" above.')
@samples_option(50_000, "Number of paths.")
@click.option("--noise-mode", "noise", cls=Option, old=["--noise"],
              type=click.Choice(["random", "const"]), default="random", show_default=True,
              help="Noise maps: new ones for each path, as published, or the stored ones.")
@click.option("--relative-width", type=FiniteFloat(min=0, min_open=True), metavar="SHARE",
              help="Stop early, once the 95 % interval is narrower than this share of the value.")
@distance_option
@measuring_options()
def ppl(
    checkpoint: str,
    protocol: str,
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
    (name,) = request.titles([checkpoint])
    from cli.measuring.path_length import FILES, check_fit, write
    from cli.measuring.work import Asked, claimed_results, sampling, work_on
    from cli.models import open_distance, open_model
    from latentlab import distributed
    from metrics import MetricResult, perceptual_path_length
    from metrics.path_protocols import PROTOCOLS, check_space

    paths = PROTOCOLS[protocol]
    model = open_model(checkpoint, request.device, None, name)
    compare = open_distance(distance, model.place)
    check_fit(compare, model.g, paths.crop)
    check_space(model.g, paths.space)
    settings = {"protocol": protocol, "distance": compare.name, "noise": noise,
                "seed": request.seed}
    facts = {**settings, "samples": samples, "relative_width": relative_width}
    tasks = [sampling(model, request, "Measuring", samples, "path", pictures=2, distance=compare)]

    def measure() -> MetricResult:
        with work_on(request, model, protocol, samples, "path", settings) as work:
            return perceptual_path_length(
                model.g, compare, paths.space, paths.sampling, samples, paths.crop, request.seed,
                noise=noise, relative_width=relative_width, **work,
            )

    with claimed_results(request, f"Perceptual path length of {model.short_name}", FILES, [model],
                         facts, tasks=tasks,
                         asked=Asked.of(facts, [model], "relative_width")) as results:
        result = results.saved_or(model.facts(), measure)
        if distributed.is_main():
            write(results, model, result)
# fmt: on
