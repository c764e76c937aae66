"""latentlab project: pictures into W or W+."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.options import (
    checkpoint_argument,
    class_option,
    device_option,
    distance_option,
    dry_run_option,
    output_option,
    overwrite_option,
    resolve_device,
    seed_option,
    steps_option,
)
from cli.text import counted, plain_text, say
from cli.values import (
    FiniteFloat,
)

if TYPE_CHECKING:
    from latentlab.images import Crop

_PARTLY_BAD, _DIVERGED = 4, 5  # exit codes


# fmt: off
@click.command()
@checkpoint_argument
@click.argument("pictures", nargs=-1, required=True, metavar="PICTURE...",
                type=click.Path(path_type=Path))
@click.option("--space", type=click.Choice(["w", "w+"]), default="w", show_default=True,
              help="w: one vector for all layers; w+: one a layer, closer and less editable.")
@steps_option(1000)
@seed_option("Seed of the noise.")
@distance_option
@click.option("--crop", type=click.Choice(["center", "none"]), default="center",
              show_default=True, help="Largest centred square, or square pictures only.")
@click.option("--max-upscale", type=FiniteFloat(min=1), default=4.0, show_default=True,
              metavar="FACTOR", help="Refuse pictures that would be enlarged more than this.")
@click.option("--learning-rate", type=FiniteFloat(min=0, min_open=True), default=0.1,
              show_default=True, metavar="RATE", help="Largest step of Adam.")
@click.option("--noise-weight", type=FiniteFloat(min=0), default=1e5, show_default=True,
              metavar="WEIGHT", help="Weight of the noise regularisation.")
@click.option("--batch", type=click.IntRange(min=1), metavar="N",
              help="Pictures optimised at once; default: 1 on the CPU, 8 elsewhere.")
@class_option("Class of a conditional generator; default: the mean of all.")
@dry_run_option
@output_option
@overwrite_option
@device_option
def project(
    checkpoint: str,
    pictures: tuple[Path, ...],
    space: str,
    steps: int,
    seed: int,
    distance: str,
    crop: "Crop",
    max_upscale: float,
    learning_rate: float,
    noise_weight: float,
    batch: int | None,
    label: int | None,
    dry_run: bool,
    output: Path,
    overwrite: bool,
    device: str,
) -> None:
    """Find the latents and noise of pictures.

    One picture's files go into DIR itself, those of several into DIR/NAME each:
    projected_w.npz (key w), projected_noise.npz, target.png, projected.png, comparison.png
    (target and projection side by side) and history.csv. DIR/report.csv has a row a picture.

    \b
    Perceptual distances:
      lpips-vgg, lpips-alex, lpips-squeeze    fetched, or torch's cache
      builtin:digits                          32x32 digits only
      FILE                                    TorchScript like vgg16.pt

    \b
    Examples:
      latentlab project model.safetensors photo.jpg -o out
      latentlab project model.safetensors photos/*.jpg --space w+ -o out
      latentlab project builtin:digits-stylegan2 scan.png \\
          --distance builtin:digits --steps 300 -o out
    """
    from cli.projection_files import REPORT, project_and_report, read_targets, refuse_replacing
    from latentlab import ProjectorSettings, load, perceptual_distance
    from latentlab.latents import one_hot
    from latentlab.projector import default_batch

    settings = ProjectorSettings(
        space=space, steps=steps, seed=seed, learning_rate=learning_rate, noise_weight=noise_weight
    )
    opened = load(checkpoint)
    place = resolve_device(device)
    g = opened.generator.to(place)
    c = None if label is None else one_hot(label, g.c_dim)
    targets, failures = read_targets(pictures, output, g, crop, max_upscale)
    refuse_replacing(targets, output, pictures, overwrite)
    compare = perceptual_distance(distance, place)
    compare.features(targets[0].image[None].to(place))  # a distance for another size ends here
    batch = batch or default_batch(g)
    facts = {
        "distance_name": compare.name, "crop": crop, "max_upscale": max_upscale, "batch": batch,
        "class": label, "device": place, **asdict(settings), "checkpoint": plain_text(checkpoint),
        "sha256": opened.sha256,
    }
    if dry_run:
        names = [plain_text(target.path) for target in targets]
        click.echo(json.dumps({"pictures": names, **facts}, indent=1))
        rows = failures
    else:
        rows = project_and_report(g, targets, failures, compare, settings, facts, output, c)
        done = sum(row["status"] == "ok" for row in rows)
        say(f"{done} of {counted(len(pictures), 'picture')} projected; see {output / REPORT}")
    for row in rows:
        if row["status"] != "ok":
            say(f"Left out: {row['note']}")
    statuses = {row["status"] for row in rows}
    code = _DIVERGED if "diverged" in statuses else _PARTLY_BAD if "refused" in statuses else 0
    if code:
        raise click.exceptions.Exit(code)
# fmt: on
