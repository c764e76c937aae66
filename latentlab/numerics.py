"""Keyed randomness and the precision of numbers, shared by every room."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

import numpy as np
import torch


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
    """Keep CUDA from rounding float32 factors to TF32's 10 bits, and restore its settings after."""
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.allow_tf32, matmul.allow_tf32
    cudnn.allow_tf32 = matmul.allow_tf32 = False
    try:
        yield
    finally:
        cudnn.allow_tf32, matmul.allow_tf32 = before
