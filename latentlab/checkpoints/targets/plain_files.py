"""Files of tensors and plain values as other people's code opens them; none of them holds code."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latentlab.foreign_files.safetensors_form import stream_safetensors


def write_torch(content: Mapping[str, Any], path: Path) -> None:
    """Write a dict as torch.save does, so that ``torch.load(weights_only=True)`` opens it.

    The bytes depend on the content alone. PyTorch 1.6 and later read them.

    Raises:
        OSError: If the file cannot be written.
    """
    try:
        with path.open("wb") as stream:  # by its name, the archive would hold that name
            torch.save(_compact(content), stream)
    except RuntimeError as error:  # a full disk arrives under this name
        raise OSError(str(error)) from error


def write_state_safetensors(content: Mapping[str, Any], path: Path) -> None:
    """Write state dicts by network as one safetensors file; "config", "metadata" in its header.

    Raises:
        OSError: If the file cannot be written.
    """
    config = content["config"]
    tensors = {f"{name}.{key}": each for name in config for key, each in content[name].items()}
    header = {"config": json.dumps(config), "metadata": content["metadata"]}
    with path.open("wb") as file:
        stream_safetensors(tensors, file, header)


def _compact(value: Any) -> Any:
    if isinstance(value, Tensor):
        return _alone(value)
    return {key: _compact(each) for key, each in value.items()} if type(value) is dict else value


def _alone(tensor: Tensor) -> Tensor:
    """Return a tensor whose memory is its own: torch.save writes all memory that a view is of."""
    alone = tensor.is_contiguous() and tensor.untyped_storage().nbytes() == tensor.nbytes
    return (
        tensor.detach() if alone else tensor.detach().clone(memory_format=torch.contiguous_format)
    )
