"""latentlab project: pictures into W or W+."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.options import (
    checkpoint_argument,
    device_option,
    distance_option,
    output_option,
    overwrite_option,
    resolve_device,
)
from cli.progress import say

if TYPE_CHECKING:
    from latentlab.images import Crop

_PARTLY_BAD = 4  # exit code


@click.command()
@checkpoint_argument
@click.argument(
    "pictures", nargs=-1, required=True, metavar="PICTURE...", type=click.Path(path_type=Path)
)
@click.option(
    "--space",
    default="w",
    show_default=True,
    metavar="w|w+",
    help="w: one vector for all layers; w+: one a layer, closer and less editable.",
)
@click.option(
    "--steps",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    metavar="N",
    help="Iterations.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="Seed of the noise.",
)
@distance_option
@click.option(
    "--crop",
    type=click.Choice(["center", "none"]),
    default="center",
    show_default=True,
    help="Largest centred square, or square pictures only.",
)
@click.option(
    "--max-upscale",
    type=click.FloatRange(min=1),
    default=4.0,
    show_default=True,
    metavar="FACTOR",
    help="Refuse pictures that would be enlarged more than this.",
)
@click.option(
    "--learning-rate",
    type=click.FloatRange(min=0, min_open=True),
    default=0.1,
    show_default=True,
    metavar="RATE",
    help="Largest step of Adam.",
)
@click.option(
    "--noise-weight",
    type=click.FloatRange(min=0),
    default=1e5,
    show_default=True,
    metavar="WEIGHT",
    help="Weight of the noise regularisation.",
)
@click.option(
    "--batch",
    type=click.IntRange(min=1),
    metavar="N",
    help="Pictures optimised at once; default: 1 on the CPU, 8 elsewhere.",
)
@click.option("--dry-run", is_flag=True, help="Check the inputs, print the settings, and stop.")
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
    Examples:
      latentlab project model.safetensors photo.jpg -o out
      latentlab project model.safetensors photos/*.jpg --space w+ -o out
      latentlab project builtin:digits-stylegan2 scan.png \\
          --distance builtin:digits --steps 300 -o out
    """
    import pandas as pd

    from cli.projection_files import REPORT, project_targets, read_targets
    from cli.report import refuse_existing, write_manifest, write_table
    from latentlab import ProjectorSettings, load, perceptual_distance
    from latentlab.files import make_directory

    settings = ProjectorSettings(
        space=space, steps=steps, seed=seed, learning_rate=learning_rate, noise_weight=noise_weight
    )
    refuse_existing([output / REPORT], overwrite)
    opened = load(checkpoint)
    place = resolve_device(device)
    g = opened.generator.to(place)
    targets, failures = read_targets(pictures, g, crop, max_upscale)
    compare = perceptual_distance(distance, place)
    facts = {
        "distance_name": compare.name, "crop": crop, **asdict(settings),
        "checkpoint": checkpoint, "sha256": opened.sha256,
    }  # fmt: skip
    if dry_run:
        click.echo(json.dumps({"pictures": [str(t.path) for t in targets], **facts}, indent=1))
        return
    folder = make_directory(output)
    done = project_targets(g, targets, compare, settings, folder, batch)
    table = pd.DataFrame([*(item.row for item in done), *failures]).assign(**facts)
    write_table(table, folder / REPORT)
    files = [file for item in done for file in item.files]
    write_manifest(folder, facts, [*files, folder / REPORT])
    say(f"{len(done)} of {len(pictures)} pictures projected; see {folder / REPORT}")
    if failures:
        for row in failures:
            say(f"Left out: {row['note']}")
        raise click.exceptions.Exit(_PARTLY_BAD)
