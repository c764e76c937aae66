"""The parts of the demo: samples, projected digits, and the picture that shows them."""

from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from cli.plots.style import save_figure
from cli.plots.tiles import tiles
from cli.projection_files import Target, project_targets
from cli.report import MANIFEST
from cli.text import say
from latentlab import (
    Generator,
    NumericalError,
    ProjectorSettings,
    load_classifier,
    perceptual_distance,
)
from latentlab.digits import one_of_each
from latentlab.images import grid, pixels_to_tensor, save_image
from latentlab.latents import z_from_seeds
from latentlab.numerics import full_precision

CLASSIFIER, DISTANCE = "builtin:digits-classifier", "builtin:digits"
SAMPLES, FIGURE, TABLE = "samples.png", "projections.png", "projections.csv"
SPACES = {"w": "w", "w+": "w-plus"}  # space -> folder

_SAMPLES, _COLUMNS = 128, 16


def digit_targets(g: Generator, space: str, folder: Path) -> list[Target]:
    """Return one held-out digit of each kind, with the folders of their results."""
    pixels = pixels_to_tensor(one_of_each("held-out"), g.channels)
    return [
        Target(Path(f"digit-{i}"), folder / SPACES[space] / f"digit-{i}", image)
        for i, image in enumerate(pixels)
    ]


def planned_files(g: Generator, folder: Path) -> list[Path]:
    """Return all that the demo will write."""
    targets = [target for space in SPACES for target in digit_targets(g, space, folder)]
    names = (SAMPLES, FIGURE, TABLE, MANIFEST)
    return [*(folder / name for name in names), *(f for t in targets for f in t.results)]


def draw_samples(g: Generator, folder: Path) -> Path:
    """Write a grid of samples, and say how the classifier reads them."""
    with torch.no_grad(), full_precision():
        samples = g(z_from_seeds(range(_SAMPLES), g.z_dim).to(g.device)).cpu()
    path = folder / SAMPLES
    save_image(path, _enlarge(grid(samples, _COLUMNS)))
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
    rows, files, shown = [], [], {}
    for space in SPACES:
        targets = digit_targets(g, space, folder)
        shown["target"] = [(target.image, "") for target in targets]
        settings = ProjectorSettings(space=space, steps=steps)
        done = project_targets(g, targets, distance, settings, label=f"projecting into {space}")
        if len(done) < len(targets):  # rows and pictures would stand beside the wrong digit
            raise NumericalError(f"projecting into {space} left the finite numbers")
        read = classifier(torch.stack([item.image for item in done])).argmax(dim=1)
        for digit, item in enumerate(done):
            rows.append({"digit": digit, "space": space, "read_as": int(read[digit]), **item.row})
            files += item.target.results
        shown[space.upper()] = [(item.image, f"{item.row['distance']:.3f}") for item in done]
    figure = folder / FIGURE
    title = "Held-out digits projected; below each, its perceptual distance to the target"
    save_figure(figure, tiles(shown, title))
    return pd.DataFrame(rows).drop(columns=["picture", "status", "note"]), [*files, figure]


def summarise(frame: pd.DataFrame) -> list[str]:
    """Say in a line a space how close the projections are and how they are read."""
    lines = []
    for space, part in frame.groupby("space"):
        right = int((part["digit"] == part["read_as"]).sum())
        lines.append(
            f"{space}: mean distance {part['distance'].mean():.3f} (mean image "
            f"{part['mean_image_distance'].mean():.3f}), PSNR {part['psnr'].mean():.1f} dB, "
            f"{right} of {len(part)} read as the true digit"
        )
    return lines


def _enlarge(image: Tensor, factor: int = 2) -> Tensor:
    return image.repeat_interleave(factor, 1).repeat_interleave(factor, 2)
