"""Torch tensors out of a pickle: storages in the older torch.save layout, and views of them.

A storage is a stream of five pickles (magic number, protocol, system, the storage's id, the list
of keys), then a count of elements and their raw little-endian bytes.
"""

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab.checkpoints.bounds import BoundedFile, Budget
from latentlab.checkpoints.numpy_data import is_geometry
from latentlab.checkpoints.pickle_machine import Builder, Global, Language, PickleMachine
from latentlab.errors import CheckpointError, TruncatedCheckpoint, UnsafeCheckpoint

MAGIC = 0x1950A86A20F9469CFC6C  # of torch.save's older layout
_PROTOCOL = 1001

# Name of the storage class -> how numpy holds the elements, what torch calls them.
_TYPES: Mapping[str, tuple[str, torch.dtype]] = MappingProxyType(
    {
        "FloatStorage": ("<f4", torch.float32),
        "DoubleStorage": ("<f8", torch.float64),
        "HalfStorage": ("<f2", torch.float16),
        "BFloat16Storage": ("<i2", torch.bfloat16),  # numpy has none: the bits travel as int16
        "LongStorage": ("<i8", torch.int64),
        "IntStorage": ("<i4", torch.int32),
        "ShortStorage": ("<i2", torch.int16),
        "CharStorage": ("|i1", torch.int8),
        "ByteStorage": ("|u1", torch.uint8),
        "BoolStorage": ("|b1", torch.bool),
    }
)
_NAMES: Mapping[tuple[str, str], Builder | None] = MappingProxyType(
    {("torch", name): None for name in _TYPES}
)


@dataclass(frozen=True, eq=False)
class Storage:
    """The elements of a tensor, not yet copied out of the file's bytes."""

    elements: NDArray[Any]  # flat, read-only
    dtype: torch.dtype


@dataclass(frozen=True, eq=False)
class _StorageId:
    class_name: str
    key: str
    count: int


def storage(arguments: tuple[Any, ...], budget: Budget) -> Storage:
    """``torch.storage._load_from_bytes(bytes)``: read the nested stream as data.

    Raises:
        CheckpointError: If any part of it disagrees with another.
    """
    if len(arguments) != 1 or type(arguments[0]) is not bytes:
        raise UnsafeCheckpoint("a storage that is not bytes")
    raw = arguments[0]
    try:
        return _read_stream(raw, budget)
    except CheckpointError as error:
        raise type(error)(f"in a storage: {error}") from error


def _read_stream(raw: bytes, budget: Budget) -> Storage:
    file = BoundedFile(io.BytesIO(raw), len(raw))
    plain, storages = Language(MappingProxyType({})), Language(_NAMES, _storage_id)
    magic, protocol, system = (PickleMachine(file, plain, budget).run() for _ in range(3))
    if type(magic) is not int or magic != MAGIC or protocol != _PROTOCOL:
        raise CheckpointError("not a torch stream of the known version")
    if type(system) is not dict or system.get("little_endian") is not True:
        raise CheckpointError("not a little-endian torch stream")
    found = PickleMachine(file, storages, budget).run()
    keys = PickleMachine(file, plain, budget).run()
    if type(found) is not _StorageId or type(keys) is not list or keys != [found.key]:
        raise CheckpointError("not a stream of exactly one storage")
    if file.left < 8:
        raise TruncatedCheckpoint(f"{file.left} bytes are left for the number of elements")
    counted = int.from_bytes(file.read(8), "little", signed=True)
    kind, dtype = _TYPES[found.class_name]
    size = found.count * np.dtype(kind).itemsize
    if counted != found.count or file.left != size:
        raise CheckpointError(
            f"{found.count} elements of {size} bytes are announced, {counted} counted, "
            f"and {file.left} bytes are there"
        )
    return Storage(np.frombuffer(raw, kind, found.count, file.position), dtype)


def _storage_id(value: object) -> _StorageId:
    """Check a persistent id: ("storage", class, key, device, elements, None)."""
    if type(value) is not tuple or len(value) != 6 or type(value[0]) is not str:
        raise UnsafeCheckpoint("a persistent id that is not a storage's; nothing was run")
    name, token, key, device, count, view = value
    if name != "storage" or type(token) is not Global or view is not None:
        raise UnsafeCheckpoint("a persistent id that is not a whole storage's; nothing was run")
    texts = type(key) is str and type(device) is str
    if not texts or type(count) is not int or not 0 <= count < 2**56:
        raise CheckpointError("a storage whose key, device or size is not one")
    return _StorageId(token.name, key, count)


def tensor(arguments: tuple[Any, ...], budget: Budget) -> Tensor:
    """``torch._utils._rebuild_tensor_v2(storage, offset, size, stride, ...)``, copied out.

    What follows (requires_grad, hooks, metadata) describes training and is left aside.

    Raises:
        CheckpointError: If an element would lie outside the storage, or if there are more
            elements than the storage has.
    """
    if not 4 <= len(arguments) <= 7 or type(arguments[0]) is not Storage:
        raise UnsafeCheckpoint("a tensor that is not made of a storage")
    source, offset, size, stride = arguments[:4]
    if type(offset) is not int or not 0 <= offset < 2**63:
        raise CheckpointError("a tensor with an offset outside its storage")
    if not (is_geometry(size) and is_geometry(stride) and len(size) == len(stride)):
        raise CheckpointError("a tensor whose size and stride are not up to 8 numbers from 0")
    have, count = len(source.elements), math.prod(size)
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    # The first comparison refuses strides of zero that would make much out of little.
    if count > have or offset > have or (count > 0 and last >= have):
        raise CheckpointError(f"a tensor of {count} elements reaches outside its storage of {have}")
    width = source.elements.itemsize
    budget.take_bytes(count * width)
    if count == 0:
        return torch.empty(size, dtype=source.dtype)
    steps = tuple(step * width for step in stride)
    # numpy checks the bounds once more.
    view: NDArray[Any] = np.ndarray(
        size, source.elements.dtype, source.elements, offset * width, steps
    )
    return torch.from_numpy(np.array(view, order="C")).view(source.dtype)


def parameter(arguments: tuple[Any, ...], _: Budget) -> Tensor:
    """``torch._utils._rebuild_parameter(tensor, requires_grad, hooks)``: the tensor."""
    if len(arguments) != 3 or type(arguments[0]) is not Tensor:
        raise UnsafeCheckpoint("a parameter that is not made of a tensor")
    found: Tensor = arguments[0]
    return found
