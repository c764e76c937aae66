"""Rendering images one at a time: what else is rendered never changes a picture."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from cli.models import RenderingModel
from cli.projecting.saved_latents import SavedLatent, latents_of_seeds, read_saved
from latentlab import Generator
from latentlab.latents import noise_from_seed
from latentlab.networks.synthesis import NoiseMode
from latentlab.numerics import Stream, full_precision, keyed_generator


def latents_to_render(
    model: RenderingModel,
    seeds: Sequence[int],
    paths: Sequence[Path],
    noise_file: Path | None = None,
    any_checkpoint: bool = False,
) -> list[SavedLatent]:
    """Return the latents of seeds or, if there are none, those saved at the paths."""
    if seeds and len(model.labels) > 1:
        return seeds_by_class(model, seeds)
    if seeds:
        return latents_of_seeds(model.g, seeds, model.c, model.truncation)
    return read_saved(paths, model, noise_file, any_checkpoint)


def seeds_by_class(model: RenderingModel, seeds: Sequence[int]) -> list[SavedLatent]:
    """Map each seed in each class, seed after seed; "seed0005-class3"."""
    found = []
    for seed in seeds:
        for one in model.by_class:
            (latent,) = latents_of_seeds(one.g, [seed], one.c, one.truncation)
            found.append(replace(latent, name=f"{latent.name}-class{one.labels[0]}"))
    return found


@torch.no_grad()
@full_precision()
def render_ws(
    g: Generator,
    ws: Tensor,
    noise_mode: NoiseMode = "const",
    noise: list[Tensor] | None = None,
    seed: int = 0,
) -> Tensor:
    """Render latents [1,num_ws,w_dim] to an image [C,R,R] on the CPU; ``seed`` is of its noise."""
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
