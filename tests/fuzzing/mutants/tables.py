"""Changes to safetensors files: to their header, its length, and what follows it."""

import json
from collections.abc import Sequence
from random import Random
from typing import Any

from tests.fuzzing.mutants import octets, texts


def changed(rng: Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Change the header as JSON or as bytes, its length, or the numbers behind it."""
    size = int.from_bytes(content[:8], "little")
    header, body = content[8 : 8 + size], content[8 + size :]
    kind = rng.random()
    if kind < 0.1:
        return rng.choice(octets.ODD).__mod__(2**64).to_bytes(8, "little") + content[8:]
    if kind < 0.2:
        return content[:8] + header + octets.changed(rng, body, others)
    if kind < 0.3:
        header = octets.changed(rng, header, others)
    elif kind < 0.6:
        header = _entry(rng, header)
    elif kind < 0.65:
        header = _many(rng, header)
    else:
        header = texts.changed_json(rng, header, others)
    return len(header).to_bytes(8, "little") + header + body


def _entry(rng: Random, header: bytes) -> bytes:
    """Change what is said of one tensor."""
    try:
        entries = json.loads(header)
        name = rng.choice(list(entries))
        entry: Any = dict(entries[name])
        key = rng.choice(["dtype", "shape", "data_offsets"])
        if key == "dtype":
            entry[key] = texts.word(rng)
        else:
            numbers = list(entry[key])
            numbers[rng.randrange(len(numbers))] = rng.choice(octets.ODD)
            entry[key] = numbers
        if rng.random() < 0.2:
            entries[texts.word(rng)] = entry
        else:
            entries[name] = entry
        return json.dumps(entries).encode("utf-8", "surrogatepass")
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        return header[:-1]


def _many(rng: Random, header: bytes) -> bytes:
    """Fill the header with what costs a parser much for each byte."""
    count = rng.choice((1000, 20_000, 200_000))
    kind = rng.randrange(4)
    if kind == 0:
        empty = '"x%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'
        return b"{" + ",".join(empty % i for i in range(count)).encode() + b"}"
    if kind == 1:
        return b'{"a":[' + b"{}," * count + b"{}]}"
    if kind == 2:
        return b'{"a":{"dtype":"F32","shape":[' + b"0," * count + b'0],"data_offsets":[0,0]}}'
    return b'{"__metadata__":{' + b'"a":"",' * count + b'"b":""}}' + header[:0]
