"""Fig. 8 of the StyleGAN2 paper: the share of each resolution over a training run."""

from collections.abc import Sequence

import click

from cli.measuring.contributions import measure_contributions
from cli.options.measuring import MeasuringRequest
from cli.reproducing.tables import given
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
    title = f"{published().papers['stylegan2'].name}, Figure 8: contribution of each resolution"
    measure_contributions(checkpoints, samples, request, title, _READING)
