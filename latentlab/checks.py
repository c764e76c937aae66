"""Checks of arguments: the name, the rule, and what was given."""

import math
import sys
from collections.abc import Sequence

import torch
from torch import Tensor

from latentlab.errors import (
    LatentError,
    LatentlabError,
    SettingsError,
    UnsupportedCheckpoint,
    quoted,
)

_Kind = type[LatentlabError]


def check_shape(x: Tensor, shape: Sequence[int | None], name: str) -> None:
    """Raise LatentError unless ``x`` has the given shape; None stands for any size."""
    fits = x.ndim == len(shape) and all(
        want is None or have == want for have, want in zip(x.shape, shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if size is None else str(size) for size in shape)
        raise LatentError(f"`{name}` must have shape [{wanted}], but got {list(x.shape)}")


def needed(x: Tensor | None, shape: Sequence[int | None], name: str) -> Tensor:
    """Return what a network cannot do without.

    Raises:
        LatentError: If it is None, or has another shape.
    """
    if x is None:
        raise LatentError(f"this network needs `{name}`: give a tensor of shape [N, {shape[-1]}]")
    check_shape(x, shape, name)
    return x


def as_images(x: Tensor, shape: Sequence[int], dtype: torch.dtype, name: str) -> Tensor:
    """Return images [N,C,H,W] of ``shape`` [C,H,W] as ``dtype``, for a network to read.

    Raises:
        LatentError: If they have another shape, if there are none, or if they are whole numbers,
            whose range is not [-1,1].
    """
    check_shape(x, [None, *shape], name)
    if not x.is_floating_point():
        raise LatentError(f"`{name}` must be floating-point in [-1,1], but got {x.dtype}")
    if len(x) == 0:
        raise LatentError(f"`{name}` must hold at least one image, but got {list(x.shape)}")
    return x.to(dtype)


def check(holds: bool, name: str, rule: str, got: object, error: _Kind = SettingsError) -> None:
    """Raise an error that names the argument, its rule and what was given, unless ``holds``.

    >>> check(3 > 4, "steps", "greater than 4", 3)
    Traceback (most recent call last):
    latentlab.errors.SettingsError: `steps` must be greater than 4, but got 3
    """
    if not holds:
        raise error(f"`{name}` must be {rule}, but got {quoted(got)}")


def require(holds: bool, field: str, rule: str, got: object) -> None:
    """Raise UnsupportedCheckpoint, naming the field, unless ``holds``."""
    check(holds, field, rule, got, UnsupportedCheckpoint)


def check_whole(
    value: object,
    name: str,
    low: int = 0,
    high: int | None = None,
    *,
    optional: bool = False,
    error: _Kind = SettingsError,
) -> None:
    """Refuse what is not a whole number from low to high, or None where optional.

    True and False are not numbers.
    """
    fits = type(value) is int and low <= value and (high is None or value <= high)
    bounds = f">= {low}" if high is None else f"{low} to {high}"
    check(fits or (optional and value is None), name, f"a whole number {bounds}", value, error)


def check_number(
    value: object,
    name: str,
    low: float = -math.inf,
    *,
    above: float = -math.inf,
    below: float = math.inf,
    optional: bool = False,
    error: _Kind = SettingsError,
) -> None:
    """Refuse what is not a finite number from ``low``, and between ``above`` and ``below``.

    None passes where optional.
    """
    # Not by math.isfinite, to which an int beyond the floats is an OverflowError.
    fits = isinstance(value, int | float) and not isinstance(value, bool)  # numpy's float64, too
    fits = fits and abs(value) <= sys.float_info.max  # type: ignore[arg-type]
    fits = fits and above < value < below and value >= low  # type: ignore[operator]
    bounds = [f"> {above:g}"] * (above > -math.inf) + [f">= {low:g}"] * (low > -math.inf)
    rule = " and ".join([*bounds, *[f"< {below:g}"] * (below < math.inf)])
    fits = fits or (optional and value is None)
    check(fits, name, f"a finite number {rule}".rstrip(), value, error)


def check_choice(
    value: object, name: str, choices: Sequence[str], error: _Kind = SettingsError
) -> None:
    """Refuse what is none of the known words."""
    fits = type(value) is str and value in choices
    check(fits, name, f"one of {', '.join(choices)}", value, error)


def check_flag(value: object, name: str, error: _Kind = SettingsError) -> None:
    """Refuse what is neither true nor false."""
    check(type(value) is bool, name, "true or false", value, error)


def check_taps(value: object, name: str, error: _Kind = SettingsError) -> None:
    """Refuse what is not a filter."""
    fits = isinstance(value, tuple) and 2 <= len(value) <= 16
    # Squares of taps and of their sum must be float32's, too.
    fits = fits and all(type(tap) in (int, float) and abs(tap) < 1e9 for tap in value)  # type: ignore[attr-defined]
    fits = fits and abs(sum(value)) > 1e-9  # type: ignore[call-overload]
    check(fits, name, "2 to 16 numbers below 1e9, sum not 0", value, error)
