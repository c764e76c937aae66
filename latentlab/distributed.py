"""A thin layer on torch.distributed: a single process is a group of one.

``torchrun`` starts the processes and says how many there are; nothing here schedules. An error on
one process ends all of them, and that one says why.
"""

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from latentlab.errors import LatentlabError, ProcessError, SettingsError, StoppedElsewhere, reason

if TYPE_CHECKING:
    from torch.distributed.distributed_c10d import Store

T = TypeVar("T")

_FAILURE = "failure"  # the key under which a process says that it has failed
_joinings = itertools.count()
# Slow processes are waited for: one that has ended closes its connections, and is noticed at once.
_PATIENCE = timedelta(days=7)


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
    """Return every process's item, in the order of ranks; all must call it.

    Raises:
        ProcessError: If another process has ended. So do all that exchange something.
    """
    if not _is_joined():
        return [item]
    items: list[Any] = [None] * size()
    with _exchange():
        dist.all_gather_object(items, item)
    return items


def barrier() -> None:
    """Wait until all processes are here; all must call it."""
    any_of(False)


def any_of(fact: bool) -> bool:
    """Whether ``fact`` holds on any process; all must call it."""
    if not _is_joined():
        return fact
    flag = torch.tensor(int(fact))
    with _exchange():
        dist.all_reduce(flag, dist.ReduceOp.MAX)
    return bool(flag)


def add_up_(numbers: Tensor) -> Tensor:
    """Replace a contiguous tensor by the sum of every process's; all must call it.

    All get the same bits. Returns the tensor.
    """
    if _is_joined():
        with _exchange():
            dist.all_reduce(numbers)
    return numbers


def from_main(make: Callable[[], T]) -> T:
    """Return on every process what ``make`` returns, or raise the LatentlabError that it raises.

    Only the main process calls ``make``; all must call this.
    """
    made: list[Any] = [None]
    with failing_together(LatentlabError):
        if is_main():
            made[0] = make()
    if _is_joined():
        with _exchange():
            dist.broadcast_object_list(made)
    return made[0]  # type: ignore[no-any-return]


@contextmanager
def failing_together(*kinds: type[Exception]) -> Iterator[None]:
    """Raise on all processes an error of ``kinds`` that one raises in the block; all must enter it.

    They can then end together in good order, for example by saving. Other errors leave at once,
    and the other processes end where they next exchange something.
    """
    caught: Exception | None = None
    try:
        yield
    except kinds as error:
        caught = error
        _sign(error)
    if any_of(caught is not None):
        errors = [error for error in gather(caught) if error is not None]
        raise caught or errors[0]


@contextmanager
def joined() -> Iterator[None]:
    """Join the other processes where torchrun started several, and leave with them at the end.

    Raises:
        SettingsError: If they cannot be joined.
        StoppedElsewhere: On all but the process that fails first, with its exit code. The first
            one's error carries a note that names the process.
    """
    if _wanted() == 1 or _is_joined():
        yield
        return
    store = _join()
    try:
        yield
        barrier()  # a process that ended early would not learn that another one fails
    except BaseException as error:
        failure = _publish(store, error)
        if not _on_gpus():  # nccl can wait for the others here; the end of the process does as well
            dist.destroy_process_group()
        if failure is None:
            raise
        raise StoppedElsewhere(*failure) from error
    dist.destroy_process_group()


def _is_joined() -> bool:
    return dist.is_available() and dist.is_initialized()


def _wanted() -> int:
    try:
        return max(int(os.environ.get("WORLD_SIZE", "1")), 1)
    except ValueError as error:
        raise SettingsError(
            "WORLD_SIZE in the environment is not a number; start processes with torchrun"
        ) from error


def _join() -> "Store":
    """Join the group; returns the store through which processes can talk even if it breaks."""
    import torch.distributed.nn  # noqa: F401 - see below
    from torch.distributed.distributed_c10d import PrefixStore
    from torch.distributed.rendezvous import rendezvous

    # torch.distributed.nn, which torchvision imports, keeps the group that it finds for good: its
    # connections would outlast it, and others would wait for a process that has failed.
    # Objects and flags go over gloo wherever the work is done; tensors of GPUs go over nccl.
    try:
        store, number, count = next(rendezvous("env://"))
        store = PrefixStore(f"latentlab/{next(_joinings)}", store)  # none finds old keys
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if _on_gpus() else "gloo",
            store=store, rank=number, world_size=count, timeout=_PATIENCE,
        )  # fmt: skip
    except (RuntimeError, ValueError) as error:
        raise SettingsError(
            f"WORLD_SIZE is {_wanted()}, but the processes cannot be joined "
            f"({reason(error)}); start them with torchrun, or unset WORLD_SIZE"
        ) from error
    return store


def _on_gpus() -> bool:
    """Whether every process of this machine can have a GPU of its own, as nccl wants it."""
    if not (torch.cuda.is_available() and dist.is_nccl_available()):
        return False
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1")) <= torch.cuda.device_count()


def _sign(error: BaseException) -> None:
    """Note the process in the error; a note travels with it."""
    if not getattr(error, "__notes__", None):
        error.add_note(f"process {rank()} of {size()}")


def _publish(store: "Store", error: BaseException) -> tuple[int, int] | None:
    """Say that this process fails; returns rank and exit code of the one that said so before."""
    code = getattr(error, "exit_code", None) or getattr(error, "code", None)
    other = 130 if isinstance(error, KeyboardInterrupt) else 1
    mine = f"{rank()} {code if isinstance(code, int) else other}"
    try:
        first = store.compare_set(_FAILURE, "", mine).decode()
    except RuntimeError:  # the store has ended with the process that kept it
        first = mine
    if first == mine:
        _sign(error)
        return None
    number, code = map(int, first.split())
    return number, code


@contextmanager
def _exchange() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:  # gloo's and nccl's
        raise ProcessError(
            f"process {rank()} of {size()} has lost the others: one was ended from outside "
            "(for lack of memory, perhaps), or the network is down; repeat the command"
        ) from error
