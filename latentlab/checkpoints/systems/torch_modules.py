"""Pickled torch modules, as records, to the tensors that their state dict would hold."""

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from latentlab.checkpoints.pickles.reader import Record
from latentlab.errors import CheckpointError, quoted

_MODULES = ("torch", "class")  # origins: NVIDIA's own classes, and any others
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
        if type(module) is not Record or module.origin not in _MODULES or module.state is None:
            name = prefix[:-1] or "it"
            raise CheckpointError(f"{where}: {name} is not a module, but {_called(module)}")
        if id(module) in met or depth > _MAX_DEPTH:
            raise CheckpointError(f"{where}: {prefix[:-1]} is within itself, or met twice")
        met.add(id(module))
        tensors.update(_own_tensors(module.state, prefix, where))
        children = _field(module.state, "_modules", f"{where}: {prefix}")
        todo += [(f"{prefix}{name}.", child, depth + 1) for name, child in children.items()]
    return tensors


def has_weight(network: Record, name: str, *, partial: bool = False) -> bool:
    """Whether a module has a weight, or a module of this name, without looking at any other.

    Args:
        network: The outermost module.
        name: As in a state dict: "mapping.fc0.weight".
        partial: Take what stands before the last dot to be a module's name, and look for that.
    """
    *path, last = name.split(".")
    module: Any = network
    for part in path:
        children = _dict_of(module, "_modules")
        module = children.get(part)
    if partial:
        return type(module) is Record
    return any(last in _dict_of(module, kind) for kind in ("_parameters", "_buffers"))


def _dict_of(module: Any, kind: str) -> dict[Any, Any]:
    state = module.state if type(module) is Record else None
    found = state.get(kind) if state is not None else None
    return found if type(found) is dict else {}


def _called(value: object) -> str:
    """Name what was found in place of something else."""
    name = value.called if type(value) is Record else type(value).__name__
    return f"an object of {quoted(name)}"


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
    """Return a dict of a module's state whose keys are names that Python accepts."""
    found = state.get(name)
    if type(found) is not dict:
        raise CheckpointError(f"{where}{name} is missing")
    for key in found:
        if type(key) is not str or not key.isidentifier() or len(key) > 100:
            raise CheckpointError(f"{where}{name} holds the name {quoted(key)}")
    return found
