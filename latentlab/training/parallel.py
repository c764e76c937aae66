"""One batch for several processes: which rows each has, and what they add up.

Random numbers are drawn for the whole batch everywhere, and each process takes its rows: an
iteration equals that of a single process but for rounding. DistributedDataParallel is not used:
path length and R1 differentiate gradients once more, which its hooks on gradients do not follow.
"""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor

from latentlab import distributed
from latentlab.errors import SettingsError
from latentlab.networks.ops import minibatch_group
from latentlab.training.config import TrainingConfig


class Rows:
    """This process's rows of a batch: every n-th one of n processes.

    The groups of minibatch standard deviation are strided as well, so that a process has whole
    ones (see ``check_batches``). A process without rows of its own works on the first one, with a
    weight of 0.

    Attributes:
        count: Rows of the whole batch.
        weight: This process's share of them.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        mine = len(distributed.share(range(count)))
        self.weight = mine / count
        self._rows = slice(distributed.rank(), None, distributed.size()) if mine else slice(1)

    def of(self, drawn: Tensor) -> Tensor:
        """Return this process's rows of a tensor for the whole batch."""
        return drawn[self._rows]

    def part(self, mean: Tensor) -> Tensor:
        """Return what the mean over these rows adds to the mean over the whole batch."""
        return mean * self.weight

    def mean(self, values: Tensor) -> Tensor:
        """Return the mean of the whole batch's values [N,...], of which these rows are given.

        Its gradient takes in what every process makes of it.
        """
        part = self.part(values.mean(dim=0))
        return cast(Tensor, _Sum.apply(part)) if distributed.size() > 1 else part


def add_up_gradients(gradients: Sequence[Tensor], loss: Tensor) -> Tensor:
    """Replace gradients by their sums over all processes, and return the sum of losses."""
    if distributed.size() == 1:
        return loss
    flat = torch.cat([loss.detach().reshape(1), *(each.reshape(-1) for each in gradients)])
    sizes = [1, *(each.numel() for each in gradients)]
    total, *sums = cast(list[Tensor], distributed.add_up_(flat).split(sizes))
    for gradient, each in zip(gradients, sums, strict=True):
        gradient.copy_(each.view_as(gradient))
    return total[0]


def add_up_numbers(numbers: dict[str, float]) -> dict[str, float]:
    """Return the sums of numbers of the same names over all processes."""
    if distributed.size() == 1:
        return numbers
    sums = distributed.add_up_(torch.tensor(list(numbers.values()), dtype=torch.float64))
    return dict(zip(numbers, sums.tolist(), strict=True))


def check_batches(config: TrainingConfig) -> None:
    """Raise SettingsError if a batch cannot be dealt out without changing what is trained."""
    count, discriminator = distributed.size(), config.discriminator
    odd = sorted({batch for batch in config.batches() if batch % count})
    if odd:
        fitting = sorted({max(batch // count, 1) * count for batch in odd})
        raise SettingsError(
            f"`batch` {', '.join(map(str, odd))} cannot be dealt out to {count} processes evenly",
            advice=[f"take a `batch` of {fitting[-1]}", f"another multiple of {count}"],
        )
    size = discriminator.mbstd_group_size
    for batch in sorted(config.batches()) if discriminator.mbstd_num_channels else []:
        whole, dealt = (minibatch_group(n, size) for n in (batch, batch // count))
        if dealt != whole:
            other = [] if size is None else [f"a `batch` of {count * size}"]
            raise SettingsError(
                f"`batch` {batch} dealt out to {count} processes would let the discriminator "
                f"compare {dealt} pictures with each other instead of {whole}",
                advice=["take fewer processes", *other],
            )


class _Sum(torch.autograd.Function):
    """Sum over processes, each of which goes on to compute something else of it."""

    @staticmethod
    def forward(_: Any, part: Tensor) -> Tensor:
        return distributed.add_up_(part.clone())

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> Tensor:
        return distributed.add_up_(gradient.clone())
