"""Variables of TensorFlow networks as a file has them, and how they become our tensors.

Convolution weights are [k,k,in,out] there and [out,in,k,k] here; dense weights [in,out] and
[out,in]; a constant or a noise map has leading axes of length one.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab.errors import CheckpointError, shown

Variables = dict[str, Any]  # name -> value, nothing of which is checked but the name

_MAX_NAME = 200


@dataclass(frozen=True)
class Layout:
    """How the axes of a variable become those of our tensor."""

    axes: tuple[int, ...] = ()  # our axes, by their place there; (): the same order
    ones: int = 0  # leading axes of length one, dropped
    mirrored: bool = False  # both axes of the kernel

    def shape_there(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Return the shape in the file of what has ``shape`` here."""
        there = list(shape)
        for ours, place in enumerate(self.axes):
            there[place] = shape[ours]
        return (1,) * self.ones + tuple(there)

    def view(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return the array as it is here, without a copy."""
        if self.mirrored:
            array = array[::-1, ::-1]
        if self.axes:
            array = array.transpose(self.axes)
        return array.reshape(array.shape[self.ones :])


SAME = Layout()
DENSE = Layout((1, 0))
KERNEL = Layout((3, 2, 0, 1))
# StyleGAN2's upsampling mirrors the kernel at run time; ADA's PyTorch release and ours do not.
MIRRORED = Layout((3, 2, 0, 1), mirrored=True)
CONSTANT = Layout(ones=1)
MAP = Layout(ones=2)


@dataclass(frozen=True)
class Row:
    """Where one of our tensors comes from."""

    ours: str  # the names
    theirs: str
    layout: Layout = SAME  # how the axes move
    gain: float | None = None  # of the weight in its equalised learning rate, where it has one
    factor: float = 1.0  # on the values
    shift: float = 0.0  # added to the values


def named_variables(listed: object, where: str) -> list[tuple[str, Any]]:
    """Return a file's variables, which must be a list of (name, value)."""
    if type(listed) is not list:
        raise CheckpointError(f"{where}: the variables are not a list")
    for pair in listed:
        if type(pair) is not tuple or len(pair) != 2 or not _is_name(pair[0]):
            raise CheckpointError(f"{where}: a variable that is not a name and a value")
    return listed


def _is_name(value: object) -> bool:
    return (
        type(value) is str and len(value) <= _MAX_NAME and value.isascii() and value.isprintable()
    )


def check_variables(
    rows: Sequence[Row],
    shapes: Mapping[str, Sequence[int]],
    variables: Variables,
    twice: Sequence[str],
    where: str,
) -> None:
    """Compare a file's variables with what the network needs.

    Args:
        rows: Where our tensors come from.
        shapes: Shape of each of our tensors.
        variables: By their names in the file.
        twice: Names that the file has twice.
        where: File and network, for messages.

    Raises:
        CheckpointError: Naming those that are missing, left over, there twice, misshapen or not
            numbers.
    """
    known = [row.theirs for row in rows]
    strays = set(variables) - set(known)
    problems = [f"{name} is missing" for name in known if name not in variables]
    problems += [f"{name} is not part of the network" for name in variables if name in strays]
    problems += [f"{name} is there twice" for name in twice]
    for row in rows:
        if row.theirs not in variables:
            continue
        value, wanted = variables[row.theirs], row.layout.shape_there(shapes[row.ours])
        is_array = type(value) is np.ndarray
        is_number = type(value) is float or (type(value) is int and abs(value) < 2**63)
        shape = value.shape if is_array else ()
        if not is_number and not (is_array and value.dtype.kind == "f"):
            kind = value.dtype if is_array else type(value).__name__
            problems.append(f"{row.theirs} has type {kind}, not a float type")
        elif shape != wanted:
            problems.append(f"{row.theirs} has shape {list(shape)}, not {list(wanted)}")
    if problems:
        raise CheckpointError(f"{where}: weights do not fit: {shown(problems, '; ')}")


def take_tensors(
    rows: Sequence[Row], variables: Variables, equalised: bool
) -> Iterator[tuple[str, Tensor]]:
    """Turn variables into tensors of our own one by one, freeing each variable with its turn.

    Args:
        rows: Where our tensors come from.
        variables: Checked; empty in the end.
        equalised: Whether gain / sqrt(fan_in) is applied at run time (Karras et al. 2018,
            section 4.1). Our networks always do, so weights without it are divided by it here.
    """
    for row in rows:
        there = np.asarray(variables.pop(row.theirs))
        factor = row.factor
        if not equalised and row.gain is not None:
            factor *= math.sqrt(math.prod(there.shape[:-1])) / row.gain
        with np.errstate(over="ignore"):  # infinity is refused, with its name, later
            ours = np.array(row.layout.view(there), dtype=np.float32, order="C")
            if factor != 1.0:
                ours *= factor
            if row.shift:
                ours += row.shift
        del there
        yield row.ours, torch.from_numpy(ours)
