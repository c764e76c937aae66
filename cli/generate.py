"""latentlab generate: pictures from seeds or from saved latents."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.options import (
    FiniteFloat,
    NumberList,
    checkpoint_argument,
    class_option,
    device_option,
    output_option,
    overwrite_option,
    resolve_device,
)
from cli.text import counted, say

if TYPE_CHECKING:
    from torch import Tensor

    from latentlab import Generator
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
@click.option("--truncation-psi", type=FiniteFloat(), default=1.0, show_default=True,
              metavar="PSI", help="Pull w towards its mean; 1 leaves it, 0 gives the mean image.")
@click.option("--truncation-cutoff", type=click.IntRange(min=0), metavar="N",
              help="Truncate the first N layers only.")
@click.option("--noise-mode", type=click.Choice(["const", "random", "none"]), default="const",
              show_default=True, help="Noise maps: the stored ones, new ones, or no noise.")
@class_option("Class of a conditional generator.")
@output_option
@overwrite_option
@device_option
def generate(
    checkpoint: str,
    seeds: list[int] | None,
    projected_w: Path | None,
    noise_file: Path | None,
    truncation_psi: float,
    truncation_cutoff: int | None,
    noise_mode: "NoiseMode",
    label: int | None,
    output: Path,
    overwrite: bool,
    device: str,
) -> None:
    """Render one PNG a seed, and a grid of all of them.

    \b
    Examples:
      latentlab generate builtin:digits-stylegan2 --seeds 0-31 -o out
      latentlab generate model.safetensors --seeds 5 --truncation-psi 0.7 -o out
      latentlab generate model.safetensors --projected-w out/projected_w.npz \\
          --noise out/projected_noise.npz -o again
    """
    _refuse_conflicts(click.get_current_context(), projected_w, noise_file)
    from cli.report import refuse_existing
    from latentlab import images, load
    from latentlab.files import make_directory

    g = load(checkpoint).generator.to(resolve_device(device))
    if projected_w is not None:
        pictures = _from_latents(g, projected_w, noise_file, noise_mode)
        names = [f"proj{i:02d}.png" for i in range(len(pictures))]
    else:
        truncation = (truncation_psi, truncation_cutoff)
        pictures = _from_seeds(g, seeds or [], label, truncation, noise_mode)
        names = [f"seed{seed:04d}.png" for seed in seeds or []]
    planned = [output / name for name in [*names, "grid.png"]]
    refuse_existing(planned, overwrite)
    folder = make_directory(output)
    small: list[Tensor] = []
    for path, render in zip(planned, pictures, strict=False):  # the grid comes last
        image = render()
        images.save_image(path, image)
        if len(small) < _GRID_MOST:
            small.append(images.shrink(image.unsqueeze(0), _GRID_TILE)[0])
    images.save_image(planned[-1], images.grid(small, min(_GRID_COLUMNS, len(small))))
    say(f"{counted(len(names), 'picture')} and grid.png in {folder}")
# fmt: on


def _refuse_conflicts(
    ctx: click.Context, projected_w: Path | None, noise_file: Path | None
) -> None:
    """Refuse options that would be ignored without a word."""
    given = {
        name
        for name in ctx.params
        if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    }
    if ("seeds" in given) == ("projected_w" in given):
        raise click.UsageError("Give either --seeds or --projected-w.")
    if noise_file is not None and projected_w is None:
        raise click.UsageError("--noise goes with --projected-w.")
    seeds_only = {
        "truncation_psi": "--truncation-psi",
        "truncation_cutoff": "--truncation-cutoff",
        "label": "--class",
    }
    for name, option in seeds_only.items():
        if projected_w is not None and name in given:
            raise click.UsageError(f"{option} goes with --seeds; saved latents stay as they are.")
    if noise_file is not None and "noise_mode" in given:
        raise click.UsageError("Give either --noise or --noise-mode.")


def _from_seeds(
    g: "Generator",
    seeds: list[int],
    label: int | None,
    truncation: tuple[float, int | None],
    noise_mode: "NoiseMode",
) -> list[Callable[[], "Tensor"]]:
    """One function a seed, that renders its image alone: its neighbours cannot change it."""
    import torch

    from latentlab.latents import one_hot, z_from_seeds
    from latentlab.numerics import Stream, full_precision, keyed_generator

    if g.c_dim and label is None:
        raise click.UsageError(f"This generator has {g.c_dim} classes; give --class.")
    c = None if label is None else one_hot(label, g.c_dim).to(g.device)

    @torch.no_grad()
    @full_precision()
    def render(seed: int) -> "Tensor":
        z = z_from_seeds([seed], g.z_dim).to(g.device)
        rng = keyed_generator(g.device, seed, Stream.RENDERED_NOISE)
        image: Tensor = g(z, c, *truncation, noise_mode=noise_mode, rng=rng)[0]
        return image.cpu()

    return [partial(render, seed) for seed in seeds]


def _from_latents(
    g: "Generator", path: Path, noise_file: Path | None, noise_mode: "NoiseMode"
) -> list[Callable[[], "Tensor"]]:
    """One function a row of the file, that renders its image alone."""
    import torch

    from latentlab import LatentError
    from latentlab.latents import load_noise, load_ws
    from latentlab.numerics import Stream, full_precision, keyed_generator

    ws = load_ws(path, g).to(g.device)
    maps = (
        None if noise_file is None else [level.to(g.device) for level in load_noise(noise_file, g)]
    )

    @torch.no_grad()
    @full_precision()
    def render(row: int) -> "Tensor":
        noise = None if maps is None else [level[row : row + 1] for level in maps]
        rng = keyed_generator(g.device, row, Stream.RENDERED_NOISE)
        image: Tensor = g.synthesis(ws[row : row + 1], noise_mode, noise, rng)[0]
        return image.cpu()

    if maps and len(maps[0]) != len(ws):
        raise LatentError(f"{noise_file}: maps for {len(maps[0])} images, but {len(ws)} latents")
    return [partial(render, row) for row in range(len(ws))]
