"""How the picture of a StyleGAN3 is shifted and turned: as a matrix, and who can do it."""

import math

import torch
from torch import Tensor

from latentlab.checks import check_number
from latentlab.errors import LatentError

FIXED = (
    "only StyleGAN3 and StyleGAN-XL can shift and turn what they draw, by the place of their "
    "Fourier features; this network draws at a fixed place"
)


def placing_rows(synthesis: object) -> int:
    """Return how many of the first rows of ws place the picture.

    Raises:
        LatentError: If none do: the network draws at a fixed place.
    """
    rows = int(getattr(synthesis, "placing_rows", 0))
    if rows == 0:
        raise LatentError(FIXED)
    return rows


def placement_matrix(translate: tuple[float, float] = (0.0, 0.0), rotate: float = 0.0) -> Tensor:
    """Return the matrix [3,3] that turns a picture about its centre, then shifts it.

    In float64. It maps homogeneous coordinates (x to the right, y down, the picture from -0.5 to
    0.5) to where they come to lie, as ``--translate`` and ``--rotate`` of NVIDIA's gen_images.py.

    Args:
        translate: To the right and down, in widths and heights of the picture.
        rotate: Degrees, against the clock.

    Raises:
        SettingsError: If a number is not finite.

    >>> placement_matrix((0.25, -0.5), 90).round(decimals=3).tolist()
    [[0.0, 1.0, 0.25], [-1.0, 0.0, -0.5], [0.0, 0.0, 1.0]]
    """
    for value, name in zip((*translate, rotate), ("translate", "translate", "rotate"), strict=True):
        check_number(value, name)
    angle = math.radians(rotate)
    cos, sin = math.cos(angle), math.sin(angle)
    rows = [[cos, sin, translate[0]], [-sin, cos, translate[1]], [0.0, 0.0, 1.0]]
    return torch.tensor(rows, dtype=torch.float64)


def inverse_of(matrix: Tensor) -> Tensor:
    """Return the inverse [...,3,3] of placements, in float64 on the CPU.

    Raises:
        LatentError: If the shape is another, a number is not finite, or there is no inverse.
    """
    if matrix.shape[-2:] != (3, 3) or matrix.ndim not in (2, 3):
        raise LatentError(
            f"`matrix` must have shape [3, 3] or [N, 3, 3], but got {list(matrix.shape)}"
        )
    wide = matrix.detach().cpu().double()
    inverse, failed = torch.linalg.inv_ex(wide)
    if bool(failed.any()) or not bool(torch.isfinite(inverse).all() & torch.isfinite(wide).all()):
        raise LatentError("`matrix` must be finite and have an inverse: it says where points go")
    found: Tensor = inverse
    return found
