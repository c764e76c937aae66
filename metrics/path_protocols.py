"""The paths whose length is measured: between which latents, and where on them the steps are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from latentlab import Generator, LatentError
from latentlab.checks import check, check_choice
from latentlab.latents import slerp
from latentlab.numerics import Stream, full_precision
from metrics.sampling import draw_noise_maps, draw_samples, has_w, render

EPSILON = 1e-4  # the step, as published


@dataclass(frozen=True)
class PathProtocol:
    """What is measured along which paths; ``name`` is the published one where there is one.

    Attributes:
        space: "z" (spherical interpolation) or "w" (linear, of untruncated w).
        sampling: "full" (steps anywhere on the path) or "end" (at its start alone).
        crop: Whether images are cropped to the middle of a face first.
        epsilon: Length of the step as a share of the path.
        noise: "random" (new maps for each path, the same at both ends) or "const" (the stored).
    """

    space: str = "w"
    sampling: str = "end"
    crop: bool = False
    epsilon: float = EPSILON
    noise: str = "random"

    def __post_init__(self) -> None:
        check_choice(self.space, "space", ("z", "w"))
        check_choice(self.sampling, "sampling", ("full", "end"))
        check_choice(self.noise, "noise", ("random", "const"))
        check(0 < self.epsilon < 1, "epsilon", "above 0 and below 1", self.epsilon)

    @property
    def name(self) -> str:
        """ppl_ with the face crop, ppl2_ without, then space and sampling: "ppl2_wend"."""
        return f"{'ppl' if self.crop else 'ppl2'}_{self.space}{self.sampling}"


# As the published metrics are named; StyleGAN2's README reports ppl_wend for faces, and ppl2_wend
# for all other pictures.
PROTOCOLS: Mapping[str, PathProtocol] = MappingProxyType({
    "ppl_zfull": PathProtocol("z", "full", crop=True),
    "ppl_wfull": PathProtocol("w", "full", crop=True),
    "ppl_zend": PathProtocol("z", "end", crop=True),
    "ppl_wend": PathProtocol("w", "end", crop=True),
    "ppl2_wend": PathProtocol("w", "end", crop=False),
})  # fmt: skip


@dataclass(frozen=True)
class Paths:
    """Ends z0 and z1 [N,z_dim], places t [N], labels c [N,c_dim] and noise maps [N,1,h,w]."""

    ends: tuple[Tensor, Tensor]
    t: Tensor
    c: Tensor | None
    noise: list[Tensor] | None


def paths(g: Generator, protocol: PathProtocol, samples: Sequence[int], seed: int) -> Paths:
    """Draw numbered paths, each from (seed, its number) alone."""
    z0, c = draw_samples(g, [2 * i for i in samples], seed, Stream.PATH_LENGTH)
    z1, _ = draw_samples(g, [2 * i + 1 for i in samples], seed, Stream.PATH_LENGTH)
    rngs = (np.random.default_rng([seed, Stream.PATH_LENGTH_PLACE, i]) for i in samples)
    places = [rng.random() if protocol.sampling == "full" else 0.0 for rng in rngs]
    noise = None
    if protocol.noise == "random":
        noise = draw_noise_maps(g, samples, seed, Stream.PATH_LENGTH)
    return Paths((z0, z1), torch.tensor(places, dtype=torch.float64), c, noise)


def check_space(g: Generator, space: str) -> None:
    """Raise LatentError where paths are to be in W, and the generator has none."""
    if space == "w" and not has_w(g):
        raise LatentError(
            "this generator has no W", advice=["measure the path length in Z: `space` z"]
        )


def latents_along(
    g: Generator, z0: Tensor, z1: Tensor, places: Sequence[Tensor], space: str, c: Tensor | None
) -> Tensor:
    """Return z [K*N,z_dim] or ws [K*N,num_ws,w_dim] at K places [N] along N paths."""
    if space == "z":
        return torch.cat([slerp(z0, z1, place) for place in places]).to(z0)
    check_space(g, space)
    labels = None if c is None else torch.cat([c, c])
    w0, w1 = g.mapping(torch.cat([z0, z1]), labels).chunk(2)
    return torch.cat([w0 + (w1 - w0) * place.to(w0)[:, None, None] for place in places])


@torch.no_grad()
@full_precision()
def path_images(g: Generator, protocol: PathProtocol, samples: Sequence[int], seed: int) -> Tensor:
    """Render the images [N,C,R,R] at the start of the steps of numbered paths, uncropped."""
    path = paths(g, protocol, samples, seed)
    latents = latents_along(g, *path.ends, [path.t], protocol.space, path.c)
    images = []
    for i in range(len(samples)):
        c = None if path.c is None else path.c[i : i + 1]
        noise = None if path.noise is None else [level[i : i + 1] for level in path.noise]
        images.append(render(g, latents[i : i + 1], c, noise))
    return torch.cat(images).cpu()
