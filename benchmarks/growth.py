"""Print what a folder of pictures costs beside the projecting itself, as JSON lines.

    python -m benchmarks.growth [--quick] [--pictures 10,100,1000,10000]

A tiny generator (32x32, four feature maps) projects as many pictures with one step each, in one
process of one thread. Then the same command runs again, and finds all of them done; and once more
with one picture that is new. Seconds are of the CPU, without those of a run on one picture, so
that what starting takes is left out; what grows with the folder should grow in proportion.
"""

import json
import tempfile
from pathlib import Path

import click
import numpy as np
import torch
from PIL import Image

import latentlab
from benchmarks.commands import run
from latentlab.checkpoints.assemble import build_network
from latentlab.networks.stylegan2_config import StyleGAN2Config

_SIZE = 32


def make_model(path: Path) -> Path:
    """Save a generator that takes next to no time."""
    torch.manual_seed(0)
    config = StyleGAN2Config(
        resolution=_SIZE, channels=3, z_dim=4, w_dim=4, c_dim=0, channel_base=_SIZE, channel_max=4,
        mapping_layers=2,
    )  # fmt: skip
    latentlab.save(build_network(config), path)
    return path


def make_pictures(folder: Path, numbers: range) -> Path:
    """Write pictures of noise, each from its number."""
    folder.mkdir(exist_ok=True)
    for number in numbers:
        pixels = np.random.default_rng(number).integers(0, 256, (_SIZE, _SIZE, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:06d}.png")
    return folder


def cpu_seconds(model: Path, pictures: Path, output: Path) -> tuple[float, float]:
    """Project a folder; returns the seconds of the CPU and the peak of its memory in MB."""
    options = ["--distance", "builtin:digits", "--steps", 1, "--device", "cpu", "--workers", 0]
    line = ["project", model, pictures, "-o", output, *options]
    return run(*line, environment={"OMP_NUM_THREADS": "1"})[1:]


@click.command()
@click.option("--quick", is_flag=True, help="10 and 100 pictures.")
@click.option("--pictures", default="10,100,1000", show_default=True, metavar="N,N,...")
def main(quick: bool, pictures: str) -> None:
    """Print a line for each size of folder."""
    counts = [10, 100] if quick else [int(each) for each in pictures.split(",")]
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        model = make_model(root / "model.safetensors")
        start, _ = cpu_seconds(model, make_pictures(root / "one", range(1)), root / "out")
        again, _ = cpu_seconds(model, root / "one", root / "out")
        for count in counts:
            folder, output = root / f"pictures{count}", root / f"out{count}"
            make_pictures(folder, range(count))
            first, memory = cpu_seconds(model, folder, output)
            second, _ = cpu_seconds(model, folder, output)
            make_pictures(folder, range(count, count + 1))
            third, _ = cpu_seconds(model, folder, output)
            facts = {
                "pictures": count,
                "ms_each": round(1000 * (first - start) / max(count - 1, 1), 2),
                "ms_each_when_done": round(1000 * (second - again) / max(count - 1, 1), 2),
                "s_for_one_more": round(third - start, 2),
                "peak_mb": round(memory),
            }
            click.echo(json.dumps(facts))


if __name__ == "__main__":
    main()
