"""What a dry run prints: what would be done, for people, or as JSON for programs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import Any

import click
import torch

from cli.options.common import AS_JSON
from cli.running.announcement import place_in_words
from cli.running.estimates import Estimate, Task, duration, estimate, size
from cli.text import counted, plain_text, setting_in_words, tell
from latentlab.errors import SettingsError
from latentlab.perceptual import fetched_for
from latentlab.video.writer import MP4, check_video

_WIDTH, _INDENT = 100, 12  # of lines, and of what stands in their first column
_NAMED = 12  # files, or pictures; more are counted
_MOST_FILES = 24  # are all named


@dataclass(frozen=True)
class DryRun:
    """What a command would do.

    Attributes:
        tasks: Its work.
        output: The folder of its results.
        files: The results that it would write, as far as their names are known.
        device: Where it would compute.
        models: What it opened, each in a line.
        inputs: What it would read, each in a line.
        refused: What it could not, each with the reason.
        fetched: Files that it would fetch, besides those of a distance.
        standing: What the folder holds of this work already, in a line.
    """

    tasks: Sequence[Task]
    output: Path
    files: Sequence[Path]
    device: str
    models: Sequence[str] = ()
    inputs: Sequence[str] = ()
    refused: Sequence[str] = ()
    fetched: Sequence[Path] = ()
    standing: str = ""

    def guess(self) -> Estimate | None:
        """Return the time of all tasks, and the most memory of one."""
        guesses = [guess for guess in map(estimate, self.tasks) if guess is not None]
        if not guesses:
            return None
        most = max(guess.memory for guess in guesses)
        return Estimate(sum(guess.seconds for guess in guesses), most)

    @property
    def processes(self) -> int:
        """How many processes the command would start; 1 stands for none."""
        return max((task.processes for task in self.tasks), default=1)

    def missing(self) -> list[str]:
        """Return what is not on this machine yet: what would be fetched, and a missing ffmpeg."""
        distances = [task.distance.name for task in self.tasks if task.distance is not None]
        files = [*self.fetched, *(fetched_for(name) for name in dict.fromkeys(distances))]
        told = [f"{file.name}, which would be fetched to {file.parent}" for file in files if file]
        return [*told, *_without_ffmpeg(self.files)]


def tell_dry_run(plan: DryRun, settings: Mapping[str, Any]) -> None:
    """Print what would be done; ``settings`` as JSON, with the plan in it, where --json asks."""
    ctx = click.get_current_context(silent=True)
    if ctx is not None and ctx.meta.get(AS_JSON):
        facts = {**settings, "plan": _facts(plan)}
        click.echo(json.dumps(facts, indent=1, default=str))
        return
    tell(*_lines(plan, settings))


def _facts(plan: DryRun) -> dict[str, Any]:
    guess = plan.guess()
    return {
        "work": [task.text for task in plan.tasks], "device": plan.device,
        "seconds": guess and guess.seconds, "memory_bytes": guess and guess.memory,
        "output": plain_text(plan.output), "files": [plain_text(file) for file in plan.files],
        "existing": [plain_text(file) for file in plan.files if file.exists()],
        "missing": plan.missing(), "refused": list(plan.refused),
        "standing": plan.standing,
    }  # fmt: skip


def _lines(plan: DryRun, settings: Mapping[str, Any]) -> list[str]:
    guess = plan.guess()
    what = "GPU memory" if torch.device(plan.device).type == "cuda" else "memory"
    rows = [
        ("done", [plan.standing] if plan.standing else []),
        ("work", [task.text for task in plan.tasks]),
        ("models", plan.models),
        ("inputs", [*plan.inputs, *(f"refused: {each}" for each in plan.refused)]),
        ("device", [place_in_words(plan.device, plan.processes)]),
        ("time", [duration(guess.seconds) + _without(plan)] if guess else []),
        (what, [size(guess.memory)] if guess else []),
        ("output", _output(plan)),
        ("missing", plan.missing()),
        ("settings", [f"{name.replace('_', ' ')}: {setting_in_words(value, _NAMED)}"
                      for name, value in settings.items()
                      if name != "models" or (value and not plan.models)]),
    ]  # fmt: skip
    lines = ["This is a dry run; nothing has been written."]
    for name, values in rows:
        for i, value in enumerate(dict.fromkeys(values)):
            first = f"{name if i == 0 else '':{_INDENT}}"
            lines += _wrapped(value, first) if name == "settings" else [first + value]
    return lines


def _wrapped(value: str, first: str) -> list[str]:
    """Break a long setting into lines; what stands in front of the first is ``first``."""
    after = " " * (_INDENT + 2)
    return wrap(value, _WIDTH, initial_indent=first, subsequent_indent=after,
                break_long_words=False, break_on_hyphens=False)  # fmt: skip


def _without_ffmpeg(files: Sequence[Path]) -> list[str]:
    """Say that videos cannot be written, where that is so."""
    try:
        for video in (file for file in files if file.suffix.lower() == MP4):
            check_video(video)
    except SettingsError as error:
        return [str(error)]
    return []


def _without(plan: DryRun) -> str:
    """Say what the time leaves out: a distance that is not there cannot be timed."""
    named = [task.distance for task in plan.tasks if task.distance is not None]
    missing = [distance.name for distance in named if fetched_for(distance.name)]
    return f", and more for {missing[0]}" if missing else ""


def _output(plan: DryRun) -> list[str]:
    state = "is there already" if plan.output.exists() else "would be made"
    lines = [f"{plain_text(plan.output)}, a folder that {state}"]
    named = len(plan.files) if len(plan.files) <= _MOST_FILES else _NAMED
    for file in plan.files[:named]:
        inside = file.relative_to(plan.output) if file.is_relative_to(plan.output) else file
        lines.append(f"  {plain_text(inside)}{', there already' if file.exists() else ''}")
    if len(plan.files) > named:
        there = sum(file.exists() for file in plan.files[named:])
        already = f", {there} there already" if there else ""
        lines.append(f"  and {counted(len(plan.files) - named, 'more file')}{already}")
    return lines
