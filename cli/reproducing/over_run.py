"""Fig. 8 of the StyleGAN2 paper: the share of each resolution over a training run."""

from collections.abc import Sequence

import click

from cli.measuring.contributions import (
    PLOT,
    OneByOne,
    asked_for,
    measured_or_saved,
    write,
)
from cli.measuring.snapshots import expanded
from cli.measuring.work import claimed_results, sampling
from cli.models import open_model
from cli.options.measuring import MeasuringRequest
from cli.reproducing.tables import given
from latentlab import distributed
from metrics.published_figures import published

_READING = (
    "The paper has plots for configurations E and F, and prints no numbers: there is nothing to "
    "hold these against but their course. As it tells it, low resolutions dominate at first and "
    "the focus moves to higher ones; in E the last resolution stays behind, and in F, with more "
    "feature maps there, it dominates in the end."
)


def reproduce_over_run(checkpoints: Sequence[str], samples: int, request: MeasuringRequest) -> None:
    """Measure the shares of each resolution in the snapshots of a run, and draw them over it.

    Args:
        checkpoints: Snapshots, or a folder of them.
        samples: Latents of each.
        request: Where to write what, and how to compute.
    """
    if any(each.label for each in given(checkpoints)):
        raise click.UsageError("stylegan2-fig8 has no rows; give checkpoints without LABEL=.")
    names = list(expanded(checkpoints))
    labels = request.titles(names)
    settings = {"samples": samples, "seed": request.seed}
    told = [
        open_model(name, request.device, None, label, pictures=False)
        for name, label in zip(names if request.dry_run else [], labels, strict=False)
    ]
    tasks = [sampling(model, request, "Measuring", samples, "latent") for model in told]
    models = OneByOne(names, samples, request)
    asked = asked_for(names, samples, request)
    title = f"{published().papers['stylegan2'].name}, Figure 8: contribution of each resolution"
    with claimed_results(request, title, [PLOT], told, settings, tasks=tasks or models.tasks,
                         asked=asked) as results:  # fmt: skip
        found = measured_or_saved(results, models)
        if distributed.is_main():
            results.page.text(_READING)
            write(results, found, settings)
