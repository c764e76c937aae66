"""The one reader of zip archives from anywhere: pictures to train on, arrays, and programs' names.

What the directory announces is compared with the file before memory is taken for it, and what a
member gives with what was announced. Whatever is wrong is a ``DamagedZip``. Archives of torch.save
are held to a stricter form, see ``checkpoints/pickles/stored_zip.py``.
"""

import io
import os
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from latentlab.errors import quoted
from latentlab.foreign_files.opening import open_regular, size_of

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_MEMBERS = 4_000_000  # ImageNet has 1.3 million pictures

_LOCAL = struct.Struct("<4s5H3I2H")  # before each member
_ENTRY = struct.Struct("<4s6H3I5H2I")  # in the directory
_END = struct.Struct("<4s4H2IH")
_END64 = struct.Struct("<4sQ2H2I4Q")  # repeats the end in wider numbers
_LOCATOR = struct.Struct("<4sIQI")  # says where that is
_WIDE = struct.Struct("<Q")
_LONGEST_COMMENT = 2**16
_ENCRYPTED, _UTF8 = 1, 0x800  # flags
_STORED, _DEFLATED = 0, 8  # methods; others take memory that no size announces
_NARROW = 2**32 - 1  # stands for a number in the entry's wide numbers
_CHUNK = 2**16  # bytes


class DamagedZip(ValueError):
    """An archive cannot be read as announced; the message is a clause to be put after its name."""


class _Member(NamedTuple):
    raw_name: bytes
    header: int  # first byte
    size: int  # of the content
    packed: int  # size in the file
    crc: int
    flags: int
    method: int


class ZipArchive:
    """The members of a zip archive, by name; nothing is written to a disk.

    The file is opened for each member anew, so that threads and processes may share this.
    """

    def __init__(self, path: Path, most: int = MAX_MEMBERS) -> None:
        """Read the directory.

        Args:
            path: The archive.
            most: Members that it may have.

        Raises:
            DamagedZip: If it is no zip archive, damaged, or has too many members.
            OSError: If the file cannot be read.
        """
        self.path = path
        with open_regular(path) as file:
            self.size = size_of(file)
            self._members = _directory(file, self.size, most)

    def names(self) -> list[str]:
        """Return the names of all members, folders too, in the order of the directory."""
        return list(self._members)

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def size_of(self, name: str) -> tuple[int, int]:
        """Return the bytes of a member, and how many they are in the file."""
        return self._members[name].size, self._members[name].packed

    def open(self, name: str, most: int) -> BinaryIO:
        """Open a member of at most so many bytes for reading from its start to its end.

        Reading raises DamagedZip as well, at the latest with the last byte.

        Raises:
            DamagedZip: If it is larger, encrypted, packed in an unusual way, or damaged.
            OSError: If the file cannot be read.
        """
        member, where = self._members[name], quoted(name)
        if member.flags & _ENCRYPTED:
            raise DamagedZip(f"{where} is encrypted; pack it without a password")
        if member.method not in (_STORED, _DEFLATED):
            raise DamagedZip(f"{where} is packed by method {member.method}; pack it as others do")
        if member.size > most:
            found = f"{member.size:,} bytes, {member.packed:,} in the archive"
            raise DamagedZip(f"{where} is larger than expected ({found})")
        file = open_regular(self.path)
        try:
            return io.BufferedReader(_Content(file, member, where), _CHUNK)
        except BaseException:
            file.close()
            raise

    def read(self, name: str, most: int) -> bytes:
        """Return the whole content of a member, see ``open``."""
        with self.open(name, most) as member:
            return member.read()


class _Content(io.RawIOBase):
    """The bytes of a member, held to what its entry announces."""

    def __init__(self, file: BinaryIO, member: _Member, where: str) -> None:
        super().__init__()
        self._file, self._where, self._crc = file, where, member.crc
        self._left, self._packed = member.size, member.packed
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS) if member.method else None
        self._waiting, self._found = b"", 0  # what is read and not unpacked; checksum so far
        self._skip_header(member)
        if not self._left:
            self._check_end()

    def _skip_header(self, member: _Member) -> None:
        self._file.seek(member.header)
        raw = self._file.read(_LOCAL.size)
        if len(raw) != _LOCAL.size:
            raise DamagedZip(f"{self._where} begins behind the end of the file")
        fields = _LOCAL.unpack(raw)
        flags, method, named, extra = fields[2], fields[3], *fields[-2:]
        agree = (flags & _ENCRYPTED, method) == (0, member.method)
        if fields[0] != b"PK\x03\x04" or self._file.read(named) != member.raw_name or not agree:
            raise DamagedZip(f"{self._where} is not as the directory announces it")
        self._file.seek(extra, os.SEEK_CUR)

    def close(self) -> None:
        self._file.close()
        super().close()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Fill a buffer as far as the next piece goes."""
        view = memoryview(buffer).cast("B")
        if not self._left or not len(view):
            return 0
        piece = self._next(min(len(view), self._left))
        if not piece:
            raise DamagedZip(f"{self._where} ends too early")
        view[: len(piece)] = piece
        self._found = zlib.crc32(piece, self._found)
        self._left -= len(piece)
        if not self._left:
            self._check_end()
        return len(piece)

    def _next(self, most: int) -> bytes:
        """Return the next bytes of the content, at most so many; none at its end."""
        if self._inflate is None:
            return self._from_file(most)
        piece = b""
        while not piece and not self._inflate.eof:
            raw = self._waiting or self._from_file(_CHUNK)
            try:  # without more to read as well: zlib may hold the last bytes
                piece = self._inflate.decompress(raw, most)
            except zlib.error as error:
                raise DamagedZip(f"{self._where} is damaged ({error})") from error
            self._waiting = self._inflate.unconsumed_tail
            if not raw and not piece:
                break
        return piece

    def _from_file(self, most: int) -> bytes:
        raw = self._file.read(min(most, self._packed))
        self._packed -= len(raw)
        return raw

    def _check_end(self) -> None:
        """Compare what there was with what was announced."""
        if self._inflate is not None:
            if self._next(1):
                raise DamagedZip(f"{self._where} is larger than announced")
            if not self._inflate.eof:
                raise DamagedZip(f"{self._where} ends too early")
        rest = self._waiting or (self._inflate is not None and self._inflate.unused_data)
        if self._packed or rest:
            raise DamagedZip(f"{self._where} has something after its end")
        if self._found != self._crc:
            raise DamagedZip(f"{self._where} is damaged (its CRC-32 differs)")


def _directory(file: BinaryIO, size: int, most: int) -> dict[str, _Member]:
    """Return the members that a file of ``size`` bytes lists."""
    first, length, count = _find_directory(file, size)
    # A member takes its header and its entry at least: no file can name more than it has room for.
    if count > min(most, size // (_LOCAL.size + _ENTRY.size)):
        raise DamagedZip(f"announces {count:,} members, too many for it")
    file.seek(first)
    members: dict[str, _Member] = {}
    for _ in range(count):
        member, taken = _entry(file, length)
        length -= taken
        name = _name_of(member)
        if name in members:
            raise DamagedZip(f"{quoted(name)} is there twice")
        members[name] = member
    if length:
        raise DamagedZip(f"its directory of {count:,} members goes on")
    if any(member.header + member.packed > first for member in members.values()):
        raise DamagedZip("a member is where its directory begins, or behind it")
    if sum(member.packed for member in members.values()) > first:
        raise DamagedZip("its members lie over each other")
    return members


def _entry(file: BinaryIO, left: int) -> tuple[_Member, int]:
    """Return the next entry of a directory that has so many bytes left, and what it takes."""
    raw = file.read(_ENTRY.size)
    if len(raw) != _ENTRY.size or raw[:4] != b"PK\x01\x02":
        raise DamagedZip("a damaged directory")
    _, _, _, flags, method, _, _, crc, packed, size, named, extra, comment, *_, header = (
        _ENTRY.unpack(raw)
    )
    taken = _ENTRY.size + named + extra + comment
    name, more = file.read(named), file.read(extra)
    file.read(comment)
    if taken > left:
        raise DamagedZip("a damaged directory")
    if _NARROW in (size, packed, header):
        size, packed, header = _widened(more, [size, packed, header])
    return _Member(name, header, size, packed, crc, flags, method), taken


def _widened(extra: bytes, numbers: list[int]) -> list[int]:
    """Return numbers with those that are too large for an entry, out of its extra field."""
    position = 0
    while position + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, position)
        field = extra[position + 4 : position + 4 + length]
        position += 4 + length
        if kind != 1:
            continue
        wide = [value for (value,) in _WIDE.iter_unpack(field[: len(field) // 8 * 8])]
        if len(wide) >= numbers.count(_NARROW):
            return [wide.pop(0) if number == _NARROW else number for number in numbers]
    raise DamagedZip("a damaged directory: a size is missing")


def _name_of(member: _Member) -> str:
    try:
        name = member.raw_name.decode("utf-8" if member.flags & _UTF8 else "cp437")
    except UnicodeDecodeError as error:
        raise DamagedZip(f"a name that is no text: {member.raw_name[:60]!r}") from error
    if not name or "\0" in name:
        raise DamagedZip(f"a member with the name {quoted(name)}")
    return name


def _find_directory(file: BinaryIO, size: int) -> tuple[int, int, int]:
    """Return the first byte of the directory, its length and its number of entries."""
    tail_size = min(size, _LOCATOR.size + _END.size + _LONGEST_COMMENT)
    file.seek(size - tail_size)
    tail = file.read(tail_size)
    at = _place_of_end(tail)
    _, disk, start_disk, here, count, length, first, _ = _END.unpack_from(tail, at)
    if (disk, start_disk) != (0, 0) or here != count:
        raise DamagedZip("a zip archive in several parts")
    end = size - tail_size + at
    locator = tail[at - _LOCATOR.size : at] if at >= _LOCATOR.size else b""
    if locator[:4] == b"PK\x06\x07":
        end = _LOCATOR.unpack(locator)[2]
        file.seek(min(end, size))
        raw = file.read(_END64.size)
        if len(raw) != _END64.size or raw[:4] != b"PK\x06\x06":
            raise DamagedZip("its ends disagree")
        count, length, first = _END64.unpack(raw)[-3:]
    if first + length != end:
        raise DamagedZip("its directory is not where its end says")
    return first, length, count


def _place_of_end(tail: bytes) -> int:
    """Return where the end of an archive begins, which its comment follows to the last byte."""
    at = tail.rfind(b"PK\x05\x06")
    while at >= 0:
        fits = at + _END.size <= len(tail)
        if fits and at + _END.size + _END.unpack_from(tail, at)[-1] == len(tail):
            return at
        at = tail.rfind(b"PK\x05\x06", 0, at)
    raise DamagedZip("a zip archive without its end, or with something after it")
