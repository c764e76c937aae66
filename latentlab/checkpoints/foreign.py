"""Foreign files: which system made the networks in one, whatever container it is.

A file is data already when it gets here: a dict, a tuple, a record. ``_SYSTEMS`` says what tells
the generators of each system, and ``arrangement`` finds them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from latentlab.checkpoints.arrangement import Places, arranged, levels
from latentlab.checkpoints.assemble import Contents
from latentlab.checkpoints.assumptions import Given, Question, answered
from latentlab.checkpoints.checkpoint import Checkpoint, kind_in_words
from latentlab.checkpoints.pickles.records import Record, type_in_words
from latentlab.checkpoints.precision import float_types
from latentlab.checkpoints.strange_discriminators import read_tensorflow, read_with_or_without
from latentlab.checkpoints.systems import (
    fastgan,
    huangzh13,
    lucidrains,
    mmgeneration,
    nvidia_exported,
    nvidia_state,
    nvidia_torch,
    psp,
    rosinality1,
    rosinality2,
    stylegan_xl,
    yuuho,
)
from latentlab.checkpoints.systems.genforce import common as genforce
from latentlab.checkpoints.systems.genforce import pggan as genforce_pggan
from latentlab.checkpoints.systems.genforce import stylegan1 as genforce1
from latentlab.checkpoints.systems.genforce import stylegan2 as genforce2
from latentlab.checkpoints.systems.tensorflow import arrays
from latentlab.errors import UnsupportedCheckpoint

# Builds the networks of a file: the file as data, its name, whether NaN is accepted -> contents.
# Where the system has questions, the answers by name follow, in a dict.
# Raises CheckpointError if weights are missing, too many, or do not fit.
Reader = Callable[..., Contents]

_SHOWN = 5  # keys in a message
# First layers of the encoders of pSp and e4e, in a whole model or alone.
_ENCODERS = {"encoder.input_layer.0.weight", "input_layer.0.weight"}


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
        "stylegan-xl",
        Places(stylegan_xl.MARKS, stylegan_xl.ROLES, as_records=True, absent=stylegan_xl.ABSENT),
        stylegan_xl.read,
    ),
    _System(
        "fastgan-projected-gan",
        Places(fastgan.MARKS, fastgan.ROLES, as_records=True),
        fastgan.read,
    ),
    _System(
        nvidia_torch.official_kind,
        Places(nvidia_exported.MARKS),
        nvidia_exported.read,
        words="state dicts and settings for NVIDIA's PyTorch releases",
    ),
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
    _System(
        "stylegan2-lucidrains",
        Places(lucidrains.MARKS, lucidrains.ROLES, lucidrains.PREFIXES),
        lucidrains.read,
        questions=lucidrains.QUESTIONS,
    ),
    _System("stylegan1-yuuho", Places((yuuho.MARK1,)), yuuho.read),
    _System("stylegan2-yuuho", Places((yuuho.MARK2,)), yuuho.read),
    _System(arrays.kind, Places((arrays.MARK,)), arrays.read),
    _System(
        "stylegan2-genforce",
        Places((genforce2.MARK,), genforce.ROLES),
        genforce2.read,
        discriminator_mark=genforce.DISCRIMINATOR_MARK,
    ),
    _System(
        "stylegan1-genforce",
        Places((genforce1.MARK,), genforce.ROLES),
        genforce1.read,
        genforce1.QUESTIONS,
        discriminator_mark=genforce.DISCRIMINATOR_MARK,
    ),
    _System(
        "progan-genforce",
        Places(genforce_pggan.MARKS, genforce.ROLES),
        genforce_pggan.read,
        genforce_pggan.QUESTIONS,
        discriminator_mark=genforce.DISCRIMINATOR_MARK,
    ),
    _System("stylegan1-huangzh13", Places((huangzh13.MARK,)), huangzh13.read, huangzh13.QUESTIONS),
    _System(
        "stylegan1-huangzh13",
        Places((huangzh13.DISCRIMINATOR_MARK,)),
        huangzh13.read,
        huangzh13.QUESTIONS,
    ),
    _System(
        "stylegan2-mmgeneration",
        Places((mmgeneration.MARK,), mmgeneration.ROLES, mmgeneration.PREFIXES),
        mmgeneration.read,
        mmgeneration.QUESTIONS,
        discriminator_mark=mmgeneration.DISCRIMINATOR_MARK,
    ),
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
            stored_as = float_types(records)  # which reading them empties
            kind, networks, metadata = read_tensorflow(records, where, allow_nonfinite)
            answered((), assume or {}, where, kind_in_words(kind))
            return _checkpoint(path, kind, networks, metadata, stored_as)
        for anywhere, system in product((False, True), _SYSTEMS):
            layout = arranged(level, system.places, where, anywhere=anywhere)
            if layout is not None:
                return _opened(path, system, layout, allow_nonfinite, assume or {})
    named = [kind_in_words(each.kind) for each in _SYSTEMS if isinstance(each.kind, str)]
    projects = dict.fromkeys(words.partition(" of ")[2] for words in named)
    raise UnsupportedCheckpoint(
        f"{path}: not a StyleGAN checkpoint: found {container} with {outline(found)}; expected "
        f"networks of NVIDIA's releases, or weights of {', '.join(projects)}{_hint(found)}"
    )


def _hint(found: object) -> str:
    """Say where latents and encoders go, if a file may hold some."""
    if any(type(level.found) is dict and _ENCODERS & level.found.keys() for level in levels(found)):
        return "; encoders of pSp and e4e go to `latentlab project --encoder`"
    values = [found] if type(found) is Tensor else found
    parts = [*values.values()] if type(values) is dict else values
    if type(parts) is not list or not parts:
        return ""
    are_alike = all(type(part) is Tensor and part.shape == parts[0].shape for part in parts)
    if not are_alike and not all(type(part) is dict and "latent" in part for part in parts):
        return ""
    return "; latents, if it holds these, go to `latentlab generate --projected-w`"


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

    roles = {name: found[name] for name in system.places.roles if found.get(name) is not None}
    stored_as = float_types(roles or found)  # not of an optimiser's state beside the networks
    held_back = [name for name in system.places.discriminators if found.get(name) is not None]
    mark = system.discriminator_mark
    networks, metadata = read_with_or_without(found, held_back, mark, read, str(path))
    kind = system.kind if isinstance(system.kind, str) else system.kind(networks)
    return _checkpoint(path, kind, networks, metadata, stored_as)


def _checkpoint(
    path: Path,
    kind: str,
    networks: Mapping[str, nn.Module],
    metadata: Mapping[str, Any],
    stored_as: tuple[str, ...],
) -> Checkpoint:
    known = {key: value for key, value in metadata.items() if value}
    return Checkpoint.of_file(path, kind, networks, known, stored_as)


def outline(found: Any) -> str:
    """Describe any object in a few words, without looking into it far."""
    if type(found) is not dict:
        size = f" of {len(found)}" if type(found) in (list, tuple, set) else ""
        return f"an object of type {type_in_words(found)}{size}"
    keys = [ascii(key)[:40] for key in list(found)[:_SHOWN]]
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return f"keys {', '.join(keys) or '(none)'}{more}"
