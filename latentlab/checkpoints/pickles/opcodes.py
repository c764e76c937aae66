"""The opcodes that StyleGAN checkpoints are made of, one at a time and within bounds.

Any other is refused by its name before its argument is read. ``pickletools`` says what follows an
opcode, and reads all arguments but texts: of these it would make four times their bytes.
"""

import pickletools
from collections.abc import Callable, Mapping, Set
from types import MappingProxyType
from typing import IO, Any, cast

import numpy as np

from latentlab.checkpoints.pickles.limits import BoundedFile, Budget
from latentlab.errors import (
    CheckpointError,
    TruncatedCheckpoint,
    UnsafeCheckpoint,
    UnsupportedCheckpoint,
)

CONSTANTS = MappingProxyType({"NONE": None, "NEWTRUE": True, "NEWFALSE": False})
CONTAINERS: Mapping[str, Callable[[], Any]] = MappingProxyType(
    {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple, "EMPTY_SET": set}
)
_NUMBERS = ["BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"]
_TEXTS = MappingProxyType({"SHORT_BINUNICODE": 1, "BINUNICODE": 4, "BINUNICODE8": 8})  # of length
_BYTES = ["BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"]  # the last: arrays of protocol 5
LITERALS = frozenset([*_NUMBERS, *_TEXTS, *_BYTES])
_CODE = frozenset(["INST", "OBJ", "EXT1", "EXT2", "EXT4", "NEWOBJ_EX", "PERSID", "BINPERSID"])
# Code -> the opcode's name, and what reads its argument; None where it has none.
_OPCODES: Mapping[bytes, tuple[str, Callable[[IO[bytes]], Any] | None]] = MappingProxyType(
    {
        opcode.code.encode("latin-1"): (opcode.name, opcode.arg.reader if opcode.arg else None)
        for opcode in pickletools.opcodes
    }
)
_LAST_LATIN = 0xC3  # the first byte of the last character of Latin-1 in UTF-8


def read_opcode(file: BoundedFile, budget: Budget, known: Set[str]) -> tuple[str, Any]:
    """Read an opcode, which must be ``known``: its name, and its argument or None.

    Raises:
        CheckpointError: If there are too many, if it is in no checkpoint, or if a text is longer
            than any.
        ValueError: If its argument is damaged, or there is no such opcode.
    """
    budget.take_opcode()
    code = file.read(1)
    if code not in _OPCODES:
        ended = "the pickle ends without STOP"
        raise ValueError(f"there is no opcode {code!r}" if code else ended)
    name, reader = _OPCODES[code]
    if name not in known:
        raise strange_opcode(name)
    if name in _TEXTS:
        return name, _text(file, _TEXTS[name], budget)
    return name, None if reader is None else reader(cast(IO[bytes], file))


def strange_opcode(name: str) -> CheckpointError:
    """Return the error for an opcode that no checkpoint has, or not in its place."""
    kind = UnsafeCheckpoint if name in _CODE else UnsupportedCheckpoint
    return kind(f"the opcode {name} is in no StyleGAN checkpoint; nothing was run")


def _text(file: BoundedFile, digits: int, budget: Budget) -> str:
    """Read a text after its length of so many bytes.

    Python keeps a text with one character beyond Latin-1 in two or four bytes for each.
    """
    start = file.read(digits)
    length = int.from_bytes(start, "little")
    if len(start) < digits or length > file.left:
        raise TruncatedCheckpoint(f"a text of {length} bytes, and {file.left} are left")
    budget.check_text(length)
    raw = file.read(length)
    if not raw.isascii() and np.frombuffer(raw, np.uint8).max() > _LAST_LATIN:
        budget.take_wide_text(length)
    return raw.decode("utf-8", "surrogatepass")
