"""What there is to doubt about several models, in few sentences: each kind once, the gravest first.

Sentences of one kind are alike but for their numbers, the space, and the measure that they name.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from enum import IntEnum
from typing import NamedTuple

from cli.text import listed

_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_PLURAL = re.compile(r"(# \w+?)s\b")
_SPACE = re.compile(r"\bin [ZW]\b")
_IN_BRACKETS = re.compile(r"(\([^()]*\))")  # such as names of attributes, which may be numbers
_MEASURED = re.compile(rf"({_NUMBER.pattern})(-\w+)?")  # such as 72-fold
_CORE = re.compile(r"(\W*)(.*?)(\W*)", re.DOTALL)
_MEASURE = "\0"  # stands for the measure in a sentence that names it
_OF_SPACE, _IN = re.compile(r"(.*) in ([ZW])"), " in {}"
_OF_PROTOCOL, _BY = re.compile(r"(.*) \((\w+)\)"), " ({})"


class Weight(IntEnum):
    """How much a doubt takes away; the gravest is the least."""

    VOID = 0  # there is no number
    NOT_RANKED = 1  # models must not be ranked by it
    MODELS = 2  # what sets models apart besides their numbers
    NUMBER = 3
    ASIDE = 4  # of a number that decides nothing


class Doubt(NamedTuple):
    """A sentence about a number of some models.

    Attributes:
        text: The sentence.
        measure: What the number is called; "" where it is of no number.
        models: Whose it is.
        weight: How much it takes away.
        alike: Whether it may be joined with others that differ in their numbers.
    """

    text: str
    measure: str
    models: tuple[str, ...]
    weight: Weight = Weight.NUMBER
    alike: bool = True


def in_few_sentences(
    doubts: Iterable[Doubt], everyone: Collection[str], aside: str = ""
) -> list[str]:
    """Say each kind once, after the measures and models that it is about, the gravest first.

    Args:
        doubts: What there is to say.
        everyone: The names of all models, which are not named where all are meant.
        aside: What is said of the numbers that decide nothing, whose doubts are joined in one.
    """
    texts: dict[str, list[Doubt]] = {}
    for doubt in doubts:
        texts.setdefault(doubt.text, []).append(doubt)
    kinds: dict[str, list[list[Doubt]]] = {}
    for same in texts.values():
        kinds.setdefault(_kind(same), []).append(same)
    said: dict[tuple[Weight, str], list[str]] = {}
    for alike in kinds.values():
        every = [doubt for same in alike for doubt in same]
        weight = min(doubt.weight for doubt in every)
        said.setdefault((weight, _head(every, everyone)), []).append(_joined(alike))
    lines: dict[Weight, list[str]] = {}
    for (weight, head), sentences in said.items():
        what = f"{head}, {aside}" if aside and weight == Weight.ASIDE else head
        lines.setdefault(weight, []).append(_line(what, " ".join(sentences)))
    if aside and Weight.ASIDE in lines:
        lines[Weight.ASIDE] = [" ".join(lines[Weight.ASIDE])]
    return [line for weight in sorted(lines) for line in lines[weight]]


def _line(head: str, text: str) -> str:
    """Put a sentence after what it is about, unless it begins with that."""
    if not head or text.lower().startswith(f"{head} ".lower()):
        return text
    return f"{head}: {text}"


def _kind(same: Sequence[Doubt]) -> str:
    """Return a sentence without what differs among those of one kind."""
    if not same[0].alike:
        return same[0].text
    parts = _IN_BRACKETS.split(_unnamed(same))
    bare = [part if i % 2 else _NUMBER.sub("#", part) for i, part in enumerate(parts)]
    return _SPACE.sub("in #", _PLURAL.sub(r"\1", "".join(bare)))


def _unnamed(same: Sequence[Doubt]) -> str:
    """Return a sentence with a sign in the place of its measure, if it is about one alone."""
    measures = {doubt.measure for doubt in same}
    (measure,) = measures if len(measures) == 1 else ("",)
    return same[0].text.replace(measure, _MEASURE) if measure else same[0].text


def _head(alike: Sequence[Doubt], everyone: Collection[str]) -> str:
    """Say what sentences are about: "separability in Z and W of a"."""
    models: dict[str, dict[str, None]] = {}
    for doubt in alike:
        models.setdefault(doubt.measure, {}).update(dict.fromkeys(doubt.models))
    measures: dict[tuple[str, ...], list[str]] = {}
    for measure, whose in models.items():
        names = tuple(name for name in everyone if name in whose)
        measures.setdefault(names, []).append(measure)
    parts = []
    for names, mine in measures.items():
        of = "" if len(names) == len(everyone) else f" of {', '.join(names)}"
        parts.append(f"{in_short(mine)}{of}" if any(mine) else ", ".join(names) if of else "")
    head = "; ".join(filter(None, parts))
    return f"{head[:1].upper()}{head[1:]}" if alike[0].measure else head


def in_short(measures: Sequence[str]) -> str:
    """List measures; what several have in common once.

    "separability in Z and W", "path length (ppl_zfull, ppl_zend)".
    """
    parts: dict[tuple[str, str], dict[str, None]] = {}
    for measure in measures:
        of_space, of_protocol = _OF_SPACE.fullmatch(measure), _OF_PROTOCOL.fullmatch(measure)
        found = of_space or of_protocol
        form = _IN if of_space else _BY if of_protocol else ""
        key = (found[1] if found else measure, form)
        parts.setdefault(key, {})[found[2] if found else ""] = None
    return ", ".join(
        name + form.format(listed([*which]) if form == _IN else ", ".join(which))
        for (name, form), which in parts.items()
    )


def _joined(alike: Sequence[Sequence[Doubt]]) -> str:
    """Return the sentence that says what those of one kind say."""
    if len(alike) == 1:
        return alike[0][0].text
    named = in_short([doubt.measure for same in alike for doubt in same])
    words = zip(*(_unnamed(same).split() for same in alike), strict=True)
    return " ".join(map(_word, words)).replace(_MEASURE, named)


def _word(words: Sequence[str]) -> str:
    """Return a word that stands for several: "7.5 to 12", "72 to 100-fold", "Z and W"."""
    before, _, after = _parts(words[0])
    cores = list(dict.fromkeys(_parts(word)[1] for word in words))
    if len(cores) == 1:
        return words[0]
    found = [_MEASURED.fullmatch(core) for core in cores]
    numbers = [(float(each[1].replace(",", "")), each[1], each[2] or "") for each in found if each]
    if len(numbers) == len(cores) and len({unit for _, _, unit in numbers}) == 1:
        (_, least, unit), (_, most, _) = min(numbers), max(numbers)
        return f"{before}{least} to {most}{unit}{after}"
    longest = max(cores, key=len)
    if all(core in (longest, longest.removesuffix("s")) for core in cores):
        return f"{before}{longest}{after}"
    return f"{before}{listed(sorted(cores, key=_first_z))}{after}"


def _parts(word: str) -> tuple[str, str, str]:
    """Split a word from the signs around it."""
    found = _CORE.fullmatch(word)
    return (found[1], found[2], found[3]) if found else ("", word, "")


def _first_z(name: str) -> bool:
    return name != "Z"
