"""Zip archives whose members are stored whole, as torch.save writes them.

Readers of zip files disagree on what is there twice, or lies between the members or around the
archive. So only one layout is accepted: members one after the other from the first byte, the
directory, its end, and nothing else.
"""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from latentlab.errors import (
    CheckpointError,
    TruncatedCheckpoint,
    UnsafeCheckpoint,
    UnsupportedCheckpoint,
    quoted,
)

_LOCAL = struct.Struct("<4s5H3I2H")  # before each member
_ENTRY = struct.Struct("<4s6H3I5H2I")  # in the directory
_END = struct.Struct("<4s4H2IH")
_END64 = struct.Struct("<4sQ2H2I4Q")  # repeats the end in wider numbers; torch always writes it
_LOCATOR = struct.Struct("<4sIQI")  # says where that is
_DESCRIPTOR = (16, 24)  # bytes; repeats checksum and sizes after a member, in 4 or 8 bytes each

_ENCRYPTED, _DESCRIBED, _UTF8 = 1, 8, 0x800  # flags
_MAX_FILE = 2**32 - 1  # bytes that the narrow numbers can count
_MAX_MEMBERS = 100_000  # a training run at 1024 px has about 1,000
_CHUNK = 2**20  # bytes


@dataclass(frozen=True, slots=True)
class Member:
    """An entry of the directory."""

    name: str
    header: int  # first byte
    size: int  # of the content
    packed: int  # size in the file
    crc: int
    flags: int
    method: int  # 0: stored


@dataclass(frozen=True, slots=True)
class Section:
    """Where in the file the content of a member is."""

    start: int
    size: int


def read_directory(file: BinaryIO, size: int) -> tuple[list[Member], int]:
    """Return the members that a file of ``size`` bytes lists, unverified, and where they end.

    Raises:
        CheckpointError: If there is no directory at the end of the file, or it is damaged.
    """
    if size > _MAX_FILE:
        raise UnsupportedCheckpoint("an archive of 4 GB or more, which no StyleGAN needs")
    first, length, count = _find_directory(file, size)
    file.seek(first)
    raw = file.read(length)
    members: list[Member] = []
    position = 0
    while position < length:
        if length - position < _ENTRY.size or len(members) == _MAX_MEMBERS:
            raise CheckpointError(f"byte {first + position}: a damaged or endless zip directory")
        fields = _ENTRY.unpack_from(raw, position)
        mark, _, _, flags, method, _, _, crc, packed, unpacked, named, extra, comment = fields[:13]
        name = raw[position + _ENTRY.size : position + _ENTRY.size + named]
        if mark != b"PK\x01\x02" or comment or len(name) != named:
            raise CheckpointError(f"byte {first + position}: a damaged zip directory")
        members.append(Member(_text(name), fields[-1], unpacked, packed, crc, flags, method))
        position += _ENTRY.size + named + extra
    if position != length or len(members) != count:
        raise CheckpointError(f"byte {first}: a zip directory of {count} holds {len(members)}")
    return members, first


def _find_directory(file: BinaryIO, size: int) -> tuple[int, int, int]:
    """Return the first byte of the directory, its length and its number of entries."""
    tail_size = min(size, _END64.size + _LOCATOR.size + _END.size)
    file.seek(size - tail_size)
    tail = file.read(tail_size).rjust(_END64.size + _LOCATOR.size + _END.size, b"\0")
    mark, disk, start_disk, here, count, length, first, comment = _END.unpack(tail[-_END.size :])
    if mark != b"PK\x05\x06" or comment:
        raise TruncatedCheckpoint("a zip archive without its end, or with something after it")
    if (disk, start_disk, here) != (0, 0, count):
        raise CheckpointError("a zip archive in several parts")
    wide = _END64.unpack(tail[: _END64.size])
    locator = _LOCATOR.unpack(tail[_END64.size : -_END.size])
    end = size - _END.size
    if locator[0] == b"PK\x06\x07":
        end -= _LOCATOR.size + _END64.size
        expected = (b"PK\x06\x06", _END64.size - 12, 0, 0, count, count, length, first)
        if wide[:2] + wide[4:] != expected or locator[1:] != (0, end, 1):
            raise CheckpointError(f"byte {end}: the ends of the zip archive disagree")
    if first + length != end:
        raise CheckpointError(f"byte {first}: the zip directory does not end where the end begins")
    return first, length, count


def _text(name: bytes) -> str:
    """Return a name, which must stay within the archive."""
    try:
        text = name.decode("utf-8")
    except UnicodeDecodeError:
        text = ""
    if "\\" in text or "\0" in text or any(part in ("", ".", "..") for part in text.split("/")):
        raise UnsafeCheckpoint(f"a zip member with the name {name[:60]!r}")
    return text


def contents(
    file: BinaryIO, last: int, members: Sequence[Member], unread: str | None = None
) -> dict[str, Section]:
    """Check every member up to byte ``last``; return where its content is, by name.

    Members whose name begins with ``unread`` may be compressed. They are left out of what is
    returned: only that they fill their place is checked.

    Raises:
        CheckpointError: Naming the member, if it is compressed, encrypted, damaged or there twice,
            or if there is anything between the members.
    """
    found: dict[str, Section] = {}
    ordered = sorted(members, key=lambda member: member.header)
    ends = [member.header for member in ordered[1:]] + [last]
    position = 0
    for member, end in zip(ordered, ends, strict=True):
        where = f"byte {member.header}: the zip member {quoted(member.name)}"
        if member.header != position:
            raise CheckpointError(f"{where} does not follow the one before")
        if member.name in found:
            raise UnsafeCheckpoint(f"{where} is there twice")
        aside = unread is not None and member.name.startswith(unread)
        found[member.name] = _section(file, member, end, where, aside)
        position = end
    if position != last:
        raise CheckpointError(f"byte {position}: no zip members")
    if unread is not None:
        return {name: at for name, at in found.items() if not name.startswith(unread)}
    return found


def _section(file: BinaryIO, member: Member, end: int, where: str, aside: bool) -> Section:
    """Check a member that takes the bytes from its header to ``end``; ``aside`` goes unread."""
    if member.flags & _ENCRYPTED:
        raise UnsafeCheckpoint(f"{where} is encrypted")
    if not aside and (member.method != 0 or member.packed != member.size):
        raise UnsafeCheckpoint(f"{where} is compressed, which torch.save never does")
    if member.flags & ~(_DESCRIBED | _UTF8):
        raise CheckpointError(f"{where} has unknown flags")
    if end - member.header < _LOCAL.size:
        raise CheckpointError(f"{where} has no room for its header")
    file.seek(member.header)
    fields = _LOCAL.unpack(file.read(_LOCAL.size))
    mark, _, flags, method, _, _, crc, packed, unpacked, named, extra = fields
    if mark != b"PK\x03\x04" or (flags, method) != (member.flags, member.method):
        raise CheckpointError(f"{where} is not as the directory announces it")
    described, said = bool(flags & _DESCRIBED), (crc, packed, unpacked)
    facts = (member.crc, member.packed, member.size)
    if said != facts and not (described and said == (0, 0, 0)):
        raise CheckpointError(f"{where} has another size or checksum than its header says")
    name = file.read(min(named, end - member.header))
    start = member.header + _LOCAL.size + named + extra
    if len(name) != named or _text(name) != member.name:
        raise UnsafeCheckpoint(f"{where} has another name in its header")
    rest = end - start - member.packed
    if rest not in (_DESCRIPTOR if described else (0,)):
        raise CheckpointError(f"{where} does not end where the next begins")
    if not aside and _checksum(file, start, member.size) != member.crc:
        raise CheckpointError(f"{where} is damaged (its CRC-32 differs); get the file again")
    return Section(start, member.size)


def _checksum(file: BinaryIO, start: int, size: int) -> int:
    file.seek(start)
    crc = 0
    for done in range(0, size, _CHUNK):
        crc = zlib.crc32(file.read(min(_CHUNK, size - done)), crc)
    return crc
