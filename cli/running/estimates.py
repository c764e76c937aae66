"""How long work will take and how much memory: judged by a picture made on the real networks."""

import re
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import torch
from torch import Tensor

from cli.text import counted, listed
from latentlab import distributed
from latentlab.acceleration import plain
from latentlab.images import views
from latentlab.latents import one_hot
from latentlab.networks.generator import ImageGenerator
from latentlab.numerics import full_precision
from latentlab.perceptual import PerceptualDistance

Pass = Callable[[int], Tensor]  # makes so many pictures, and whatever else is done with each

_EACH = re.compile(r" each(?=,|$)")
_OF = " of "
_QUICK = 0.25  # seconds; a pass as short as this is timed a second time, with a whole batch
_MOST_AT_ONCE = 16  # pictures of a batch that is timed


@dataclass(frozen=True)
class Task:
    """Work that makes pictures over and over.

    Attributes:
        verb: What is done, as a sentence begins: "Projecting".
        count: How many times.
        noun: What one of them is: "picture".
        g: Whose pictures; None where none are made.
        pictures: Made for each.
        more: What else the sentence says, from its comma: ", 1,000 steps each".
        distance: Looks at all of them; None where nothing does.
        gradients: Whether derivatives are taken.
        batch: Pictures at once.
        processes: That this one starts to share the work; 1 for none.
    """

    verb: str
    count: int
    noun: str
    g: ImageGenerator | None = None
    pictures: float = 1
    more: str = ""
    distance: PerceptualDistance | None = None
    gradients: bool = False
    batch: int = 1
    processes: int = 1

    @property
    def text(self) -> str:
        """The work in words: "Projecting 40 pictures into W, 1,000 steps each"."""
        return f"{self.verb} {self.extent}"

    @property
    def extent(self) -> str:
        """How much of it there is: "40 pictures into W, 1,000 steps each"; of one not "each"."""
        more = _EACH.sub("", self.more) if self.count == 1 else self.more
        return f"{counted(self.count, self.noun)}{more}"


@dataclass(frozen=True)
class Estimate:
    """Seconds that work takes, and bytes of memory at its peak: of the GPU where one is used."""

    seconds: float
    memory: int


def estimate(task: Task) -> Estimate | None:
    """Judge a task by one of its pictures, and by a batch where that is quick.

    Processes that torchrun or the task starts share the work.

    Returns:
        What to expect, right to a factor of a few; None where no pictures are made.
    """
    if task.g is None or task.count == 0:
        return None
    run = _one_pass(task, task.g)
    single, held = _timed(lambda: run(1))
    share, batch = single, max(min(task.batch, _MOST_AT_ONCE), 1)
    if single < _QUICK:  # the first pass of all also prepares the networks
        share = _timed(lambda: run(batch))[0] / batch
        if share * batch < _QUICK:
            share = min(share, _timed(lambda: run(batch))[0] / batch)
    seconds = share * task.pictures * task.count / (distributed.size() * task.processes)
    memory = _used(task.g.device) + held * max(task.batch - batch, 0)
    # One that starts others has opened the networks as well.
    return Estimate(seconds, memory * (task.processes + (task.processes > 1)))


def in_words(tasks: Iterable[Task]) -> str:
    """Say in a line what is done: alike tasks once, and those of one extent together.

    "ppl_wfull and ppl_wend: 10,000 paths of each model; separability: 20,000 pictures", or
    "Comparing 8 pairs each of psp, e4e and restyle".
    """
    parts: dict[tuple[str, str], dict[str, None]] = {}
    for task in tasks:
        if task.verb.endswith(":"):
            parts.setdefault(("", task.extent), {})[task.verb.removesuffix(":")] = None
        else:
            alone = task.text.removesuffix(task.more)
            what = (alone, _OF) if task.more.startswith(_OF) else (task.text, "")
            parts.setdefault(what, {})[task.more.removeprefix(_OF)] = None
    return "; ".join(_part(*what, [*names]) for what, names in parts.items())


def _part(before: str, after: str, names: Sequence[str]) -> str:
    """Write names where they belong: "a and b: 7 pictures", "Comparing 8 pairs each of a and b"."""
    if not before:
        return f"{listed(names)}: {after}"
    each = " each" if len(names) > 1 else ""
    return f"{before}{each}{after}{listed(names)}" if after else before


def duration(seconds: float) -> str:
    """Write a time that is a guess: "about 3 h 20 min"."""
    if seconds < 5:
        return "a few seconds"
    if seconds < 55:
        return f"about {5 * round(seconds / 5)} s"
    minutes = max(round(seconds / 60), 1)
    if minutes < 60:
        return f"about {minutes} min"
    hours, rest = divmod(5 * round(minutes / 5), 60)
    if hours >= 48:
        return f"about {round(hours / 24)} days"
    return f"about {hours} h" + (f" {rest} min" if rest else "")


def size(count: int) -> str:
    """Write a number of bytes that is a guess: "about 1.2 GB"."""
    return f"about {max(count / 1e9, 0.1):.1f} GB"


def _one_pass(task: Task, g: ImageGenerator) -> Pass:
    """Return what makes pictures as the task does; no stream of random numbers moves on."""
    # A compiled network is timed as it is without, or the compiler would be.
    g, distance = plain(g), None if task.distance is None else plain(task.distance)

    def make(count: int) -> Tensor:
        z = torch.zeros(count, g.z_dim, device=g.device)
        z[:, 0] = 1
        c = one_hot(0, g.c_dim, count).to(g.device) if g.c_dim else None
        z.requires_grad_(task.gradients)
        images = g(z, c)
        seen = [images.mean()]
        if distance is not None:
            for view in views(images):
                seen += [feature.mean() for feature in distance.features(view)]
        total = torch.stack([each.float().cpu() for each in seen]).sum()
        return torch.autograd.grad(total, z)[0] if task.gradients else total

    @full_precision()
    def run(count: int) -> Tensor:
        with torch.set_grad_enabled(task.gradients):
            return make(count)

    return run


def _timed(run: Callable[[], Tensor]) -> tuple[float, int]:
    """Return the seconds of a pass, and the bytes that it keeps for derivatives."""
    held: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        held[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    started = time.perf_counter()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        run()  # ends on the CPU, and so after the GPU
    return time.perf_counter() - started, sum(held.values())


def _used(device: torch.device) -> int:
    """Return the most bytes that this process has used so far, on the GPU if that computes."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    with suppress(ImportError):  # Windows has no such module
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return 0
