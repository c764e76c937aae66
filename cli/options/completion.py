"""What a shell offers for the values of options and arguments: files, names, classes, directions.

Since an option means the same in every command, one table serves all of them. Nothing is opened
but the header of a safetensors file, and nothing is imported that takes time.
"""

import json
import os
import tomllib
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from cli.options.values import STYLE_NAMES, TABLE_SUFFIXES, VIDEO_SUFFIXES

Source = Callable[[click.Context, str], Iterable[str]]

PREFIX = "builtin:"  # as latentlab.models.PREFIX, without torch, as what follows
CHECKPOINT_SUFFIXES = (".pkl", ".pt", ".pth", ".safetensors", ".model")
PICTURE_SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".jfif", ".jpe", ".webp", ".bmp", ".tif", ".tiff", ".heic", ".heif",
    ".gif",
)  # fmt: skip
DISTANCES = ("lpips-vgg", "lpips-alex", "lpips-squeeze", "builtin:digits")
CONFIGS = (
    "stylegan2-a", "stylegan2-b", "stylegan2-c", "stylegan2-d", "stylegan2-e", "stylegan2-f",
    "stylegan1-a", "stylegan1-b", "stylegan1-c", "stylegan1-d", "stylegan1-e", "stylegan1-f",
    "stylegan1", "stylegan1-wgan", "progan", "stylegan2-small", "stylegan1-small", "progan-small",
)  # fmt: skip
DIRECTIONS_FILE = "directions.safetensors"  # in a folder of `latentlab directions`
DIRECTIONS_ENTRY = "latentlab-directions"  # of that file's header

_LONGEST_HEADER = 4_000_000  # bytes; that of a checkpoint has some ten thousand
_MOST_CLASSES = 1000  # as ImageNet has; more are no list that a shell can show


def completions(
    parameter: click.Parameter, ctx: click.Context, incomplete: str
) -> list[CompletionItem] | None:
    """Return what may stand for an incomplete value; None leaves it to the parameter's type."""
    names = [*parameter.opts, *([parameter.metavar] if parameter.metavar else [])]
    source = next((_SOURCES[name] for name in names if name in _SOURCES), None)
    if source is None:
        return None
    try:
        return [CompletionItem(value) for value in source(ctx, incomplete)]
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return []  # nobody asked for a message: the file is missing, or damaged, or something else


def bundled() -> list[str]:
    """Return the names of the bundled models."""
    return [f"{PREFIX}{file.stem}" for file in sorted(_bundled_folder().glob("*.safetensors"))]


def _bundled_folder() -> Path:
    found = find_spec("latentlab")  # which does not import it
    return Path(found.origin or "" if found else "").parent / "models"


def words(*values: str) -> Source:
    """Return a source of fixed words."""
    return lambda _, incomplete: [each for each in values if each.startswith(incomplete)]


def files(*suffixes: str) -> Source:
    """Return a source of files with these suffixes, and of the folders on the way to them."""

    def found(_: click.Context, incomplete: str) -> Iterable[str]:
        folder, slash, start = incomplete.rpartition("/")
        place = Path(folder + slash).expanduser() if slash else Path()
        for entry in sorted(os.scandir(place), key=lambda each: each.name):
            hidden = entry.name.startswith(".") and not start.startswith(".")
            if hidden or not entry.name.startswith(start):
                continue
            if entry.is_dir():
                yield f"{folder}{slash}{entry.name}/"
            elif entry.name.lower().endswith(suffixes):
                yield f"{folder}{slash}{entry.name}"

    return found


def either(*sources: Source) -> Source:
    """Return a source of what several have, one after the other."""

    def found(ctx: click.Context, incomplete: str) -> Iterable[str]:
        for source in sources:
            yield from source(ctx, incomplete)

    return found


def last_of_list(source: Source) -> Source:
    """Return a source for the last of several values that commas separate."""

    def found(ctx: click.Context, incomplete: str) -> Iterable[str]:
        before, comma, last = incomplete.rpartition(",")
        return [f"{before}{comma}{each}" for each in source(ctx, last)]

    return found


def _classifiers(ctx: click.Context, incomplete: str) -> Iterable[str]:
    return words(*(each for each in bundled() if "classifier" in each))(ctx, incomplete)


def _models(ctx: click.Context, incomplete: str) -> Iterable[str]:
    """Generators; for the commands that take networks of any kind, classifiers as well."""
    every = ctx.info_name in ("info", "convert")
    return words(*(each for each in bundled() if every or "classifier" not in each))(
        ctx, incomplete
    )


def _public_names(_: click.Context, incomplete: str) -> Iterable[str]:
    """Names of public checkpoints, once a family is typed; the families before that."""
    file = _bundled_folder().parent / "downloads" / "public_names.toml"
    families = tomllib.loads(file.read_text(encoding="utf-8"))
    family, colon, name = incomplete.partition(":")
    if not colon:
        return [f"{each}:" for each in families if family and each.startswith(family)]
    names = [each for row in families.get(family, []) for each in row["names"]]
    return [f"{family}:{each}" for each in names if each.startswith(name)]


def _tables(ctx: click.Context, incomplete: str) -> Iterable[str]:
    """The names that a report may have, after what is typed of it."""
    return _names_with(incomplete, "report", TABLE_SUFFIXES)


def _videos(ctx: click.Context, incomplete: str) -> Iterable[str]:
    return _names_with(incomplete, "video", VIDEO_SUFFIXES)


def _latent_files(ctx: click.Context, incomplete: str) -> Iterable[str]:
    return _names_with(incomplete, "latents", (".safetensors", ".parquet"))


def _names_with(incomplete: str, usual: str, suffixes: Iterable[str]) -> Iterable[str]:
    stem, dot, _ = incomplete.partition(".")
    stem = stem if dot or not usual.startswith(stem) else usual
    return [name for name in (stem + each for each in suffixes) if name.startswith(incomplete)]


def _direction_names(ctx: click.Context, incomplete: str) -> Iterable[str]:
    """The names in the file, or the folder, that --directions gives."""
    given = _value_of(ctx, "--directions")
    if given is None:
        return []
    path = Path(given)
    about = _header(path / DIRECTIONS_FILE if path.is_dir() else path).get(DIRECTIONS_ENTRY, "{}")
    names = json.loads(about).get("names", [])
    return [name for name in names if isinstance(name, str) and name.startswith(incomplete)]


def _classes(ctx: click.Context, incomplete: str) -> Iterable[str]:
    """The classes of the checkpoint on the line; of options that take several, a list's last."""
    count, names = _classes_there(ctx)
    numbers = [str(n) for n in range(count)]
    if not any(each.name == "classes" for each in ctx.command.params):
        return words(*numbers)(ctx, incomplete)
    before, comma, last = incomplete.rpartition(",")
    first, dash, _ = last.partition("-")
    if any(name.isdecimal() for name in names):
        numbers = []  # a number is a name there
    every = ["all"] if count and not comma else []
    offers = [*names, *numbers, *every]
    if dash and first in numbers:
        offers = [f"{first}-{n}" for n in range(int(first) + 1, count)]
    return [f"{before}{comma}{each}" for each in offers if each.startswith(last)]


def _classes_there(ctx: click.Context) -> tuple[int, list[str]]:
    """The number and names of the classes of the checkpoint on the line, if its header says so."""
    # An option whose value is missing leaves click's parser with arguments in no parameter.
    given = _value_of(ctx, "CKPT") or next(iter(ctx.args), None)
    if given is None:
        return 0, []
    header = _header(_model_file(given))
    networks = json.loads(header.get("networks", "{}"))
    count = max((each.get("config", {}).get("c_dim", 0) for each in networks.values()), default=0)
    names = json.loads(header.get("metadata", "{}")).get("class_names")
    fits = isinstance(names, list) and len(names) == count <= _MOST_CLASSES
    return min(count, _MOST_CLASSES), [str(name) for name in names] if fits else []


def _model_file(name: str) -> Path:
    if not name.startswith(PREFIX):
        return Path(name)
    return _bundled_folder() / f"{name.removeprefix(PREFIX)}.safetensors"


def _value_of(ctx: click.Context, name: str) -> str | None:
    """Return what the line gives for an option or a metavar so far."""
    for parameter in ctx.command.params:
        if name in (*parameter.opts, parameter.metavar):
            value = ctx.params.get(parameter.name or "")
            return str(value) if isinstance(value, str | os.PathLike) else None
    return None


def _header(file: Path) -> dict[str, Any]:
    """Return the metadata of a safetensors file: JSON at its beginning, after its length."""
    if not file.is_file():  # a pipe would be waited for
        return {}
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if length > _LONGEST_HEADER:
            return {}
        metadata = json.loads(stream.read(length)).get("__metadata__", {})
    return metadata if isinstance(metadata, dict) else {}


_FOLDERS = files()
_CHECKPOINTS = either(_models, files(*CHECKPOINT_SUFFIXES), _public_names)
_PICTURES = files(*PICTURE_SUFFIXES)
_LATENTS = files(".npz", ".npy", ".pt", ".safetensors", ".parquet")
_REAL = either(words("builtin:digits"), _PICTURES)

# By the option's name or the argument's metavar.
_SOURCES: dict[str, Source] = {
    "CKPT": _CHECKPOINTS, "[CKPT]": _CHECKPOINTS, "CKPT...": _CHECKPOINTS,
    "CKPT|DIR CKPT|DIR...": _CHECKPOINTS, "[LABEL=]CKPT...": _CHECKPOINTS,
    "CKPT|DIR|ZIP...": either(_CHECKPOINTS, files(".zip")),
    "--from": _CHECKPOINTS,
    "PICTURE...": _PICTURES, "REAL...": _REAL, "--real": _REAL, "--mask": _PICTURES,
    "--face-file": _PICTURES,
    "OUT.safetensors": files(".safetensors"), "OUT.md": files(".md"), "[DIR]...": _FOLDERS,
    "OUT": files(".safetensors", ".pt", ".pth", ".model", ".npy", ".npz", ".parquet"),
    "--targets": _FOLDERS, "--results": _FOLDERS,
    "-o": _FOLDERS, "--photos": _FOLDERS, "PLACE...": _PICTURES, "PROJECTION_DIR...": _FOLDERS,
    "[LATENTS]...": _LATENTS, "--projected-w": _LATENTS, "--start": _LATENTS, "--latents": _LATENTS,
    "--row-w": _LATENTS, "--col-w": _LATENTS, "LATENTS": _LATENTS,
    "--encoder": files(*CHECKPOINT_SUFFIXES),
    "--noise": files(".npz"), "--tuning": files(".safetensors"),
    "--directions": files(".safetensors"), "--direction": _direction_names,
    "--labels": files(".csv"), "--landmarks": files(".csv", ".json"),
    "--face-model": files(".onnx"),
    "--weights": files(".pt", ".pth"), "--vgg-weights": files(".pt", ".pth"),
    "--data": either(words("builtin:digits"), files(".zip")),
    "--distance": either(words(*DISTANCES), files(".pt", ".pth", ".safetensors")),
    "--identity": files(".pt", ".pth"),
    "--classifier": either(_classifiers, files(*CHECKPOINT_SUFFIXES)),
    "--class": _classes, "--config": words(*CONFIGS),
    "--assume": words("mapping_lr_multiplier=0.01", "conv_clamp=256", "conv_clamp=none"),
    "--layers": words(*STYLE_NAMES), "--device": words("auto", "cpu", "cuda", "mps"),
    "--only": words("G_ema", "G", "D", "classifier"), "--face": words("largest"),
    "--report": _tables, "--video": _videos, "--latents-file": _latent_files,
    "METRIC=N,...": last_of_list(words(
        "ppl=", "separability=", "contributions=", "droplets=", "fidelity=", "attribution=",
        "equivariance=",
    )),
}  # fmt: skip
