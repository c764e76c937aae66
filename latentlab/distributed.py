"""A thin layer on torch.distributed: one process is the case of a group of one.

``torchrun`` starts the processes and says how many there are; nothing here schedules.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch.distributed as dist

T = TypeVar("T")


def size() -> int:
    """Number of processes that work together."""
    return dist.get_world_size() if _is_joined() else 1


def rank() -> int:
    """Number of this process, from 0."""
    return dist.get_rank() if _is_joined() else 0


def is_main() -> bool:
    """Whether this is the process that talks and writes."""
    return rank() == 0


def share(items: Sequence[T]) -> Sequence[T]:
    """Return this process's part of ``items``: every ``size()``-th, from its rank on."""
    return items[rank() :: size()]


def gather(item: T) -> list[T]:
    """Return every process's item, in the order of ranks; all must call it."""
    if not _is_joined():
        return [item]
    items: list[Any] = [None] * size()
    dist.all_gather_object(items, item)
    return items


@contextmanager
def joined() -> Iterator[None]:
    """Join the other processes where torchrun started several, and leave them at the end."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or _is_joined():
        yield
        return
    # Whole objects are exchanged, never gradients, so gloo serves GPUs as well.
    dist.init_process_group("gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def _is_joined() -> bool:
    return dist.is_available() and dist.is_initialized()
