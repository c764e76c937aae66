"""The form of safetensors files: headers are bounded before anything parses them; writing them.

The file is the header's length (8 bytes), the header (JSON: the type, shape and place of each
tensor by name, and texts under ``__metadata__``), and the tensors. The library that reads them
parses a header of up to 100 MB into memory of its own, and writes texts in an order that differs
from run to run.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

import torch
from torch import Tensor

from latentlab.errors import CheckpointError, TruncatedCheckpoint, quoted
from latentlab.foreign_files.json_texts import JsonLimits, JsonTooLarge, parse_json

MAX_TENSORS = 10_000  # a training run at 1024 px, with its optimisers, has about 1,000
MAX_HEADER = 2**23  # bytes; the paths of 100,000 pictures beside their latents
_MAX_NAME = 512  # characters; the longest of a published network has some 80
_MAX_RANK = 8
_MAX_TEXTS = 1_000  # under __metadata__
_TEXTS = "__metadata__"
_ALIGNED = 8  # bytes; where the tensors begin
# Of a tensor: its object, two lists, and at most 11 commas.
_LIMITS = JsonLimits(MAX_HEADER, 3 * MAX_TENSORS + 2, 11 * MAX_TENSORS, depth=3)

_TYPES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
    torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8",
    torch.uint64: "U64", torch.uint32: "U32", torch.uint16: "U16", torch.uint8: "U8",
    torch.bool: "BOOL", torch.complex64: "C64", torch.float8_e4m3fn: "F8_E4M3",
    torch.float8_e5m2: "F8_E5M2",
}  # fmt: skip

Shapes = dict[str, list[int]]


def read_header(file: BinaryIO, size: int) -> tuple[dict[str, str], Shapes]:
    """Return the texts and the shapes that the header of a file announces.

    Whether types, shapes and places fit each other and the file is for the library to say.

    Args:
        file: The file, at its beginning.
        size: Bytes of it.

    Raises:
        CheckpointError: If it is damaged, names something twice, or is beyond what a network needs.
    """
    length = int.from_bytes(file.read(8), "little")
    if length > size - 8:
        raise TruncatedCheckpoint(
            f"damaged safetensors file (the header is longer than the file: {length} bytes)"
        )
    if length > MAX_HEADER:
        raise CheckpointError(f"a header of {length:,} bytes, {_beyond(MAX_HEADER)}")
    try:
        header = parse_json(file.read(length), _LIMITS)
    except JsonTooLarge as error:
        enough = f"which is more than {MAX_TENSORS:,} tensors need"
        raise CheckpointError(f"a header with {error}, {enough}") from error
    except ValueError as error:
        raise TruncatedCheckpoint(f"the header is not valid JSON ({error})") from error
    if not isinstance(header, dict):
        raise TruncatedCheckpoint("the header is not a JSON object")
    texts = header.pop(_TEXTS, None) or {}
    if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
        raise TruncatedCheckpoint(f"the header's {_TEXTS} are no texts by name")
    shapes = {name: _shape_of(name, entry) for name, entry in header.items()}
    _check_counts(shapes, texts)
    return texts, shapes


def _beyond(most: int) -> str:
    return f"more than the {most:,} that any network needs"


def _check_counts(names: Mapping[str, Any], texts: Mapping[str, str]) -> None:
    if len(names) > MAX_TENSORS:
        raise CheckpointError(f"{len(names):,} tensors, {_beyond(MAX_TENSORS)}")
    if len(texts) > _MAX_TEXTS:
        raise CheckpointError(f"{len(texts):,} texts in the header, {_beyond(_MAX_TEXTS)}")
    for name in (*names, *texts):
        if len(name) > _MAX_NAME:
            raise CheckpointError(f"the name {quoted(name)} goes on to {len(name):,} characters")


def _shape_of(name: str, entry: Any) -> list[int]:
    shape = entry.get("shape") if isinstance(entry, dict) else None
    if not isinstance(shape, list) or not all(type(side) is int for side in shape):
        raise TruncatedCheckpoint(f"the header gives no shape of {quoted(name)}")
    if len(shape) > _MAX_RANK:
        raise CheckpointError(f"{quoted(name)} has {len(shape)} axes, {_beyond(_MAX_RANK)}")
    return shape


def header_bytes(
    tensors: Sequence[tuple[str, str, Sequence[int], int]], texts: Mapping[str, str]
) -> bytes:
    """Return what stands before the tensors, the same bytes for the same content.

    Args:
        tensors: Name, type (such as "F32"), shape and bytes of each, in the order of their bytes.
        texts: What else is to be said, by name; written in the order of the names.

    Raises:
        CheckpointError: If no reader of these files would take it.
    """
    header: dict[str, Any] = {_TEXTS: dict(sorted(texts.items()))} if texts else {}
    start = 0
    for name, kind, shape, size in tensors:
        header[name] = {
            "dtype": kind, "shape": list(shape), "data_offsets": [start, start + size]
        }  # fmt: skip
        start += size
    try:
        raw = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    except UnicodeEncodeError as error:
        raise CheckpointError(f"a name or text with half a character ({error.reason})") from error
    raw += b" " * (math.ceil(len(raw) / _ALIGNED) * _ALIGNED - len(raw))
    if len(raw) > MAX_HEADER:
        raise CheckpointError(f"a header of {len(raw):,} bytes, {_beyond(MAX_HEADER)}")
    _check_counts(dict.fromkeys(name for name, *_ in tensors), texts)
    return raw


def stream_safetensors(
    tensors: Mapping[str, Tensor], file: BinaryIO, header: Mapping[str, str]
) -> None:
    """Write tensors and header strings to an open file, one after the other.

    Raises:
        CheckpointError: If what is written could not be read again.
    """
    # The widest types first, as the library has them: each tensor lies where its type may.
    names = sorted(tensors, key=lambda name: (-tensors[name].dtype.itemsize, name))
    about = [
        (name, _TYPES[each.dtype], each.shape, each.nbytes)
        for name, each in ((name, tensors[name]) for name in names)
    ]
    start = header_bytes(about, header)
    file.write(len(start).to_bytes(8, "little") + start)
    for name in names:
        plain = tensors[name].detach().cpu().resolve_conj().resolve_neg().contiguous()
        file.write(plain.reshape(-1).view(torch.uint8).numpy().data)
