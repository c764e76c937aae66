"""latentlab compare: which model is better on what, on one page."""

from dataclasses import replace
from pathlib import Path

import click

from cli.options.measuring import (
    ComparisonRequest,
    MeasuringRequest,
    comparison_options,
    measuring_options,
)
from cli.options.values import sample_counts

# What is measured, and on how many samples by default: as published where there is a custom.
SAMPLES = {
    "ppl": 50_000, "separability": 200_000, "contributions": 1024, "droplets": 256,
    "fidelity": 50_000, "attribution": 100, "equivariance": 50_000,
}  # fmt: skip
_ASKED_FOR = ("equivariance",)  # of one system, and four pictures for each sample


# fmt: off
@click.command()
@click.argument("checkpoints", nargs=-1, required=True, metavar="CKPT|DIR CKPT|DIR...")
@click.option("--metric", "metrics", type=click.Choice(list(SAMPLES)), multiple=True,
              metavar="METRIC",
              help=f"What to measure: {', '.join(SAMPLES)}; may be repeated. Default: all "
              "that the options allow, but not equivariance, which is StyleGAN3's.")
@click.option("--samples", type=sample_counts(tuple(SAMPLES)), metavar="METRIC=N,...",
              help="How many samples, such as ppl=5000,droplets=64. Default: 50,000 paths, 200,000 "
              "pictures for separability, 1,024 latents for contributions, 256 pictures for "
              "droplets, 50,000 for fidelity and equivariance, 100 generated and as many real "
              "pictures for attribution.")
@comparison_options
@click.option("--published", is_flag=True, help="Also show the papers' figures, labelled as such; "
              "separability is then measured by their solver.")
@measuring_options(always_page=True, several=True)
def compare(
    checkpoints: tuple[str, ...],
    metrics: tuple[str, ...],
    samples: dict[str, int] | None,
    needs: ComparisonRequest,
    published: bool,
    request: MeasuringRequest,
) -> None:
    """Compare models on one page.

    The chosen metrics are measured on each model with the same seeds. DIR/report.html says which is
    better on what, with the difference, its interval and whether it is significant, and shows
    samples side by side, path lengths, contributions and droplets. DIR receives the tables as
    well: report.csv, differences.csv, and those behind the plots. The same command again continues
    where it was stopped.

    A folder of an earlier measurement (of ppl, separability, contributions, droplets, fidelity,
    attribution, equivariance or compare) stands for the models in it: they are not measured
    again. Checkpoints beside folders are measured as these were.

    Path length needs a perceptual distance, separability a classifier, fidelity real
    pictures, attribution both a distance and real pictures. A metric that does not apply to a
    model is noted.

    \b
    Examples:
      latentlab compare stylegan1-ffhq.pkl stylegan2-ffhq.pkl -o versus
      latentlab compare a.pkl b.pkl c.pkl --metric ppl --metric droplets \\
          --samples ppl=10000 -o versus
      latentlab compare ppl-a ppl-b droplets-a droplets-b -o versus
      latentlab compare builtin:digits-stylegan1 builtin:digits-stylegan2 \\
          --distance builtin:digits --classifier builtin:digits-classifier \\
          --samples ppl=2000,separability=4000 -o versus
    """
    if len(set(checkpoints)) < max(len(checkpoints), 2):
        raise click.UsageError("Give two models or more, checkpoints or folders, each once.")
    given, needs = needs.dual, replace(needs, dual=needs.dual or published)
    if any(Path(name).is_dir() for name in checkpoints):
        from cli.comparing.compared_folders import Chosen, compare_folders

        wanted = Chosen(metrics, samples or {}, SAMPLES, published, given)
        compare_folders(checkpoints, wanted, needs, request)
        return
    if given and not needs.classifiers:
        raise click.UsageError("--dual goes with --classifier.")
    chosen = _chosen_metrics(metrics, needs.lacking(metrics))
    labels = request.titles(checkpoints)
    from cli.comparing.compared import comparison_of
    from latentlab import distributed

    counts = {name: (samples or {}).get(name, SAMPLES[name]) for name in chosen}
    results = comparison_of(checkpoints, labels, counts, needs, request, published)
    if distributed.is_main():
        results.point()
# fmt: on


def _chosen_metrics(metrics: tuple[str, ...], lacking: dict[str, str]) -> tuple[str, ...]:
    """Return the metrics to measure; those asked for must have what they need."""
    for name in metrics:
        if name in lacking:
            raise click.UsageError(f"--metric {name} needs {lacking[name]}.")
    return tuple(dict.fromkeys(metrics)) or tuple(
        name for name in SAMPLES if name not in lacking and name not in _ASKED_FOR
    )
