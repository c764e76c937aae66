"""Channels of images: grey, colour, and colour with alpha; and what is seen of them.

Alpha is the fourth channel, -1 where nothing is seen and 1 where all is; colours are not multiplied
by it. What takes colours alone, such as a network, sees such an image on a background. On a single
one, a half transparent black is as good as a grey. On white and on black, alpha is known: with
a share a in [0,1] and a colour c they show a c + (1 - a) and a c - (1 - a), which differ
by 2 (1 - a). So images with alpha are compared on both, and the two results averaged.
"""

import torch
from torch import Tensor

from latentlab.errors import ImageError, LatentError

KINDS = {1: "grey", 3: "colour", 4: "colour with alpha"}
WHITE, BLACK = 1.0, -1.0  # backgrounds, in [-1,1]
ALPHA = 4  # channels of images with alpha
COMPARED_ON = "on white and on black, averaged"  # what results say of images with alpha
SEEN_ON = "on white"

_WORDS = "1 (grey), 3 (colour) or 4 (colour with alpha)"


def check_channels(channels: int, whose: str = "this generator") -> None:
    """Refuse a generator whose images are no pictures.

    Raises:
        LatentError: If they have not 1, 3 or 4 channels.
    """
    if channels not in KINDS:
        raise LatentError(
            f"{whose} makes images of {channels} channels, but pictures have {_WORDS} channels"
        )


def alpha_facts(channels: int, how: str) -> dict[str, str]:
    """Return what a result says of alpha, if there is any: how it came into the numbers."""
    return {"alpha": how} if channels == ALPHA else {}


def as_rgb(images: Tensor, background: float = WHITE) -> Tensor:
    """Return images [...,C,H,W] in [-1,1] in three channels [...,3,H,W].

    Grey is repeated; with alpha, they are laid on a grey ``background`` in [-1,1]. Values outside
    of [-1,1] are not cut off, so that gradients reach them.

    Raises:
        ImageError: If they have not 1, 3 or 4 channels.
    """
    if images.ndim < 3 or images.shape[-3] not in KINDS:
        raise ImageError(f"images have {_WORDS} channels, but these are {list(images.shape)}")
    if images.shape[-3] != ALPHA:
        return images.expand(*images.shape[:-3], 3, -1, -1)
    colours, alpha = images.split([3, 1], dim=-3)
    seen: Tensor = background + (alpha + 1) / 2 * (colours - background)
    return seen


def views(images: Tensor) -> tuple[Tensor, ...]:
    """Return what images [...,C,H,W] are compared by.

    Themselves; or, if they have alpha, they on white and they on black [...,3,H,W].
    """
    if images.ndim < 3 or images.shape[-3] != ALPHA:
        return (images,)
    return as_rgb(images, WHITE), as_rgb(images, BLACK)


def averaged(results: list[Tensor]) -> Tensor:
    """Return the mean of what was found for each view; that of a single one, to the last bit."""
    return results[0] if len(results) == 1 else torch.stack(results).mean(dim=0)
