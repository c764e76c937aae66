"""Rendering images one at a time: what else is rendered never changes a picture."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from cli.models import label_of
from latentlab import Generator, LatentError
from latentlab.latents import load_noise, load_ws, noise_from_seed, z_from_seeds
from latentlab.networks.synthesis import NoiseMode
from latentlab.numerics import Stream, full_precision, keyed_generator

Render = Callable[[], Tensor]  # to an image [C,R,R] on the CPU


@torch.no_grad()
@full_precision()
def render_ws(
    g: Generator,
    ws: Tensor,
    noise_mode: NoiseMode = "const",
    noise: list[Tensor] | None = None,
    seed: int = 0,
) -> Tensor:
    """Render latents [1,num_ws,w_dim] to an image [C,R,R] on the CPU; ``seed`` is the noise's."""
    rng = keyed_generator(g.device, seed, Stream.RENDERED_NOISE)
    image: Tensor = g.synthesis(ws.to(g.device), noise_mode, noise, rng)[0]
    return image.cpu()


@torch.no_grad()
@full_precision()
def render_z(
    g: Generator,
    z: Tensor,
    c: Tensor | None = None,
    truncation: tuple[float, int | None] = (1.0, None),
    noise_mode: NoiseMode | Literal["seed"] = "const",
    seed: int = 0,
) -> Tensor:
    """Render z [1,z_dim] to an image [C,R,R] on the CPU; it needs no W."""
    rng = keyed_generator(g.device, seed, Stream.RENDERED_NOISE)
    noise = None
    if noise_mode == "seed":
        noise_mode, noise = "const", [level.to(g.device) for level in noise_from_seed(seed, g)]
    image: Tensor = g(z.to(g.device), c, *truncation, noise_mode, noise, rng)[0]
    return image.cpu()


def renders_of_seeds(
    g: Generator,
    seeds: Sequence[int],
    label: int | None,
    psis: Sequence[float],
    cutoff: int | None,
    noise_mode: NoiseMode | Literal["seed"],
) -> dict[str, list[Render]]:
    """Return by name, "seed0005", a function a psi that renders the image with the same noise.

    Raises:
        LatentError: If there is no W to truncate in.
    """
    c = label_of(g, label)
    if any(psi != 1 for psi in psis):
        _ = g.w_mean  # raises where there is no W, before anything is written

    def render(seed: int, psi: float) -> Tensor:
        z = z_from_seeds([seed], g.z_dim)
        return render_z(g, z, c, (psi, cutoff), noise_mode, seed)

    return {f"seed{seed:04d}": [partial(render, seed, psi) for psi in psis] for seed in seeds}


def renders_of_latents(
    g: Generator, path: Path, noise_file: Path | None, noise_mode: NoiseMode
) -> dict[str, list[Render]]:
    """Return by name, "proj00", a function that renders a row of a file, with its noise maps."""
    ws = load_ws(path, g)
    maps = None if noise_file is None else load_noise(noise_file, g)
    if maps and len(maps[0]) != len(ws):
        raise LatentError(f"{noise_file}: maps for {len(maps[0])} images, but {len(ws)} latents")

    def render(row: int) -> Tensor:
        noise = None
        if maps is not None:
            noise = [level[row : row + 1].to(g.device) for level in maps]
        return render_ws(g, ws[row : row + 1], noise_mode, noise, row)

    return {f"proj{row:02d}": [partial(render, row)] for row in range(len(ws))}
