"""TorchScript files: perceptual distances and classifiers for pictures of any size."""

import warnings

import torch
from torch import Tensor, nn


class Pixels(nn.Module):
    """Called as NVIDIA's VGG16 is; squared distances between its vectors are those of pixels."""

    def forward(
        self, images: Tensor, resize_images: bool = False, return_lpips: bool = False
    ) -> Tensor:
        return images.flatten(1) / 100


class Brightness(nn.Module):
    """A classifier of one attribute: bright pictures have it."""

    def forward(self, images: Tensor) -> Tensor:
        return images.mean(dim=[1, 2, 3])[:, None]


def as_torchscript(module, path):
    """Write a module as TorchScript; returns the path."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is going out of fashion; its files are not
        torch.jit.script(module).save(str(path))
    return path
