"""Keyed randomness and the precision of numbers, shared by every room."""

import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from functools import partial
from typing import Any, TypeVar

import numpy as np
import torch

Read = TypeVar("Read")


class Stream(IntEnum):
    """What random numbers are for: each use has its own stream under every seed."""

    INITIAL_WEIGHTS = 0
    TRAINING_STEP = 1
    SHUFFLE = 10
    MIRROR = 11
    SAMPLE_GRID = 20
    CLASSIFIER_WEIGHTS = 30
    CLASSIFIER_BATCH = 31
    PROJECTION_NOISE = 40
    PROJECTION_W = 41
    PROJECTION_START = 42
    TUNING = 43
    PICTURE_ORDER = 45
    RENDERED_NOISE = 50
    FILE_W_MEAN = 60  # of a checkpoint that has none
    FILE_NOISE = 61
    CONTRIBUTIONS = 100
    PATH_LENGTH = 110  # z of both ends
    PATH_LENGTH_PLACE = 111  # t along the path
    SEPARABILITY = 120
    SEPARABILITY_FOLDS = 121
    DROPLETS = 130
    STOCHASTIC = 140
    ATTRIBUTION = 150
    FIDELITY = 160
    MIXING = 161  # z of the second and further latents in a picture
    MIXING_PLACES = 162  # layers from which they hold
    BOOTSTRAP = 170
    DIRECTIONS = 180
    EQUIVARIANCE = 190
    MOTION = 191  # of the pictures that are moved together
    SPECTRUM = 195
    LABELS = 1000  # added to the stream of the z that the labels go with
    NOISE_MAPS = 2000  # added to the stream of the z that the noise maps go with


# Of torch.backends: whose float32 factors may be rounded, and by what names they are not.
_PRODUCTS = (
    "cuda.matmul", "cudnn.conv", "cudnn.rnn", "mkldnn.matmul", "mkldnn.conv", "mkldnn.rnn",
)  # fmt: skip
_FULL = ("ieee", "none")
_LOOKS = 10  # steps from one look to the next, where looking waits


def keyed_seed(seed: int, *key: int) -> int:
    """Derive a 63-bit seed from (seed, key...), so that every stream has its own numbers.

    The keys of one stream have one length: numpy takes [0, 1] and [0, 1, 0] for the same.

    >>> keyed_seed(0, Stream.DROPLETS, 1)
    4712719273898429540
    >>> keyed_seed(0, 1) == keyed_seed(1, 0)
    False
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
    with torch.random.fork_rng(devices=[]):  # modules are built on the CPU
        torch.default_generator.manual_seed(keyed_seed(seed, *key))
        yield


def may_look(device: torch.device, step: int) -> bool:
    """Whether to look at numbers of a step: on the CPU always, elsewhere at every tenth.

    Looking waits for the device, which then has nothing to do until it is given the next step.
    """
    return device.type == "cpu" or step % _LOOKS == _LOOKS - 1


@contextmanager
def full_precision() -> Iterator[None]:
    """Keep torch from rounding the factors of float32 products, and restore its settings after.

    On a GPU that is to TF32's 10 bits, on some CPUs to bfloat16's 7. torch has an older interface
    for it and, from 2.9 on, a newer one. Where a program has used both so that they disagree, the
    older cannot be read any more, and is left alone.
    """
    cudnn = torch.backends.cudnn
    matmul, convolutions = _readable(torch.get_float32_matmul_precision), _readable(_cudnn_tf32)
    kinds = {kind: kind.fp32_precision for kind in _kinds_of_products()}
    if matmul is not None:
        torch.set_float32_matmul_precision("highest")
    if convolutions is not None:
        cudnn.allow_tf32 = False
    for kind in kinds:
        if kind.fp32_precision not in _FULL:
            kind.fp32_precision = "ieee"
    try:
        yield
    finally:
        if matmul is not None:
            torch.set_float32_matmul_precision(matmul)
        if convolutions is not None:
            cudnn.allow_tf32 = convolutions
        for kind, before in kinds.items():
            _restore(kind, before)


def _kinds_of_products() -> list[Any]:
    """Return what the newer interface sets one by one; before torch 2.9 there is nothing."""
    places = [operator.attrgetter(name) for name in _PRODUCTS]
    found = [_readable(partial(place, torch.backends)) for place in places]
    return [each for each in found if hasattr(each, "fp32_precision")]


def _cudnn_tf32() -> bool:
    return torch.backends.cudnn.allow_tf32


def _readable(read: Callable[[], Read]) -> Read | None:
    """Return a setting; None where this torch has none, or both interfaces disagree on it."""
    try:
        return read()
    except (AttributeError, RuntimeError):
        return None


def _restore(kind: Any, before: str) -> None:
    if kind.fp32_precision != before:
        kind.fp32_precision = "none"  # that of all kinds together, where it came from there
    if kind.fp32_precision != before:
        kind.fp32_precision = before
