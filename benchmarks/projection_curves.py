"""How close ways to project come, and when: distances against CPU seconds, picture by picture.

Beside the published schedule and what ``--algorithm levenberg-marquardt`` does, ways that were
tried and are not offered: see ``WAYS``. All but the first start where that algorithm does.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from latentlab import Generator, ProjectorSettings, project
from latentlab.numerics import full_precision
from latentlab.projection.least_squares import LeastSquares
from latentlab.projection.noise import SeededDraws
from latentlab.projection.search import Setup
from latentlab.projection.settings import LEAST_SQUARES, PUBLISHED
from latentlab.projection.start import StartSearch
from latentlab.projection.targets import TargetFeatures

SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1)  # of the published schedule's time
TIMED = 30  # published steps, which say what a thousand take
_MOST = 10_000  # steps; time ends a run before
_COARSE = 4, 2  # pixels that are averaged, at first
_COARSE_STEPS = 4  # with each
Row = dict[str, Any]


class LongSteps(LeastSquares):
    """Levenberg-Marquardt to the end."""

    long_steps = _MOST


class ShortSteps(LeastSquares):
    """The method of BFGS from the start."""

    long_steps = 0


class Blurred(TargetFeatures):
    """Targets and images whose pixels are averaged in squares, and enlarged again."""

    def __init__(self, fine: TargetFeatures, distance: Any, size: int) -> None:
        self._size = size
        super().__init__(distance, self.seen(fine.targets))

    def seen(self, images: Tensor) -> Tensor:
        """Return blurred images."""
        small = F.avg_pool2d(images, self._size)
        return F.interpolate(small, scale_factor=self._size, mode="bilinear")


class CoarseToFine(LeastSquares):
    """The algorithm, whose first steps compare blurred pictures."""

    def run_step(self, step: int) -> Tensor:
        """Change how pictures are compared, where it is time to."""
        if step % _COARSE_STEPS == 0 and step <= len(_COARSE) * _COARSE_STEPS:
            if step == 0:
                self._fine = self._compare
            place = step // _COARSE_STEPS
            distance = self._fine._distance
            sizes = _COARSE[place : place + 1]
            self._compare = Blurred(self._fine, distance, *sizes) if sizes else self._fine
            self._place = self._at(self._place.x, self._place.noise)
        return super().run_step(step)


WAYS: dict[str, type[LeastSquares]] = {
    LEAST_SQUARES: LeastSquares,
    "Levenberg-Marquardt alone": LongSteps,
    "BFGS alone": ShortSteps,
    "coarse to fine": CoarseToFine,
}


def published_seconds(g: Generator, target: Tensor, distance: Any, space: str, steps: int) -> float:
    """Return the CPU seconds of a published projection of one picture, from a few steps."""
    spent = []
    for few in (1, 1 + TIMED):
        first = time.process_time()
        project(g, target, distance, settings=ProjectorSettings(space, few))
        spent.append(time.process_time() - first)
    return spent[0] + (spent[1] - spent[0]) / TIMED * (steps - 1)


def curve(
    g: Generator, target: Tensor, distance: Any, space: str, way: str, seconds: float
) -> list[tuple[float, float]]:
    """Project one picture for a while; CPU seconds, with those of the start, and distances."""
    settings = ProjectorSettings(space, _MOST, algorithm=LEAST_SQUARES)
    found, first, spent = list[tuple[float, float]](), time.process_time(), 0.0

    def seen(step: int, images: Tensor) -> None:
        nonlocal spent
        spent = time.process_time() - first

    draws = SeededDraws(settings.seed)
    search = StartSearch(g, distance, settings, None, draws)
    setup = Setup(g, settings, search, draws, "raise", seen)
    with full_precision(), torch.enable_grad():
        fine = TargetFeatures(distance, target)
        work = WAYS[way](setup, fine)
        for step in range(_MOST):
            near = float(work.run_step(step))
            if work._compare is fine:
                found.append((spent, near))
            if spent > seconds or work.finished:
                break
    return found


def rows_of(
    about: Row, found: Sequence[tuple[float, float]], whole: float, shares: Sequence[float]
) -> Iterator[Row]:
    """Yield the last distance that is there after each share of the published time."""
    for share in shares:
        distances = [distance for spent, distance in found if spent <= share * whole]
        if distances:
            yield about | {"share": share, "distance": distances[-1], "published_seconds": whole}


def ratios(rows: Sequence[Row]) -> Iterator[Row]:
    """Yield rows with their ratios to the published schedule's final distances."""
    final = {
        (row["network"], row["space"], row["picture"]): row["distance"]
        for row in rows
        if row["method"] == PUBLISHED and row["share"] == 1
    }
    for row in rows:
        last = final.get((row["network"], row["space"], row["picture"]))
        if last is not None:
            yield row | {"ratio": row["distance"] / last}


def summary(rows: Sequence[Row]) -> Iterator[list[str]]:
    """Yield a line for each way and share: pictures, and the ratios' median, 90 %, and worst."""
    known = list(ratios(rows))
    for method in (PUBLISHED, *WAYS):
        for share in SHARES:
            mine = [r["ratio"] for r in known if (r["method"], r["share"]) == (method, share)]
            if mine:
                yield [
                    method, f"{share:g}", str(len(mine)), f"{np.median(mine):.2f}",
                    f"{np.quantile(mine, 0.9):.2f}", f"{max(mine):.2f}",
                    f"{np.mean(np.array(mine) <= 1):.0%}",
                ]  # fmt: skip
