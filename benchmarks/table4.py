"""Print rows of Table 4 (Karras et al. 2019) for the digits: path lengths and separability.

    python -m benchmarks.table4 [--row traditional-8 ...] [--kimg 400] [--quick] [-o runs/table4]

Each row is a generator of its own, trained for as long on grey digits, with few feature maps and a
short schedule; its snapshots stay in the folder, and the same command goes on where it stopped.
Path lengths are uncropped and by the bundled distance, separability by the bundled classifier on
the same pictures that its planes are made from, as published. With --quick, rows are trained for
an eighth of the time and measured on a tenth of the samples: enough to see that all of it runs.
"""

import subprocess
import sys
from pathlib import Path

import click

import latentlab
from latentlab.checkpoints.assemble import in_colour
from metrics import linear_separability, perceptual_path_length

SMALL = ["--channels", "1", "--channel-base", "512", "--channel-max", "32", "--batch", "32",
         "--learning-rate", "0.002", "--gamma", "1"]  # fmt: skip
ROWS = {  # the paper's names: config, mapping layers, the space it measures
    "traditional-0": ("stylegan1-b", 0, "z"),
    "traditional-8": ("stylegan1-b", 8, "w"),
    "style-based-0": ("stylegan1-f", 0, "z"),
    "style-based-1": ("stylegan1-f", 1, "w"),
    "style-based-2": ("stylegan1-f", 2, "w"),
    "style-based-8": ("stylegan1-f", 8, "w"),
}
CLASSIFIER = "builtin:digits-classifier"


def trained(row: str, kimg: float, folder: Path) -> latentlab.Generator:
    """Train a row, or go on with it; returns its averaged generator in three channels."""
    config, layers, _ = ROWS[row]
    growth = f"{kimg / 10:g}"  # two doublings: two fifths at 8x8 and 16x16, two of blending
    command = [
        sys.executable, "-m", "cli", "train", "--data", "builtin:digits", "--config", config,
        "--mapping-layers", str(layers), *SMALL, "--growth-kimg", growth, "--kimg", f"{kimg:g}",
        "--snapshot-kimg", f"{kimg / 4:g}", "-o", str(folder / row), "--device", "cpu",
    ]  # fmt: skip
    subprocess.run(command, check=True)
    last = max(
        path for path in (folder / row).glob("snapshot-*.safetensors") if path.stem.count(".") == 0
    )
    return in_colour(latentlab.load(last).generator)


def measured(g: latentlab.Generator, space: str, pairs: int, samples: int) -> list[str]:
    """Return path lengths "full" and "end" with their intervals, and the separability."""
    distance = latentlab.perceptual_distance("builtin:digits")
    lengths = [
        perceptual_path_length(g, distance, space, sampling, pairs) for sampling in ("full", "end")
    ]
    divided = linear_separability(
        g, [latentlab.load_classifier(CLASSIFIER)], samples, samples // 2, (space,)
    )
    cells = [f"{r.value:.1f} ({r.ci_low:.1f} to {r.ci_high:.1f})" for r in lengths]
    return [*cells, f"{divided.rows['value'].iloc[0]:.2f}"]


@click.command()
@click.option("--row", "rows", multiple=True, type=click.Choice(list(ROWS)), help="Default: all.")
@click.option("--kimg", type=float, default=400, show_default=True)
@click.option("--quick", is_flag=True)
@click.option("-o", "--output", type=Path, default=Path("runs/table4"), show_default=True)
def main(rows: tuple[str, ...], kimg: float, quick: bool, output: Path) -> None:
    """Train and measure, and print a Markdown table row by row."""
    kimg, pairs, samples = (kimg / 8, 500, 2000) if quick else (kimg, 5000, 20_000)
    print("| row | space | path length, full | end | separability |\n|---|---|---|---|---|")
    for row in rows or ROWS:
        space = ROWS[row][2]
        cells = measured(trained(row, kimg, output), space, pairs, samples)
        print(f"| {row} | {space} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
