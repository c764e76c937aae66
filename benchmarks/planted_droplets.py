"""Spots planted into the weights of generators: how many are found, and what else is.

See tests/support/planted/. What was planted is drawn from the resolution and the number of the line
of the grid, so that one resolution alone gives the same as all of them.
"""

import itertools
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

import latentlab
from benchmarks import markdown
from latentlab import Generator
from tests.conftest import make_generator, make_stylegan1
from tests.support.planted.droplets import CONTEXTS, NoRoomError, Plant, Score, plant, score

SYSTEMS = {"StyleGAN1": "builtin:digits-stylegan1", "StyleGAN2": "builtin:digits-stylegan2"}
BUNDLED = "digits"

_BINS = (8, 10, 20, 40)  # standard deviations that all chosen channels reach, from each on
_TARGETS = (9, 13, 25, 45, 60)
_SHARES = (0.5, 1.0, 0.3)
_COUNTS = (1, 5, 20)
_CHANNELS = 16
_SIGMAS = (0.0, 0.7, 1.2)  # pixels; 0 is a single one
_PICTURES = 8  # of a generator
_LINES = 120  # of the grid for each share of the channels, all of them; the rest are drawn
_LINES_AT = {32: 40, 64: 24, 128: 30, 256: 6}
_TOO_FEW = 10  # times fewer where a share of 30 % is below what the rule asks for
_QUICK = 10  # times fewer


class Line(NamedTuple):
    """A generator and what is planted into it: a line of the grid."""

    made_by: str  # resolution, or BUNDLED
    resolution: int
    share: float
    context: str
    count: int
    target: int
    system: str
    seed: int


Scores = list[tuple[Line, Score]]


def random_generator(system: str, seed: int, resolution: int, channels: int) -> Generator:
    """A generator of random weights with so many channels in every layer."""
    make = {"StyleGAN1": make_stylegan1, "StyleGAN2": make_generator}[system]
    return make(seed, resolution=resolution, channel_base=channels * resolution,
                channel_max=channels)  # fmt: skip


def lines(resolutions: Sequence[int], quick: bool) -> Iterator[Line]:
    """Yield the lines of the grid, of each resolution and share as many as can be afforded."""
    for size, share in itertools.product(resolutions, _SHARES):
        grid = list(itertools.product(CONTEXTS, _COUNTS, _TARGETS, SYSTEMS))
        most = _LINES_AT.get(size, _LINES) // (1 if share >= 0.5 else _TOO_FEW)
        order = np.random.default_rng([size, int(100 * share)]).permutation(len(grid))
        for i in order[: most // _QUICK if quick else most]:
            yield Line(str(size), size, share, *grid[i], int(i) + int(1000 * share))
    bundled = itertools.product((16, 32), CONTEXTS, (1, 5), _TARGETS, SYSTEMS)
    for i, (size, *rest) in enumerate(bundled):
        if size in resolutions and not (quick and i % _QUICK):
            yield Line(BUNDLED, size, 0.5, *rest, i)


def planted(line: Line) -> tuple[Generator, Plant]:
    """Plant what a line says.

    Raises:
        NoRoomError: If it does not fit, as twenty beside a line at 16x16.
    """
    rng = np.random.default_rng([line.resolution, line.seed])
    if line.made_by == BUNDLED:
        g, sigma = latentlab.load(SYSTEMS[line.system]).generator, 0.0
    else:
        seed = 10_000 * line.resolution + line.seed
        g = random_generator(line.system, seed, line.resolution, _CHANNELS)
        sigma = float(rng.choice(_SIGMAS[: line.resolution // 12]))
    crowded = max(3.0, 4 * sigma) if line.count > 5 else None
    apart = 2.0 if line.resolution == 16 or line.made_by == BUNDLED else crowded
    return g, plant(g, line.resolution, line.count, line.target, line.share, rng, sigma=sigma,
                    context=line.context, apart=apart)  # fmt: skip


def measured(chosen: Iterable[Line], kept: Path | None) -> Scores:
    """Plant and look, and keep what is found in a file of JSON lines; those there are not redone.

    Several runs may write such a file for a part of the grid each, and another print them all.
    """
    before, found = _read(kept), Scores()
    for line in chosen:
        if line not in before:
            with suppress(NoRoomError):
                before[line] = score(*planted(line), _PICTURES)
                _append(kept, line, before[line])
        if line in before:
            found.append((line, before[line]))
    return found


def _append(kept: Path | None, line: Line, found: Score) -> None:
    if kept is not None:
        spots = np.round(found.strengths, 3).tolist(), found.found.tolist()
        with kept.open("a") as file:
            file.write(json.dumps([[*line], *spots, found.detections, found.wrong]) + "\n")


def _read(kept: Path | None) -> dict[Line, Score]:
    if kept is None or not kept.exists():
        return {}
    rows = [json.loads(text) for text in kept.read_text().splitlines()]
    return {
        Line(*line): Score(np.array(strengths), np.array(found), *counts)
        for line, strengths, found, *counts in rows
    }


def recall(scores: Iterable[Score], low: float, high: float) -> str:
    """The share of spots of some strength that were found, with their number."""
    chosen = [(s.strengths >= low) & (s.strengths < high) for s in scores]
    total = sum(int(each.sum()) for each in chosen)
    hits = sum(int((s.found & each).sum()) for s, each in zip(scores, chosen, strict=True))
    return f"{hits / total:.3f} ({total:,})" if total else ""


def precision(scores: Iterable[Score]) -> str:
    """The share of detections that are right, with their number."""
    total, wrong = sum(s.detections for s in scores), sum(s.wrong for s in scores)
    return f"{1 - wrong / total:.4f} ({total:,})" if total else ""


def print_tables(found: Scores) -> None:
    """Print recall by strength, and precision, by what may matter."""
    _print(found, ("resolution", "channels with it"), lambda x: (x.made_by, f"{x.share:.0%}"))
    half = [(line, each) for line, each in found if line.share >= 0.5]
    _print(half, ("context", "spots at once"), lambda x: (x.context, x.count))
    _print(half, ("system", "channels with it"), lambda x: (x.system, f"{x.share:.0%}"))


def _print(
    found: Scores, names: tuple[str, ...], chosen: Callable[[Line], tuple[object, ...]]
) -> None:
    rows: dict[tuple[object, ...], list[Score]] = defaultdict(list)
    for line, each in sorted(found, key=lambda pair: _in_order(pair[0])):
        rows[chosen(line)].append(each)
    ends = list(zip(_BINS, [*_BINS[1:], np.inf], strict=True))
    heads = [f"{low} to {high}" for low, high in ends[:-1]]
    markdown.table("", [*names, "generators", *heads, f"{_BINS[-1]} and more", "precision"], (
        [*line, len(scores), *(recall(scores, *each) for each in ends), precision(scores)]
        for line, scores in rows.items()
    ))  # fmt: skip


def _in_order(line: Line) -> tuple[object, ...]:
    """Random generators first, and by size; contexts as they are listed."""
    place = CONTEXTS.index(line.context)
    return line.made_by == BUNDLED, line.resolution, line.share, place, line.count
