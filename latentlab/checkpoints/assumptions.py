"""What a file does not say, and its user may: settings of a network that no shape shows."""

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from latentlab.checks import check
from latentlab.errors import SettingsError, UnsupportedCheckpoint, quoted, shown

Answer = bool | int | float | str | None
Given = Mapping[str, object]


@dataclass(frozen=True)
class Question:
    """A setting that a system's files do not hold.

    Attributes:
        name: What it is called.
        usual: Its value in most files. The type of an answer is that of this.
        about: What it is, for a person.
        needed: Whether a file is refused without an answer; else the usual value is taken.
        optional: Whether None is an answer.
        choices: The answers that there are, of any types; empty if all of the type will do.
        only_of: Our name of the network that has the setting ("D"); "" for any.
    """

    name: str
    usual: Answer
    about: str
    needed: bool = True
    optional: bool = False
    choices: tuple[Answer, ...] = ()
    only_of: str = ""


def answered(
    questions: Sequence[Question], given: Given, where: str, system: str
) -> dict[str, Answer]:
    """Return an answer to each question: that given, or the usual one where it is not needed.

    Raises:
        SettingsError: If an answer is to no question, or is of another type, or the answers are
            not in a dict.
        UnsupportedCheckpoint: If a needed one is missing, naming each, and how to give it.
    """
    check(isinstance(given, Mapping), "assume", "settings by their names", given)
    known = [question.name for question in questions]
    if unknown := sorted(str(name) for name in given if name not in known):
        if not known:
            raise SettingsError(f"`assume` must be left out: {where} is {system}, and asks nothing")
        raise SettingsError(
            f"`assume` must be one of {', '.join(known)}; {where} is {system}, and does not ask "
            f"for {shown(unknown)}"
        )
    missing = [q for q in questions if q.needed and q.name not in given]
    if missing:
        raise UnsupportedCheckpoint(_refusal(questions, missing, where, system))
    return {q.name: _checked(q, given[q.name]) if q.name in given else q.usual for q in questions}


def _refusal(
    questions: Sequence[Question], missing: Sequence[Question], where: str, system: str
) -> str:
    asked = "; ".join(f"{q.name} ({q.about}; usually {written(q.usual)})" for q in missing)
    others = [f"{q.name}={written(q.usual)}" for q in questions if not q.needed]
    rest = f"; taken as usual unless given: {', '.join(others)}" if others else ""
    file, assumed = shlex.quote(where), ",".join(f"{q.name}={written(q.usual)}" for q in missing)
    return (
        f"{where}: {system}, which does not say {asked}{rest}. To write a file that says "
        f"everything: `latentlab convert {file} OUT.safetensors --assume {assumed}`"
    )


def written(value: Answer) -> str:
    """Write an answer as an option takes it."""
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def _checked(question: Question, value: object) -> Answer:
    """Return a value of the question's type; text is read as a command line has it."""
    if question.choices:
        return _chosen(question, value)
    found: Any = _from_text(value, question) if isinstance(value, str) else value
    if found is None and question.optional:
        return None
    kind = type(question.usual)
    if kind is float and type(found) is int:
        found = float(found)
    fits = type(found) is kind
    if kind is float:
        fits = fits and math.isfinite(found) and found > 0
    elif kind is int:
        fits = fits and found >= 0
    if not fits:
        rule = f"{_KINDS.get(kind, 'text')}{' or none' if question.optional else ''}"
        raise SettingsError(f"`assume`: {question.name} must be {rule}, but got {quoted(value)}")
    answer: Answer = found
    return answer


def _chosen(question: Question, value: object) -> Answer:
    """Return the one of the choices that a value is, or that a text says."""
    said = value.lower() if isinstance(value, str) else None
    for choice in question.choices:
        if said == written(choice).lower() or (type(value) is type(choice) and value == choice):
            return choice
    known = ", ".join(written(choice) for choice in question.choices)
    raise SettingsError(
        f"`assume`: {question.name} must be one of {known}, but got {quoted(value)}"
    )


_KINDS = {bool: "true or false", int: "a whole number from 0", float: "a number above 0"}
_WORDS = {"true": True, "false": False, "none": None}


def _from_text(text: str, question: Question) -> Any:
    if isinstance(question.usual, str):
        return text
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
