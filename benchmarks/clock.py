"""Time on a machine that others use as well: seconds beside CPU seconds, and how busy it was."""

import json
import os
import platform
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import click
import torch

from cli.threads import usable_cpus

Work = Callable[[], object]


@dataclass(frozen=True)
class Reading:
    """Seconds, and CPU seconds of all threads of this process."""

    wall: float
    cpu: float

    def __sub__(self, other: "Reading") -> "Reading":
        return Reading(self.wall - other.wall, self.cpu - other.cpu)


@dataclass
class Stopwatch:
    """What parts of one run took, by name; parts that take turns are slowed alike."""

    times: dict[str, list[Reading]] = field(default_factory=dict)

    def note(self, name: str, took: Reading) -> None:
        """Keep what a part took."""
        self.times.setdefault(name, []).append(took)

    def run(self, name: str, work: Work) -> None:
        """Do a part, and keep what it took."""
        started = now()
        work()
        self.note(name, now() - started)

    def least(self, name: str) -> Reading:
        """Return the least of both kinds of seconds, without the first, which warms up."""
        found = self.times[name][1:] or self.times[name]
        return Reading(min(each.wall for each in found), min(each.cpu for each in found))


def now() -> Reading:
    """Return the time."""
    return Reading(time.perf_counter(), time.process_time())


def in_turn(works: Mapping[str, Work], repeats: int) -> Stopwatch:
    """Do all of ``works`` in turn, once more than ``repeats``."""
    watch = Stopwatch()
    for _ in range(repeats + 1):
        for name, work in works.items():
            watch.run(name, work)
    return watch


def tell(work: str, watch: Stopwatch, count: int = 1, **facts: Any) -> None:
    """Print a figure as a line of JSON: for each picture, step or path, and by its limit.

    Args:
        work: What was done; the stopwatch calls it "work".
        watch: Its times, and those of its "limit".
        count: How many pictures, steps or paths it did at once.
        facts: What else to say, such as ``batch``.
    """
    took = watch.least("work")
    line = {"work": work, **facts, "threads": torch.get_num_threads(),
            "cpu_seconds": took.cpu / count, "seconds": took.wall / count}  # fmt: skip
    if "limit" in watch.times:
        limit = watch.least("limit")
        line |= {
            "limit_cpu_seconds": limit.cpu / count, "times_limit": took.cpu / limit.cpu,
            "times_limit_in_seconds": took.wall / limit.wall,
        }  # fmt: skip
    say(line)


def say(facts: Mapping[str, Any]) -> None:
    """Print facts as a line of JSON, numbers to four digits."""
    rounded = {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in facts.items()}
    click.echo(json.dumps(rounded))


def machine() -> dict[str, Any]:
    """Return what this machine is, and how many processes want its processors."""
    load = {}
    with suppress(OSError, AttributeError):  # Windows has none
        load = {"load": os.getloadavg()[0]}
    return {"machine": platform.machine(), "cpus": usable_cpus(), "torch": torch.__version__,
            "cpu": torch.backends.cpu.get_cpu_capability(), **load}  # fmt: skip
