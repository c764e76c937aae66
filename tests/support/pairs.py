"""Pairs of pictures, and a face-recognition network, for tests of inversions."""

import io
import warnings
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from torch import Tensor, nn

Pixels = NDArray[np.uint8]


def photograph(side: int = 256, seed: int = 0) -> Pixels:
    """A smooth coloured picture with edges and fine noise [side,side,3]."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, [6, 6, 3], dtype=np.uint8)
    picture = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)
    pixels = np.array(picture).astype(np.float64)
    pixels[side // 3 : side // 2, side // 4 : side // 2] *= 0.5
    return np.clip(pixels + rng.normal(0, 4, pixels.shape), 0, 255).astype(np.uint8)


def results_of(pixels: Pixels) -> dict[str, Pixels]:
    """What methods might make of a picture: blurred, compressed, moved, noisy, darker."""
    picture = Image.fromarray(pixels)
    compressed = io.BytesIO()
    picture.save(compressed, format="JPEG", quality=10)
    noise = np.random.default_rng(1).normal(0, 20, pixels.shape)
    pictures = {
        "blurred": picture.filter(ImageFilter.GaussianBlur(2)),
        "compressed": Image.open(compressed).convert("RGB"),
        "darker": picture.point(lambda value: int(value * 0.8)),
    }
    return {
        **{name: np.array(each) for name, each in pictures.items()},
        "moved": np.roll(pixels, 3, axis=1),
        "noisy": np.clip(pixels + noise, 0, 255).astype(np.uint8),
    }


def as_image(pixels: Pixels) -> Tensor:
    """Return a picture [H,W,C] as an image [C,H,W] in [-1,1]."""
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 127.5 - 1


class MeanFaces(nn.Module):
    """A stand-in for a face-recognition network: mean colours of 7x7 blocks, not of unit length."""

    def forward(self, faces: Tensor) -> Tensor:
        return torch.nn.functional.avg_pool2d(faces, 16).flatten(1) * 3


class OfAnotherShape(nn.Module):
    """No face-recognition network: it gives one number for all."""

    def forward(self, faces: Tensor) -> Tensor:
        return faces.mean()


def save_program(network: nn.Module, path: Path) -> Path:
    """Write a network as TorchScript."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch would rather export
        torch.jit.script(network).save(str(path))
    return path
