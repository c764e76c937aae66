"""Long work in small, and what of its results must not depend on an accident."""

import csv
import io
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import latentlab
from cli.measuring.partial import unpack
from tests.conftest import make_generator

# What tells the time, or how long something took.
_TIMES = re.compile("second|modified|date|time|started|created|ended")
_PHOTOS = 5


@dataclass(frozen=True)
class Job:
    """Some work of a command.

    Attributes:
        words: The command line before ``-o DIR``, given the folder of the inputs.
        patches: What makes it write as often as long work does.
    """

    words: Callable[[Path], list[object]]
    patches: Mapping[str, Any] = field(default_factory=dict)


def prepare(folder: Path) -> Path:
    """Write the inputs of all jobs."""
    (folder / "photos").mkdir(parents=True)
    for i in range(_PHOTOS):
        pixels = np.random.default_rng(i).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "photos" / f"{i}.png")
    g = make_generator(resolution=32, z_dim=16, w_dim=12)
    latentlab.save(g, folder / "g.safetensors")
    return folder


def _project(batch: int) -> Job:
    return Job(lambda folder: [
        "project", folder / "g.safetensors", folder / "photos", "--distance", "builtin:digits",
        "--steps", 3, "--batch", batch, "--threads", 1, "--device", "cpu",
    ])  # fmt: skip


JOBS: Mapping[str, Job] = {
    "train": Job(lambda _: [
        "train", "--data", "builtin:digits", "--config", "stylegan2-small", "--channels", 1,
        "--batch", 2,
        "--generator-architecture", "resnet", "--channel-base", 64, "--channel-max", 4,
        "--kimg", 0.012, "--snapshot-kimg", 0.003, "--device", "cpu",
    ], {"cli.reports.training_page.write_training_page": None}),  # plots of what is compared itself
    "project": _project(1),
    "project in batches": _project(4),
    # Batches are written as they come, and not once in ten seconds.
    "ppl": Job(lambda folder: [
        "ppl", folder / "g.safetensors", "--distance", "builtin:digits", "--samples", 200,
        "--batch", 10,
        "--device", "cpu",
    ], {"cli.measuring.partial._PAUSE": 0.0}),
}  # fmt: skip


def contents(folder: Path) -> dict[str, object]:
    """Return all files by their names: their bytes, without what tells the time."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != ".lock":
            name = path.relative_to(folder).as_posix()
            found[name] = _PLAIN.get(path.suffix, bytes)(path.read_bytes())
    return found


def differences(one: Mapping[str, object], other: Mapping[str, object]) -> list[str]:
    """Name the files that are not in both, or not the same."""
    return sorted(name for name in {**one, **other} if one.get(name) != other.get(name))


def _json(content: bytes) -> object:
    return _without_times(json.loads(content))


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        # The digests of files that tell the time differ with them.
        kept = {name: each for name, each in value.items() if not _TIMES.search(name)}
        digests = kept.get("files")
        if isinstance(digests, dict):
            kept["files"] = {name: "" if name.endswith((".csv", ".html", ".json")) else each
                             for name, each in digests.items()}  # fmt: skip
        return {name: _without_times(each) for name, each in kept.items()}
    return [_without_times(each) for each in value] if isinstance(value, list) else value


def _csv(content: bytes) -> object:
    rows = list(csv.reader(io.StringIO(content.decode())))
    kept = [i for i, name in enumerate(rows[0]) if not _TIMES.search(name)]
    return [[row[i] for i in kept] for row in rows]


def _html(content: bytes) -> str:
    """Leave out numbers in tables, some of which are seconds, and when the page was made."""
    text = re.sub("<time.*?</time>", "", content.decode())
    return re.sub(r"<td[^>]*>[-+0-9.,e ]*</td>", "<td></td>", text)


def _safetensors(content: bytes) -> object:
    """Return the bytes; of an optimiser, whose header says how long steps took, the rest."""
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    about = header.pop("__metadata__", {})
    told = {name: _within(text) for name, text in about.items()}
    if told == {name: json.loads(t) if t.startswith("{") else t for name, t in about.items()}:
        return content
    return header, told, content[8 + size :]


def _within(text: str) -> object:
    return _without_times(json.loads(text)) if text.startswith("{") else text


def _npz(content: bytes) -> object:
    with np.load(io.BytesIO(content)) as found:
        arrays = {name: found[name] for name in found.files}
    if not any(name.endswith("/names") for name in arrays):
        return content
    batches = unpack(arrays)
    return {(part.start, name): rows.tobytes() for part, each in batches.items()
            for name, rows in each.items() if not _TIMES.search(name)}  # fmt: skip


_PLAIN: Mapping[str, Callable[[bytes], object]] = {
    ".json": _json, ".csv": _csv, ".html": _html, ".safetensors": _safetensors, ".npz": _npz,
}  # fmt: skip
