"""Our own format: safetensors, with the networks described in the header as JSON.

Tensors are named ``G_ema.*``, ``G.*``, ``D.*`` or ``classifier.*``. The header's metadata holds
``format`` ("latentlab"), ``format_version``, ``networks`` (type and config of each), and
``metadata`` (source, licence, training).
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from latentlab.checkpoints.assemble import NETWORK_TYPES, assemble, config_from_dict, config_to_dict
from latentlab.checkpoints.checkpoint import Checkpoint
from latentlab.checkpoints.precision import float_types
from latentlab.checkpoints.systems.nvidia_torch import networks_from_official, official_kind
from latentlab.errors import CheckpointError, SettingsError, UnsupportedCheckpoint, shown
from latentlab.foreign_files.json_texts import parse_json
from latentlab.tensor_files import read_safetensors, write_safetensors

FORMAT = "latentlab"
FORMAT_VERSION = "1"


def is_described(header: Mapping[str, str]) -> bool:
    """Whether latentlab wrote the file, or official state dicts in it have a ``config``."""
    return header.get("format") == FORMAT or "config" in header


def read_native(path: Path, allow_nonfinite: bool = False) -> Checkpoint:
    """Open a safetensors file that latentlab wrote.

    Raises:
        CheckpointError: If the file is damaged or its weights do not fit its config.
    """
    header, tensors = read_safetensors(path)
    if not is_described(header):
        raise UnsupportedCheckpoint(
            f"{path}: a safetensors file without a network description; expected one written by "
            "latentlab, or official state dicts with `config` in the header"
        )
    return read_described(path, header, tensors, allow_nonfinite)


def read_described(
    path: Path,
    header: Mapping[str, str],
    tensors: Mapping[str, Tensor],
    allow_nonfinite: bool = False,
) -> Checkpoint:
    """Build the networks of a safetensors file that describes them, see ``is_described``.

    Raises:
        CheckpointError: If the file is damaged or its weights do not fit its config.
    """
    if header.get("format") == FORMAT:
        described = _described(header, path)
    else:
        described = networks_from_official(
            _json(header["config"], path, settings=True), tensors, str(path)
        )
    networks: dict[str, nn.Module] = {}
    for name, config in described.items():
        prefix = f"{name}."
        own = {key.removeprefix(prefix): t for key, t in tensors.items() if key.startswith(prefix)}
        networks[name] = assemble(config, own, f"{path}: {name}", allow_nonfinite)
    strays = [key for key in tensors if key.split(".", 1)[0] not in described]
    if strays or not described:
        found = shown(strays) or "no tensors"
        raise CheckpointError(f"{path}: holds weights of no described network: {found}")
    metadata = _json(header.get("metadata", "{}"), path)
    kind = _kind(networks) if header.get("format") == FORMAT else official_kind(networks)
    return Checkpoint.of_file(path, kind, networks, metadata, float_types(dict(tensors)))


def write_native(
    networks: Mapping[str, nn.Module], path: Path, metadata: Mapping[str, Any] | None = None
) -> None:
    """Write networks by name ("G_ema", "G", "D", "classifier") as one safetensors file.

    It is written whole or not at all.

    Raises:
        SettingsError: If the metadata hold NaN or infinity, which no JSON has.
        OutputError: If it cannot be written.
    """
    try:
        facts = json.dumps(dict(metadata or {}), allow_nan=False)
    except ValueError as error:
        raise SettingsError("`metadata` must hold finite numbers, and not itself") from error
    described = {name: config_to_dict(network) for name, network in networks.items()}
    header = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "networks": json.dumps(described),
        "metadata": facts,
    }
    tensors = {
        f"{name}.{key}": tensor
        for name, network in networks.items()
        for key, tensor in network.state_dict().items()
    }
    write_safetensors(tensors, path, header)


def _kind(networks: Mapping[str, nn.Module]) -> str:
    """Name the family and the origin, such as "stylegan1-native"."""
    name, network = next(iter(networks.items()))
    if name == "classifier":
        return "classifier"
    return f"{config_to_dict(network)['type'].rpartition('-')[0]}-native"


def _described(header: Mapping[str, str], path: Path) -> dict[str, Any]:
    """Return the config of each network, by name."""
    version = header.get("format_version")
    if version != FORMAT_VERSION:
        raise UnsupportedCheckpoint(
            f"{path}: format version {shown([str(version)])}, this latentlab reads "
            f"{FORMAT_VERSION}; update it"
        )
    described = {}
    for name, entry in _json(header.get("networks", "{}"), path, settings=True).items():
        kind = entry.get("type") if isinstance(entry, dict) else None
        if not isinstance(kind, str) or kind not in NETWORK_TYPES:
            raise UnsupportedCheckpoint(
                f"{path}: {shown([name])} is of a type that this version does not know"
            )
        config_type, _ = NETWORK_TYPES[kind]
        values = entry.get("config", {})
        described[name] = config_from_dict(config_type, values, f"{path}: {name}")
    return described


def _json(text: str, path: Path, *, settings: bool = False) -> dict[str, Any]:
    try:
        # Whoever checks settings finds infinity among them, and can say whose it is.
        value = parse_json(text, any_number=settings)
    except ValueError as error:
        raise CheckpointError(f"{path}: the header is not valid JSON ({error})") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path}: the header must hold a JSON object")
    return value
