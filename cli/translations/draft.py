"""A command line that is being written from a script's, and what its options do to it."""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePosixPath

TRUE = ("1", "true", "t", "yes", "y", "on")
FALSE = ("0", "false", "f", "no", "n", "off")
CONFIGS: Mapping[str, str] = {
    **dict.fromkeys(("stylegan2", "auto", "paper256", "paper512", "paper1024"), "stylegan2-f"),
    **{f"config-{letter}": f"stylegan2-{letter}" for letter in "abcdef"},
}
VIDEOS = (".mp4", ".gif")
# What --resume means by the names that the train.py of stylegan2-ada has, as public names.
RESUMED: Mapping[str, str] = {
    "ffhq256": "ada:ffhq-res256-mirror-paper256-noaug",
    "ffhq512": "ada:ffhq-res512-mirror-stylegan2-noaug",
    "ffhq1024": "ada:ffhq-res1024-mirror-stylegan2-noaug",
    "celebahq256": "ada:celebahq-res256-mirror-paper256-kimg100000-ada-target0.5",
    "lsundog256": "ada:lsundog-res256-paper256-kimg100000-noaug",
}

_KIMG_OF_A_TICK = 4.0  # unless --tick says otherwise


@dataclass
class Draft:
    """A command line that is being written.

    Attributes:
        command: The command.
        checkpoint: What --network names.
        operands: Arguments after it.
        options: Options by their names; None for a flag.
        repeated: Options that may be given several times, each with its value.
        output: Where results go.
        notes: What has no counterpart, and what is to be known.
        metrics: The metrics that are asked for.
        ticks: Ticks between snapshots.
        tick: Thousands of pictures in one of them.
    """

    command: str
    checkpoint: str | None = None
    operands: list[str] = field(default_factory=list)
    options: dict[str, str | None] = field(default_factory=dict)
    repeated: list[str] = field(default_factory=list)
    output: str | None = None
    notes: list[str] = field(default_factory=list)
    metrics: list[str] = field(default_factory=list)
    ticks: float | None = None
    tick: float = _KIMG_OF_A_TICK

    def line(self, output: str | None = "out") -> str:
        """Return the line, quoted for a shell; ``output`` is where results go if nothing is said.

        None is for a command that writes no folder.
        """
        words = ["latentlab", self.command, *self.operands, *self.repeated]
        for name, value in self.options.items():
            words += [name] if value is None else [name, value]
        words += [] if output is None else ["-o", self.output or output]
        return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    """Quote a word for a shell, but for a ~ at its beginning, which stands for the home folder."""
    home, slash, rest = word.partition("/")
    return f"~/{shlex.quote(rest)}" if (home, slash) == ("~", "/") and rest else shlex.quote(word)


Rule = Callable[[Draft, str], None]


def to(name: str) -> Rule:
    """Return the rule that gives an option another name."""
    return partial(_named, name)


def flag(name: str) -> Rule:
    """Return the rule that makes a flag of an option with a truth value."""
    return partial(_flagged, name)


def nothing(name: str) -> Rule:
    """Return the rule for an option that has no counterpart."""
    return partial(_without, name)


def ignored(_: Draft, __: str) -> None:
    """Leave out an option that changes no result."""


def network(draft: Draft, value: str) -> None:
    """Take the checkpoint; what is fetched from nowhere by now is named by its file."""
    if value.startswith("gdrive:"):
        draft.notes.append("fetch the network's file first: gdrive: is no address any more")
        value = PurePosixPath(value).name
    if draft.checkpoint is None:
        draft.checkpoint = value
    else:  # of a command that takes several
        draft.operands.append(value)


def output(draft: Draft, value: str) -> None:
    """Take the folder of the results."""
    draft.output = value


def film(draft: Draft, value: str) -> None:
    """Take a video's path apart: the folder is one thing here, and the name another."""
    path = PurePosixPath(value)
    draft.options["--video"] = path.name if path.suffix in VIDEOS else f"{path.name}.mp4"
    draft.output = str(path.parent) if len(path.parts) > 1 else "out"


def projection_video(draft: Draft, value: str) -> None:
    """Give the video, which is asked for by a truth value, its name."""
    if value.lower() in TRUE:
        draft.options["--video"] = "projection.mp4"


def operand(draft: Draft, value: str) -> None:
    """Take what is no option here."""
    draft.operands.append(value)


def config(draft: Draft, value: str) -> None:
    """Take the config that is like a script's."""
    if value not in CONFIGS:
        why = "StyleGAN3 is opened, but not trained" if value.startswith("stylegan3") else ""
        draft.notes.append(f"no config is like {value}{why and f': {why}'}")
    draft.options["--config"] = CONFIGS.get(value, "stylegan2-f")


def snapshots(draft: Draft, value: str) -> None:
    """Take the ticks between snapshots."""
    draft.ticks = _number(value, draft)


def tick(draft: Draft, value: str) -> None:
    """Take the length of a tick."""
    draft.tick = _number(value, draft) or _KIMG_OF_A_TICK


def resume(draft: Draft, value: str) -> None:
    """Take the file that training starts from; a script knows some by names of their own."""
    if PurePosixPath(value).suffix or "://" in value:
        draft.options["--from"] = value
    elif value in RESUMED:
        draft.options["--from"] = RESUMED[value]
    elif value != "noresume":
        draft.notes.append(f"for --resume={value}, give the file itself as --from")


def metrics(draft: Draft, value: str) -> None:
    """Take names of metrics."""
    draft.metrics += [name for name in value.split(",") if name not in ("", "none")]


def records(draft: Draft, value: str) -> None:
    """Take the folder of a training set whose pictures are to be projected."""
    draft.notes.append("TFRecords are not read: give a folder of pictures")
    draft.operands.append(value)


def processes(draft: Draft, value: str) -> None:
    """Say how several GPUs are used."""
    if value != "1":
        draft.notes.append(f"for {value} GPUs, start it with torchrun")


def _named(name: str, draft: Draft, value: str) -> None:
    draft.options[name] = value


def _flagged(name: str, draft: Draft, value: str) -> None:
    if value.lower() in TRUE:
        draft.options[name] = None


def _without(name: str, draft: Draft, _: str) -> None:
    draft.notes.append(f"{name} has no counterpart")


def _number(value: str, draft: Draft) -> float | None:
    try:
        return float(value)
    except ValueError:
        draft.notes.append(f"{value!r} is not a number")
        return None
