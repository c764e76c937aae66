"""latentlab generate: pictures from seeds or from saved latents."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from cli.options.common import (
    checkpoint_argument,
    class_option,
    cutoff_option,
    device_option,
    dry_run_option,
    given_options,
    noise_mode_option,
    output_option,
    overwrite_option,
    refuse_without_seeds,
    tuning_option,
)
from cli.options.values import FiniteFloat, FloatList, NumberList
from cli.text import counted, plain_text, say

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    from cli.rendering.render import Render
    from latentlab.networks.synthesis import NoiseMode

_GRID_COLUMNS = 8
_GRID_MOST = 64  # pictures in the grid
_GRID_TILE = 256  # pixels, their largest size there


# fmt: off
@click.command()
@checkpoint_argument
@click.option("--seeds", type=NumberList(), metavar="LIST",
              help="Seeds such as 0,3,8-15; seed s is numpy's RandomState(s), as other tools do.")
@click.option("--projected-w", type=click.Path(path_type=Path), metavar="FILE",
              help="Render latents from an .npz with key w instead of seeds.")
@click.option("--noise", "noise_file", type=click.Path(path_type=Path), metavar="FILE",
              help="Noise maps saved by project, for use with --projected-w.")
@click.option("--truncation-psi", type=FloatList(), default=[1.0], show_default="1",
              metavar="PSI[,PSI...]",
              help="Pull w towards its mean; 1 leaves it, 0 gives the mean image. Several values "
                   "give a strip of pictures a seed.")
@cutoff_option
@noise_mode_option("seed", text="the stored ones, new ones that the seed decides, no noise, or "
                   "those that NVIDIA's TensorFlow script draws for the seed")
@click.option("--lod", type=FiniteFloat(min=0), metavar="LOD",
              help="Of a growing generator: 0 is fully grown, 1 half the resolution, and so on.")
@class_option("Class of a conditional generator.")
@tuning_option
@dry_run_option
@output_option
@overwrite_option
@device_option
def generate(
    checkpoint: str,
    seeds: list[int] | None,
    projected_w: Path | None,
    noise_file: Path | None,
    truncation_psi: list[float],
    truncation_cutoff: int | None,
    noise_mode: "NoiseMode | Literal['seed']",
    lod: float | None,
    label: int | None,
    tuning: Path | None,
    dry_run: bool,
    output: Path,
    overwrite: bool,
    device: str,
) -> None:
    """Render pictures, and a sheet of them.

    DIR receives seed0005.png for seed 5, or proj00.png for the first of the latents, and
    grid.png with the first 64. Several values of --truncation-psi give seed0005-truncation.png
    instead, a picture a value, and for several seeds truncation.png with all of them.

    \b
    Examples:
      latentlab generate builtin:digits-stylegan2 --seeds 0-31 -o out
      latentlab generate model.safetensors --seeds 5 --truncation-psi 0.7 -o out
      latentlab generate model.safetensors --seeds 0-3 \\
          --truncation-psi 1,0.7,0.5,0,-0.5,-1 -o strips
      latentlab generate model.safetensors --projected-w out/projected_w.npz \\
          --noise out/projected_noise.npz -o again
    """
    from cli.models import open_tuned, resolve_device
    _refuse_conflicts(click.get_current_context(), projected_w, noise_file)
    from cli.models import cutoff_of
    from cli.rendering.render import renders_of_latents, renders_of_seeds
    from cli.reports.tables import refuse_existing

    opened = open_tuned(checkpoint, tuning)
    g = opened.generator.to(resolve_device(device))
    if lod is not None:
        g.synthesis.set_lod(lod)
    cutoff = cutoff_of(opened, truncation_cutoff)
    if projected_w is not None and noise_mode != "seed":
        pictures = renders_of_latents(g, projected_w, noise_file, noise_mode)
    else:
        pictures = renders_of_seeds(g, seeds or [], label, truncation_psi, cutoff, noise_mode)
    strips = len(truncation_psi) > 1
    files = _planned_files(output, list(pictures), strips)
    refuse_existing(files, overwrite)
    if dry_run:
        click.echo(json.dumps({
            "pictures": len(pictures), "first": plain_text(files[0]),
            "truncation_psi": truncation_psi, "truncation_cutoff": cutoff,
            "noise_mode": noise_mode, "lod": lod, "class": label, "device": str(g.device),
            "checkpoint": plain_text(checkpoint), "sha256": opened.sha256,
            "tuning": opened.metadata.get("tuning"),
        }, indent=1))
    elif strips:
        _draw_strips(pictures, seeds or [], truncation_psi, files)
    else:
        _draw_pictures([render for (render,) in pictures.values()], files)
# fmt: on


def _refuse_conflicts(
    ctx: click.Context, projected_w: Path | None, noise_file: Path | None
) -> None:
    """Refuse options that would be ignored without a word."""
    given = given_options(ctx)
    if ("seeds" in given) == ("projected_w" in given):
        raise click.UsageError("Give either --seeds or --projected-w.")
    if noise_file is not None and projected_w is None:
        raise click.UsageError("--noise goes with --projected-w.")
    if projected_w is not None:
        refuse_without_seeds(given)
    if projected_w is not None and ctx.params["noise_mode"] == "seed":
        raise click.UsageError("--noise-mode seed goes with --seeds.")
    if noise_file is not None and "noise_mode" in given:
        raise click.UsageError("Give either --noise or --noise-mode.")


def _planned_files(output: Path, names: list[str], strips: bool) -> list[Path]:
    """Return the file of each picture or strip, and that of the sheet, if there is one."""
    if not strips:
        return [output / f"{name}.png" for name in [*names, "grid"]]
    files = [output / f"{name}-truncation.png" for name in names]
    return [*files, output / "truncation.png"] if len(files) > 1 else files


def _draw_pictures(renders: "list[Render]", files: list[Path]) -> None:
    """Write a picture each, and the first of them on a grid."""
    from cli.running.progress import ProgressBar
    from latentlab import images
    from latentlab.files import make_directory

    *single, sheet = files
    make_directory(sheet.parent)
    small: list[Tensor] = []
    with ProgressBar(len(single), "rendering", unit="picture") as bar:
        for path, render in zip(single, renders, strict=True):
            image = render()
            images.save_image(path, image)
            if len(small) < _GRID_MOST:
                small.append(images.shrink(image.unsqueeze(0), _GRID_TILE)[0])
            bar.advance()
    images.save_image(sheet, images.grid(small, min(_GRID_COLUMNS, len(small))))
    say(f"{counted(len(single), 'picture')} and grid.png in {sheet.parent}")


def _draw_strips(
    pictures: "dict[str, list[Render]]", seeds: list[int], psis: list[float], files: list[Path]
) -> None:
    """Write a strip each, from the first psi to the last, and the first of them on a sheet."""
    from cli.rendering.sheets import SCREEN, sheet, tile, tile_size
    from cli.running.progress import ProgressBar
    from latentlab.files import make_directory
    from latentlab.images import save_picture

    above = [f"psi {psi:g}" for psi in psis]
    beside = [f"seed {seed}" for seed in dict.fromkeys(seeds)][:_GRID_MOST]
    lines: list[list[Image.Image]] = []
    make_directory(files[0].parent)
    with ProgressBar(len(pictures) * len(psis), "rendering", unit="picture") as bar:
        for path, renders in zip(files, pictures.values(), strict=False):  # the sheet comes last
            strip = []
            for render in renders:
                strip.append(render())
                bar.advance()
            size = tile_size(strip[0].shape[-1], len(strip))
            save_picture(path, sheet([[tile(image, size) for image in strip]], above, [""]))
            if len(lines) < len(beside):
                size = tile_size(strip[0].shape[-1], len(beside) * len(psis), SCREEN)
                lines.append([tile(image, size) for image in strip])
    if len(files) > len(pictures):
        save_picture(files[-1], sheet(lines, above, beside))
    say(f"{counted(len(pictures), 'strip')} in {files[0].parent}")
