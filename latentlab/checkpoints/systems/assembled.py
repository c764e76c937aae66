"""The networks of one file, built from the weights of each."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from latentlab.checkpoints.assemble import assemble
from latentlab.checkpoints.systems.translation import ForeignWeights, check_agreement

# From our name of a network and its weights: a config, and weights by our names.
Describe = Callable[[str, ForeignWeights], tuple[Any, dict[str, Tensor]]]


def assembled(
    parts: Mapping[str, ForeignWeights], describe: Describe, where: str, allow_nonfinite: bool
) -> dict[str, nn.Module]:
    """Return the networks of a file by our names of them.

    Raises:
        CheckpointError: If weights do not fit, or networks were not made for each other.
    """
    networks: dict[str, nn.Module] = {}
    taken: set[int] = set()
    for name, weights in parts.items():
        config, tensors = describe(name, weights)
        networks[name] = assemble(config, tensors, weights.where, allow_nonfinite, taken)
    check_agreement(networks, where)
    return networks
