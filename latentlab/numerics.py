"""Shape checks and keyed randomness, shared by every room."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from latentlab.errors import LatentError


def check_shape(x: Tensor, shape: Sequence[int | None], name: str) -> None:
    """Raise LatentError unless ``x`` has the given shape; None stands for any size."""
    fits = x.ndim == len(shape) and all(
        want is None or have == want for have, want in zip(x.shape, shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if size is None else str(size) for size in shape)
        raise LatentError(f"`{name}` must have shape [{wanted}], but got {list(x.shape)}")


def keyed_seed(seed: int, *key: int) -> int:
    """Derive a 63-bit seed from (seed, key...), so that every stream has its own numbers.

    The keys of one stream have one length: numpy takes [0, 1] and [0, 1, 0] for the same.
    """
    return int(
        np.random.SeedSequence([seed, *key]).generate_state(2, np.uint32).view(np.uint64)[0] >> 1
    )


def keyed_generator(device: torch.device | str, seed: int, *key: int) -> torch.Generator:
    """Make a torch generator on ``device`` seeded from (seed, key...)."""
    return torch.Generator(device=device).manual_seed(keyed_seed(seed, *key))


@contextmanager
def seeded_initialisation(seed: int, *key: int) -> Iterator[None]:
    """Initialise modules from (seed, key...) and leave the global random state as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(keyed_seed(seed, *key))
        yield
