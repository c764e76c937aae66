"""TorchScript files: perceptual distances and classifiers for pictures of any size."""

import warnings

import torch
import torch.nn.functional as F
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


class Layer(nn.Conv2d):
    """A convolution of 3x3 with its ReLU, as NVIDIA's are."""

    def __init__(self, maps_in: int, maps: int) -> None:
        super().__init__(maps_in, maps, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(F.conv2d(x, self.weight, self.bias, padding=1))


class Vgg16(nn.Module):
    """Called as NVIDIA's vgg16.pt is, and with its names of layers, but for narrow ones."""

    def __init__(self, widths: tuple[int, ...] = (4, 4, 5, 6, 8), seed: int = 0) -> None:
        super().__init__()
        rng = torch.Generator().manual_seed(seed)
        self.layers, maps_in, number = nn.ModuleDict(), 3, 1
        for i, (maps, count) in enumerate(zip(widths, (2, 2, 3, 3, 3), strict=True)):
            for _ in range(count):
                self.layers[f"conv{number}"] = Layer(maps_in, maps)
                maps_in, number = maps, number + 1
            self.layers[f"pool{i + 1}"] = nn.MaxPool2d(2)
        self.layers["fc1"] = nn.Linear(maps_in, 7)
        for i, maps in enumerate(widths):
            self.register_buffer(f"lpips{i}", torch.rand([1, maps, 1, 1], generator=rng))
        for name, values in (("mean", (120.0, 110.0, 100.0)), ("std", (60.0, 50.0, 70.0))):
            self.register_buffer(name, torch.tensor(values)[None, :, None, None])
        for weight in self.layers.parameters():
            weight.data = torch.randn(weight.shape, generator=rng) * 0.3

    def forward(
        self, images: Tensor, resize_images: bool = False, return_lpips: bool = False
    ) -> Tensor:
        x, found = (images - self.mean) / self.std, [images[:0].flatten(1)][:0]
        lins = [self.lpips0, self.lpips1, self.lpips2, self.lpips3, self.lpips4]
        for name, layer in self.layers.items():
            if name.startswith("pool"):
                unit = x / (x.square().sum(dim=1, keepdim=True).sqrt() + 1e-10)
                weight = lins[len(found)].sqrt() / (x.shape[2] * x.shape[3]) ** 0.5
                found.append((unit * weight).flatten(1))
            if not name.startswith("fc"):
                x = layer(x)
        return torch.cat(found, dim=1)


def as_torchscript(module, path):
    """Write a module as TorchScript; returns the path."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is going out of fashion; its files are not
        torch.jit.script(module).save(str(path))
    return path
