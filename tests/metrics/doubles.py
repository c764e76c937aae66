"""Generators and distances written by hand: the face alone, and path lengths known in advance."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


class PlainGenerator:
    """Linear from z to w to images, and no module: w = z M' + b, image = w A'."""

    channels, num_ws, resolution, c_dim = 3, 2, 8, 0

    def __init__(self, z_dim: int = 4, w_dim: int = 3, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.z_dim, self.w_dim = z_dim, w_dim
        pixels = self.channels * self.resolution**2
        self.m = torch.from_numpy(rng.standard_normal([w_dim, z_dim]))
        self.b = torch.from_numpy(rng.standard_normal(w_dim))
        self.a = torch.from_numpy(rng.standard_normal([pixels, w_dim]))
        self.w_mean = self.b

    def mapping(
        self,
        z: Tensor,
        c: Tensor | None = None,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
    ) -> Tensor:
        w = z.double() @ self.m.T + self.b
        return w[:, None].expand(-1, self.num_ws, -1)

    def synthesis(self, ws: Tensor, noise_mode: str = "const", noise: object = None) -> Tensor:
        image = ws.double()[:, -1] @ self.a.T
        return image.reshape(-1, self.channels, self.resolution, self.resolution)


class LinearGenerator(nn.Module):
    """The same as a module, with weights and nothing beyond the face."""

    def __init__(self, z_dim: int = 4, w_dim: int = 3, seed: int = 0) -> None:
        super().__init__()
        plain = PlainGenerator(z_dim, w_dim, seed)
        self.z_dim, self.w_dim, self.c_dim, self.num_ws = z_dim, w_dim, 0, plain.num_ws
        self.channels, self.resolution = plain.channels, plain.resolution
        self.m, self.b, self.a = (nn.Parameter(x) for x in (plain.m, plain.b, plain.a))
        self.w_mean = plain.b

    mapping = PlainGenerator.mapping
    synthesis = PlainGenerator.synthesis

    def forward(self, z: Tensor, c: Tensor | None = None, noise_mode: str = "const") -> Tensor:
        return self.synthesis(self.mapping(z, c))


def squared(first: Tensor, second: Tensor) -> Tensor:
    """Squared Euclidean distance [N] of images in [-1,1]."""
    return (first - second).square().sum(dim=[1, 2, 3])


def stand_in(first: Tensor, second: Tensor) -> Tensor:
    """The reference data's distance: squared differences of [0,255] images, by 1000."""
    return squared(first * 127.5, second * 127.5) / 1000


class Counting:
    """A distance that counts its calls, and may be interrupted at one of them."""

    name = "counting"

    def __init__(self, interrupted_at: int | None = None) -> None:
        self.calls, self.interrupted_at = 0, interrupted_at

    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        self.calls += 1
        if self.calls == self.interrupted_at:
            raise KeyboardInterrupt
        return stand_in(first, second)


def numpy_slerp(a: NDArray[np.float64], b: NDArray[np.float64], t: float) -> NDArray[np.float64]:
    """Shoemake 1985 on the directions of two vectors [D]."""
    a, b = a / np.sqrt(a @ a), b / np.sqrt(b @ b)
    angle = np.arccos(a @ b)
    return (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)
