"""Torch tensors out of a pickle: storages in the older torch.save layout, and views of them.

A storage is a stream of five pickles (magic number, protocol, system, the storage's id, the list
of keys), then a count of elements and their raw little-endian bytes. Parts that are something else,
or disagree, raise CheckpointError.
"""

import io
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab.checkpoints.pickles.arrays import is_geometry
from latentlab.checkpoints.pickles.language import Global, Language, Names
from latentlab.checkpoints.pickles.limits import BoundedFile, Budget
from latentlab.checkpoints.pickles.machine import PickleMachine
from latentlab.errors import CheckpointError, TruncatedCheckpoint, UnsafeCheckpoint

MAGIC = 0x1950A86A20F9469CFC6C  # of torch.save's older layout
_PROTOCOL = 1001
_REBUILD = ("torch._utils", "_rebuild_tensor_v2")

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
STORAGE_NAMES: Names = MappingProxyType({("torch", name): None for name in _TYPES})
PLAIN = Language(MappingProxyType({}))  # of a stream without names


@dataclass(frozen=True)
class StorageId:
    """What a persistent id says of a storage."""

    key: str
    count: int  # of elements
    kind: np.dtype[Any]  # how numpy holds an element
    dtype: torch.dtype  # what torch calls it

    @property
    def size(self) -> int:
        """Number of bytes."""
        return self.count * self.kind.itemsize


@dataclass(frozen=True, eq=False)
class Storage:
    """The elements of a tensor, still in the file or in its bytes.

    ``read`` returns elements ``start`` to ``start + count``: a new array, or one that is read-only.
    """

    about: StorageId
    read: Callable[[int, int], NDArray[Any]]


def storage(arguments: tuple[Any, ...], budget: Budget) -> Storage:
    """``torch.storage._load_from_bytes(bytes)``: read the nested stream as data."""
    if len(arguments) != 1 or type(arguments[0]) is not bytes:
        raise UnsafeCheckpoint("a storage that is not bytes")
    try:
        return _read_stream(arguments[0], budget)
    except CheckpointError as error:
        raise type(error)(f"in a storage: {error}") from error


def _read_stream(raw: bytes, budget: Budget) -> Storage:
    file = BoundedFile(io.BytesIO(raw), len(raw))
    check_stream(file, budget)
    found = PickleMachine(file, Language(STORAGE_NAMES, storage_id), budget).run()
    keys = PickleMachine(file, PLAIN, budget).run()
    if type(found) is not StorageId or type(keys) is not list or keys != [found.key]:
        raise CheckpointError("not a stream of exactly one storage")
    skip_storage(file, found)
    if file.left:
        raise CheckpointError(f"{file.left} bytes follow the {found.size} of the storage")
    elements: NDArray[Any] = np.frombuffer(raw, found.kind, found.count, len(raw) - found.size)
    return Storage(found, lambda at, n: elements[at : at + n])


def check_stream(file: BoundedFile, budget: Budget) -> None:
    """Read the pickles before the content, as torch.save writes them on a little-endian machine."""
    magic, protocol, system = (PickleMachine(file, PLAIN, budget).run() for _ in range(3))
    if type(magic) is not int or magic != MAGIC or protocol != _PROTOCOL:
        raise CheckpointError("not a torch stream of the known version")
    if type(system) is not dict or system.get("little_endian") is not True:
        raise CheckpointError("not a little-endian torch stream")


def skip_storage(file: BoundedFile, announced: StorageId) -> int:
    """Pass the elements of a storage, after their number; return where they start."""
    if file.left < 8:
        raise TruncatedCheckpoint(f"{file.left} bytes are left for the number of elements")
    counted = int.from_bytes(file.read(8), "little", signed=True)
    start, size = file.position, announced.size
    if counted != announced.count or file.left < size:
        kind = CheckpointError if counted != announced.count else TruncatedCheckpoint
        said = f"{announced.count} elements of {size} bytes are announced, {counted} counted"
        raise kind(f"{said}, and {file.left} bytes are there")
    file.skip(size)
    return start


def storage_id(value: object, length: int = 6) -> StorageId:
    """Check a persistent id: ("storage", class, key, device, elements), in streams with a None."""
    if type(value) is not tuple or len(value) != length or type(value[0]) is not str:
        raise UnsafeCheckpoint("a persistent id that is not a storage's; nothing was run")
    name, token, key, device, count, *view = value
    if name != "storage" or type(token) is not Global or any(item is not None for item in view):
        raise UnsafeCheckpoint("a persistent id that is not a whole storage's; nothing was run")
    if (token.module, token.name) not in STORAGE_NAMES:
        raise UnsafeCheckpoint("a storage of an unknown class; nothing was run")
    texts = type(key) is str and type(device) is str
    if not texts or type(count) is not int or not 0 <= count < 2**56:
        raise CheckpointError("a storage whose key, device or size is not one")
    kind, dtype = _TYPES[token.name]
    return StorageId(key, count, np.dtype(kind), dtype)


def tensor(arguments: tuple[Any, ...], budget: Budget) -> Tensor:
    """``torch._utils._rebuild_tensor_v2(storage, offset, size, stride, ...)``, copied out.

    What follows (requires_grad, hooks, metadata) describes training and is left aside.

    Raises:
        CheckpointError: If an element would lie outside the storage, if there are more elements
            than the storage has, or if the sizes are beyond any memory.
    """
    if not 4 <= len(arguments) <= 7 or type(arguments[0]) is not Storage:
        raise UnsafeCheckpoint("a tensor that is not made of a storage")
    source, offset, size, stride = arguments[:4]
    if type(offset) is not int or not 0 <= offset < 2**63:
        raise CheckpointError("a tensor with an offset outside its storage")
    if not (is_geometry(size) and is_geometry(stride) and len(size) == len(stride)):
        raise CheckpointError("a tensor whose size and stride are not up to 8 numbers from 0")
    kind, have, count = source.about.kind, source.about.count, math.prod(size)
    span = 1 + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    # The first comparison refuses strides of zero that would make much out of little.
    if count > have or offset > have or (count > 0 and offset + span > have):
        raise CheckpointError(f"a tensor of {count} elements reaches outside its storage of {have}")
    if count == 0:
        # Strides are products of sizes, also of those beside a zero; torch raises on an overflow.
        if math.prod(max(n, 1) for n in size) * kind.itemsize >= 2**63:
            raise CheckpointError("an empty tensor with sizes that no memory can have")
        return torch.empty(size, dtype=source.about.dtype)
    budget.take_bytes(max(count, span) * kind.itemsize)
    elements = source.read(offset, span)
    steps = tuple(step * kind.itemsize for step in stride)
    # numpy checks the bounds once more.
    view: NDArray[Any] = np.ndarray(size, kind, elements, 0, steps)
    own = np.require(view, requirements=["C", "W"])  # a copy, unless it is one already
    return torch.from_numpy(own).view(source.about.dtype)


def parameter(arguments: tuple[Any, ...], _: Budget) -> Tensor:
    """``torch._utils._rebuild_parameter(tensor, requires_grad, hooks)``: the tensor.

    ``_rebuild_parameter_with_state`` has attributes after these.
    """
    if len(arguments) not in (3, 4) or type(arguments[0]) is not Tensor:
        raise UnsafeCheckpoint("a parameter that is not made of a tensor")
    found: Tensor = arguments[0]
    return found


def with_attributes(arguments: tuple[Any, ...], budget: Budget) -> Tensor:
    """``torch._tensor._rebuild_from_type_v2(_rebuild_tensor_v2, type, arguments, attributes)``.

    It is how a tensor is written that was given attributes of its own; they are left aside.
    """
    check_attributed(arguments, budget)
    return tensor(arguments[2], budget)


def check_attributed(arguments: tuple[Any, ...], _: Budget) -> None:
    """Check that ``with_attributes`` is asked for a tensor."""
    maker = arguments[0] if len(arguments) == 4 else None
    if type(maker) is not Global or (maker.module, maker.name) != _REBUILD:
        raise UnsafeCheckpoint("a tensor that is made in an unknown way")
    if type(arguments[2]) is not tuple:
        raise UnsafeCheckpoint("a tensor that is not made of a storage")
