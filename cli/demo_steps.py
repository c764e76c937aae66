"""The parts of the demo: samples, projected digits, their picture, and the compared models."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from cli.comparing.compared import comparison_of
from cli.comparing.comparison_page import planned_files as comparison_files
from cli.measuring.results import Results
from cli.options.measuring import ComparisonRequest, MeasuringRequest
from cli.projecting.files import FILES, measured, write_files
from cli.reports.plot_style import save_figure
from cli.reports.tables import MANIFEST, table_of
from cli.reports.tiles import tiles
from cli.running.estimates import Task
from cli.running.progress import ProgressBar
from cli.text import say
from latentlab import Generator, ProjectorSettings, load_classifier, perceptual_distance, project
from latentlab.datasets.digits import one_of_each
from latentlab.files import make_directory, sha256_of
from latentlab.foreign_files.opening import read_regular
from latentlab.images import grid, pixels_to_tensor, save_image
from latentlab.latents import z_from_seeds
from latentlab.numerics import full_precision
from latentlab.workers import usable_workers

CLASSIFIER, DISTANCE = "builtin:digits-classifier", "builtin:digits"
SAMPLES, FIGURE, TABLE = "samples.png", "projections.png", "projections.csv"
SPACES = {"w": "w", "w+": "w-plus"}  # space -> folder

_SAMPLES, _COLUMNS = 128, 16
_LARGEST = 2**20  # bytes of a manifest; ours has some 20,000
PAGE = Path("comparison", "report.html")

_MODELS = ("builtin:digits-stylegan1", "builtin:digits-stylegan2")
_COUNTS = {"ppl": 2000, "separability": 4000, "contributions": 512, "droplets": 128}


def digit_folders(folder: Path, space: str) -> list[Path]:
    """Return the folders of the projected digits, 0 to 9."""
    return [folder / SPACES[space] / f"digit-{digit}" for digit in range(10)]


def planned_files(folder: Path) -> list[Path]:
    """Return all that the demo will write."""
    places = [place for space in SPACES for place in digit_folders(folder, space)]
    names = (SAMPLES, FIGURE, TABLE, MANIFEST)
    return [*(folder / name for name in names), *(p / name for p in places for name in FILES)]


def tasks(g: Generator, steps: int) -> list[Task]:
    """Return the work of the demo, for those who ask how long it takes."""
    paths = _COUNTS["ppl"]  # each of two pictures
    pictures = len(_MODELS) * (sum(_COUNTS.values()) + paths)
    digits = len(SPACES) * len(one_of_each("held-out"))
    return [Task("Projecting", digits, "digit", g, steps, gradients=True),
            Task("Measuring", pictures, "picture", g, batch=16,
                 processes=usable_workers())]  # fmt: skip


def draw_samples(g: Generator, folder: Path) -> Path:
    """Write a grid of samples, and say how the classifier reads them."""
    with torch.no_grad(), full_precision():
        samples = g(z_from_seeds(range(_SAMPLES), g.z_dim).to(g.device)).cpu()
    path = folder / SAMPLES
    save_image(path, grid(samples, _COLUMNS).repeat_interleave(2, 1).repeat_interleave(2, 2))
    probabilities = load_classifier(CLASSIFIER)(samples).softmax(dim=1)
    kinds = len(probabilities.argmax(dim=1).unique())
    say(
        f"{_SAMPLES} samples: {kinds} of 10 digits appear, read with a mean top probability of "
        f"{float(probabilities.amax(dim=1).mean()):.3f}"
    )
    return path


def project_digits(g: Generator, steps: int, folder: Path) -> tuple[pd.DataFrame, list[Path]]:
    """Project one held-out digit of each kind into W and W+; returns the table and the files."""
    distance = perceptual_distance(DISTANCE, g.device)
    classifier = load_classifier(CLASSIFIER)
    targets = pixels_to_tensor(one_of_each("held-out"), g.channels)
    shown = {"target": [(target, "") for target in targets]}
    rows, files, misread = [], [], set()
    for space in SPACES:
        settings = ProjectorSettings(space=space, steps=steps)
        label = f"projecting into {space}"
        with ProgressBar(len(targets) * steps, label, "step") as bar:
            result = project(g, targets, distance, settings=settings, batch=1,
                             progress=lambda *_: bar.advance())  # fmt: skip
        read = classifier(result.images.cpu()).argmax(dim=1)
        for digit, place in enumerate(digit_folders(folder, space)):
            write_files(result, digit, targets[digit], make_directory(place))
            files += [place / name for name in FILES]
            numbers = measured(result, digit, targets[digit])
            rows.append({"digit": digit, "space": space, "read_as": int(read[digit]), **numbers})
        wrong = {digit: int(each) for digit, each in enumerate(read) if int(each) != digit}
        misread |= {(space.upper(), digit) for digit in wrong}
        captions = [
            f"{float(distance):.3f}" + (f"\nread as {wrong[digit]}" if digit in wrong else "")
            for digit, distance in enumerate(result.distance)
        ]
        shown[space.upper()] = list(zip(result.images.cpu(), captions, strict=True))
    figure = folder / FIGURE
    title = "Held-out digits projected; below each, its perceptual distance to the target"
    framed = "\nFramed: what the classifier reads as another digit" if misread else ""
    save_figure(figure, tiles(shown, title + framed, misread))
    return table_of(rows), [*files, figure]


def summarise(frame: pd.DataFrame) -> list[str]:
    """Say in one line per space how close the projections are and how they are read."""
    lines = []
    for space, part in frame.groupby("space"):
        right = int((part["digit"] == part["read_as"]).sum())
        lines.append(
            f"{space}: mean distance {part['distance'].mean():.3f} (mean image "
            f"{part['mean_image_distance'].mean():.3f}), PSNR {part['psnr'].mean():.1f} dB, "
            f"{right} of {len(part)} read as the true digit"
        )
    return lines


def is_begun(folder: Path, facts: dict[str, Any]) -> bool:
    """Whether an earlier run has begun to project the digits alike, and was stopped."""
    try:
        manifest = json.loads(read_regular(folder / MANIFEST, _LARGEST))
        return bool(manifest["settings"] == facts and manifest["files"] == {})
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def is_projected(folder: Path, facts: dict[str, Any]) -> bool:
    """Whether an earlier run has projected the digits alike, and nobody has changed its files."""
    files = [file for file in planned_files(folder) if file != folder / MANIFEST]
    try:
        manifest = json.loads(read_regular(folder / MANIFEST, _LARGEST))
        listed = {folder / name: digest for name, digest in manifest["files"].items()}
        return bool(manifest["settings"] == facts) and all(
            file.is_file() and sha256_of(file) == listed.get(file) for file in files
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False


def comparison_request(folder: Path, device: str, overwrite: bool) -> MeasuringRequest:
    """Return where the comparison goes; files of something else are refused before the work."""
    request = MeasuringRequest(folder / PAGE.parent, overwrite, device)
    Results(request, "", comparison_files([True] * len(_MODELS), _COUNTS))
    return request


def compare_models(request: MeasuringRequest) -> None:
    """Measure both models and write the page; ends the command where that is done already."""
    needs = ComparisonRequest(("ppl2_wend",), DISTANCE, (CLASSIFIER,), "classes", None, None)
    comparison_of(_MODELS, _MODELS, _COUNTS, needs, request, published=False)
