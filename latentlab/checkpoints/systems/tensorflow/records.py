"""Networks of a TensorFlow pickle before they are built: what made them, arguments, variables.

The function that built a network decides what it is; a file's source text is never looked at.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from latentlab.checkpoints.pickles.plain import plain_copy
from latentlab.checkpoints.pickles.reader import Record
from latentlab.checkpoints.systems.tensorflow.variables import Variables, named_variables
from latentlab.errors import CheckpointError, UnsupportedCheckpoint, quoted, shown

# Functions that build a network out of two others, and which their synthesis network may be.
_COMPOSED = {
    "G_style": ("G_synthesis",),
    "G_main": ("G_synthesis_stylegan2", "G_synthesis_stylegan_revised", "G_synthesis"),
}
_SUBNETWORKS = ("synthesis", "mapping")
_WHOLE = ("G_paper", "D_basic", "D_paper", "D_stylegan", "D_stylegan2", "D_main")
_ORIGINAL = "tfutil.Network"  # the class in pickles of Progressive GAN as first released


@dataclass(frozen=True)
class FoundNetwork:
    """One network of a file, identified."""

    called: str  # as the file names it ("Gs")
    function: str  # key of ``arguments.DEFAULTS``
    given: Mapping[str, Any]  # its static arguments
    arguments: Mapping[str, Any]  # the same, with those of its sub-networks
    original: bool  # whether Progressive GAN's first release wrote it
    records: Mapping[str, Record]  # it and its sub-networks, by the prefix of variables' names

    @property
    def is_generator(self) -> bool:
        """Whether it makes images."""
        return self.function.startswith("G_")

    def take_variables(self, where: str) -> tuple[Variables, list[str]]:
        """Return the variables by name, and the names that are there twice; forget them here.

        Those of a sub-network are called "synthesis/...".

        Raises:
            CheckpointError: If they are not names and values.
        """
        found: Variables = {}
        twice = []
        for part, record in self.records.items():
            state = record.state if record.state is not None else {}
            prefix, place = (f"{part}/", f"{where}: {part}") if part else ("", where)
            for name, value in named_variables(state.pop("variables", None), place):
                if prefix + name in found:
                    twice.append(prefix + name)
                found[prefix + name] = value
        return found, twice


def identify(record: Record, where: str) -> FoundNetwork:
    """Find out which published function built a network, and with which arguments.

    Raises:
        UnsupportedCheckpoint: If none did, or if sub-networks disagree with the whole network.
        CheckpointError: If the record is damaged.
    """
    state = _state(record, where)
    top = state.get("build_func_name")
    place = f"{where}: {_shown(top)}"
    parts = state.get("components", {})  # the first release has none
    if type(parts) is not dict:
        raise CheckpointError(f"{place}: the sub-networks are not in a dict")
    inner = {name: _state(part, f"{place}: {_shown(name)}") for name, part in parts.items()}
    function = _function(top, inner, place)
    given = _static_arguments(state, place)
    arguments = dict(given)
    for name, part in inner.items():
        for key, value in _static_arguments(part, f"{place}: {name}").items():
            if arguments.setdefault(key, value) != value:
                here, whole = quoted(str(value)), quoted(str(arguments[key]))
                raise UnsupportedCheckpoint(
                    f"{place}: {name}: {key} is {here}, and {whole} in the whole network"
                )
    if arguments.pop("synthesis_func", function) != function:
        raise UnsupportedCheckpoint(f"{place}: synthesis_func is not {function}, which is there")
    name, original = _text(state, "name"), record.class_name == _ORIGINAL
    return FoundNetwork(name, function, given, arguments, original, {"": record, **parts})


def roles(found: Sequence[FoundNetwork], where: str) -> list[str]:
    """Name the networks as a Checkpoint does: "G_ema", "G", "D", or "classifier".

    Of two generators the second is the averaged one. A generator alone is taken for it; so is one
    beside a discriminator, unless it is called "G". A lone discriminator is a classifier, for that
    is the form in which they are published.

    Raises:
        UnsupportedCheckpoint: If there are more networks than training writes.
    """
    generators = [network for network in found if network.is_generator]
    if len(found) == 1 and not generators:
        return ["classifier"]
    if not 1 <= len(generators) <= 2 or len(found) - len(generators) > 1:
        held = ", ".join(network.function for network in found[:8])
        raise UnsupportedCheckpoint(
            f"{where}: expected a generator or two and at most one discriminator, but found {held}"
        )
    names = ["G", "G_ema"][2 - len(generators) :]
    if len(found) == 2 and generators[0].called == "G" and len(generators) == 1:
        names = ["G"]
    return [names.pop(0) if network.is_generator else "D" for network in found]


def _state(record: object, where: str) -> dict[Any, Any]:
    if type(record) is not Record or record.origin != "tensorflow" or record.state is None:
        raise UnsupportedCheckpoint(f"{where}: not a network, or one without content")
    return record.state


def _function(top: object, inner: Mapping[str, Mapping[Any, Any]], where: str) -> str:
    """Return the function that says what a network is: its own, or its synthesis network's."""
    if type(top) is str and top in _COMPOSED:
        if set(inner) != set(_SUBNETWORKS):
            raise UnsupportedCheckpoint(f"{where}: expected the sub-networks synthesis and mapping")
        synthesis, mapping = (_text(inner[name], "build_func_name") for name in _SUBNETWORKS)
        deeper = [part.get("components", {}) for part in inner.values()]
        nested = any(type(parts) is not dict or len(parts) > 0 for parts in deeper)
        if synthesis not in _COMPOSED[top] or mapping != "G_mapping" or nested:
            built = f"{_shown(synthesis)} and {_shown(mapping)}"
            raise UnsupportedCheckpoint(f"{where}: unknown sub-networks {built}")
        return top if top == "G_style" else synthesis
    if type(top) is not str or top not in _WHOLE or inner:
        raise UnsupportedCheckpoint(
            f"{where}: a TensorFlow network that is not known here; known are those of StyleGAN1, "
            "StyleGAN2 and Progressive GAN, and classifiers of their form"
        )
    return top


def _shown(name: object) -> str:
    """Return a name in the file as part of a message."""
    return shown([name]) if type(name) is str else "unnamed"


def _text(state: Mapping[Any, Any], key: str) -> str:
    value = state.get(key)
    return value if type(value) is str else ""


def _static_arguments(state: Mapping[Any, Any], where: str) -> dict[str, Any]:
    arguments = plain_copy(state.get("static_kwargs"), where)
    if type(arguments) is not dict:
        raise CheckpointError(f"{where}: the arguments of the network are not recorded")
    return arguments
