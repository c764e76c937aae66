"""What a file for another code base holds, before it is one."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from latentlab.checkpoints.targets.fitting import Fitted, Form, fit
from latentlab.errors import UnsupportedCheckpoint, shown
from latentlab.networks.generator import ImageGenerator

_RANK = ("G_ema", "G", "D")


@dataclass(frozen=True)
class Written:
    """Networks in the form of another code base.

    Attributes:
        content: What the file holds: dicts of tensors and plain values.
        networks: Ours by the names that the file has for them.
        notes: What is left out, and what the other code computes or sets differently.
        opening: How the other code opens the file; "{path}" stands for its name.
        keeps_noise: Whether the file holds the noise maps.
    """

    content: dict[str, Any]
    networks: Mapping[str, str]
    notes: tuple[str, ...]
    opening: str
    keeps_noise: bool = True


# Makes the content of a file: our networks by name, the file that they are from, for messages, and
# whether to accept what the other code computes nearly the same.
Writer = Callable[[Mapping[str, nn.Module], str, bool], Written]


def fitted_networks(
    networks: Mapping[str, nn.Module],
    form_of: Callable[[Any], Form],
    where: str,
    approximate: bool = False,
) -> tuple[dict[str, Fitted], list[str]]:
    """Fit every network, and say what is left out: a discriminator that does not fit.

    Raises:
        UnsupportedCheckpoint: If a generator does not fit, or the only network there is.
    """
    fitted: dict[str, Fitted] = {}
    notes: list[str] = []
    for name in sorted(networks, key=_RANK.index):
        form = form_of(networks[name].config)
        try:
            fitted[name] = fit(networks[name], form, f"{where}: {name}", approximate)
        except UnsupportedCheckpoint as error:
            if name != "D" or not fitted:
                raise
            reason = error.message.removeprefix(f"{where}: ")
            notes.append(f"D is left out. {reason}.")
    return fitted, notes


def differences(fitted: Iterable[Fitted]) -> list[str]:
    """Say what the other code computes differently, if anything, in one sentence."""
    found = dict.fromkeys(each for one in fitted for each in one.differences)
    return [f"Not the same over there: {'; '.join(found)}."] if found else []


def opening(names: Mapping[str, str]) -> str:
    """Return the Python by which code takes the first network out of a dict of state dicts."""
    return f'generator.load_state_dict(torch.load("{{path}}")["{next(iter(names.values()))}"])'


def generators_and_d(networks: Mapping[str, nn.Module], where: str) -> dict[str, nn.Module]:
    """Return the networks that a checkpoint of any code base has.

    Raises:
        UnsupportedCheckpoint: If there is none.
    """
    found = {name: networks[name] for name in _RANK if name in networks}
    if not found:
        held = shown(list(networks)) or "nothing"
        raise UnsupportedCheckpoint(
            f"{where}: holds {held}; only generators and discriminators have other forms"
        )
    return found


def family(networks: Mapping[str, nn.Module]) -> type[Any]:
    """Return the type of config that the generators have, or else the discriminator."""
    generators = [n for n in networks.values() if isinstance(n, ImageGenerator)]
    return type([*generators, *networks.values()][0].config)
