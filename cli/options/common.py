"""Options that several commands share, and what refuses those that do not go together.

Nothing here imports torch: help and usage errors answer at once.
"""

import functools
import inspect
import os
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from cli.options.values import (
    VIDEO_SUFFIXES,
    Count,
    FiniteFloat,
    assumptions,
    class_list,
    file_name,
    finite_float,
)
from cli.threads import ask_for_threads, ask_for_workers, asked_in
from cli.trust import keep_trust

Command = TypeVar("Command", bound=Callable[..., Any])

AS_JSON = "latentlab.dry_run_as_json"  # of click's context: whether --json was given

_OF_SEEDS = {  # options by their parameters
    "truncation_psi": "--truncation-psi",
    "psis": "--truncation-psi",
    "truncation_cutoff": "--truncation-cutoff",
    "label": "--class",
    "classes": "--class",
}

# \b keeps the lines as they are.
_DISTANCES = """\b
Perceptual distances:
  lpips-vgg (the published one), lpips-alex, lpips-squeeze
                         fetched once, or from torch's cache
  builtin:digits         32x32 digits only
  FILE                   LPIPS in .safetensors, or NVIDIA's vgg16.pt, as data
                         any other TorchScript is a program: --trust

"""
_EXAMPLES = "\b\nExamples:"

checkpoint_argument = click.argument("checkpoint", metavar="CKPT")
output_option = click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, metavar="DIR",
    help="Folder for the results; made if it does not exist.",
)  # fmt: skip
overwrite_option = click.option(
    "--overwrite", is_flag=True, help="Replace results that are already in the folder."
)
overwrite_file_option = click.option(
    "--overwrite", is_flag=True, help="Replace the file if it is there already."
)
cutoff_option = click.option(
    "--truncation-cutoff", type=click.IntRange(min=0), metavar="N",
    help="Truncate the first N layers only; default: what the checkpoint says, or all.",
)  # fmt: skip


def _shared(ctx: click.Context, option: click.Parameter, count: int | None) -> None:
    """Keep --threads or --workers; a forked process has one thread, and forks beside none."""
    (ask_for_workers if option.name == "workers" else ask_for_threads)(ctx, option, count)
    workers, threads = asked_in(ctx)
    if workers > 1 and threads > 1:
        raise click.UsageError("--workers have one thread each; leave --threads out.")
    if workers > 1 and "WORLD_SIZE" in os.environ:
        raise click.UsageError("--workers is for one process; torchrun has started several.")


threads_option = click.option(
    "--threads", type=click.IntRange(1, 1024), metavar="N", expose_value=False,
    callback=_shared,
    help="CPU threads; default: 1 for small networks, else all CPUs that may be used.",
)  # fmt: skip
workers_option = click.option(
    "--workers", type=click.IntRange(0, 1024), metavar="N", expose_value=False,
    callback=_shared,
    help="Processes of one CPU thread that share the work; 0: none. Default: as many as there are "
    "CPUs for a small network on the CPU, 16 at most.",
)  # fmt: skip
any_checkpoint_option = click.option(
    "--any-checkpoint", is_flag=True,
    help="Take latents, noise maps and directions of another checkpoint all the same.",
)  # fmt: skip
anchor_option = click.option(
    "--anchor", is_flag=True,
    help="Of StyleGAN3: hold the row of ws that places the picture at the mean w, so that all "
    "pictures are aligned.",
)  # fmt: skip
trust_option = click.option(
    "--trust", is_flag=True, expose_value=False, callback=keep_trust,
    help="Run files in TorchScript, which are programs and may do whatever you may; also take "
    "cached weights whose SHA-256 is not the published one. Only for files whose maker you trust.",
)  # fmt: skip
tuning_option = click.option(
    "--tuning", type=click.Path(path_type=Path), metavar="FILE",
    help="Apply a tuning of this checkpoint, as `latentlab tune` writes it.",
)  # fmt: skip
assume_option = click.option(
    "--assume", multiple=True, callback=assumptions, metavar="NAME=VALUE",
    help="A setting that a bare state dict does not hold, such as mapping_lr_multiplier=0.01. "
    "Several are separated by commas, or given one by one.",
)  # fmt: skip


def device_option(command: Command) -> Command:
    """--device, and --threads, which the command is not passed: ``open_model`` heeds it."""
    device = click.option(
        "--device", default="auto", show_default=True, metavar="NAME",
        help="cpu, cuda, cuda:1, mps; auto takes cuda where there is one.",
    )  # fmt: skip
    return device(threads_option(command))


def dry_run_option(command: Command) -> Command:
    """--dry-run, and --json beside it, which the context keeps for what prints."""

    def keep(ctx: click.Context, _: click.Parameter, wanted: bool) -> bool:
        ctx.meta[AS_JSON] = wanted
        return wanted

    @functools.wraps(command)
    def checked(**arguments: Any) -> None:
        if click.get_current_context().meta[AS_JSON] and not arguments["dry_run"]:
            raise click.UsageError("--json goes with --dry-run.")
        command(**arguments)

    as_json = click.option(
        "--json", "as_json", is_flag=True, expose_value=False, callback=keep,
        help="With --dry-run, print it as one JSON object.",
    )  # fmt: skip
    dry_run = click.option(
        "--dry-run", is_flag=True,
        help="Check the inputs, say what would be done, how long it takes and what is missing, "
        "and stop.",
    )  # fmt: skip
    return cast(Command, dry_run(as_json(checked)))


def seed_option(text: str) -> Callable[[Command], Command]:
    """--seed, with what it decides."""
    return click.option(
        "--seed", type=click.IntRange(min=0), default=0, show_default=True, metavar="N", help=text
    )


def steps_option(default: int) -> Callable[[Command], Command]:
    """--steps: iterations of a projection."""
    return click.option(
        "--steps", type=Count(min=1), default=default, show_default=True, metavar="N",
        help="Iterations of a projection.",
    )  # fmt: skip


def class_option(text: str) -> Callable[[Command], Command]:
    """--class, passed to the command as ``label``."""
    return click.option("--class", "label", type=click.IntRange(min=0), metavar="N", help=text)


def classes_option(text: str) -> Callable[[Command], Command]:
    """--class, of commands that take several, passed to the command as ``classes``."""
    return click.option("--class", "classes", type=class_list, metavar="LIST", help=text)


def noise_mode_option(
    *more: str, text: str = "the stored ones, new ones that the seed decides, or no noise"
) -> Callable[[Command], Command]:
    """--noise-mode: where noise maps come from."""
    return click.option(
        "--noise-mode", type=click.Choice(["const", "random", "none", *more]), default="const",
        show_default=True, help=f"Noise maps: {text}.",
    )  # fmt: skip


def video_options(text: str) -> Sequence[Callable[[Any], Any]]:
    """--video and --fps; ``text`` says what the video shows."""
    return (
        click.option("--video", type=file_name(*VIDEO_SUFFIXES), metavar="NAME",
                     help=f"{text}: .gif, or .mp4 with `pip install latentlab[video]`."),
        click.option("--fps", type=FiniteFloat(1, 240), default=30.0, show_default=True,
                     metavar="RATE", help="Frames per second of the video; a .gif has 50 at most."),
    )  # fmt: skip


def truncation_option(more: str = "") -> Callable[[Command], Command]:
    """--truncation-psi, of seeds."""
    return click.option(
        "--truncation-psi", type=finite_float, default=1.0, show_default=True, metavar="PSI",
        help=f"Pull the w of seeds towards the mean w{more}.",
    )  # fmt: skip


def listed_distances(command: Command) -> Command:
    """List the perceptual distances in a command's help, before its examples."""
    text, examples, rest = inspect.cleandoc(command.__doc__ or "").partition(_EXAMPLES)
    command.__doc__ = f"{text}{_DISTANCES}{examples}{rest}"
    return command


def distance_option(command: Command) -> Command:
    """--distance: the perceptual distance, which the command's help lists."""
    return click.option(
        "--distance", default="lpips-vgg", show_default=True, metavar="NAME|FILE",
        help='Perceptual distance, see "Perceptual distances" above.',
    )(listed_distances(command))  # fmt: skip


def given_options(ctx: click.Context) -> set[str]:
    """Return the parameters that the command line gives, without those left to their defaults."""
    return {
        name
        for name in ctx.params
        if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    }


def refuse_without_seeds(given: set[str], option: str = "--seeds") -> None:
    """Raise UsageError for options of seeds where latents are given; ``option`` gives seeds."""
    for name, text in _OF_SEEDS.items():
        if name in given:
            raise click.UsageError(f"{text} goes with {option}; saved latents stay as they are.")


def refuse_without_video(given: set[str], *names: str) -> None:
    """Raise UsageError for options of a video where none is asked for."""
    for name in names:
        if "video" not in given and name in given:
            raise click.UsageError(f"--{name} goes with --video.")


def check_asked_video(name: str | None, fps: float) -> None:
    """Raise SettingsError if no such video can be written; a dry run names a missing ffmpeg itself.

    None is for no video.
    """
    from latentlab.video.writer import check_format, check_video

    ctx = click.get_current_context(silent=True)
    if name is not None:
        (check_format if ctx and ctx.params.get("dry_run") else check_video)(name, fps)


def grouped_options(
    name: str, kind: Callable[..., Any], options: Sequence[Callable[[Any], Any]]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that adds options and hands their values over as one dataclass.

    Args:
        name: The command's argument for it.
        kind: The dataclass; its fields are the options' parameters, or have defaults.
        options: Decorators, in the order of the help.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def grouped(**arguments: Any) -> None:
            names = {each.name for each in fields(cast(Any, kind))} & set(arguments)
            values = {each: arguments.pop(each) for each in names}
            command(**{name: kind(**values)}, **arguments)

        wrapped: Callable[..., None] = grouped
        for option in reversed(options):
            wrapped = option(wrapped)
        return wrapped

    return decorate
