"""latentlab fidelity: FID, KID, precision and recall against real pictures."""

from pathlib import Path

import click

from cli.options.common import checkpoint_argument
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
              metavar="FILE", help="Weights of VGG16, for prc; default: fetched once.")
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
    """
    (name,) = request.titles([checkpoint])
    from cli.measuring.fidelity import FILES, digests_and_missing, unfit_pictures, write
    from cli.measuring.results import Results
    from cli.measuring.work import Asked, claimed_results, work_on
    from cli.models import open_model
    from cli.running.estimates import Task
    from cli.threads import settle_threads
    from latentlab import distributed
    from latentlab.datasets.pictures import open_dataset
    from metrics import MetricResult
    from metrics.picture_fidelity import fidelity as compare_pictures

    model = open_model(checkpoint, request.device, None, name)
    settle_threads(small=False)  # the network that looks at pictures is large
    reals = open_dataset(data, model.g.resolution, model.g.channels)
    metrics = [name for name in METRIC_NAMES if name in chosen or not chosen]
    settings = {"data": reals.fingerprint, "metrics": metrics, "mirror": mirror,
                "seed": request.seed}
    count = min(samples, len(reals))
    title = f"Fidelity of {model.short_name}"
    Results(request, title, FILES)  # results of another run are told before anything is fetched
    digests, missing = digests_and_missing(metrics, weights, vgg_weights, not request.dry_run)
    identity = {"metric": "fidelity", **settings, "weights": digests}
    tasks = [Task("Comparing", samples, "picture", more=f" with {count:,} real ones")]

    def measure() -> MetricResult:
        with work_on(request, model, "fidelity", samples + count, "img", identity) as work:
            return compare_pictures(
                model.g, reals, samples, request.seed, metrics=metrics, mirror=mirror,
                weights=weights, vgg_weights=vgg_weights, **work,
            )

    unfit = unfit_pictures(reals, count) if request.dry_run else ()
    with claimed_results(request, title, FILES, [model],
                         {**settings, "samples": samples, "reals": count}, unfit, tasks, missing,
                         asked=Asked.of({**identity, "samples": samples}, [model])) as results:
        result = results.saved_or(model.facts(), measure)
        if distributed.is_main():
            write(results, model, result, reals, request.seed)
# fmt: on
