"""Directions in W, along which a latent is moved to edit its picture, and files of them.

All share one unit, the standard deviation of w along the direction, and one way to say where a
latent is: how many of these it is away from the direction's origin.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latentlab.checks import check, check_shape
from latentlab.errors import CheckpointError, LatentError, SettingsError, quoted, shown
from latentlab.foreign_files.json_texts import parse_json
from latentlab.tensor_files import read_safetensors, write_safetensors

METHODS = ("pca", "sefa", "svm")
HEADER, VERSION = "latentlab-directions", 1  # the entry of the file's header, and its version

_ARRAYS = ("vectors", "deviations", "origins")  # of a file
_UNIT = 1e-4  # what the length of a unit vector in float32 may be off
_MOST = 100_000  # directions, or layers, that can stand together
_INDEX = re.compile("#([0-9]{1,8})")


@dataclass(frozen=True)
class Direction:
    """One direction.

    Attributes:
        name: What it is called.
        vector: Of length 1 [w_dim], float32.
        deviation: Standard deviation of w along it, the unit of strengths.
        origin: What position 0 is, as the product of w and the vector: that of the mean of w or,
            for a boundary, that of what lies on it.
    """

    name: str
    vector: Tensor
    deviation: float
    origin: float

    def positions(self, ws: Tensor) -> Tensor:
        """Return where latents [N,num_ws,w_dim] are: deviations from the origin [N,num_ws]."""
        along = ws.double().cpu() @ self.vector.double().cpu()
        return (along - self.origin) / self.deviation


@dataclass(frozen=True)
class Directions:
    """Directions that were found together.

    Attributes:
        names: One for each, none twice.
        vectors: Of length 1 [K,w_dim], float32.
        deviations: Of w along each [K], float64.
        origins: Of each [K], float64, see ``Direction``.
        method: "pca", "sefa" or "svm".
        layers: Layers to move where nobody names others; None: all.
        sha256: Of the generator's file; "" where there is none.
        facts: What was measured of each, by name: ``explained_variance``, ``accuracy``, ...
        settings: How they were found: samples, seed.
        missing: What was looked for without success, by name: why there is none.
    """

    names: tuple[str, ...]
    vectors: Tensor
    deviations: Tensor
    origins: Tensor
    method: str
    layers: tuple[int, ...] | None = None
    sha256: str = ""
    facts: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        count = len(self.names)
        _refuse_many(count, "directions")
        _refuse_many(len(self.layers or ()), "layers")
        _refuse_many(len(self.missing), "missing directions")
        check_shape(self.vectors, [count, None], "vectors")
        for name in _ARRAYS[1:]:
            check_shape(getattr(self, name), [count], name)
        if count == 0 or len(set(self.names)) < count:
            raise LatentError("there must be at least one direction, each with its own name")
        if self.method not in METHODS:
            known = ", ".join(METHODS)
            raise LatentError(f"`method` must be one of {known}, but got {quoted(self.method)}")
        if not bool(((self.vectors.double().norm(dim=1) - 1).abs() < _UNIT).all()):
            raise LatentError("`vectors` must be of length 1")
        if not bool((torch.isfinite(self.deviations) & (self.deviations > 0)).all()):
            raise LatentError("`deviations` must be positive: w does not vary along the others")
        if not bool(torch.isfinite(self.origins).all()):
            raise LatentError("`origins` must be finite")
        if any(len(values) != count for values in self.facts.values()):
            raise LatentError(f"`facts` must have one number for each of the {count} directions")
        if set(self.missing) & set(self.names):
            raise LatentError("`missing` names a direction that is there")

    def __len__(self) -> int:
        return len(self.names)

    @property
    def w_dim(self) -> int:
        """Length of the vectors."""
        return self.vectors.shape[1]

    def __getitem__(self, index: int) -> Direction:
        """Return a direction by its number."""
        i = range(len(self))[index]
        deviation, origin = self.deviations[i].item(), self.origins[i].item()
        return Direction(self.names[i], self.vectors[i], deviation, origin)

    def find(self, wanted: str) -> Direction:
        """Return a direction by its name, or by its number from 0, written "#0".

        A name always wins, and a bare number is nothing but a name: attributes are often called
        1, 2, 3, and then number 1 is another direction than "1".

        Raises:
            SettingsError: If there is none.
        """
        if wanted in self.names:
            return self[self.names.index(wanted)]
        numbered = _INDEX.fullmatch(wanted)
        if numbered and int(numbered[1]) < len(self):
            return self[int(numbered[1])]
        raise SettingsError(self._why_not(wanted))

    def _why_not(self, wanted: str) -> str:
        known = f"there are {shown(self.names)}, or by number #0 to #{len(self) - 1}"
        if wanted in self.missing:
            return f"no plane was found for {quoted(wanted)}: {self.missing[wanted]}; {known}"
        meant = _INDEX.fullmatch(f"#{wanted}")
        if meant and int(meant[1]) < len(self):
            name = self.names[int(meant[1])]
            known += f"; number {int(meant[1])} is {quoted(name)}, written '#{int(meant[1])}'"
        return f"no direction {quoted(wanted)}; {known}"


def move(
    ws: Tensor, direction: Direction, strength: float, layers: Iterable[int] | None = None
) -> Tensor:
    """Move latents [N,num_ws,w_dim] along a direction, in the given layers or in all.

    A strength of 0 returns the same numbers.

    Args:
        ws: The latents.
        direction: Where to.
        strength: How far, in deviations of w along the direction.
        layers: Numbers of layers.

    Raises:
        LatentError: If the direction has another length than w.
        SettingsError: If the strength is not finite, or there is no such layer.
    """
    check_shape(ws, [None, None, len(direction.vector)], "ws")
    check(math.isfinite(strength), "strength", "a finite number", strength)
    chosen = list(range(ws.shape[1])) if layers is None else sorted(set(layers))
    fits = not chosen or (chosen[0] >= 0 and chosen[-1] < ws.shape[1])
    check(fits, "layers", f"within 0 to {ws.shape[1] - 1}", chosen)
    moved = ws.clone()
    if strength != 0:
        moved[:, chosen] += (strength * direction.deviation) * direction.vector.to(ws)
    return moved


def save_directions(path: Path | str, directions: Directions) -> None:
    """Write directions as safetensors, with all that is not numbers as JSON in the header."""
    parts = vars(directions)
    tensors = {name: parts[name].detach().cpu().contiguous() for name in _ARRAYS}
    about = {"version": VERSION} | {k: v for k, v in parts.items() if k not in _ARRAYS}
    about |= {key: dict(parts[key]) for key in ("facts", "settings", "missing")}
    write_safetensors(tensors, Path(path), {HEADER: json.dumps(about)})


def load_directions(path: Path | str, w_dim: int) -> Directions:
    """Read directions for a generator whose w has the length ``w_dim``.

    Raises:
        LatentError: If the file is missing, damaged, too large or no file of directions, or does
            not fit.
    """
    try:
        header, tensors = read_safetensors(Path(path), partial(_check_arrays, path, w_dim))
    except CheckpointError as error:
        raise LatentError(str(error)) from error
    if HEADER not in header:
        raise LatentError(f"{path}: holds no directions; expected a file of `latentlab directions`")
    try:
        return Directions(*_parts(header[HEADER], tensors))
    except LatentError as error:
        raise LatentError(f"{path}: {error}") from error


def _parts(text: str, tensors: dict[str, Tensor]) -> tuple[Any, ...]:
    """Return the fields of directions out of a header and its arrays, each of its own type."""
    try:
        about = parse_json(text)
        if about["version"] == VERSION:
            return _fields(about, tensors)
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as e:
        raise LatentError(f"damaged directions ({type(e).__name__}: {e})") from e
    raise LatentError(
        f"directions of version {quoted(about['version'])}, this latentlab reads {VERSION}; "
        "update it"
    )


def _fields(about: dict[str, Any], tensors: dict[str, Tensor]) -> tuple[Any, ...]:
    return (
        _tuple_of(str, about["names"]),
        tensors["vectors"].float(),
        tensors["deviations"].double(),
        tensors["origins"].double(),
        str(about["method"]),
        None if about["layers"] is None else _tuple_of(int, about["layers"]),
        str(about["sha256"]),
        {str(name): tuple(map(float, values)) for name, values in about["facts"].items()},
        dict(about["settings"]),
        # Files of before know nothing of it.
        {str(name): str(why) for name, why in dict(about.get("missing", {})).items()},
    )


def _check_arrays(path: Path | str, w_dim: int, shapes: dict[str, list[int]]) -> None:
    """Refuse arrays of the wrong size before they take memory; raises CheckpointError."""
    for name in _ARRAYS:
        rows, *length = shapes.get(name) or [0]
        if rows > _MOST:
            raise CheckpointError(
                f"{path}: `{name}` has {rows:,} rows, but a file holds {_MOST:,} directions at most"
            )
        if name == "vectors" and length and length[-1] != w_dim:
            raise CheckpointError(
                f"{path}: directions for a w of {length[-1]} numbers, but this generator's has "
                f"{w_dim}"
            )


def _refuse_many(count: int, noun: str) -> None:
    if count > _MOST:
        raise LatentError(f"there may be {_MOST:,} {noun} at most, but got {count:,}")


def _tuple_of(kind: type, values: Any) -> tuple[Any, ...]:
    """Return a list's values; numbers are those of layers, which count from 0."""
    fits = isinstance(values, list) and all(type(each) is kind for each in values)
    if not fits or (kind is int and min(values, default=0) < 0):
        raise TypeError("names are not a list of texts, or layers not a list of numbers")
    return tuple(values)
