"""One mutant: some changes to a sound file, of its bytes or of what its format says."""

import zlib
from collections.abc import Callable, Sequence
from random import Random

from tests.fuzzing.mutants import arrays, octets, pickled, tables, texts, zips
from tests.fuzzing.mutants.packed import repacked

LONGEST = 2**23  # bytes: what is read beyond that says nothing new, and takes time
_CHANGES = (1, 1, 1, 1, 1, 2, 3)
_FORMAT = 0.65  # share of the changes that know the format

Change = Callable[[Random, bytes, Sequence[bytes]], bytes]


def mutant(rng: Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Change a file.

    Args:
        rng: Decides all.
        content: The sound file.
        others: Sound files that a part may be taken from.
    """
    for _ in range(rng.choice(_CHANGES)):
        content = changed(rng, content, others)[:LONGEST]
    return content


def changed(rng: Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Change a file once; what its format is, its content says."""
    within = _format_of(content)
    if within is not None and rng.random() < _FORMAT:
        return within(rng, content, others)
    return octets.changed(rng, content, others)


def _format_of(content: bytes) -> Change | None:
    if content[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return lambda rng, raw, others: zips.changed(rng, raw, others, changed)
    if content[:2] == b"\x1f\x8b" or content[:3] == b"BZh" or content[:6] == b"\xfd7zXZ\0":
        return lambda rng, raw, others: repacked(rng, raw, others, changed)
    if content[:1] == b"\x80" and content[1:2] in (b"\2", b"\3", b"\4", b"\5"):
        return pickled.changed
    if content[:6] == b"\x93NUMPY":
        return arrays.changed
    if content[8:9] == b"{" and content[4:8] == bytes(4):
        return tables.changed
    if content[:8] == b"\x89PNG\r\n\x1a\n":
        return _png
    if content[:1] in (b"{", b"["):
        return texts.changed_json
    if b"\n" in content and content[:200].isascii() and b"," in content[:200]:
        return texts.changed_csv
    return None


def _png(rng: Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Change a chunk of a PNG, with its checksum made right again most of the time."""
    chunks, at = [], 8
    while at + 12 <= len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        chunks.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + size]))
        at += 12 + size
    if not chunks:
        return octets.changed(rng, content, others)
    i = rng.randrange(len(chunks))
    name, body = chunks[i]
    action = rng.choice(["body", "body", "twice", "drop", "swap", "name"])
    if action == "body":
        chunks[i] = name, octets.changed(rng, body, others)
    elif action == "twice":
        chunks[i:i] = [chunks[i]] * rng.choice((1, 2, 50))
    elif action == "drop":
        del chunks[i]
    elif action == "swap":
        rng.shuffle(chunks)
    else:
        names = (b"IDAT", b"zTXt", b"iTXt", b"iCCP", b"eXIf", b"acTL", b"fdAT", b"tRNS", b"PLTE")
        chunks[i] = rng.choice(names), body
    found = content[:8]
    for name, body in chunks:
        check = zlib.crc32(name + body) if rng.random() < 0.95 else rng.getrandbits(32)
        found += len(body).to_bytes(4, "big") + name + body + check.to_bytes(4, "big")
    return found
