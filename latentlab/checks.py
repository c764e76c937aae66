"""Checks of arguments: the name, the rule, and what was given."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from latentlab.errors import LatentError, SettingsError, UnsupportedCheckpoint, quoted


def check_shape(x: Tensor, shape: Sequence[int | None], name: str) -> None:
    """Raise LatentError unless ``x`` has the given shape; None stands for any size."""
    fits = x.ndim == len(shape) and all(
        want is None or have == want for have, want in zip(x.shape, shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if size is None else str(size) for size in shape)
        raise LatentError(f"`{name}` must have shape [{wanted}], but got {list(x.shape)}")


def as_images(x: Tensor, shape: Sequence[int], dtype: torch.dtype, name: str) -> Tensor:
    """Return images [N,C,H,W] of ``shape`` [C,H,W] as ``dtype``, for a network to read.

    Raises:
        LatentError: If they have another shape, if there are none, or if they are whole numbers,
            which hold another range than [-1,1].
    """
    check_shape(x, [None, *shape], name)
    if not x.is_floating_point():
        raise LatentError(f"`{name}` must be floating-point in [-1,1], but got {x.dtype}")
    if len(x) == 0:
        raise LatentError(f"`{name}` must hold at least one image, but got {list(x.shape)}")
    return x.to(dtype)


def check(holds: bool, name: str, rule: str, got: object) -> None:
    """Raise SettingsError, naming the argument, unless ``holds``."""
    if not holds:
        raise SettingsError(f"`{name}` must be {rule}, but got {quoted(got)}")


def check_whole(value: object, name: str, low: int = 0, high: int | None = None) -> None:
    """Refuse what is not a whole number within low..high; True and False are none."""
    fits = type(value) is int and low <= value and (high is None or value <= high)
    check(fits, name, f"a whole number >= {low}" if high is None else
          f"a whole number {low}..{high}", value)  # fmt: skip


def check_number(
    value: object, name: str, low: float = -math.inf, *, above: float = -math.inf
) -> None:
    """Refuse what is not a finite number from ``low``, or greater than ``above``."""
    fits = type(value) in (int, float) and math.isfinite(value) and above < value >= low  # type: ignore[arg-type, operator]
    bound = f" > {above:g}" if above > -math.inf else f" >= {low:g}" if low > -math.inf else ""
    check(fits, name, f"a finite number{bound}", value)


def check_choice(value: object, name: str, choices: Sequence[str]) -> None:
    """Refuse what is none of the known words."""
    check(type(value) is str and value in choices, name, f"one of {', '.join(choices)}", value)


def require(holds: bool, field: str, rule: str, got: object) -> None:
    """Raise UnsupportedCheckpoint, naming the field of the config, unless ``holds``."""
    if not holds:
        raise UnsupportedCheckpoint(f"`{field}` must be {rule}, but got {quoted(got)}")


def require_whole(config: object, field: str, low: int, high: int, optional: bool = False) -> None:
    """Refuse a field that is not a whole number within low..high, or None where optional."""
    value = getattr(config, field)
    fits = type(value) is int and low <= value <= high
    require(fits or (optional and value is None), field, f"a whole number {low}..{high}", value)


def require_positive(config: object, field: str, optional: bool = False) -> None:
    """Refuse a field that is not a positive number that float32 holds, or None where optional."""
    value = getattr(config, field)
    fits = type(value) in (int, float) and 0 < value < 1e38
    require(fits or (optional and value is None), field, "a positive number", value)


def require_known(config: object, field: str, known: Sequence[str]) -> None:
    """Refuse a field that is none of the known words."""
    value = getattr(config, field)
    require(type(value) is str and value in known, field, " or ".join(known), value)


def require_flags(config: object, *flags: str) -> None:
    """Refuse fields that are neither true nor false."""
    for field in flags:
        value = getattr(config, field)
        require(type(value) is bool, field, "true or false", value)


def require_taps(config: object, field: str) -> None:
    """Refuse a field that is not a filter."""
    taps = getattr(config, field)
    fits = isinstance(taps, tuple) and 2 <= len(taps) <= 16
    # Squares of taps and of their sum must be float32's, too.
    fits = fits and all(type(tap) in (int, float) and abs(tap) < 1e9 for tap in taps)
    require(fits and abs(sum(taps)) > 1e-9, field, "2..16 numbers below 1e9, sum not 0", taps)
