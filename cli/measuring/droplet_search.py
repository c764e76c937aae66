"""Searching a model, or every snapshot of a run, for droplets."""

from functools import partial

from cli.measuring.droplets import DETECTIONS, FILES, summary, write
from cli.measuring.over_training import Measurement, measure_run
from cli.measuring.snapshots import snapshots_in
from cli.measuring.work import claimed_results, sampling, work_on
from cli.models import Model, open_model
from cli.options.measuring import MeasuringRequest
from cli.running.estimates import Task
from latentlab import distributed
from metrics import MetricResult
from metrics import droplets as find_droplets
from metrics.droplet_detection import RULE


def measure_droplets(
    checkpoint: str, samples: int, threshold: float, noise: str, request: MeasuringRequest
) -> None:
    """Search a checkpoint, or each snapshot of a run's folder, and write what was found."""
    (name,), snapshots = request.titles([checkpoint]), snapshots_in(checkpoint)
    model = open_model([*snapshots, checkpoint][0], request.device, None, name)
    settings = {"metric": "droplets", "threshold": threshold, "noise": noise, "rule": RULE,
                "seed": request.seed}  # fmt: skip

    def search(model: Model, label: str) -> MetricResult:
        with work_on(request, model, label, samples, "picture", settings) as work:
            return find_droplets(
                model.g, samples, request.seed, threshold=threshold, noise=noise, **work
            )

    def tasks(model: Model, times: int = 1) -> list[Task]:
        return [sampling(model, request, "Searching", samples * times, "picture")]

    if snapshots:
        plan = Measurement(
            "Droplets of", settings, {"samples": samples}, tasks,
            lambda model: [search(model, model.short_name)], lambda found: summary(found)[0],
            DETECTIONS,
        )  # fmt: skip
        measure_run(checkpoint, snapshots, plan, request, model)
        return
    facts = {**settings, "samples": samples}
    with claimed_results(request, f"Droplets of {model.short_name}", FILES, [model], facts,
                         tasks=tasks(model)) as results:  # fmt: skip
        result = results.saved_or(model.facts(), partial(search, model, "droplets"))
        if distributed.is_main():
            write(results, model, result)
