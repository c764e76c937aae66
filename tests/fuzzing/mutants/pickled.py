"""Changes to pickles: to their opcodes and what these are given."""

import pickletools
from collections.abc import Sequence
from functools import lru_cache
from random import Random

from tests.fuzzing.mutants import octets, texts
from tests.support import attacks

MARKER = "marker-of-a-payload"  # the file that comes to be if one is run
_NAMES = (
    ("posix", "system"), ("builtins", "eval"), ("builtins", "getattr"), ("os", "system"),
    ("collections", "OrderedDict"), ("torch", "FloatStorage"), ("torch._utils",
    "_rebuild_tensor_v2"),
    ("torch", "load"), ("torch.storage", "_load_from_bytes"), ("numpy", "dtype"), ("numpy",
    "ndarray"),
    ("numpy.core.multiarray", "_reconstruct"), ("argparse", "Namespace"), ("torch", "device"),
    ("my.training", "Settings"), ("builtins", "set"), ("", ""), ("a" * 900, "b"), ("a.b",
    "__init__"),
)  # fmt: skip
_PARTS = [
    attacks.touch(MARKER), attacks.touch(MARKER, attacks.name("os", "system")),
    attacks.call(attacks.name("builtins", "open"), MARKER, "w"),
    attacks.call(attacks.name("subprocess", "Popen"), ["touch", MARKER]),
    attacks.call(attacks.name("builtins", "exec"), f"open({MARKER!r}, 'w')"),
    attacks.touch(MARKER, attacks.stack_name("posix", "system")),
    b"c__builtin__\neval\n(V__import__('os').system('touch " + MARKER.encode() + b"')\ntR0",
    attacks.tensor(), attacks.storage(), attacks.dtype(), attacks.array(), attacks.buffer(),
    attacks.module(), attacks.network(), attacks.stored(), attacks.archived(),
    attacks.NAMESPACE + b")\x81",
    *(attacks.name(*each) for each in _NAMES), *attacks.ALLOWED.values(),
    b"N", b"(", b"t", b"0", b"2", b"1", b"}", b"]", b")", b"\x85", b"\x86", b"\x87", b"R", b"b",
    b"s",
    b"u", b"a", b"e", b"\x81", b"\x92", b"Q", b"h\x00", b"q\x00", b"\x94", b"\x8f", b"\x90",
    b"\x91",
    b"\x93", b"\x97", b"\x98", b"\x88", b"\x89", b"(" * 3000, b"]" * 3000, b")\x85" * 3000,
    b"2t" * 100,
]  # fmt: skip
_LARGEST = 2**22  # bytes that are taken apart
_MOST_REPEATED = 2000  # bytes of what is repeated often

Place = tuple[int, int, str]  # start, end, opcode


@lru_cache(maxsize=256)
def _opcodes(content: bytes) -> tuple[Place, ...]:
    """Return where the opcodes are, as far as the pickle is in order."""
    starts: list[tuple[int, str]] = []
    try:
        for code, _, at in pickletools.genops(content):
            starts.append((at or 0, code.name))
    except Exception:  # of any kind, for what an earlier change has damaged
        pass
    ends = [*(at for at, _ in starts[1:]), len(content)][: len(starts)]
    return tuple((at, end, name) for (at, name), end in zip(starts, ends, strict=True))


def changed(rng: Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Take out, repeat, move, exchange or put in opcodes, or change what one is given."""
    places = _opcodes(content) if len(content) <= _LARGEST else ()
    if len(places) < 3:
        return octets.changed(rng, content, others)
    start, end, name = rng.choice(places)
    kind = rng.random()
    if kind < 0.4:
        return content[:start] + _given(rng, content[start:end], name, others) + content[end:]
    if kind < 0.5:
        return content[:start] + content[end:]
    if kind < 0.56:
        times = rng.choice((2, 2, 3, 2000)) if end - start < _MOST_REPEATED else 2
        return content[:start] + content[start:end] * times + content[end:]
    if kind < 0.62:
        after, last, _ = rng.choice(places)
        if after >= end:
            first, second = content[start:end], content[after:last]
            return content[:start] + second + content[end:after] + first + content[last:]
    if kind < 0.68:
        return content[:end] + rng.choice((b"", b".", b".trailing"))
    return content[:start] + rng.choice(_PARTS) + content[rng.choice((start, end)) :]


def _given(rng: Random, raw: bytes, name: str, others: Sequence[bytes]) -> bytes:
    """Give an opcode something else."""
    if name == "GLOBAL":
        return attacks.name(*rng.choice(_NAMES))
    if name.startswith(("BININT", "LONG", "INT")):
        return attacks.number(rng.choice(octets.ODD))
    if name == "BINFLOAT":
        return attacks.plain(rng.choice((float("nan"), float("inf"), -0.0, 1e308, 1e-320)))
    if "UNICODE" in name:
        return attacks.text(rng.choice((texts.word(rng), rng.choice(rng.choice(_NAMES)))))
    if name in ("BINBYTES", "BINSTRING") and len(raw) > 5:
        return _blob(rng, raw, others)
    return rng.choice((octets.changed(rng, raw, others), raw[:1] + bytes(len(raw) - 1),
                       raw[:1] + b"\xff" * (len(raw) - 1)))  # fmt: skip


def _blob(rng: Random, raw: bytes, others: Sequence[bytes]) -> bytes:
    """Change the bytes that a pickle holds, which may be a pickle; their length as it should be."""
    inner = raw[5:]
    nested = inner[:1] == b"\x80" and rng.random() < 0.7
    inner = changed(rng, inner, others) if nested else octets.changed(rng, inner, others)
    size = len(inner) if rng.random() < 0.9 else rng.choice(octets.ODD) % 2**32
    return raw[:1] + (size % 2**32).to_bytes(4, "little") + inner
