"""How close ways to project come, and when: distances against CPU seconds, picture by picture.

Beside the published schedule and what ``--algorithm l-bfgs`` does, ways that were tried and are not
offered: see ``WAYS``. All but the first start where that algorithm does, unless they say otherwise.
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
from latentlab.projection.limited_memory import LimitedMemory
from latentlab.projection.noise import SeededDraws
from latentlab.projection.search import Setup
from latentlab.projection.settings import LIMITED_MEMORY, PUBLISHED
from latentlab.projection.start import StartSearch
from latentlab.projection.targets import TargetFeatures

SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1)  # of the published schedule's time
TIMED = 30  # published steps, which say what a thousand take
_MOST = 10_000  # steps; time ends a run before
_COARSE = 4, 2  # pixels that are averaged, at first
_COARSE_STEPS = 20  # with each
_TURN = 10  # steps
Row = dict[str, Any]


class InTurn(LimitedMemory):
    """Latents and noise maps move by turns."""

    def run_step(self, step: int) -> Tensor:
        """Change what moves, where it is time to."""
        if step % _TURN == 0 and self._moving:
            self._of_latents = step % (2 * _TURN) == 0
            self._taught.forget()
        return super().run_step(step)

    def _flat(self, gradients: Sequence[Tensor]) -> Tensor:
        """Return the gradient of what has its turn."""
        x, *noise = gradients
        if self._of_latents:
            return super()._flat([x, *(0 * level for level in noise)])
        return super()._flat([0 * x, *noise])


class Blurred(TargetFeatures):
    """Targets and images whose pixels are averaged in squares, and enlarged again."""

    def __init__(self, fine: TargetFeatures, distance: Any, size: int) -> None:
        self._size = size
        super().__init__(distance, self.seen(fine.targets))

    def seen(self, images: Tensor) -> Tensor:
        """Return blurred images."""
        small = F.avg_pool2d(images, self._size)
        return F.interpolate(small, scale_factor=self._size, mode="bilinear")


class CoarseToFine(LimitedMemory):
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
            self._taught.forget()
        return super().run_step(step)


WAYS: dict[str, tuple[type[LimitedMemory], int]] = {  # and random pictures to start from
    LIMITED_MEMORY: (LimitedMemory, 100),
    "from the mean": (LimitedMemory, 0),
    "by turns": (InTurn, 100),
    "coarse to fine": (CoarseToFine, 100),
}


def published_seconds(g: Generator, target: Tensor, distance: Any, space: str, steps: int) -> float:
    """Return the CPU seconds of a published projection of one picture, from a few steps."""
    spent = []
    for few in (1, 1, 1 + TIMED):  # the first is slower
        first = time.process_time()
        project(g, target, distance, settings=ProjectorSettings(space, few))
        spent.append(time.process_time() - first)
    return spent[1] + (spent[2] - spent[1]) / TIMED * (steps - 1)


def curve(
    g: Generator, target: Tensor, distance: Any, space: str, way: str, seconds: float
) -> list[tuple[float, float]]:
    """Project one picture for a while; CPU seconds, with those of the start, and distances."""
    kind, starts = WAYS[way]
    settings = ProjectorSettings(space, _MOST, algorithm=LIMITED_MEMORY, start_samples=starts)
    found, first, spent = list[tuple[float, float]](), time.process_time(), 0.0

    def seen(step: int, images: Tensor) -> None:
        nonlocal spent
        spent = time.process_time() - first

    draws = SeededDraws(settings.seed)
    search = StartSearch(g, distance, settings, None, draws)
    setup = Setup(g, settings, search, draws, "raise", seen)
    with full_precision(), torch.enable_grad():
        fine = TargetFeatures(distance, target)
        work = kind(setup, fine)
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
    """Yield a line for each way: pictures, the ratios' median and worst after each share of time.

    In brackets: of how many pictures, where they are fewer.
    """
    known = list(ratios(rows))
    for method in dict.fromkeys(row["method"] for row in known):
        mine = [[r["ratio"] for r in known if (r["method"], r["share"]) == (method, share)]
                for share in SHARES]  # fmt: skip
        most = max(map(len, mine))
        cells = [
            f"{np.median(found):.2f}, {max(found):.2f}"
            + (f" [{len(found)}]" if len(found) < most else "")
            if found
            else ""
            for found in mine
        ]
        close = sum(ratio <= 1 for ratio in mine[SHARES.index(1 / 4)])
        yield [method, str(most), *cells, f"{close} of {len(mine[SHARES.index(1 / 4)])}"]
