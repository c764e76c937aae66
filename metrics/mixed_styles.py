"""Styles of several latents in one picture, switched at random layers.

Table 2 of Karras et al. 2019, where the paper randomises 1 to 4 latents and the crossover points
between them, and says no more. Here the crossover points are different ones, each set of them
equally likely, so that every latent has a layer; for two latents that is the mixing of the
published training.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab import Generator, LatentError
from latentlab.checks import check, check_whole
from latentlab.latents import draw_z
from latentlab.numerics import Stream
from metrics.sampling import draw_samples, has_w


def check_mixed(g: Generator, mixed: int) -> None:
    """Raise an error unless so many latents can be mixed in a picture.

    Raises:
        SettingsError: If it is no whole number from 1 to the generator's number of layers.
        LatentError: If the generator has no styles to mix.
    """
    check_whole(mixed, "mixed", 1)
    if mixed == 1:
        return
    if not has_w(g) or g.num_ws < 2:
        raise LatentError("this generator takes one latent for all its layers: no styles to mix")
    check(mixed <= g.num_ws, "mixed", f"from 1 to {g.num_ws} latents", mixed)


def mixed_samples(
    g: Generator, samples: Sequence[int], seed: int, stream: int, mixed: int
) -> Tensor:
    """Return ws [N,num_ws,w_dim] of numbered samples, each of ``mixed`` latents.

    The first latent, and the label, are those of the sample without mixing.
    """
    z, c = draw_samples(g, samples, seed, stream)
    ws: Tensor = g.mapping(z, c)
    layers = torch.arange(g.num_ws, device=ws.device)
    cuts = torch.from_numpy(crossovers(samples, g.num_ws, mixed, seed)).to(ws.device)
    for i in range(1, mixed):
        key = [sample * mixed + i for sample in samples]
        other = g.mapping(draw_z(key, g.z_dim, seed, Stream.MIXING).to(z), c)
        after = layers[None] >= cuts[:, i - 1, None]
        ws = torch.where(after[:, :, None], other, ws)
    return ws


def crossovers(samples: Sequence[int], num_ws: int, mixed: int, seed: int) -> NDArray[np.int64]:
    """Return the layers [N,mixed-1], rising, from which the second, third, ... latent holds."""
    rngs = (np.random.default_rng([seed, Stream.MIXING_PLACES, i]) for i in samples)
    rows = [np.sort(rng.permutation(num_ws - 1)[: mixed - 1]) + 1 for rng in rngs]
    return np.array(rows, dtype=np.int64).reshape(len(rows), mixed - 1)
