"""latentlab tune: a generator's weights, moved so that projected pictures come out right."""

import json
from pathlib import Path

import click

from cli.options.common import (
    checkpoint_argument,
    class_option,
    device_option,
    distance_option,
    dry_run_option,
    output_option,
    overwrite_option,
    seed_option,
)
from cli.options.values import FiniteFloat
from cli.text import counted, plain_text, say


# fmt: off
@click.command()
@checkpoint_argument
@click.argument("folders", nargs=-1, required=True, metavar="PROJECTION_DIR...",
                type=click.Path(path_type=Path))
@click.option("--steps", type=click.IntRange(min=1), default=350, show_default=True, metavar="N",
              help="Iterations; each looks at every picture.")
@click.option("--learning-rate", type=FiniteFloat(min=0, min_open=True), default=3e-4,
              show_default=True, metavar="RATE", help="Step of Adam.")
@click.option("--l2-weight", type=FiniteFloat(min=0), default=1.0, show_default=True,
              metavar="WEIGHT", help="Weight of the mean squared difference of pixels.")
@click.option("--locality-weight", type=FiniteFloat(min=0), default=0.1, show_default=True,
              metavar="WEIGHT", help="How much other pictures are held as they were; 0: not.")
@click.option("--locality-reach", type=FiniteFloat(min=0), default=1.0, show_default=True,
              metavar="DEVIATIONS", help="How far from the latents those are, in deviations of w.")
@seed_option("Seed of the other pictures.")
@distance_option
@click.option("--batch", type=click.IntRange(min=1), metavar="N",
              help="Pictures rendered at once; default: 1 on the CPU, 8 elsewhere.")
@class_option("Class of the other pictures in a conditional generator; default: all in turn.")
@dry_run_option
@output_option
@overwrite_option
@device_option
def tune(
    checkpoint: str,
    folders: tuple[Path, ...],
    steps: int,
    learning_rate: float,
    l2_weight: float,
    locality_weight: float,
    locality_reach: float,
    seed: int,
    distance: str,
    batch: int | None,
    label: int | None,
    dry_run: bool,
    output: Path,
    overwrite: bool,
    device: str,
) -> None:
    """Fine-tune the generator around projected pictures (pivotal tuning).

    PROJECTION_DIR is a folder that `latentlab project` wrote, for one picture or for many; all
    pictures are tuned to together (Roich et al. 2021). Latents and noise stay as they are, the
    weights of the synthesis network change. DIR receives tuning.safetensors, a small file of the
    differences; report.csv, with each picture's distance, PSNR and SSIM before and after; and for
    each picture NAME/tuned.png and NAME/comparison.png (target, projection, tuned).

    generate, edit, interpolate and convert take the file as --tuning, with the checkpoint that it
    was made for.

    \b
    Examples:
      latentlab tune model.safetensors out -o tuned
      latentlab generate model.safetensors --tuning tuned/tuning.safetensors \\
          --projected-w out/projected_w.npz -o again
      latentlab convert model.safetensors tuned.safetensors \\
          --tuning tuned/tuning.safetensors
    """
    from dataclasses import asdict

    from cli.models import resolve_device
    from cli.projecting.tuning import planned_files, read_pivots, tune_and_report
    from latentlab import TuningSettings, load, perceptual_distance
    from latentlab.latents import one_hot
    from latentlab.projection.projector import default_batch

    settings = TuningSettings(
        steps=steps, learning_rate=learning_rate, l2_weight=l2_weight,
        locality_weight=locality_weight, locality_reach=locality_reach, seed=seed,
    )
    opened = load(checkpoint)
    place = resolve_device(device)
    g = opened.generator.to(place)
    c = None if label is None else one_hot(label, g.c_dim)
    pivots = read_pivots(folders, g, opened.sha256)
    files = planned_files(pivots, output, folders, overwrite)
    compare = perceptual_distance(distance, place)
    compare.features(pivots[0].target[None].to(place))  # a distance for another size ends here
    facts = {
        "distance_name": compare.name, "batch": batch or default_batch(g), "class": label,
        "device": place, **asdict(settings), "checkpoint": plain_text(checkpoint),
        "sha256": opened.sha256,
    }
    if dry_run:
        names = [pivot.latent.name for pivot in pivots]
        click.echo(json.dumps({"pictures": names, **facts}, indent=1))
        return
    tune_and_report(g, pivots, compare, settings, facts, files, c)
    say(f"Tuned to {counted(len(pivots), 'picture')}; see {output}")
# fmt: on
