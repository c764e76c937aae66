"""Limits on what reading a foreign file may cost, checked before memory is taken."""

from dataclasses import dataclass
from typing import BinaryIO

from latentlab.errors import CheckpointError, TruncatedCheckpoint

# A genuine snapshot of 1024 px takes about 80,000 opcodes and half as many objects and memos.
MAX_OPCODES = 500_000
MAX_OBJECTS = 250_000
# Protocol 2 writes arrays as text, the largest of a 1024 px network as 14 MiB. All others hold
# names, settings and source code, which take some 100 KiB together, and hardly a character beyond
# Latin-1; Python needs up to four times the bytes for a text with one.
MAX_TEXT = 2**26
MAX_WIDE_TEXT = 2**22  # bytes of all texts with a character beyond Latin-1
_MAX_LINE = 1024  # bytes of a name; without it, a missing line end would read the whole file
_SMALL = 256  # bytes; a shorter read takes no memory worth a check


@dataclass
class Budget:
    """What one file may still cost; nested streams draw on the same budget.

    Whatever is taken beyond it raises CheckpointError.
    """

    size: int  # bytes of arrays and tensors
    opcodes: int = MAX_OPCODES
    objects: int = MAX_OBJECTS
    wide_text: int = MAX_WIDE_TEXT

    def take_bytes(self, count: int) -> None:
        """Account for bytes that are about to be copied: a file asks for no more than it holds."""
        self.size -= count
        if self.size < 0:
            raise CheckpointError("arrays and tensors are larger than the whole file")

    def take_opcode(self) -> None:
        """Account for one opcode."""
        self.opcodes -= 1
        if self.opcodes < 0:
            raise CheckpointError(f"more than {MAX_OPCODES} opcodes, too many for a network")

    def take_object(self) -> None:
        """Account for a container or memo entry: a byte of the file can ask for 200 of memory."""
        self.objects -= 1
        if self.objects < 0:
            raise CheckpointError(f"more than {MAX_OBJECTS} objects, too many for a network")

    def check_text(self, length: int) -> None:
        """Refuse a text of so many bytes where it is longer than any array."""
        if length > MAX_TEXT:
            raise CheckpointError(f"a text of {length} bytes, more than {MAX_TEXT}")

    def take_wide_text(self, length: int) -> None:
        """Account for a text of so many bytes, with characters beyond Latin-1."""
        self.wide_text -= length
        if self.wide_text < 0:
            raise CheckpointError(
                f"over {MAX_WIDE_TEXT} bytes of text with characters beyond Latin-1, too many for "
                "a network"
            )


class BoundedFile:
    """A binary file of known size: a length is compared with what is left before it is read.

    What is announced beyond that raises TruncatedCheckpoint.
    """

    def __init__(self, file: BinaryIO, size: int, position: int = 0) -> None:
        self.file, self.size = file, size
        self.position = position  # counted here: asking the file takes longer than reading from it

    @property
    def left(self) -> int:
        """Bytes after the current position."""
        return self.size - self.position

    def tell(self) -> int:
        """Return the current position."""
        return self.position

    def read(self, size: int) -> bytes:
        """Read ``size`` bytes; a short read past the end returns what there is, as files do."""
        if size > _SMALL:
            self._check_left(size)
        found = self.file.read(size)
        self.position += len(found)
        return found

    def skip(self, size: int) -> None:
        """Pass over ``size`` bytes."""
        self._check_left(size)
        self.position += size
        self.file.seek(self.position)

    def readline(self) -> bytes:
        """Read to the end of a short line.

        Raises:
            CheckpointError: If it holds a backslash, which no name has, and which Python's pickle
                module reads in more than one way.
        """
        line = self.file.readline(_MAX_LINE)
        self.position += len(line)
        if b"\\" in line:
            raise CheckpointError("a name with a backslash")
        return line

    def _check_left(self, size: int) -> None:
        if size > self.left:
            raise TruncatedCheckpoint(f"{size} bytes are announced and {self.left} are left")
