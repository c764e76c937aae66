"""Changes to JSON and CSV, and to names."""

import json
from collections.abc import Sequence
from random import Random
from typing import Any

from tests.fuzzing.mutants import octets

WORDS = (
    "", " ", ".", "..", "../../x", "/etc/passwd", "a/b", "\0", "a\0b", "\n", "x\nError: forged",
    "\x1b[2J", "\x1b]0;title\x07", "é", "e\u0301", "\u202e", "\U0001f600", "\ud800", "nan", "inf",
    "-1", "1e999", "0x10", "1_000", "\uff11\uff12", "True", "null", "=cmd|' /C calc'!A0",
    "<script>", "%s%n",
    "{}", "w", "z", "G_ema", "D", "format", "picture", "A" * 5000, "F32", "F64", "BF16", "I8",
    "BOOL",
    "U64", "F8_E4M3", "__metadata__", "__class__", "data.pkl", "con", "*", "1,5", "0.1.2",
)  # fmt: skip
ODD: tuple[Any, ...] = (
    None, True, False, 0, -0.0, 1, -1, 0.5, 2**31, 2**63, -(2**63), 2**64, 10**400, 1e308, 5e-324,
    float("nan"), float("inf"), float("-inf"), [], {}, [[]], [None], {"": None}, [0] * 3,
    [[1, 2], [3, 4]], ["a", 1], "1", *WORDS,
)  # fmt: skip
_DEEP = 30_000


def word(rng: Random) -> str:
    """Return a text that is trouble somewhere."""
    return rng.choice(WORDS)


def changed_json(rng: Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Change a value, a key, the order or the nesting of JSON; sometimes its text."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return octets.changed(rng, content, others)
    if rng.random() < 0.1:
        return _as_text(rng, content)
    made = json.dumps(changed_value(rng, value), ensure_ascii=rng.random() < 0.8)
    return made.encode("utf-8", "surrogatepass")


def _as_text(rng: Random, content: bytes) -> bytes:
    """Write what json.dumps never does."""
    kind = rng.randrange(7)
    if kind == 0:  # a key twice
        i = content.find(b'"')
        j = content.find(b",", i)
        return content[:i] + content[i:j] + b"," + content[i:] if 0 < i < j else content
    if kind == 1:
        return b"[" * _DEEP
    if kind == 2:
        return b'{"a":' * _DEEP + b"1" + b"}" * _DEEP
    if kind == 3:
        return content.decode("utf-8", "replace").encode(
            rng.choice(("utf-16", "utf-32", "utf-8-sig"))
        )
    if kind == 4:
        return content.replace(b"1", b"1" * 5000, 1)
    if kind == 5:
        return content + rng.choice((b" ", b"\0", b"{}", b"//", b","))
    return content.replace(b'"', b"'")


def changed_value(rng: Random, value: Any) -> Any:
    """Return a JSON value with one place in it changed; JSON within its texts is JSON too."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        return _changed_dict(rng, value)
    if isinstance(value, list) and value and rng.random() < 0.85:
        return _changed_list(rng, value)
    if isinstance(value, str) and value[:1] in ("{", "[") and rng.random() < 0.85:
        try:
            return json.dumps(changed_value(rng, json.loads(value)))
        except (ValueError, RecursionError):
            return word(rng)
    if type(value) in (int, float) and rng.random() < 0.5:
        return rng.choice((value + 1, value - 1, -value, value * 2, str(value), [value],
                           rng.choice(octets.ODD)))  # fmt: skip
    return rng.choice(ODD)


def _changed_dict(rng: Random, value: dict[str, Any]) -> dict[str, Any]:
    key, found = rng.choice(list(value)), dict(value)
    kind = rng.random()
    if kind < 0.75:
        found[key] = changed_value(rng, value[key])
    elif kind < 0.85:
        del found[key]
    elif kind < 0.95:
        found[word(rng)] = found.pop(key)
    else:
        found[word(rng)] = rng.choice((value, value[key]))
    return found


def _changed_list(rng: Random, value: list[Any]) -> list[Any]:
    i, found = rng.randrange(len(value)), list(value)
    kind = rng.random()
    if kind < 0.75:
        found[i] = changed_value(rng, value[i])
    elif kind < 0.85:
        del found[i]
    elif kind < 0.95:
        found.insert(i, value[i])
    else:
        found = found * rng.choice((2, 10, 1000))
    return found


def changed_csv(rng: Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Change a cell, a row, a column, what is between them, or how the text is stored."""
    lines = [line.split(",") for line in content.decode("utf-8", "replace").splitlines()]
    if not lines:
        return octets.changed(rng, content, others)
    row = rng.choice(lines)
    i = rng.randrange(len(row))
    kind, between, coding = rng.randrange(12), ",", "utf-8"
    if kind < 4:
        row[i] = word(rng) if rng.random() < 0.7 else str(rng.choice(octets.ODD))
    elif kind == 4:
        del row[i]
    elif kind == 5:
        for each in lines:
            each[i:i] = each[i : i + 1]
    elif kind == 6:
        lines *= rng.choice((2, 100))
    elif kind == 7:
        row[i] = '"' * rng.choice((1, 3)) + row[i]
    elif kind == 8:
        between = rng.choice((";", "\t", "|", ", ", '","'))
    elif kind == 9:
        coding = rng.choice(("utf-16", "utf-8-sig", "utf-32", "utf-16-le"))
    elif kind == 10:
        row[i] = "x" * 200_000
    else:
        lines.insert(rng.randrange(len(lines) + 1), rng.choice(lines)[::-1])
    end = rng.choice(("\n", "\n", "\n", "\r\n", "\r"))
    return end.join(between.join(row) for row in lines).encode(coding, "surrogatepass")
