"""Numpy arrays and numbers out of a pickle: permitted types, exact lengths."""

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentlab.checkpoints.pickles.language import Buildable, Global
from latentlab.checkpoints.pickles.limits import Budget
from latentlab.checkpoints.pickles.records import Record
from latentlab.errors import CheckpointError, UnsafeCheckpoint

MAX_RANK = 8

# No objects, no structures, no big-endian numbers: networks are not made of them. Text, dates and
# complex numbers, which scripts keep beside a network, become records without content.
_CODES = frozenset(["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"])
_OTHER_CODES = re.compile(r"[SUMmc][0-9]{1,6}")
_STATES = [(version, order, None, None, None, -1, -1, 0) for version in (3, 4) for order in "<|"]
_STATE_TYPES = [type(item) for item in _STATES[0]]


def is_geometry(value: object) -> bool:
    """Whether this is a tuple of at most eight whole numbers of 0 or more."""
    return (
        type(value) is tuple
        and len(value) <= MAX_RANK
        and all(type(item) is int and 0 <= item < 2**63 for item in value)
    )


@dataclass(eq=False)
class NumberType(Buildable):
    """A permitted numpy dtype, little-endian."""

    dtype: np.dtype[Any]

    def build(self, state: object, budget: Budget) -> object:
        """Check that the pickled state adds nothing: no structure, no other byte order."""
        fields = state if type(state) is tuple and len(state) == 8 else ()
        # Types before values: an array answers a comparison with an array.
        if [type(item) for item in fields] != _STATE_TYPES or fields not in _STATES:
            raise UnsafeCheckpoint("a numpy dtype that is structured, big-endian or an object")
        return self


@dataclass(eq=False)
class UnbuiltArray(Buildable):
    """An array before its BUILD, which brings shape and content."""

    def build(self, state: object, budget: Budget) -> NDArray[Any] | Record:
        """Return the array as a read-only view of the file's bytes."""
        fields = state if type(state) is tuple and len(state) == 5 else (None,) * 5
        version, shape, kind, column_major, raw = fields
        if type(kind) is Record:
            return _other("ndarray")
        if type(version) is not int or version != 1:
            raise CheckpointError("an array with a state unknown to this version")
        if type(raw) is not bytes or type(column_major) not in (bool, int):
            raise UnsafeCheckpoint("an array whose content is not bytes")
        return _view(raw, kind, shape, bool(column_major), budget)


def _other(name: str) -> Record:
    return Record("class", name, module="numpy")


def _view(
    raw: bytes | bytearray, kind: object, shape: object, column_major: bool, budget: Budget
) -> NDArray[Any]:
    """Return a read-only array that views ``raw``, of exactly its length.

    A copy here would need the memory of the whole file once more: the bytes stay alive until the
    last opcode, for the file may refer to them again.
    """
    if type(shape) is not tuple or not is_geometry(shape) or type(kind) is not NumberType:
        raise CheckpointError("an array whose shape or type is not one")
    expected = math.prod(shape) * kind.dtype.itemsize
    if len(raw) != expected:
        raise CheckpointError(f"an array of {expected} bytes has {len(raw)}")
    budget.take_bytes(expected)  # a view costs nothing, but tensors are made of it
    flat: NDArray[Any] = np.frombuffer(raw, kind.dtype)
    flat.flags.writeable = False  # as it is already, unless this is a bytearray
    return flat.reshape(shape[::-1]).T if column_major else flat.reshape(shape)


def number_type(arguments: tuple[Any, ...], _: Budget) -> NumberType | Record:
    """``numpy.dtype("f4", False, True)``."""
    code = arguments[0] if len(arguments) == 3 else None
    if type(code) is str and _OTHER_CODES.fullmatch(code):
        return _other("dtype")
    if len(arguments) != 3 or type(arguments[0]) is not str or arguments[0] not in _CODES:
        code = ascii(arguments[0])[:40] if arguments and type(arguments[0]) is str else "odd"
        raise UnsafeCheckpoint(f"a numpy dtype that is not a plain number type: {code}")
    return NumberType(np.dtype(arguments[0]).newbyteorder("<"))


def array(arguments: tuple[Any, ...], _: Budget) -> UnbuiltArray:
    """``numpy.core.multiarray._reconstruct(numpy.ndarray, (0,), b"b")``."""
    kind = arguments[0] if len(arguments) == 3 else None
    if type(kind) is not Global or kind.name != "ndarray":
        raise UnsafeCheckpoint("an array of a class other than numpy.ndarray")
    return UnbuiltArray()


def created(arguments: tuple[Any, ...], budget: Budget) -> NDArray[Any] | Record:
    """``dill._dill._create_array(_reconstruct, its arguments, state, None)``: arrays of dill."""
    maker = arguments[0] if len(arguments) in (3, 4) else None
    if type(maker) is not Global or maker.name != "_reconstruct":
        raise UnsafeCheckpoint("an array that is made in an unknown way")
    if any(item is not None for item in arguments[3:]) or type(arguments[1]) is not tuple:
        raise UnsafeCheckpoint("an array with attributes")
    return array(arguments[1], budget).build(arguments[2], budget)


def buffer(arguments: tuple[Any, ...], budget: Budget) -> NDArray[Any] | Record:
    """``numpy.core.numeric._frombuffer(bytes, dtype, shape, "C")``: arrays since protocol 5."""
    content = arguments[0] if len(arguments) == 4 else None
    if type(content) not in (bytes, bytearray):
        raise UnsafeCheckpoint("an array from a buffer that is not bytes")
    raw, kind, shape, order = arguments
    if type(order) is not str or order not in ("C", "F"):
        raise CheckpointError("an array from a buffer in an order other than C or F")
    if type(kind) is Record:
        return _other("ndarray")
    return _view(raw, kind, shape, order == "F", budget)


def scalar(arguments: tuple[Any, ...], _: Budget) -> int | float | bool | Record:
    """``numpy.core.multiarray.scalar(dtype, bytes)`` as a Python number."""
    if [type(item) for item in arguments] == [Record, bytes]:
        return _other("generic")
    if [type(item) for item in arguments] != [NumberType, bytes]:
        raise UnsafeCheckpoint("a numpy number that is not made of a type and bytes")
    kind, raw = arguments
    if len(raw) != kind.dtype.itemsize:
        raise CheckpointError(f"a number of {kind.dtype.itemsize} bytes has {len(raw)}")
    value: int | float | bool = np.frombuffer(raw, kind.dtype)[0].item()
    return value
