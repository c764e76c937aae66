"""latentlab attribution: whether projection tells real pictures from generated ones."""

from typing import TYPE_CHECKING

import click

from cli.options.common import checkpoint_argument, distance_option, steps_option, trust_option
from cli.options.measuring import MeasuringRequest, measuring_options
from cli.options.pictures import crop_option, max_upscale_option
from cli.options.values import Count, finite_float
from cli.text import counted

if TYPE_CHECKING:
    from latentlab.images import Crop


# fmt: off
@click.command()
@checkpoint_argument
@click.argument("real", nargs=-1, required=True, metavar="REAL...")
@click.option("--generated", type=Count(1, 1_000_000), metavar="N",
              help="Number of generated pictures; default: as many as real ones.")
@click.option("--most-real", type=Count(min=1), metavar="N",
              help="Take the first N real pictures; default: all.")
@click.option("--space", type=click.Choice(["w", "w+"]), default="w", show_default=True,
              help="w: one vector for all layers, as published; w+: one per layer.")
@steps_option(1000)
@click.option("--truncation-psi", type=finite_float, default=1.0, show_default=True,
              metavar="PSI", help="Truncation of the generated pictures.")
@crop_option()
@max_upscale_option
@distance_option
@trust_option
@measuring_options()
def attribution(
    checkpoint: str,
    real: tuple[str, ...],
    generated: int | None,
    most_real: int | None,
    space: str,
    steps: int,
    truncation_psi: float,
    crop: "Crop",
    max_upscale: float,
    distance: str,
    request: MeasuringRequest,
) -> None:
    """Tell real pictures from generated ones.

    A generator's own pictures can be projected back almost exactly, others less so. Both are
    projected, and the distances that remain are compared: the area under the ROC curve is 1
    where they always tell real from generated, and 0.5 where they do not.

    REAL are pictures, folders of pictures, or builtin:digits (the digits that the bundled
    models were not trained on). DIR receives report.csv, distances.csv (one row for each picture),
    histogram.png, roc.png and examples.png (the closest and the farthest of both groups).
    The same command again continues a stopped measurement.

    \b
    Examples:
      latentlab attribution ffhq.pkl photos --html -o attribution
      latentlab attribution builtin:digits-stylegan2 builtin:digits \\
          --distance builtin:digits --most-real 20 --steps 200 -o attribution
    """
    (name,) = request.titles([checkpoint])
    from cli.measuring.attribution import EXAMPLES, FILES, write
    from cli.measuring.work import Asked, claimed_results, work_on
    from cli.models import open_distance, open_model
    from cli.pictures.real_pictures import read_real
    from cli.running.estimates import Task
    from latentlab import distributed
    from metrics import MetricResult
    from metrics.source_attribution import AttributionSettings, Projections, project_groups

    model = open_model(checkpoint, request.device, None, name)
    _ = model.g.w_mean  # raises where there is no W
    pictures = read_real(real, model.g, most_real, crop, max_upscale)
    compare = open_distance(distance, model.place)
    compare.check(pictures[0][None].to(model.place))  # a distance for another size ends here
    count = generated or len(pictures)
    total = count + len(pictures)
    settings = {"distance": compare.name, "generated": count, "real": len(pictures), "space": space,
                "steps": steps, "truncation_psi": truncation_psi, "seed": request.seed}
    asked = AttributionSettings(space, steps, request.seed, truncation_psi=truncation_psi)
    identity = {"metric": "attribution", **settings, "pictures": pictures.digest}
    each = f", {counted(steps, 'step')} each"
    tasks = [Task("Projecting", total, "picture", model.g, steps, each, compare, gradients=True)]

    def project() -> Projections:
        with work_on(request, model, "projecting", total, "picture", identity) as work:
            return project_groups(model.g, pictures, compare, count, asked, **work)

    with claimed_results(request, f"Attribution to {model.short_name}", FILES, [model],
                         {**settings, "left_out": pictures.refused}, pictures.refused,
                         tasks, asked=Asked.of(identity, [model])) as results:
        found = None if EXAMPLES in results.standing.intact else project()

        def measure() -> MetricResult:
            return (found or project()).result()
        result = results.saved_or(model.facts(), measure)
        if distributed.is_main():
            reading = {"crop": crop, "max_upscale": max_upscale}
            write(results, model, result, found, pictures, reading)
# fmt: on
