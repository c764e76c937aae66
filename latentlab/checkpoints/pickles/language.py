"""What a pickle may say: the names in it, as inert tokens, and what becomes of each."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from latentlab.checkpoints.pickles.limits import Budget


@dataclass(frozen=True, slots=True)
class Global:
    """A permitted name met in the file; it refers to nothing."""

    module: str
    name: str

    @property
    def called(self) -> str:
        """Return the name with its module's."""
        return f"{self.module}.{self.name}"


@dataclass(eq=False)
class Buildable(ABC):
    """An object that the BUILD opcode may complete; only our own classes are."""

    slots: list[int] = field(default_factory=list, init=False, repr=False)  # memo keys

    @abstractmethod
    def build(self, state: object, budget: Budget) -> object:
        """Return the completed object."""

    def takes_items(self) -> bool:
        """Whether opcodes may add items to it; they are dropped."""
        return False


Builder = Callable[[tuple[Any, ...], Budget], object]
# (module, name) -> our function for calling it, or None where it is only an argument.
Names = Mapping[tuple[str, str], Builder | None]


@dataclass(frozen=True)
class Language:
    """What a stream may say.

    Attributes:
        names: What names are permitted, and what calling them does.
        persistent: Turns a persistent id into a value; None where none is allowed.
        attributes: Names that a dict's attributes may have; they are dropped.
        stranger: Gives the function for calling a name that is in no table, or raises
            UnsafeCheckpoint; None where there are no such names.
    """

    names: Names
    persistent: Callable[[object], object] | None = None
    attributes: frozenset[str] = frozenset()
    stranger: Callable[[str, str], Builder] | None = None
