"""Compressed checkpoints: unpacked into a temporary file, within bounds.

Weights hardly get smaller by compression: a fifth is saved in float16, a tenth in float32. What
grows by much more when it is unpacked is no checkpoint.
"""

import bz2
import lzma
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, Protocol

from latentlab.errors import CheckpointError, TruncatedCheckpoint
from latentlab.foreign_files.opening import open_regular

_MOST_BYTES = 2**32  # unpacked: as much as an archive of torch.save may have
_MOST_GROWTH = 20  # times what was read of the packed file,
_ALLOWANCE = 2**25  # and so many bytes: a small file may be mostly zeros
_MOST_PARTS = 10_000  # of one file, each compressed on its own
_CHUNK = 2**16  # bytes
_MARK = 6  # bytes, of the longest mark
_XZ_MEMORY = 2**27  # bytes; xz asks for 65 MiB at its highest setting


class _Decoder(Protocol):
    """What the decoders of bz2 and lzma have in common."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _Gzip:
    """The decoder of zlib as those of bz2 and lzma are."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)  # with gzip's header and checksum
        self._rest = b""

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._rest

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        out = self._inner.decompress(self._rest + data, max(max_length, 0))
        self._rest = self._inner.unconsumed_tail
        return out


def _xz() -> _Decoder:
    return lzma.LZMADecompressor(memlimit=_XZ_MEMORY)


_KINDS: Mapping[bytes, tuple[str, Callable[[], _Decoder]]] = MappingProxyType(
    {
        b"\x1f\x8b\x08": ("gzip", _Gzip),
        b"BZh": ("bzip2", bz2.BZ2Decompressor),
        b"\xfd7zXZ\0": ("xz", _xz),
    }
)


def compression_of(start: bytes) -> str | None:
    """Name how a file that starts so is compressed; None if it is not."""
    kinds = (kind for mark, (kind, _) in _KINDS.items() if start.startswith(mark))
    return next(kinds, None)


@contextmanager
def unpacked(file: Path, kind: str) -> Iterator[Path]:
    """Yield a temporary file with the content of a compressed one.

    Raises:
        CheckpointError: If it is damaged, ends too early, or grows by more than any checkpoint.
    """
    mark, make = next((mark, make) for mark, (name, make) in _KINDS.items() if name == kind)
    try:
        folder = tempfile.TemporaryDirectory(prefix="latentlab-", ignore_cleanup_errors=True)
    except OSError as error:
        raise CheckpointError(f"{file}: cannot be unpacked ({error.strerror or error})") from error
    with folder as place:
        inside = Path(place) / file.name  # messages repeat it in commands
        try:
            with open_regular(file) as source, inside.open("wb") as target:
                for chunk in _chunks(source, mark, make):
                    target.write(chunk)
        except CheckpointError as error:
            raise error.at(f"{file}: {kind}") from error
        except (zlib.error, lzma.LZMAError, EOFError) as error:
            raise _damaged(file, kind, error) from error
        except OSError as error:
            if error.errno is None:  # bz2 has no error of its own
                raise _damaged(file, kind, error) from error
            why = error.strerror or error
            raise CheckpointError(
                f"{file}: cannot be unpacked in {place} ({why}); unpack it elsewhere"
            ) from error
        yield inside


def _damaged(file: Path, kind: str, error: Exception) -> CheckpointError:
    return CheckpointError(f"{file}: damaged {kind} ({error}); get the file again")


def _chunks(source: BinaryIO, mark: bytes, make: Callable[[], _Decoder]) -> Iterator[bytes]:
    """Yield the content of a stream in pieces, checking how much it grows."""
    decoder, tail, parts, written = make(), b"", 1, 0
    while True:
        data = tail or (source.read(_CHUNK) if decoder.needs_input else b"")
        if not data and decoder.needs_input:
            raise TruncatedCheckpoint("the file ends too early; get it again")
        tail = b""
        piece = decoder.decompress(data, _CHUNK)
        written += len(piece)
        _check_growth(written, source.tell())
        yield piece
        if not decoder.eof:
            continue
        tail = _next_part(decoder.unused_data, source)
        if not tail:
            return
        if not tail.startswith(mark):
            raise CheckpointError("something else follows the compressed data; get the file again")
        parts += 1
        if parts > _MOST_PARTS:
            raise CheckpointError(f"more than {_MOST_PARTS:,} parts; unpack it by hand")
        decoder = make()


def _next_part(rest: bytes, source: BinaryIO) -> bytes:
    """Return what follows the end of a part, without the zeros that xz and tapes fill up with."""
    rest = rest.lstrip(b"\0")
    # No more than it takes to tell: read with each of many small parts, it would pile up.
    while len(rest) < _MARK and (more := source.read(_CHUNK)):
        rest = (rest + more).lstrip(b"\0")
    return rest


def _check_growth(written: int, read: int) -> None:
    if written > min(_MOST_GROWTH * read + _ALLOWANCE, _MOST_BYTES):
        raise CheckpointError(
            f"{read:,} bytes unpack to more than {written - 1:,}, and no checkpoint grows so much; "
            "if it is one, unpack it by hand"
        )
