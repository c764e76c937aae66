"""Strategies: bytes that are nearly right."""

import io
import pickle
import pickletools
import struct

import numpy as np
import torch
from hypothesis import strategies as st

from tests.support import attacks

WORDS = st.text(max_size=12)
NAMES = st.text(st.characters(categories=["L", "N", "Pd"]), min_size=1, max_size=8)


@st.composite
def mutated(draw, sound: st.SearchStrategy[bytes]) -> bytes:
    """Bytes with a few of them changed, taken out, repeated or put in."""
    content = bytearray(draw(sound))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        end = min(start + draw(st.integers(0, 12)), len(content))
        content[start:end] = draw(
            st.one_of(
                st.binary(max_size=9),
                st.just(bytes(content[start:end]) * 2),
                st.just(b""),
                st.sampled_from([b"\xff" * 4, b"\xff" * 8, bytes(8), b"\x7f" + b"\xff" * 7]),
            )
        )
    return bytes(content)


def _framed(width: int, order: str = "little") -> st.SearchStrategy[bytes]:
    """Bytes after their length, which may be any."""
    lengths = st.none() | st.integers(0, 256**width - 1)
    return st.builds(
        lambda raw, length: (
            (min(len(raw), 256**width - 1) if length is None else length).to_bytes(width, order)
            + raw
        ),
        st.binary(max_size=20) | WORDS.map(lambda text: text.encode("utf-8", "surrogatepass")),
        lengths,
    )


_LINE = st.binary(max_size=10).map(lambda raw: raw.replace(b"\n", b"") + b"\n")
_ARGUMENTS = {
    "uint1": st.binary(min_size=1, max_size=1),
    "uint2": st.binary(min_size=2, max_size=2),
    "int4": st.binary(min_size=4, max_size=4),
    "uint4": st.binary(min_size=4, max_size=4),
    "uint8": st.integers(0, 40).map(lambda n: struct.pack("<Q", n)),
    "float8": st.floats().map(lambda x: struct.pack(">d", x)),
    "long1": _framed(1),
    "long4": _framed(4),
    "stringnl_noescape_pair": st.tuples(_LINE, _LINE).map(b"".join),
    **dict.fromkeys(["bytes1", "string1", "unicodestring1"], _framed(1)),
    **dict.fromkeys(["bytes4", "string4", "unicodestring4"], _framed(4)),
    **dict.fromkeys(["bytes8", "bytearray8", "unicodestring8"], _framed(8)),
}


def _opcode(code: pickletools.OpcodeInfo) -> st.SearchStrategy[bytes]:
    argument = st.just(b"") if code.arg is None else _ARGUMENTS.get(code.arg.name, _LINE)
    return argument.map(lambda raw: code.code.encode("latin1") + raw)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | WORDS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(WORDS, inner, max_size=4)
    ),
    max_leaves=8,
)
_PARTS = [
    attacks.tensor(), attacks.storage(), attacks.dtype(), attacks.array(), attacks.buffer(),
    attacks.module(), attacks.network(), attacks.stored(), attacks.archived(), attacks.NAMESPACE,
    attacks.touch("marker"), attacks.name("builtins", "eval"), *attacks.ALLOWED.values(),
]  # fmt: skip
FRAGMENTS = st.one_of(
    st.sampled_from(pickletools.opcodes).flatmap(_opcode),
    st.sampled_from(_PARTS),
    st.builds(
        attacks.call,
        st.sampled_from(sorted(attacks.ALLOWED.values())),
        PLAIN.filter(lambda value: value != b"") | st.sampled_from(_PARTS),
        PLAIN,
    ),
)


@st.composite
def opcodes(draw) -> bytes:
    """A pickle of opcodes in any order, most of them with arguments that fit."""
    body = b"".join(draw(st.lists(FRAGMENTS, max_size=12)))
    return attacks.finish(body, draw(st.integers(2, 5)))


SOUND_PICKLES = [
    attacks.finish(attacks.plain({"a": attacks.tensor(), "b": attacks.array(), "c": 1.5})),
    attacks.finish(attacks.plain({"G_ema": attacks.module(_parameters={"w": attacks.tensor()})})),
    attacks.finish(attacks.plain((attacks.network(name="G", static_kwargs={}, variables=[]),))),
    attacks.finish(attacks.buffer(), 5),
    *(pickle.dumps({"x": np.arange(3.0), "s": {"t"}, "t": (1, [2], "é")}, n) for n in range(2, 6)),
]


def _saved(zipped: bool) -> bytes:
    file = io.BytesIO()
    state = {"a.weight": torch.arange(6.0).view(2, 3).T, "b": torch.ones(2, dtype=torch.int64)}
    torch.save({"g": state, "n": 3}, file, _use_new_zipfile_serialization=zipped)
    return file.getvalue()


SOUND_ARCHIVES = [_saved(True), attacks.archive()]
SOUND_STREAMS = [_saved(False), attacks.streamed()]
