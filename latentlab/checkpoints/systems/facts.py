"""What a file of torch.save says beside its networks: settings of the run, as plain data."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any

from latentlab.checkpoints.pickles.plain import plain_facts
from latentlab.checkpoints.systems.translation import names_shortened
from latentlab.errors import UnsupportedCheckpoint


def facts_of(found: Mapping[Any, Any], known: Collection[str], where: str) -> dict[str, Any]:
    """Return the settings of the training run, and the names of what is left aside.

    Args:
        found: The file.
        known: Its entries that are read as networks.
        where: File, for messages.
    """
    rest = {key: value for key, value in found.items() if key not in known and value is not None}
    training: dict[Any, Any] = {}
    for key, value in rest.items():
        with suppress(UnsupportedCheckpoint):  # tensors of the optimiser, for instance
            training[key] = plain_facts(value, where)
    return {
        "training": {str(key)[:100]: value for key, value in training.items()},
        "ignored": names_shortened(key for key in rest if key not in training),
    }
