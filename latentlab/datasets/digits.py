"""The handwritten digits inside scikit-learn, as 32x32 pictures with a fixed held-out split.

1,797 scans of 8x8 pixels with 16 grey levels (E. Alpaydin and C. Kaynak, UCI machine learning
repository). Each is enlarged to 28x28 and framed to 32x32, white on black.
"""

from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Split = Literal["train", "held-out"]

RESOLUTION = 32
CLASSES = tuple(str(digit) for digit in range(10))

_ENLARGED = 28
_HELD_OUT_EVERY = 6  # every sixth scan is held out: the writers are in sequence, so all appear


@cache
def digits(split: Split) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return pictures [N,32,32] in 0..255 and digits [N]: 1,498 to train on, 299 held out."""
    from sklearn.datasets import load_digits

    scans, labels = load_digits(return_X_y=True)
    held_out = np.arange(len(labels)) % _HELD_OUT_EVERY == _HELD_OUT_EVERY - 1
    keep = held_out if split == "held-out" else ~held_out
    pictures = np.stack([_enlarge(scan) for scan in scans[keep].reshape(-1, 8, 8)])
    pictures.setflags(write=False)
    return pictures, labels[keep].astype(np.int64)


def one_of_each(split: Split, which: int = 0) -> NDArray[np.uint8]:
    """Return ten pictures [10,32,32]: the ``which``-th of each digit from 0 to 9."""
    pictures, labels = digits(split)
    return np.stack([pictures[np.flatnonzero(labels == digit)[which]] for digit in range(10)])


def _enlarge(scan: NDArray[np.float64]) -> NDArray[np.uint8]:
    # Full scale of a scan is 16, so 255/16 maps it to the range of a byte.
    small = Image.fromarray(np.rint(scan * (255 / 16)).astype(np.uint8))
    large = np.asarray(small.resize((_ENLARGED, _ENLARGED), Image.Resampling.BICUBIC))
    return np.pad(large, (RESOLUTION - _ENLARGED) // 2)
