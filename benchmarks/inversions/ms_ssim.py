"""Print MS-SSIM as other tools compute it, beside that of `latentlab inversion-report`.

    python -m benchmarks.inversions.ms_ssim

Two photographs, each changed in five ways. "[-1,1]" are values of both signs with a range of 2, as
HyperStyle's script takes them: the formula, which has means of the picture in it, gives something
else there. torchmetrics mirrors pictures beyond their border.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_msssim import ms_ssim
from skimage import data
from torch import Tensor
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

from benchmarks.markdown import head, row
from metrics.picture_pairs.pixels import resized
from metrics.picture_pairs.structural_similarity import structural_similarity
from tests.support.pairs import results_of

SIDE = 256
PHOTOGRAPHS = {"astronaut": data.astronaut, "coffee": data.coffee}


def _planes(pixels: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(pixels.copy()).double().permute(2, 0, 1)[None]


def main() -> None:
    """Print the table."""
    head("", "photograph", "changed", "here", "pytorch-msssim", "torchmetrics", "[-1,1], range 2")
    for name, load in PHOTOGRAPHS.items():
        target = resized(load(), SIDE)
        for change, result in results_of(target).items():
            x, y = _planes(target), _planes(result)
            ours = float(structural_similarity(x, y).ms_ssim[0])
            others = [
                float(ms_ssim(x, y, data_range=255)),
                float(multiscale_structural_similarity_index_measure(x, y, data_range=255.0)),
                float(ms_ssim(x / 127.5 - 1, y / 127.5 - 1, data_range=2)),
            ]
            row(name, change, f"{ours:.4f}", *(f"{other - ours:+.4f}" for other in others))


if __name__ == "__main__":
    main()
