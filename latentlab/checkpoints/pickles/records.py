"""Objects of a file's own classes, as records: what they were called, and what they held."""

from dataclasses import dataclass, field
from typing import Any

from latentlab.checkpoints.pickles.language import Buildable, Global
from latentlab.checkpoints.pickles.limits import Budget
from latentlab.errors import UnsafeCheckpoint

_LONGEST_NAME = 60  # characters of a class in a message


@dataclass(eq=False)
class Record(Buildable):
    """An object of a class that is not here: a name and attributes, and nothing that can be run.

    ``origin`` is "torch" for a module of NVIDIA's PyTorch releases, which carry their own source,
    "tensorflow" for a Network, "argparse" for the settings of a training run, and "class" for an
    object of any other class, torch's own modules among them.
    """

    origin: str
    class_name: str  # as the file has it
    state: dict[str | int, Any] | None = field(default=None, repr=False)  # not checked in any way
    module: str = ""  # where the class is from, of "class" alone

    @property
    def called(self) -> str:
        """Return the name of the class with its module's, as the file has them."""
        module = "argparse" if self.origin == "argparse" else self.module
        return f"{module}.{self.class_name}" if module else self.class_name

    @property
    def is_module(self) -> bool:
        """Whether it has what every network module has."""
        return self.state is not None and {"_modules", "_parameters", "_buffers"} <= set(self.state)

    @property
    def modules(self) -> dict[Any, Any]:
        """The modules that a network module has, by name; empty if it is none."""
        found = self.state.get("_modules") if self.state is not None else None
        return found if type(found) is dict else {}

    @property
    def is_stray(self) -> bool:
        """Whether it is no part of a network: neither a module nor a Network."""
        return self.origin in ("argparse", "class") and not self.is_module

    def build(self, state: object, budget: Budget) -> object:
        """Take the attributes, a dict, once; of an object of any other class, also none."""
        if self.origin == "class" and type(state) is not dict:
            # With slots it is a pair of dicts. Whatever else it may be is held by no network.
            first = state[0] if type(state) is tuple and len(state) == 2 else None
            state = first if type(first) is dict else {}
        if type(state) is not dict or self.state is not None:
            raise UnsafeCheckpoint("sets the state of an object in an unknown way")
        self.state = state
        return self

    def takes_items(self) -> bool:
        """Whether items may be added, and are dropped: none of a network's are kept so."""
        return self.origin == "class"


def class_of(value: object) -> str:
    """Name what a value is: the class of a record and a name as the file has them."""
    return value.called if isinstance(value, Record | Global) else type(value).__name__


def type_in_words(value: object) -> str:
    """Name what a value is, printable and of bounded length, for messages."""
    return ascii(class_of(value))[1:-1][:_LONGEST_NAME]
