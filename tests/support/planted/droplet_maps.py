"""Feature maps made by hand: backgrounds to plant droplets into, and all that is no droplet."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Maps = NDArray[np.float64]
BACKGROUNDS = (
    "white", "smooth", "pink", "rectified", "laplace", "gradient", "radial", "constant",
)  # fmt: skip


def background(
    kind: str, channels: int, side: int, rng: np.random.Generator, count: int = 6
) -> Maps:
    """Feature maps [count,channels,side,side] of standard deviation 1 (constant ones: 0)."""
    x = rng.standard_normal([count, channels, side, side])
    a, b = rng.standard_normal([2, count, channels, 1, 1])
    down, right = np.mgrid[:side, :side] / side - 0.5
    if kind == "constant":
        return np.broadcast_to(a, x.shape).copy()
    if kind == "smooth":
        x = ndimage.gaussian_filter(x, (0, 0, side / 24, side / 24), mode="wrap")
    elif kind == "pink":
        frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side))
        frequency[0, 0] = 1
        x = np.fft.ifft2(np.fft.fft2(x) / frequency).real
    elif kind == "rectified":
        x = np.where(x > 0, x, 0.2 * x)
    elif kind == "laplace":
        x = rng.laplace(size=x.shape)
    elif kind == "gradient":
        x = a * down + b * right + 0.05 * x
    elif kind == "radial":
        x = a * np.hypot(down, right) + 0.02 * x
    return np.asarray(x / x.std(axis=(2, 3), keepdims=True))


def plant_into(
    x: Maps,
    sigma: float,
    strength: float,
    share: float,
    rng: np.random.Generator,
    apart: Sequence[Maps] = (),
) -> Maps:
    """Add a Gaussian spot to a share of the channels of each map, up or down: places [N,2]."""
    count, channels, side = x.shape[:3]
    centres = rng.uniform(0.5, side - 0.5, [count, 2])
    for other in apart:  # try again where two would touch
        while (near := np.hypot(*(centres - other).T) < 8 * sigma).any():
            centres[near] = rng.uniform(0.5, side - 0.5, [near.sum(), 2])
    down, right = np.mgrid[:side, :side] + 0.5
    squared = (down - centres[:, :1, None]) ** 2 + (right - centres[:, 1:, None]) ** 2
    chosen = rng.random([count, channels]).argsort(axis=1) < np.ceil(share * channels)
    signs = rng.choice([-1, 1], [count, channels]) * chosen * strength
    x += signs[:, :, None, None] * np.exp(-squared / 2 / sigma**2)[:, None]
    return centres


def noisy(pattern: Callable[..., Maps], noise: float = 1.0) -> Callable[..., Maps]:
    """Return what makes maps of noise with a pattern [side,side], of any sign in each channel."""

    def make(count: int, channels: int, side: int, rng: np.random.Generator) -> Maps:
        x = noise * rng.standard_normal([count, channels, side, side])
        signs = rng.choice([-1.0, 1.0], [count, channels, 1, 1])
        for i in range(count):
            x[i] += signs[i] * pattern(side, rng)
        return x

    return make


def _steps(side: int, rng: np.random.Generator) -> Maps:
    return 6.0 * (np.arange(side) < rng.integers(2, side - 1)) * np.ones([side, 1])


def _lines(side: int, rng: np.random.Generator) -> Maps:
    x = np.zeros([side, side])
    x[:, rng.integers(3, side - 3)] = rng.uniform(8, 40)
    return x if rng.random() < 0.5 else x.T


def _crosses(side: int, rng: np.random.Generator) -> Maps:
    return _lines(side, rng) + _lines(side, rng).T


def _crosses_in_a_corner(side: int, rng: np.random.Generator) -> Maps:
    """A row and a column that cross one or two pixels inside of a corner."""
    x = np.zeros([side, side])
    row, column = rng.integers(1, 3, 2)
    x[row] += rng.uniform(8, 40)
    x[:, column] += rng.uniform(8, 40)
    return np.rot90(x, rng.integers(4))


def _border_pixel(side: int, rng: np.random.Generator) -> Maps:
    x = np.zeros([side, side])
    x[0, rng.integers(side)] = rng.uniform(8, 40)
    return np.rot90(x, rng.integers(4))


def _corner(side: int, rng: np.random.Generator) -> Maps:
    x = np.zeros([side, side])
    x[:3, :3] = rng.uniform(8, 40)
    return np.rot90(x, rng.integers(4))


def _frame(side: int, rng: np.random.Generator) -> Maps:
    x = np.full([side, side], float(rng.uniform(8, 40)))
    x[1:-1, 1:-1] = 0
    return x


def _checkerboard(side: int, rng: np.random.Generator) -> Maps:
    cell = int(rng.integers(1, 4))
    return rng.uniform(3, 20) * ((np.indices([side, side]) // cell).sum(axis=0) % 2)


def _grid(side: int, rng: np.random.Generator) -> Maps:
    step = int(rng.integers(3, side // 4 + 1))
    at = np.arange(side) % step == step // 2
    return rng.uniform(8, 40) * (at[:, None] & at[None])


def _texture(side: int, rng: np.random.Generator) -> Maps:
    """Ripples of one wavelength in all directions."""
    x = ndimage.gaussian_filter(rng.standard_normal([side, side]), 1.0, mode="wrap")
    x -= ndimage.gaussian_filter(x, 1.6, mode="wrap")
    return np.asarray(rng.uniform(3, 20) * x / x.std())


def _bump(side: int, rng: np.random.Generator) -> Maps:
    """A smooth bump that is wider than a droplet."""
    row, column = rng.uniform(side / 4, 3 * side / 4, 2)
    down, right = np.mgrid[:side, :side]
    sigma = side * rng.uniform(0.125, 0.2)
    return np.asarray(
        rng.uniform(8, 40) * np.exp(-((down - row) ** 2 + (right - column) ** 2) / 2 / sigma**2)
    )


def _ring(side: int, rng: np.random.Generator) -> Maps:
    row, column = rng.uniform(side / 3, 2 * side / 3, 2)
    down, right = np.mgrid[:side, :side]
    away = np.hypot(down - row, right - column)
    return rng.uniform(8, 40) * (np.abs(away - side / 5) < 0.8)


def _plain(kind: str) -> Callable[..., Maps]:
    def make(count: int, channels: int, side: int, rng: np.random.Generator) -> Maps:
        return background(kind, channels, side, rng, count)

    return make


NEGATIVES: dict[str, Callable[..., Maps]] = {
    **{f"maps: {kind}": _plain(kind) for kind in BACKGROUNDS},
    "maps: a strong edge": noisy(_steps),
    "maps: a bright row or column": noisy(_lines),
    "maps: a bright row and column": noisy(_crosses),
    "maps: a bright row and column that cross near a corner": noisy(_crosses_in_a_corner),
    "maps: a hot pixel at the border": noisy(_border_pixel),
    "maps: a hot corner": noisy(_corner),
    "maps: a bright frame": noisy(_frame),
    "maps: a checkerboard": noisy(_checkerboard),
    "maps: a grid of dots": noisy(_grid),
    "maps: ripples": noisy(_texture),
    "maps: a wide bump": noisy(_bump),
    "maps: a ring": noisy(_ring),
}
