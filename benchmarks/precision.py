"""Print how far pictures, distances and projections in 16 bits are from those in float32, as JSON.

    python -m benchmarks.precision [--resolution 256] [--pictures 8] [--quick]

Pictures are of a network of StyleGAN2's published size with random weights, distances by a VGG16
with random weights between pairs of them; projections are those of the bundled digits' generator
to digits that it was not trained on, 300 steps into W, and compared in float32 at the end.
"""

import os
import tempfile
from pathlib import Path

import click
import torch
from torch import Tensor

import latentlab
from benchmarks.clock import say
from benchmarks.costs import write_backbone
from benchmarks.speed import random_generator
from latentlab import Generator, ProjectorSettings
from latentlab.acceleration import FLOAT32, PRECISIONS
from latentlab.datasets.pictures import DigitsDataset
from latentlab.images import to_uint8
from latentlab.numerics import keyed_generator
from latentlab.perceptual import PerceptualDistance

HALVES = [each for each in PRECISIONS if each != FLOAT32]


@torch.no_grad()
def pictures(g: Generator, count: int) -> Tensor:
    """Random pictures [N,C,R,R]."""
    z = torch.randn(count, g.z_dim, generator=keyed_generator("cpu", 0, 0))
    return torch.cat([g(each[None]) for each in z])


def of_pictures(g: Generator, count: int) -> None:
    """How far pictures are off, in their own spread and in grey levels of 8 bits."""
    exact = pictures(g, count)
    # Random weights give values beyond [-1,1]; scaled, they are as photographs.
    fit = 0.5 / exact.std()
    levels = to_uint8(exact * fit).int()
    for precision in HALVES:
        near = pictures(latentlab.in_precision(g, precision), count)
        off = (to_uint8(near * fit).int() - levels).abs()
        say({"what": "pictures", "precision": precision, "resolution": g.resolution,
             "rms_by_spread": float((near - exact).square().mean().sqrt() / exact.std()),
             "mean_levels": float(off.double().mean()), "most_levels": int(off.max()),
             "share_off_by_more_than_1": float((off > 1).double().mean())})  # fmt: skip


@torch.no_grad()
def of_distances(distance: PerceptualDistance, images: Tensor) -> None:
    """How far distances between neighbours are off, as shares."""
    first, second = images[0::2], images[1::2]
    exact = torch.cat([distance(*pair) for pair in zip(first.split(1), second.split(1),
                                                       strict=True)])  # fmt: skip
    for precision in HALVES:
        half = latentlab.in_precision(distance, precision)
        near = torch.cat([half(*pair) for pair in zip(first.split(1), second.split(1),
                                                      strict=True)])  # fmt: skip
        off = (near / exact - 1).abs()
        say({"what": "distances", "precision": precision, "distance": distance.name,
             "mean_share": float(off.mean()), "most": float(off.max())})  # fmt: skip


def of_projections(count: int, steps: int) -> None:
    """How much closer or further projections end that were searched for in 16 bits."""
    g = latentlab.load("builtin:digits-stylegan2").generator
    distance = latentlab.perceptual_distance("builtin:digits")
    dataset = DigitsDataset("held-out")
    wanted = torch.stack([dataset.image(i) for i in range(count)])
    settings = ProjectorSettings(steps=steps)
    exact = latentlab.project(g, wanted, distance, settings=settings).distance
    for precision in HALVES:
        twin = latentlab.in_precision(g, precision, gradients_only=True)
        near = latentlab.project(twin, wanted, distance, settings=settings).distance
        ratio = near / exact
        say({"what": "projections", "precision": precision, "pictures": count, "steps": steps,
             "median_of_float32": float(ratio.median()), "least": float(ratio.min()),
             "most": float(ratio.max())})  # fmt: skip


@click.command()
@click.option("--resolution", default=256, show_default=True)
@click.option("--pictures", "count", type=click.IntRange(min=2), default=8, show_default=True)
@click.option("--quick", is_flag=True, help="64x64, 2 pictures, 30 steps.")
def main(resolution: int, count: int, quick: bool) -> None:
    """Print one line for each precision and kind of number."""
    if quick:
        resolution, count = 64, 2
    g = random_generator(resolution)
    of_pictures(g, count)
    with tempfile.TemporaryDirectory() as home:
        write_backbone(Path(home))
        os.environ["TORCH_HOME"] = home
        distance = latentlab.perceptual_distance("lpips-vgg")
    of_distances(distance, pictures(g, count).clamp(-1, 1))
    of_projections(count, 30 if quick else 300)


if __name__ == "__main__":
    main()
