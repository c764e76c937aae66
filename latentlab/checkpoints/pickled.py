"""What a pickle holds: networks of a published system, or nothing that is opened here."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from latentlab.checkpoints.checkpoint import Checkpoint
from latentlab.checkpoints.nvidia_torch import official_kind, read_snapshot
from latentlab.checkpoints.pickle_reader import Record, read_pickle
from latentlab.errors import UnsupportedCheckpoint
from latentlab.files import sha256_of

# Name of the function that built a TensorFlow network -> the system it belongs to.
_SYSTEMS: Mapping[str, str] = MappingProxyType(
    {
        "G_style": "StyleGAN1",
        "G_main": "StyleGAN2",
        "D_stylegan": "StyleGAN2",
        "D_stylegan2": "StyleGAN2",
        "G_paper": "Progressive GAN",
        "D_paper": "Progressive GAN",
    }
)
_SHOWN = 5  # keys in a message


def read_pickled(path: Path, allow_nonfinite: bool = False) -> Checkpoint:
    """Open a pickled checkpoint; nothing in it is run.

    Raises:
        CheckpointError: If it is damaged, asks for code, or is not one that is opened here.
    """
    found = read_pickle(path)
    if type(found) is dict and _is_record(found.get("G_ema"), "torch"):
        networks, metadata = read_snapshot(found, str(path), allow_nonfinite)
        return Checkpoint(
            official_kind(networks),
            sha256_of(path),
            path,
            MappingProxyType(networks),
            MappingProxyType(metadata),
        )
    parts = found if type(found) is tuple else (found,)
    if parts and all(_is_record(part, "tensorflow") for part in parts):
        raise UnsupportedCheckpoint(
            f"{path}: a TensorFlow pickle of {_system(parts)}; this version does not open "
            "TensorFlow pickles yet"
        )
    raise UnsupportedCheckpoint(f"{path}: not a StyleGAN checkpoint: found {_outline(found)}")


def _is_record(value: object, origin: str) -> bool:
    return type(value) is Record and value.origin == origin


def _system(parts: tuple[Record, ...]) -> str:
    names = [(part.state or {}).get("build_func_name") for part in parts]
    texts = [name for name in names if type(name) is str]
    systems = [_SYSTEMS[name] for name in texts if name in _SYSTEMS]
    if systems:
        return systems[0]
    if texts == ["D_basic"]:
        return "a classifier in the form of StyleGAN1's discriminator (D_basic)"
    return f"an unknown system ({', '.join(ascii(name[:40]) for name in texts) or 'unnamed'})"


def _outline(found: Any) -> str:
    """Describe any object in a few words, without looking into it far."""
    if type(found) is not dict:
        size = f" of {len(found)}" if type(found) in (list, tuple, set) else ""
        name = found.class_name if type(found) is Record else type(found).__name__
        return f"an object of type {ascii(name)[1:-1][:40]}{size}"
    keys = [ascii(key)[:40] for key in list(found)[:_SHOWN]]
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return f"keys {', '.join(keys) or '(none)'}{more}"
