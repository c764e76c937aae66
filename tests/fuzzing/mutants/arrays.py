"""Changes to .npy files: to the Python literal that is their header."""

import re
from collections.abc import Sequence
from random import Random

from tests.fuzzing.mutants import octets

_TYPES = ("<f8", ">f4", "<f2", "|O", "<i4", "<c8", "|V6", "|S5", "<U3", "<M8[s]", "|b1", "f" * 50)
_SHAPES = (
    "()",
    "(0,)",
    "(1,)",
    "(-1,)",
    "(2**40,)",
    "(1,)*9",
    "((1,),)",
    "None",
    "[1, 2]",
    "(" * 200,
)


def changed(rng: Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Change a number, the type, the shape, the keys or the version; or the numbers behind."""
    wide = content[6:7] != b"\1"
    at = 12 if wide else 10
    size = int.from_bytes(content[8:at], "little")
    header, body = content[at : at + size].decode("latin1"), content[at + size :]
    kind = rng.randrange(8)
    if kind == 0:
        return content[: at + size] + octets.changed(rng, body, others)
    if kind == 1:
        return content[:6] + bytes([rng.choice((0, 1, 2, 3, 9)), rng.randrange(3)]) + content[8:]
    if kind == 2:
        header = re.sub(r"'[<>|][^']*'", repr(rng.choice(_TYPES)), header, count=1)
    elif kind == 3:
        header = re.sub(r"\([0-9, ]*\)", rng.choice(_SHAPES), header, count=1)
    elif kind in (4, 5):
        found = list(re.finditer(r"\d+", header))
        if found:
            one = rng.choice(found)
            header = header[: one.start()] + str(rng.choice(octets.ODD)) + header[one.end() :]
    elif kind == 6:
        header = header.replace("False", rng.choice(("True", "0", "'x'", "None", "1j")), 1)
    else:
        header = rng.choice((header[: len(header) // 2], "{" * 300, "'" * 9, header * 40, "{}"))
    raw = header.encode("latin1", "replace")
    return content[:8] + len(raw).__mod__(2**16).to_bytes(at - 8, "little") + raw + body
