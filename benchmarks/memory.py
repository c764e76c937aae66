"""Print the most memory that work of several sizes holds, as a Markdown table.

    python -m benchmarks.memory [--quick] [--work step] [--work kept] [--work ppl]
        [--work separability] [--work projection] [--work svm]

Each figure is the peak resident memory of a process of its own, as Linux counts it.

step: a step of the projector with LPIPS on VGG16, of StyleGAN2 in its published sizes (1024x1024:
config F); "lean" as it is, "plain" with torch's own gradients, "given back" lean, but with freed
memory given back to the system.
kept: four pictures of 256x256 at once, with freed memory kept for the next tensors, and without.
ppl, separability, projection: samples and pictures of tiny networks, so that whatever is kept for
each of them shows.
svm: one plane through samples of 512 numbers.
"""

import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest.mock import patch

import click
import numpy as np
import torch
from click.testing import CliRunner
from costs import generator, peak_memory, write_backbone
from PIL import Image

import latentlab
from cli.main import main as latentlab_command
from latentlab import Generator, ProjectorSettings
from latentlab.allocator import keep_freed_memory
from latentlab.networks.classifier import Classifier, ClassifierConfig
from latentlab.networks.stylegan2_config import StyleGAN2Config
from latentlab.numerics import seeded_initialisation
from metrics import perceptual_path_length
from metrics.separability import linear_separability
from metrics.separability.svm import separate

_STEPS = 3
_TINY = StyleGAN2Config(
    resolution=8, z_dim=16, w_dim=16, mapping_layers=2, channel_base=64, channel_max=8
)
_SIZES: dict[str, tuple[int, ...]] = {
    "step": (256, 1024),
    "kept": (256,),
    "ppl": (1_000, 50_000),
    "separability": (1_000, 50_000),
    "projection": (10, 100, 1_000, 10_000),
    "svm": (100_000,),
}
_QUICK: dict[str, tuple[int, ...]] = {
    **_SIZES, "step": (256,), "ppl": (1_000, 10_000), "separability": (1_000, 10_000),
    "projection": (10, 100), "svm": (20_000,),
}  # fmt: skip
_FORMS = {"step": ("lean", "plain", "given back"), "kept": ("kept", "given back")}


def tiny() -> Generator:
    """A generator that takes no time."""
    with seeded_initialisation(0):
        return Generator(_TINY).eval().requires_grad_(False)


def squares(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """A distance that takes no time either."""
    return (first - second).square().mean(dim=[1, 2, 3])


def step(resolution: int, form: str) -> None:
    """Some steps of the projector."""
    if form != "given back":
        keep_freed_memory()  # as the commands do
    g, distance = generator(resolution), latentlab.perceptual_distance("lpips-vgg")
    settings = ProjectorSettings(steps=_STEPS, w_samples=100)
    target = torch.zeros(1, g.channels, resolution, resolution)
    plain = patch("latentlab.projection.search.lean_gradients", nullcontext)
    with plain if form == "plain" else nullcontext():
        latentlab.project(g, target, distance, settings=settings)


def kept(resolution: int, form: str) -> None:
    """Some batches of pictures."""
    if form == "kept" and not keep_freed_memory():
        raise SystemExit("the C library is not glibc, or a variable says what it is to do")
    g = generator(resolution)
    ws = torch.randn(4, g.num_ws, g.w_dim)
    with torch.no_grad():
        for _ in range(4):
            g.synthesis(ws)


def ppl(samples: int, form: str) -> None:
    """Path lengths."""
    perceptual_path_length(tiny(), squares, num_samples=samples)


def separability(samples: int, form: str) -> None:
    """Linear separability in z and w."""
    with seeded_initialisation(1):
        classifier = Classifier(ClassifierConfig(8, 3, ("no", "yes")))
    linear_separability(
        tiny(), [classifier.eval().requires_grad_(False)], samples, outputs="alternatives"
    )


def projection(pictures: int, form: str) -> None:
    """Project a folder for one step."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        latentlab.save(tiny(), place / "tiny.safetensors")
        (place / "pictures").mkdir()
        draws = np.random.default_rng(0)
        for i in range(pictures):
            pixels = draws.integers(0, 256, [8, 8, 3], dtype=np.uint8)
            Image.fromarray(pixels).save(place / "pictures" / f"{i:05d}.png")
        arguments = ["project", place / "tiny.safetensors", place / "pictures", "--steps", 1,
                     "--distance", "builtin:digits", "-o", place / "out"]  # fmt: skip
        found = CliRunner().invoke(latentlab_command, list(map(str, arguments)))
        if found.exit_code:
            raise SystemExit(found.output)


def svm(samples: int, form: str) -> None:
    """A plane through noise with a direction planted in it."""
    draws = np.random.default_rng(0)
    w = torch.from_numpy(draws.standard_normal((samples, 512), dtype=np.float32))
    labels = (w[:, 0] + 0.3 * torch.randn(samples) > 0).numpy()
    separate(w, labels, dual=False)


def measure(work: Callable[..., None], size: int, form: str) -> tuple[float, float, float]:
    """Return the peak of a piece of work in megabytes, that before it, and its CPU seconds."""
    torch.set_num_threads(1)
    before, started = peak_memory(), time.process_time()
    work(size, form)
    return peak_memory(), before, time.process_time() - started


@click.command()
@click.option("--quick", is_flag=True, help="Smaller numbers, and no network of 1024x1024.")
@click.option("--work", "chosen", multiple=True, type=click.Choice(list(_SIZES)),
              default=list(_SIZES))  # fmt: skip
def main(quick: bool, chosen: tuple[str, ...]) -> None:
    """Print the table."""
    click.echo(
        "| work | size | form | peak MB | MB before | CPU seconds |\n|---|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory() as home:
        write_backbone(Path(home))
        os.environ["TORCH_HOME"] = home  # children have it from here
        for name in chosen:
            work: Any = globals()[name]
            sizes = (_QUICK if quick else _SIZES)[name]
            for size in sizes:
                for form in _FORMS.get(name, ("",)):
                    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
                        peak, before, took = pool.submit(measure, work, size, form).result()
                    click.echo(f"| {name} | {size:,} | {form} | {peak:,.0f} | {before:,.0f} | "
                               f"{took:.1f} |")  # fmt: skip


if __name__ == "__main__":
    main()
