"""What an output folder holds of the measurement that is asked for, and what is left to do."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.measuring.saved import NAME, PAGE, SavedMeasurement, read_saved
from cli.reports.tables import MANIFEST, refuse_existing
from cli.text import setting_in_words
from latentlab import DataError, OutputError
from latentlab.errors import quoted, reason, shown
from latentlab.files import sha256_of
from latentlab.foreign_files.opening import read_regular

_REMEDY = "use --overwrite to measure again, or another --output"
_LARGEST = 2**26  # bytes of a manifest
_NOT_GIVEN: tuple[Any, ...] = (None, {}, [])  # of settings that no metric needed


@dataclass(frozen=True)
class Standing:
    """What a folder holds.

    Attributes:
        saved: All that was asked for, measured by an earlier run; None where some is missing.
        intact: Names of the files that the earlier run made from it, and that nobody has changed.
        files: Tables of the numbers and pages of an earlier run, which are written again.
        finished: Whether nothing is left to do.
        afresh: Whether nothing of an earlier run is used.
        told: What there is to say of it.
    """

    saved: SavedMeasurement | None = None
    intact: frozenset[str] = frozenset()
    files: tuple[str, ...] = ()
    finished: bool = False
    afresh: bool = True
    told: str = ""


def standing(
    folder: Path, asked: SavedMeasurement, report: str, html: bool, planned: Sequence[str]
) -> Standing:
    """Find out what a folder holds of a measurement.

    Args:
        folder: The output folder.
        asked: What is asked for: of the models, only their facts.
        report: Name of the table.
        html: Whether a page is asked for.
        planned: Names of all other results.

    Raises:
        OutputError: If it holds another measurement, a longer one, or files of someone else.
    """
    try:
        saved = read_saved(folder)
    except DataError as error:
        raise OutputError(f"{error}; {_REMEDY}") from error
    names = [report, *([PAGE] if html else [])]
    if saved is None:
        refuse_existing([folder / name for name in (*names, *planned, MANIFEST)], False)
        return Standing()
    _refuse_another(folder, saved, asked)
    listed = _listed(folder)
    whole = listed.get(NAME) == saved.sha256  # else a run was ended while it wrote its files
    there = {name for name in listed if (folder / name).exists()}
    intact = {name for name in there if _digest(folder / name) == listed[name]} if whole else set()
    if whole:
        _refuse_changed(folder, there - intact)
    refuse_existing([folder / name for name in names if name not in saved.files], False)
    files = tuple(name for name in saved.files if name not in planned)
    if saved.extent != asked.extent:
        told = (
            f"{folder} holds a part of this measurement ({_amounts(saved.extent)}): the rest is "
            f"measured ({_amounts(asked.extent)}), and its files are replaced."
        )
        return Standing(None, frozenset(), files, afresh=False, told=told)
    alike = saved.shown == asked.shown
    if whole and alike and intact.issuperset([*listed, *names]):
        shown_first = PAGE if html or PAGE in saved.files else report
        told = f"{folder} is finished; see {folder / shown_first}"
        return Standing(saved, frozenset(intact), files, True, False, told)
    told = f"{folder} is measured already: its files are written from what is saved."
    return Standing(saved, frozenset(intact if alike else ()), files, False, False, told)


def differences(here: Mapping[str, Any], there: Mapping[str, Any]) -> list[str]:
    """Say in what settings differ: "seed 3 (not 0)", what is ``there`` first."""
    names = dict.fromkeys([*there, *here])
    return [
        f"{name.replace('_', ' ')} {_short(there.get(name))} (not {_short(here.get(name))})"
        for name in names
        if there.get(name) != here.get(name)
    ]


def _refuse_another(folder: Path, saved: SavedMeasurement, asked: SavedMeasurement) -> None:
    fewer = [name for name in saved.extent if name not in asked.extent]
    # What only the metrics that are not asked for need is not given either.
    needed = {name: saved.identity.get(name) if fewer and not value else value
              for name, value in asked.identity.items()}  # fmt: skip
    known = saved.identity
    if any(name not in saved.extent for name in asked.extent):  # nor is what only new ones need
        given = {name: value for name, value in known.items() if value not in _NOT_GIVEN}
        known = {**needed, **given}
    differs = differences(needed, known)
    models = [[str(model.facts["sha256"]) for model in one.models] for one in (asked, saved)]
    grown = "snapshots" in asked.extent and {*models[1]} < {*models[0]}  # the run went on
    if models[0] != models[1] and not grown:
        called = [[Path(m.facts["checkpoint"]).name for m in one.models] for one in (asked, saved)]
        if called[0] == called[1]:
            called = [[sha256[:12] for sha256 in one] for one in models]
        differs.insert(0, f"model {shown(called[1])} (not {shown(called[0])})")
    if differs:
        raise OutputError(f"{folder} holds another measurement: {shown(differs)}; {_REMEDY}")
    if not _holds(asked.extent, saved.extent):
        more = f"{_amounts(saved.extent)} (not {_amounts(asked.extent)})"
        keep = "ask for all of it to have it drawn, " if fewer else ""
        raise OutputError(f"{folder} holds more than is asked for: {more}; {keep}{_REMEDY}")
    if saved.extent != asked.extent and (by := differences(asked.made_by, saved.made_by)):
        raise OutputError(
            f"{folder} cannot be extended here, as it was measured by {shown(by)}; {_REMEDY}"
        )


def _holds(large: Mapping[str, Any], small: Mapping[str, Any]) -> bool:
    """Whether an extent holds another: as many samples of everything, or more."""
    return all(name in large and _amount(name, large) >= _amount(name, small) for name in small)


def _amount(name: str, extent: Mapping[str, Any]) -> float:
    """Return a number that is larger where more is measured; a width of None stops nowhere."""
    value = extent[name]
    if name == "relative_width":
        return 0.0 if value is None else -float(value)
    return float(value)


def _amounts(extent: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name.replace('_', ' ')} {value:,}" for name, value in extent.items() if value is not None
    )


def _refuse_changed(folder: Path, names: set[str]) -> None:
    if names:
        raise OutputError(
            f"{folder / min(names)} was changed after it was measured, and would be replaced; "
            f"{_REMEDY}"
        )


def _listed(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file by its name, as the manifest says; none where there is none.

    Names that lead out of the folder are left out.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return {}
    try:
        files = json.loads(read_regular(path, _LARGEST))["files"]
        return {name: str(digest) for name, digest in files.items()
                if name == NAME or (Path(name).name == name and name.isprintable())}  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise OutputError(f"{path}: is damaged ({reason(error)}); {_REMEDY}") from error


def _digest(path: Path) -> str:
    return sha256_of(path) if path.is_file() else ""


def _short(value: Any) -> str:
    if value is None or value == {}:
        return "none"
    if isinstance(value, Mapping):  # files by their names, with their SHA-256
        return shown([f"{name} {str(each)[:12]}" for name, each in value.items()])
    if isinstance(value, list | tuple):
        return setting_in_words(value)
    return value[:80] if isinstance(value, str) and value.isprintable() else quoted(value)
