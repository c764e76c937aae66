"""Foreign files: which system made the networks in one, whatever container it is.

A file is data already when it gets here: a dict, a tuple, a record. ``_SYSTEMS`` says what tells
the generators of each system, and ``arrangement`` finds them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from torch import nn

from latentlab.checkpoints.arrangement import Places, arranged, levels
from latentlab.checkpoints.assemble import Contents
from latentlab.checkpoints.assumptions import Given, Question, answered
from latentlab.checkpoints.checkpoint import Checkpoint, kind_in_words
from latentlab.checkpoints.pickles.records import Record, class_of
from latentlab.checkpoints.systems import (
    nvidia_state,
    nvidia_torch,
    psp,
    rosinality1,
    rosinality2,
    yuuho,
)
from latentlab.checkpoints.systems.tensorflow import arrays
from latentlab.checkpoints.systems.tensorflow.networks import read_networks
from latentlab.errors import CheckpointError, UnsafeCheckpoint, UnsupportedCheckpoint

# Builds the networks of a file: the file as data, its name, whether NaN is accepted -> contents.
# Where the system has questions, the answers by name follow, in a dict.
# Raises CheckpointError if weights are missing, too many, or do not fit.
Reader = Callable[..., Contents]

_SHOWN = 5  # keys in a message


@dataclass(frozen=True)
class _System:
    kind: str | Callable[[Mapping[str, nn.Module]], str]  # of the checkpoint
    places: Places
    read: Reader
    questions: tuple[Question, ...] = ()
    words: str = ""  # what such a file is, where the kind does not say it
    # A weight that only its discriminators have: without it, one is a stranger and left aside.
    discriminator_mark: str | None = None

    @property
    def in_words(self) -> str:
        """What such a file is, for a person."""
        named = kind_in_words(self.kind) if isinstance(self.kind, str) else "a StyleGAN"
        return self.words or named


_SYSTEMS = (
    _System(
        nvidia_torch.official_kind,
        Places((), nvidia_torch.ROLES, as_records=True, any_module=True),
        nvidia_torch.read_snapshot,
        words="a snapshot of NVIDIA's PyTorch releases",
    ),
    _System(
        nvidia_torch.official_kind,
        Places(nvidia_state.MARKS2, nvidia_state.ROLES, nvidia_state.PREFIXES),
        nvidia_state.read,
        nvidia_state.QUESTIONS2,
        "a bare state dict of NVIDIA's StyleGAN2",
        nvidia_state.DISCRIMINATOR_MARK,
    ),
    _System(
        nvidia_torch.official_kind,
        Places(nvidia_state.MARKS3, nvidia_state.ROLES, nvidia_state.PREFIXES),
        nvidia_state.read,
        nvidia_state.QUESTIONS3,
        "a bare state dict of NVIDIA's StyleGAN3",
        nvidia_state.DISCRIMINATOR_MARK,
    ),
    _System(
        "stylegan2-rosinality",
        Places((rosinality2.MARK,), rosinality2.ROLES),
        rosinality2.read,
        discriminator_mark=rosinality2.DISCRIMINATOR_MARK,
    ),
    _System(
        "stylegan2-rosinality",
        Places((rosinality2.MARK,), psp.ROLES, psp.PREFIXES),
        psp.read,
    ),
    _System(
        "stylegan1-rosinality",
        Places((rosinality1.MARK,), rosinality1.ROLES),
        rosinality1.read,
        discriminator_mark=rosinality1.DISCRIMINATOR_MARK,
    ),
    _System("stylegan1-yuuho", Places((yuuho.MARK1,)), yuuho.read),
    _System("stylegan2-yuuho", Places((yuuho.MARK2,)), yuuho.read),
    _System(arrays.kind, Places((arrays.MARK,)), arrays.read),
)


def read_foreign(
    path: Path,
    container: str,
    found: object,
    allow_nonfinite: bool = False,
    assume: Given | None = None,
) -> Checkpoint:
    """Build the networks in a foreign file.

    Args:
        path: The file.
        container: What kind of file it is, in words.
        found: What it holds, as data.
        allow_nonfinite: Accept NaN and infinite weights.
        assume: What the file does not say, see ``assumptions``.

    Raises:
        CheckpointError: If it holds no network that is opened here, or one that does not fit.
        SettingsError: If something is assumed that the file says, or that does not exist.
    """
    where = str(path)
    for level in levels(found):
        if records := _tensorflow_records(level.found):
            kind, networks, metadata = read_networks(records, where, allow_nonfinite)
            answered((), assume or {}, where, kind_in_words(kind))
            return _checkpoint(path, kind, networks, metadata)
        for anywhere, system in product((False, True), _SYSTEMS):
            layout = arranged(level, system.places, where, anywhere=anywhere)
            if layout is not None:
                return _opened(path, system, layout, allow_nonfinite, assume or {})
    raise UnsupportedCheckpoint(
        f"{path}: not a StyleGAN checkpoint: found {container} with {outline(found)}; expected "
        "networks of NVIDIA's releases, or weights of rosinality/stylegan2-pytorch, "
        "rosinality/style-based-gan-pytorch or yuuho/stylegans-pytorch"
    )


def _tensorflow_records(found: object) -> tuple[Record, ...]:
    """Return the networks of a TensorFlow release, in the order of the file; () if not one."""
    values = tuple(found.values()) if type(found) is dict else found
    parts = values if type(values) is tuple else (values,)
    if all(type(part) is Record and part.origin == "tensorflow" for part in parts):
        return parts
    return ()


def _opened(
    path: Path, system: _System, found: dict[Any, Any], allow_nonfinite: bool, assume: Given
) -> Checkpoint:
    held = {role for name, role in system.places.roles.items() if found.get(name) is not None}
    questions = [q for q in system.questions if not q.only_of or q.only_of in held]
    answers = answered(questions, assume, str(path), system.in_words)
    more = (answers,) if system.questions else ()

    def read(layout: dict[Any, Any]) -> Contents:
        return system.read(layout, str(path), allow_nonfinite, *more)

    networks, metadata = _with_strangers_left_aside(system, found, read, str(path))
    kind = system.kind if isinstance(system.kind, str) else system.kind(networks)
    return _checkpoint(path, kind, networks, metadata)


def _with_strangers_left_aside(
    system: _System,
    found: dict[Any, Any],
    read: Callable[[dict[Any, Any]], Contents],
    where: str,
) -> Contents:
    """Read a file, without its discriminator if that is of no kind that is known here."""
    held = [name for name in system.places.discriminators if found.get(name) is not None]
    if not held:
        return read(found)
    try:
        return read(found)
    except UnsafeCheckpoint:
        raise
    except CheckpointError as error:
        strange = any(_is_strange(system, found[name]) for name in held)
        if not strange and not isinstance(error, UnsupportedCheckpoint):
            raise
        refused = error
    try:
        networks, metadata = read({k: v for k, v in found.items() if k not in held})
    except CheckpointError:  # it is the generator that does not fit
        raise refused from None
    why = str(refused).removeprefix(f"{where}: ")
    note = f"The discriminator is left aside, for it is of no kind that is known here: {why}"
    ignored = [*metadata.get("ignored", ()), *held]
    return networks, {**metadata, "notes": [*metadata.get("notes", ()), note], "ignored": ignored}


def _is_strange(system: _System, part: object) -> bool:
    mark = system.discriminator_mark
    return mark is not None and type(part) is dict and len(part) > 0 and mark not in part


def _checkpoint(
    path: Path, kind: str, networks: Mapping[str, nn.Module], metadata: Mapping[str, Any]
) -> Checkpoint:
    known = {key: value for key, value in metadata.items() if value}
    return Checkpoint.of_file(path, kind, networks, known)


def outline(found: Any) -> str:
    """Describe any object in a few words, without looking into it far."""
    if type(found) is not dict:
        size = f" of {len(found)}" if type(found) in (list, tuple, set) else ""
        return f"an object of type {ascii(class_of(found))[1:-1][:60]}{size}"
    keys = [ascii(key)[:40] for key in list(found)[:_SHOWN]]
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return f"keys {', '.join(keys) or '(none)'}{more}"
