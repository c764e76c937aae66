"""Changes to zips: to what is in their members, which there are, and what the records say."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from functools import cache
from random import Random

from tests.fuzzing.mutants import octets, texts

# The fields of the records: where, and how wide.
_LOCAL = [(4, 2), (6, 2), (8, 2), (14, 4), (18, 4), (22, 4), (26, 2), (28, 2)]
_CENTRAL = [(4, 2), (6, 2), (8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (30, 2), (32, 2),
            (34, 2), (38, 4), (42, 4)]  # fmt: skip
_END = [(4, 2), (6, 2), (8, 2), (10, 2), (12, 4), (16, 4), (20, 2)]
_RECORDS = {b"PK\3\4": _LOCAL, b"PK\1\2": _CENTRAL, b"PK\5\6": _END}
_BOMB = 2**29  # bytes of zeros, which are two million when packed
BOMB = -zipfile.ZIP_DEFLATED  # the method of a member that holds them

Members = list[tuple[str, bytes, int]]  # name, content, method


def changed(
    rng: Random, content: bytes, others: Sequence[bytes],
    change: Callable[[Random, bytes, Sequence[bytes]], bytes],
) -> bytes:  # fmt: skip
    """Change the members, or a field of a record."""
    if rng.random() < 0.35:
        return _record(rng, content)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            infos = archive.infolist()
            if sum(info.file_size for info in infos) > 2**23:
                return _record(rng, content)
            members = [(i.filename, archive.read(i), i.compress_type) for i in infos]
    except Exception:  # zipfile raises a dozen kinds for what an earlier change has damaged
        return octets.changed(rng, content, others)
    return _written(_members(rng, members, others, change)) if members else content


def _members(
    rng: Random, members: Members, others: Sequence[bytes],
    change: Callable[[Random, bytes, Sequence[bytes]], bytes],
) -> Members:  # fmt: skip
    # What describes the rest is more telling than the rest.
    telling = [i for i, each in enumerate(members)
               if each[0].endswith((".pkl", ".json", ".npy", "byteorder", "version"))]  # fmt: skip
    i = rng.choice(telling) if telling and rng.random() < 0.8 else rng.randrange(len(members))
    name, raw, method = members[i]
    kind = rng.random()
    if kind < 0.6:
        members[i] = name, change(rng, raw, others), method
    elif kind < 0.66:
        del members[i]
    elif kind < 0.72:
        members.append((name, rng.choice(members)[1], method))
    elif kind < 0.80:
        head, _, tail = name.rpartition("/")
        new = texts.word(rng).replace("\ud800", "x")
        members[i] = rng.choice((new, f"{head}/{new}", f"{new}/{tail}", name + new)), raw, method
    elif kind < 0.88:
        members[i] = name, raw, rng.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2,
                                            zipfile.ZIP_LZMA, zipfile.ZIP_STORED))  # fmt: skip
    elif kind < 0.9:
        members[i] = name, b"", BOMB
    elif kind < 0.95:
        j = rng.randrange(len(members))
        members[i], members[j] = (name, members[j][1], method), (members[j][0], raw, members[j][2])
    else:
        members += [(f"{name}{k}", b"", method) for k in range(rng.choice((10, 3000)))]
    return members


def _record(rng: Random, content: bytes) -> bytes:
    sign = rng.choice(list(_RECORDS))
    places, at = [], content.find(sign)
    while at >= 0 and len(places) < 200:
        places.append(at)
        at = content.find(sign, at + 4)
    if not places:
        return content[:-1]
    offset, width = rng.choice(_RECORDS[sign])
    start = rng.choice(places) + offset
    old = int.from_bytes(content[start : start + width], "little")
    new = rng.choice((old + 1, old - 1, old ^ 1, old * 2, 1 << rng.randrange(8 * width),
                      rng.choice(octets.ODD)))  # fmt: skip
    return content[:start] + (new % 256**width).to_bytes(width, "little") + content[start + width :]


def _written(members: Members) -> bytes:
    """Write a zip; by hand, as zipfile takes no member that is packed already."""
    body, directory = b"", b""
    for called, raw, method in members:
        name = called.encode("utf-8", "replace")[:2000]
        packed, size, check = _packed(raw, method)
        # Version 2.0, names in UTF-8, and the first day that there is.
        head = struct.pack("<HHHHHLLLHH", 20, 0x800, abs(method), 0, 33, check, len(packed), size,
                           len(name), 0)  # fmt: skip
        place = struct.pack("<HHHLL", 0, 0, 0, 0, len(body))
        directory += b"PK\1\2" + struct.pack("<H", 20) + head + place + name
        body += b"PK\3\4" + head + name + packed
    count = min(len(members), 2**16 - 1)
    end = struct.pack("<HHHHLLH", 0, 0, count, count, len(directory), len(body), 0)
    return body + directory + b"PK\5\6" + end


def _packed(raw: bytes, method: int) -> tuple[bytes, int, int]:
    """Return content as a member has it, how long it is when unpacked, and its checksum."""
    if method == BOMB:
        return _bomb()
    if method == zipfile.ZIP_DEFLATED:
        packer = zlib.compressobj(1, zlib.DEFLATED, -15)
        return packer.compress(raw) + packer.flush(), len(raw), zlib.crc32(raw)
    return raw, len(raw), zlib.crc32(raw)  # methods that nobody takes may have anything


@cache
def _bomb() -> tuple[bytes, int, int]:
    packer, check, part = zlib.compressobj(1, zlib.DEFLATED, -15), 0, bytes(2**20)
    packed = b""
    for _ in range(_BOMB // len(part)):
        packed, check = packed + packer.compress(part), zlib.crc32(part, check)
    return packed + packer.flush(), _BOMB, check
