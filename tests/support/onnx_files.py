"""Writing small ONNX models, without the onnx package: protobuf by hand."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Attribute = int | float | Sequence[int]

_IR_VERSION, _OPSET = 8, 13
_FLOAT, _INT64 = 1, 7  # TensorProto's types
_TYPE_FLOAT, _TYPE_INT, _TYPE_INTS = 1, 2, 7  # AttributeProto's


@dataclass
class Graph:
    """Nodes and constants in order; ``call`` returns the name of its result."""

    nodes: list[bytes] = field(default_factory=list)
    constants: list[bytes] = field(default_factory=list)

    def constant(self, values: float | Sequence[float] | NDArray[np.float32]) -> str:
        """Add floats."""
        return self._tensor(np.asarray(values, "<f4"), _FLOAT)

    def numbers(self, values: Sequence[int] | int) -> str:
        """Add whole numbers, such as axes."""
        return self._tensor(np.asarray(values, "<i8"), _INT64)

    def call(
        self, kind: str, *inputs: str, output: str = "", attributes: Mapping[str, Attribute] = {}
    ) -> str:
        """Add a node."""
        output = output or f"t{len(self.nodes)}"
        body = [_text(1, name) for name in inputs] + [_text(2, output), _text(4, kind)]
        body += [_bytes(5, _attribute(*pair)) for pair in attributes.items()]
        self.nodes.append(b"".join(body))
        return output

    def model(self, source: str, shape: Sequence[int | str], outputs: Sequence[str]) -> bytes:
        """Return the whole file; ``shape`` is that of the input ``source``."""
        graph = [_bytes(1, node) for node in self.nodes] + [_text(2, "graph")]
        graph += [_bytes(5, constant) for constant in self.constants]
        graph.append(_bytes(11, _value(source, shape)))
        graph += [_bytes(12, _value(name, ["n", "m", "k"])) for name in outputs]
        opset = _bytes(8, _text(1, "") + _whole(2, _OPSET))
        return _whole(1, _IR_VERSION) + _bytes(7, b"".join(graph)) + opset

    def _tensor(self, values: NDArray[np.generic], kind: int) -> str:
        name = f"c{len(self.constants)}"
        dims = b"".join(_whole(1, length) for length in values.shape)
        self.constants.append(dims + _whole(2, kind) + _text(8, name) + _bytes(9, values.tobytes()))
        return name


def _attribute(name: str, value: Attribute) -> bytes:
    if isinstance(value, int):
        return _text(1, name) + _whole(3, value) + _whole(20, _TYPE_INT)
    if isinstance(value, float):
        return _text(1, name) + b"\x15" + struct.pack("<f", value) + _whole(20, _TYPE_FLOAT)
    return _text(1, name) + b"".join(_whole(8, i) for i in value) + _whole(20, _TYPE_INTS)


def _value(name: str, shape: Sequence[int | str]) -> bytes:
    dims = b"".join(
        _bytes(1, _whole(1, length) if isinstance(length, int) else _text(2, length))
        for length in shape
    )
    tensor = _whole(1, _FLOAT) + _bytes(2, dims)
    return _text(1, name) + _bytes(2, _bytes(1, tensor))


def _varint(number: int) -> bytes:
    digits = bytearray()
    while number >= 0x80:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*digits, number])


def _whole(key: int, number: int) -> bytes:
    return _varint(key << 3) + _varint(number)


def _bytes(key: int, content: bytes) -> bytes:
    return _varint(key << 3 | 2) + _varint(len(content)) + content


def _text(key: int, text: str) -> bytes:
    return _bytes(key, text.encode())
