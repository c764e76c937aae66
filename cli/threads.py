"""How many CPU threads a command computes with: by the size of the network and the CPUs it may use.

Threads wait for each other after every layer. Measured on two cores, one picture forwards and
backwards: with 53 million multiply-adds a second thread gains 2 %, with 400 million 35 %, with 850
million 45 %, with 3.4 billion 75 %, with 14 billion 85 %. Where another process keeps one of the
cores busy, two threads take 3 to 14 times as long as one with 53 million, and twice as long with
850 million, while one thread is as fast as ever. Below a billion a command therefore computes
with one, and its numbers do not depend on the machine's CPUs. Larger networks get all of them.
"""

import os
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.garbage import look_as_usual

if TYPE_CHECKING:
    from latentlab import Generator

VARIABLE = "OMP_NUM_THREADS"

_SMALL = 10**9  # multiply-adds of a picture
_ASKED = "cli.threads"  # in what click keeps for a command line
_WORKERS = "cli.workers"
_SETTLED = "cli.settled"
_MOST = 16  # processes where nobody says how many: each has a few hundred megabytes of its own
_QUOTA = Path("/sys/fs/cgroup")


def ask_for_threads(ctx: click.Context, _: click.Parameter, count: int | None) -> None:
    """Keep the number that the command line asks for."""
    if count is not None:
        ctx.meta[_ASKED] = count


def ask_for_workers(ctx: click.Context, _: click.Parameter, count: int | None) -> None:
    """Keep the number of processes that the command line asks for."""
    if count is not None:
        ctx.meta[_WORKERS] = max(count, 1)


def asked_in(ctx: click.Context) -> tuple[int, int]:
    """Return the processes and the threads that a command line asks for; 1 where it does not."""
    return ctx.meta.get(_WORKERS, 1), ctx.meta.get(_ASKED, 1)


def settle_threads(small: bool) -> int:
    """Have torch compute with as many threads as suit a network; returns the number.

    What ``--threads`` asks for goes first, then OMP_NUM_THREADS, which torch has read already.
    Work on a small network may be spread over processes of one thread from then on, see
    ``latentlab.workers``, and freed memory is kept for the next tensors. Whoever has called the
    command from Python finds threads and processes as they were.

    Args:
        small: Whether the network is, see ``is_small``.
    """
    import torch

    from latentlab.allocator import keep_freed_memory
    from latentlab.workers import spread_over

    look_as_usual()  # the work begins
    keep_freed_memory()
    _put_back_at_the_end(torch.get_num_threads(), spread_over(_workers(small)))
    most, asked = _most_threads(), _asked()
    if (asked_workers() or 1) > 1:
        asked = 1  # as each of them
    elif asked is None and VARIABLE not in os.environ:
        asked = 1 if small else min(most, usable_cpus())
    if asked is not None and asked != torch.get_num_threads():
        torch.set_num_threads(asked)
    return torch.get_num_threads()


def _put_back_at_the_end(threads: int, workers: int) -> None:
    import torch

    from latentlab.workers import spread_over

    ctx = click.get_current_context(silent=True)
    if ctx is None or ctx.meta.setdefault(_SETTLED, False):
        return
    ctx.meta[_SETTLED] = True
    ctx.find_root().call_on_close(lambda: spread_over(workers))
    ctx.find_root().call_on_close(lambda: torch.set_num_threads(threads))


def spare_cpus(g: "Generator") -> int:
    """Return over how many processes of one thread pictures of a generator may be spread.

    That is one where the generator is large or on another device, where the user has said how
    many threads there are to be, and where torchrun has started several processes.
    """
    return 1 if g.device.type != "cpu" else _workers(is_small(g))


def asked_workers() -> int | None:
    """Return the processes that the command line asks for; None where it does not."""
    ctx = click.get_current_context(silent=True)
    return None if ctx is None else ctx.meta.get(_WORKERS)


def _workers(small: bool) -> int:
    """Return over how many processes work on a network may be spread."""
    if (asked := asked_workers()) is not None:
        return asked
    decided = _asked() is not None or VARIABLE in os.environ or "WORLD_SIZE" in os.environ
    return 1 if decided or not small else min(usable_cpus(), _MOST)


def is_small(g: "Generator") -> bool:
    """Whether a picture of the generator is too little work for several threads."""
    return multiply_adds(g) < _SMALL


def multiply_adds(g: "Generator") -> int:
    """Return the multiply-adds of a picture's convolutions, each counted at its block's size."""
    from latentlab.networks.synthesis import Block

    return sum(
        weight.numel() * block.resolution**2
        for block in g.synthesis.modules()
        if isinstance(block, Block)
        for weight in block.parameters()
        if weight.ndim == 4
    )


def usable_cpus(process: Path = Path("/proc/self/cgroup"), quotas: Path = _QUOTA) -> int:
    """Return how many CPUs this process may use: by its affinity and the quota of its groups.

    Args:
        process: Linux's list of the groups that the process is in.
        quotas: Where their settings are.
    """
    own = getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))
    least = min([len(own(0)), *_quotas(process, quotas)])
    return max(int(least), 1)  # more would stand still at times


def _quotas(process: Path, quotas: Path) -> list[float]:
    """Return the CPUs that each of the process's control groups may use, where that is limited."""
    found = []
    lines: list[str] = []
    with suppress(OSError):
        lines = process.read_text().splitlines()
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if controllers and "cpu" not in controllers.split(","):
            continue
        # A container may see its own group as the root.
        path = Path(group.lstrip("/"))
        for folder in (path, *path.parents):
            if controllers:
                found += _quota_v1(quotas / controllers / folder)
                found += _quota_v1(quotas / "cpu" / folder)
            else:
                found += _quota_v2(quotas / folder)
    return found


def _quota_v1(folder: Path) -> list[float]:
    return _ratio(_words(folder / "cpu.cfs_quota_us") + _words(folder / "cpu.cfs_period_us"))


def _quota_v2(folder: Path) -> list[float]:
    return _ratio(_words(folder / "cpu.max"))


def _words(file: Path) -> list[str]:
    with suppress(OSError, UnicodeDecodeError):
        return file.read_text().split()
    return []


def _ratio(words: list[str]) -> list[float]:
    """Return quota by period; nothing where they are no numbers ("max"), or below 0: no limit."""
    with suppress(ValueError, ZeroDivisionError):
        quota, period = map(int, words)
        return [quota / period] if quota > 0 else []
    return []


def _asked() -> int | None:
    ctx = click.get_current_context(silent=True)
    return None if ctx is None else ctx.meta.get(_ASKED)


@cache
def _most_threads() -> int:
    """Return the threads that torch begins with, which are not more than there are cores."""
    import torch

    return torch.get_num_threads()
