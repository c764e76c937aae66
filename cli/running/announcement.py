"""What a command says of its work: before, what and how long; after it, what to look at first.

All of it goes to stderr, and of processes that work together only the main one speaks.
"""

from collections.abc import Sequence
from pathlib import Path

import torch

from cli.garbage import look_as_usual
from cli.running.estimates import Task, duration, estimate, in_words
from cli.text import counted, say, say_held
from latentlab import distributed

_MANY = 50  # pictures; fewer are there before one has been made to time it


def announce(tasks: Sequence[Task], device: torch.device | str, text: str | None = None) -> None:
    """Say in a line what begins now, on which device, and about how long it will take.

    What commands have said of the files that they open comes before it, see ``say_soon``.

    Args:
        tasks: The work; nothing is said where there is none.
        device: Where it is done.
        text: What it is; None takes the words of the tasks.
    """
    say_held()
    look_as_usual()
    tasks = [task for task in tasks if task.count]
    if not tasks or not distributed.is_main():
        return
    pictures = sum(task.pictures * task.count for task in tasks if task.g is not None)
    guess = time_of(tasks) if pictures >= _MANY else None
    what = text or in_words(tasks)
    where = place_in_words(device, max(task.processes for task in tasks))
    say(f"{what}, on {where}{'' if guess is None else f': {guess}'}.")


def time_of(tasks: Sequence[Task]) -> str | None:
    """Return how long tasks take together, in words; None where nothing can be said."""
    guesses = [guess for guess in map(estimate, tasks) if guess is not None]
    return duration(sum(guess.seconds for guess in guesses)) if guesses else None


def place_in_words(device: torch.device | str, started: int = 1) -> str:
    """Say where something is computed: "cpu with 2 threads", "cuda:0 (NVIDIA H200)".

    Args:
        device: Where.
        started: Processes that this one starts for it, unless torchrun has started them.
    """
    place = torch.device(device)
    text = str(device)
    if place.type == "cpu":
        text += f" with {counted(torch.get_num_threads(), 'thread')}"
    elif place.type == "cuda":
        text += f" ({torch.cuda.get_device_name(place)})"
    processes = max(distributed.size(), started)
    return f"{processes} processes, each on {text}" if processes > 1 else text


def open_first(path: Path) -> None:
    """Say which file shows best what has been done."""
    if distributed.is_main():
        say(f"Open {path}")
