"""A stand-in for YuNet's weights: an ONNX model with its outputs that finds drawn faces.

It finds the four discs of ``faces.draw`` by colour, one face in either half of the picture, and
puts them into YuNet's first two cells; all other cells say that there is no face.
"""

from pathlib import Path

import numpy as np

from tests.support.onnx_files import Graph

_STRIDES = (8, 16, 32)
_OUTPUTS = ("cls", "obj", "bbox", "kps")
# Blue, green, red to: left eye (red disc), right eye (green), left mouth (blue), right (magenta).
_COLOURS = np.array([(-1, -1, 1), (-1, 1, -1), (1, -1, -1), (0.5, -1, 0.5)]) / 20
_THRESHOLDS = np.array([50, 50, 50, 145]) / 20
_ORDER = (0, 1, 0, 2, 3)  # YuNet's five points; an eye stands in for the nose


def write_tiny_yunet(path: Path) -> Path:
    """Write the model."""
    g = Graph()
    weights = g.constant(_COLOURS.reshape(4, 3, 1, 1).astype(np.float32))
    marked = _clipped(g, g.call("Conv", "input", weights, g.constant(-_THRESHOLDS)))  # [1,4,H,W]
    one = g.constant([[[[1.0]]]])
    ones = g.call("Add", g.call("Mul", marked, g.constant([[[[0.0]]]])), one)
    x, y = (g.call("Sub", g.call("CumSum", ones, g.numbers(axis)), one) for axis in (3, 2))
    middle = g.call("Mul", g.call("GlobalMaxPool", x), g.constant([[[[0.5]]]]))
    right = _clipped(g, g.call("Sub", x, middle))
    left = g.call("Sub", ones, right)
    faces = [_face(g, g.call("Mul", marked, half), x, y) for half in (left, right)]
    names = []
    for stride in _STRIDES:
        names += _cells(g, stride, ones, faces if stride == _STRIDES[0] else [])
    order = [f"{name}_{stride}" for name in _OUTPUTS for stride in _STRIDES]
    assert sorted(order) == sorted(names)
    path.write_bytes(g.model("input", [1, 3, "h", "w"], order))
    return path


def _clipped(g: Graph, name: str) -> str:
    return g.call("Clip", name, g.constant(0.0), g.constant(1.0))


def _sum(g: Graph, name: str) -> str:
    return g.call("ReduceSum", name, g.numbers([2, 3]), attributes={"keepdims": 1})


def _face(g: Graph, marked: str, x: str, y: str) -> tuple[str, list[str]]:
    """Return whether all discs are there [1,1,1], and x and y of the five points, [1,1,1] each."""
    mass = _sum(g, marked)
    safe = g.call("Add", mass, g.constant([[[[1e-6]]]]))
    least = g.call("ReduceMin", mass, attributes={"axes": [1], "keepdims": 1})
    score = g.call("Reshape", _clipped(g, least), g.numbers([1, 1, 1]))
    places = []
    for point in _ORDER:
        for axis in (x, y):
            centre = g.call("Div", _sum(g, g.call("Mul", marked, axis)), safe)  # [1,4,1,1]
            row = g.call("Gather", centre, g.numbers([point]), attributes={"axis": 1})
            places.append(g.call("Reshape", row, g.numbers([1, 1, 1])))
    return score, places


def _cells(g: Graph, stride: int, ones: str, faces: list[tuple[str, list[str]]]) -> list[str]:
    """Fill YuNet's outputs of one stride: each face in the cell of its number, in the top row."""
    window = {"kernel_shape": [stride, stride], "strides": [stride, stride]}
    pooled = g.call("AveragePool", ones, attributes=window)
    row = g.call("Gather", pooled, g.numbers([0]), attributes={"axis": 1})
    filled = g.call("Reshape", row, g.numbers([1, -1, 1]))  # [1,N,1]
    nothing = g.call("Mul", filled, g.constant([[[0.0]]]))
    number = g.call("Sub", g.call("CumSum", filled, g.numbers(1)), g.constant([[[1.0]]]))
    score, columns = nothing, [nothing] * 10
    for i, (present, places) in enumerate(faces):
        away = g.call("Abs", g.call("Sub", number, g.constant([[[float(i)]]])))
        here = _clipped(g, g.call("Sub", g.constant([[[1.0]]]), away))
        score = g.call("Add", score, g.call("Mul", here, present))
        for k, place in enumerate(places):
            cell = g.constant([[[float(i) if k % 2 == 0 else 0.0]]])
            offset = g.call("Sub", g.call("Mul", place, g.constant([[[1 / stride]]])), cell)
            columns[k] = g.call("Add", columns[k], g.call("Mul", here, offset))
    g.call("Identity", score, output=f"cls_{stride}")
    g.call("Identity", score, output=f"obj_{stride}")
    size = g.call("Add", nothing, g.constant([[[1.0]]]))
    box = [columns[0], columns[1], size, size]
    g.call("Concat", *box, output=f"bbox_{stride}", attributes={"axis": 2})
    g.call("Concat", *columns, output=f"kps_{stride}", attributes={"axis": 2})
    return [f"{name}_{stride}" for name in _OUTPUTS]
