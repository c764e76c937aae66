"""NVIDIA's vgg16.pt, a TorchScript file with the weights of LPIPS on VGG16, as data.

The convolutions of 3x3 are ``layers.conv1`` to ``layers.conv13``, those of VGG16 in their order;
smaller networks of the same signature have a list ``stages`` of lists. For each stage there is a
vector of weights, for the colours of pixels in 0..255 a ``mean`` and a ``std``, and beside them
fully connected layers, which no distance needs. A file with other tensors, or without one of
these, is another program, and what it computes is not known without running it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latentlab.checkpoints.pickles.records import Record
from latentlab.checkpoints.pickles.script_archives import read_script
from latentlab.vgg import MAX_LAYERS, MAX_STAGES, in_published_names

_VGG16 = (2, 2, 3, 3, 3)  # convolutions of each stage: Simonyan and Zisserman 2015, Table 1, D
_IN_ORDER = re.compile(r"layers\.conv([0-9]{1,2})")
_IN_STAGES = re.compile(r"stages\.([0-9]{1,2})\.[0-9]{1,2}")
_DEEPEST = 4  # modules below one another; these files have three
_HALF_RANGE = 127.5  # of pixels in 0..255

_Layer = tuple[Tensor, Tensor]


def read_nvidias_vgg16(path: Path) -> dict[str, Tensor] | None:
    """Return the weights in a file like NVIDIA's vgg16.pt; None if it is another program.

    They have the names of ``latentlab.vgg``, with ``shift`` and ``scale``.

    Raises:
        CheckpointError: If it is damaged, or no TorchScript file.
    """
    found = dict(_tensors(read_script(path), set()))
    mean, std = _taken(found, "mean"), _taken(found, "std")
    modules = _modules(found)
    stages = _stages(modules)
    if stages is None or mean is None or std is None or mean.numel() != 3 or std.numel() != 3:
        return None
    read = {id(tensor) for stage in stages for layer in stage for tensor in layer}
    read |= {id(tensor) for layer in _connected(modules) for tensor in layer}
    rest = [tensor for tensor in found.values() if id(tensor) not in read]
    widths = [stage[-1][0].shape[0] for stage in stages]
    if [tensor.numel() for tensor in rest] != widths or not all(map(_is_float, rest)):
        return None
    if any(bool((lin < 0).any()) for lin in rest):  # its program takes their roots
        return None
    weights = in_published_names(stages, rest)
    middle, spread = mean.double() / _HALF_RANGE - 1, std.double() / _HALF_RANGE
    return {**weights, "shift": middle.flatten().float(), "scale": spread.flatten().float()}


def _tensors(
    value: Any, seen: set[int], name: str = "", depth: int = 0
) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors of modules by name, in the order of the file; none that is too deep.

    A module that several names lead to is looked into once: a small file could have paths to it
    without number.
    """
    new = type(value) is Record and depth <= _DEEPEST and id(value) not in seen
    seen.add(id(value))
    for key, part in ((value.state if new else None) or {}).items():
        place = f"{name}.{key}" if name else str(key)
        if isinstance(part, Tensor):
            yield place, part
        elif type(part) is Record:
            yield from _tensors(part, seen, place, depth + 1)


def _taken(found: dict[str, Tensor], name: str) -> Tensor | None:
    tensor = found.pop(name, None)
    return tensor if tensor is not None and _is_float(tensor) else None


def _is_float(tensor: Tensor) -> bool:
    return tensor.is_floating_point() and bool(torch.isfinite(tensor).all())


def _modules(found: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Group tensors by the module that holds them."""
    modules: dict[str, dict[str, Tensor]] = {}
    for name, tensor in found.items():
        holder, _, own = name.rpartition(".")
        modules.setdefault(holder, {})[own] = tensor
    return modules


def _stages(modules: Mapping[str, Mapping[str, Tensor]]) -> list[list[_Layer]] | None:
    """Return the convolutions by stage; None if they are not those of such a network."""
    numbered = {int(m[1]): name for name in modules if (m := _IN_ORDER.fullmatch(name))}
    if sorted(numbered) == list(range(1, sum(_VGG16) + 1)):
        names = iter(numbered[i] for i in sorted(numbered))
        grouped = [[next(names) for _ in range(count)] for count in _VGG16]
    else:
        listed: dict[int, list[str]] = {}
        for name in modules:
            if m := _IN_STAGES.fullmatch(name):
                listed.setdefault(int(m[1]), []).append(name)
        grouped = [listed[i] for i in sorted(listed)]
    layers = [[_layer(modules[name], 4) for name in stage] for stage in grouped]
    if not layers or len(layers) > MAX_STAGES or sum(map(len, layers)) > MAX_LAYERS:
        return None
    return _connecting(layers)


def _connecting(layers: Sequence[Sequence[_Layer | None]]) -> list[list[_Layer]] | None:
    """Return convolutions of 3x3 of which each takes what the one before gives, or None."""
    maps, found = 3, list[list[_Layer]]()
    for stage in layers:
        found.append([])
        for layer in stage:
            if layer is None or layer[0].shape[1:] != (maps, 3, 3):
                return None
            maps = layer[0].shape[0]
            found[-1].append(layer)
    return found


def _layer(own: Mapping[str, Tensor], dimensions: int) -> _Layer | None:
    """Return weight and bias of a layer that has nothing else, or None."""
    weight, bias = own.get("weight"), own.get("bias")
    if weight is None or bias is None or len(own) != 2 or weight.ndim != dimensions:
        return None
    return (weight, bias) if bias.shape == weight.shape[:1] else None


def _connected(modules: Mapping[str, Mapping[str, Tensor]]) -> Iterator[_Layer]:
    """Yield the fully connected layers."""
    for own in modules.values():
        if (layer := _layer(own, 2)) is not None:
            yield layer
