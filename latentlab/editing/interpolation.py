"""Walks between pictures: places on the way, latents and noise maps there.

At the ends, t = 0 and t = 1, everything is what it was, to the bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from latentlab.errors import SettingsError
from latentlab.latents import slerp


@dataclass(frozen=True)
class Place:
    """A place on a walk: the share ``t`` of the leg between two keys, given by their numbers."""

    start: int
    end: int
    t: float


def places(keys: int, frames: int, loop: bool = False, ease: bool = False) -> list[Place]:
    """Return the places of a walk through ``keys`` pictures, each place once.

    Args:
        keys: Number of pictures.
        frames: Places on each leg, with its start and without its end.
        loop: Whether a last leg leads back to the first picture; without it, the walk ends with
            the last one.
        ease: Whether to set off and arrive slowly, by t² (3 - 2 t).

    Raises:
        SettingsError: If there are fewer than two pictures, or no place on a leg.
    """
    if keys < 2 or frames < 1:
        raise SettingsError(
            f"a walk needs at least 2 pictures and 1 frame per leg, but got {keys} and {frames}"
        )
    shares = [i / frames for i in range(frames)]
    if ease:
        shares = [t * t * (3 - 2 * t) for t in shares]
    legs = [(i, (i + 1) % keys) for i in range(keys if loop else keys - 1)]
    walk = [Place(start, end, t) for start, end in legs for t in shares]
    return walk if loop else [*walk, Place(keys - 2, keys - 1, 1.0)]


def between_ws(a: Tensor, b: Tensor, t: float) -> Tensor:
    """Interpolate latents [N,num_ws,w_dim] on a straight line."""
    return a if t == 0 else b if t == 1 else torch.lerp(a, b, t)


def between_z(a: Tensor, b: Tensor, t: float) -> Tensor:
    """Interpolate z [N,z_dim] along a great circle, and their lengths on a straight line."""
    if t in (0, 1):
        return b if t else a
    lengths = [z.detach().cpu().double().norm(dim=1, keepdim=True) for z in (a, b)]
    along = slerp(a, b, torch.full([len(a)], t, dtype=torch.float64))
    return (along * torch.lerp(lengths[0], lengths[1], t)).to(a)


def between_noise(a: Sequence[Tensor], b: Sequence[Tensor], t: float) -> list[Tensor]:
    """Interpolate noise maps, one [N,1,h,w] per layer, and keep their strength.

    Halfway between two independent maps, their mean has half their variance, and pictures would
    lose detail on the way. Each map is rescaled so that its mean square runs from one end's to the
    other's; those of projections have 1.
    """
    if t in (0, 1):
        return list(b if t else a)
    return [_between_maps(start, end, t) for start, end in zip(a, b, strict=True)]


def _between_maps(a: Tensor, b: Tensor, t: float) -> Tensor:
    mean = torch.lerp(a, b, t)
    wanted = torch.lerp(_mean_square(a), _mean_square(b), t)
    found = _mean_square(mean)
    # Opposite maps cancel halfway: there is nothing to rescale then.
    return mean * torch.where(found > 0, (wanted / found).sqrt(), 1.0)


def _mean_square(x: Tensor) -> Tensor:
    return x.square().mean(dim=[1, 2, 3], keepdim=True)
