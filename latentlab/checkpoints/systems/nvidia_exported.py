"""State dicts of NVIDIA's PyTorch networks in a file of torch.save, with their settings.

``latentlab.export`` writes it, since a snapshot of NVIDIA's own holds code. "nvidia_state" is the
version, "config" holds the constructor arguments of each network, "metadata" what is known of them
as JSON, and G_ema, G and D hold the state dicts; see docs/convert.md for how the official code
takes it.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from latentlab.checkpoints.assemble import Contents, assemble
from latentlab.checkpoints.pickles.plain import plain_copy
from latentlab.checkpoints.systems.nvidia_torch import networks_from_official
from latentlab.checkpoints.systems.translation import ForeignWeights, names_shortened
from latentlab.errors import CheckpointError, UnsupportedCheckpoint, quoted
from latentlab.foreign_files.json_texts import parse_json

MARK = "nvidia_state"  # a key that only such a file has
MARKS = (MARK, "config")
VERSION = 1

_KNOWN = (*MARKS, "metadata")


def read(found: Mapping[Any, Any], where: str, allow_nonfinite: bool = False) -> Contents:
    """Build the networks of a file, see ``foreign.Reader``.

    Metadata are those of the file, and what was "ignored".
    """
    version = found.get(MARK)
    if type(version) is not int or version != VERSION:
        raise UnsupportedCheckpoint(
            f"{where}: {MARK} {quoted(version)}, this latentlab reads {VERSION}; update it"
        )
    kwargs = plain_copy(found.get("config"), where)
    if type(kwargs) is not dict or not kwargs:
        raise CheckpointError(f"{where}: config does not hold the settings of networks")
    tensors: dict[str, dict[str, Tensor]] = {}
    for name in kwargs:
        part = found.get(name)
        if type(part) is not dict:
            raise CheckpointError(f"{where}: {quoted(name)} is not a state dict")
        tensors[name] = ForeignWeights(part, f"{where}: {name}").tensors
    keys = [f"{name}.{key}" for name, own in tensors.items() for key in own]
    taken: set[int] = set()
    networks = {
        name: assemble(config, tensors[name], f"{where}: {name}", allow_nonfinite, taken)
        for name, config in networks_from_official(kwargs, keys, where).items()
    }
    rest = names_shortened(key for key in found if key not in (*_KNOWN, *kwargs))
    return networks, {**_metadata(found, where), "ignored": rest}


def _metadata(found: Mapping[Any, Any], where: str) -> dict[str, Any]:
    try:
        value = parse_json(found.get("metadata", "{}"))
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{where}: metadata are not valid JSON ({error})") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{where}: metadata must be a JSON object")
    return value
