"""Pickled torch modules, as records, to the tensors that their state dict would hold."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor

from latentlab.checkpoints.pickles.records import Record, class_of
from latentlab.errors import CheckpointError, quoted

_MAX_DEPTH = 16  # of modules within modules; the official networks have 4


def state_dict_of(network: Record, where: str) -> dict[str, Tensor]:
    """Collect what the network's state dict would hold, walking its modules.

    Args:
        network: The outermost module.
        where: File and network, for messages.

    Raises:
        CheckpointError: If a module is met twice (in a cycle, for instance) or is not one.
    """
    tensors: dict[str, Tensor] = {}
    met: set[int] = set()
    todo: list[tuple[str, Any, int]] = [("", network, 0)]
    while todo:
        prefix, module, depth = todo.pop()
        if module is None:
            continue
        if type(module) is not Record or not _is_module(module):
            name = prefix[:-1] or "it"
            raise CheckpointError(f"{where}: {name} is not a module, but {_called(module)}")
        state = module.state or {}
        if id(module) in met or depth > _MAX_DEPTH:
            raise CheckpointError(f"{where}: {prefix[:-1]} is within itself, or met twice")
        met.add(id(module))
        tensors.update(_own_tensors(state, prefix, where))
        children = _field(state, "_modules", f"{where}: {prefix}")
        todo += [(f"{prefix}{name}.", child, depth + 1) for name, child in children.items()]
    return tensors


def _is_module(record: Record) -> bool:
    """Whether it is of NVIDIA's own classes, or has what modules of any class have."""
    return (record.origin == "torch" and record.state is not None) or (
        record.origin == "class" and record.is_module
    )


def has_weight(network: Record, name: str) -> bool:
    """Whether a module has a weight called as in a state dict: "mapping.fc0.weight".

    No module but those on the way there is looked at.
    """
    *path, last = name.split(".")
    module = _within(network, path)
    state = module.state if module is not None else None
    fields = [state.get(kind) for kind in ("_parameters", "_buffers")] if state else []
    return any(type(held) is dict and last in held for held in fields)


def has_module(network: Record, name: str) -> bool:
    """Whether a module has one of this name in it, which may have dots."""
    return _within(network, name.split(".")) is not None


def _within(network: Record, path: Sequence[str]) -> Record | None:
    module: object = network
    for part in path:
        module = module.modules.get(part) if type(module) is Record else None
    return module if type(module) is Record else None


def _called(value: object) -> str:
    """Name what was found in place of something else."""
    return f"an object of {quoted(class_of(value))}"


def _own_tensors(state: Mapping[Any, Any], prefix: str, where: str) -> Iterator[tuple[str, Tensor]]:
    place = f"{where}: {prefix}"
    temporary = state.get("_non_persistent_buffers_set", ())
    temporary = temporary if type(temporary) is set else set()
    seen: set[str] = set()
    for kind in ("_parameters", "_buffers"):
        for name, tensor in _field(state, kind, place).items():
            if tensor is None or (kind == "_buffers" and name in temporary):
                continue
            if type(tensor) is not Tensor:
                raise CheckpointError(f"{place}{name} is not a tensor, but {_called(tensor)}")
            if name in seen:
                raise CheckpointError(f"{place}{name} is there twice")
            seen.add(name)
            yield prefix + name, tensor


def _field(state: Mapping[Any, Any], name: str, where: str) -> dict[str, Any]:
    """Return a dict of a module's state whose keys are names, or numbers as in a Sequential."""
    found = state.get(name)
    if type(found) is not dict:
        raise CheckpointError(f"{where}{name} is missing")
    for key in found:
        if type(key) is not str or not f"_{key}".isidentifier() or not 0 < len(key) <= 100:
            raise CheckpointError(f"{where}{name} holds the name {quoted(key)}")
    return found
