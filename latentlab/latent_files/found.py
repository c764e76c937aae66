"""Latents as a file has them, and which of their axes is which."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from latentlab.errors import LatentError
from latentlab.latents import Z_KEY

# What other tools call w; codes are what encoders give.
W_KEYS = ("w", "dlatents", "ws", "w_plus", "w_pivot", "pivot", "codes", "latent_codes")
EITHER = frozenset({"latents", "latent"})  # z to some tools, and w to others
MOST_AXES = 4


@dataclass(frozen=True)
class Part:
    """Latents of one picture, or of several that have no names.

    Attributes:
        values: Floats with one to four axes, the last of which is w_dim.
        picture: What the file calls it; None if nothing.
        noise: Its noise maps, [h,w] with any axes of one before, as far as the file has them.
    """

    values: NDArray[Any]
    picture: str | None = None
    noise: tuple[Tensor, ...] = ()


@dataclass(frozen=True)
class FoundLatents:
    """What a file holds.

    Attributes:
        parts: Its latents.
        key: What it calls them: "w" or "z", or "latents", which may be either.
    """

    parts: Sequence[Part]
    key: str


def arranged_shape(
    shape: tuple[int, ...],
    num_ws: int | None,
    w_dim: int | None,
    rows_are_pictures: bool = False,
) -> tuple[int, int, int] | None:
    """Say as what [N,num_ws,w_dim] latents of a shape are read, with 1 for one w for all layers.

    Taken are [D], [N,L,D], [N,1,L,D] and [1,N,L,D] with L of one or ``num_ws``; [num_ws,D] is one
    picture's W+. For a known generator, the layers of a picture may also stand in one row.

    Args:
        shape: Of the latents.
        num_ws: Layers of the generator; None if there is none.
        w_dim: Length of its w; None if there is none.
        rows_are_pictures: Whether [N,D] is one w of each of N pictures.

    Returns:
        The shape, of as many numbers; None if it is arranged in no way that is known.

    >>> arranged_shape((18, 512), 18, 512), arranged_shape((18, 512), 14, 512)
    ((1, 18, 512), None)
    """
    if not 1 <= len(shape) <= MOST_AXES or 0 in shape:
        return None
    if w_dim is not None and num_ws is not None and shape[-1] == num_ws * w_dim != w_dim:
        axes = (*([1] if len(shape) == 1 else shape[:-1]), num_ws, w_dim)
    elif len(shape) == 1:
        axes = (1, 1, *shape)
    elif len(shape) == 2:
        axes = (shape[0], 1, shape[1]) if rows_are_pictures else (1, *shape)
    else:
        axes = shape
    if len(axes) == MOST_AXES and 1 in axes[:2]:
        axes = (axes[0] * axes[1], *axes[2:])
    if len(axes) != 3 or w_dim not in (None, axes[2]):
        return None
    return (axes[0], axes[1], axes[2]) if num_ws is None or axes[1] in (1, num_ws) else None


def arranged(
    values: NDArray[Any], num_ws: int | None, w_dim: int | None, rows_are_pictures: bool = False
) -> NDArray[Any] | None:
    """Bring latents to the shape that ``arranged_shape`` says, or return None if it says none."""
    shape = arranged_shape(values.shape, num_ws, w_dim, rows_are_pictures)
    return None if shape is None else values.reshape(shape)


def alike(shapes: Iterable[Sequence[int]]) -> bool:
    """Whether arrays may be latents of one generator each: they differ in axes of one at most."""
    return len({tuple(size for size in shape if size != 1) for shape in shapes}) == 1


def pick_key(names: Sequence[str], keys: Sequence[str], any_other: bool) -> str | None:
    """Return the name of the array that holds latents.

    Args:
        names: Of all arrays.
        keys: Those that are known, the likeliest first.
        any_other: Whether one array of another name will do where there is only that.
    """
    known = next((key for key in keys if key in names), None)
    if known is None and any_other and len(names) == 1 and names[0] != Z_KEY:
        return names[0]
    return known


def shape_error(
    called: str, shape: Sequence[int], num_ws: int | None, w_dim: int | None
) -> LatentError:
    """Return the error that says what latents must look like; ``called`` says where they are."""
    length = "w_dim" if w_dim is None else w_dim
    wanted = f"floats [N, {'num_ws' if num_ws is None else num_ws}, {length}]"
    either = f"{wanted}, or [N, 1, {length}] with one w for all layers"
    use = "" if w_dim is None else ", for this generator"
    return LatentError(f"{called} has shape {list(shape)}, expected {either}{use}")


def as_floats(values: NDArray[Any], where: str, called: str) -> NDArray[np.floating]:
    """Return floats as they are, and refuse other types, NaN and infinity.

    Raises:
        LatentError: Naming the array.
    """
    if values.dtype.kind != "f":
        raise LatentError(f"{where}: {called} has type {values.dtype}, expected floats")
    if not np.isfinite(values).all():
        raise LatentError(f"{where}: {called} holds NaN or infinity")
    return values
