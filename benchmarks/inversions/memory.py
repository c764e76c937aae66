"""Print what memory `latentlab inversion-report` takes for few and for many pairs of pictures.

    python -m benchmarks.inversions.memory [--pairs 12 --pairs 10000]

Each report is made by a process of its own, of pictures of noise with 32x32 pixels, with pixel
measures and the bundled distance. FID and KID are left out.
"""

import tempfile
from pathlib import Path

import click
import numpy as np
from PIL import Image

from benchmarks.commands import run
from benchmarks.markdown import head, row


def write_pictures(folder: Path, count: int) -> tuple[Path, Path]:
    """Write so many targets, and results that differ from them."""
    rng, folders = np.random.default_rng(0), (folder / "targets", folder / "results")
    for each in folders:
        each.mkdir()
        for i in range(count):
            pixels = rng.integers(0, 256, [32, 32], dtype=np.uint8)
            Image.fromarray(pixels).save(each / f"{i:05}.png")
    return folders


def peak(count: int) -> float:
    """Return the largest resident memory of a report in MB."""
    with tempfile.TemporaryDirectory() as home:
        targets, results = write_pictures(Path(home), count)
        return run(
            "inversion-report", "--targets", targets, "--results", results,
            "--distance", "builtin:digits", "--score", "none", "-o", Path(home) / "report",
        ).megabytes  # fmt: skip


@click.command()
@click.option("--pairs", type=click.IntRange(6), multiple=True, default=[12, 10_000])
def main(pairs: tuple[int, ...]) -> None:
    """Print the table."""
    head("", "pairs", "MB")
    for count in pairs:
        row(f"{count:,}", f"{peak(count):,.0f}")


if __name__ == "__main__":
    main()
