"""Foreign pickles as plain data: the names that genuine StyleGAN files use, and what they become.

Reading gives dicts, lists, tuples, sets of text, text, numbers, bytes, numpy arrays, torch
tensors and ``Record``. A file that uses any other name is refused.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from latentlab.checkpoints.pickles import arrays, tensors
from latentlab.checkpoints.pickles.limits import BoundedFile, Budget
from latentlab.checkpoints.pickles.machine import (
    Buildable,
    Builder,
    Language,
    Names,
    PickleMachine,
    checked_names,
)
from latentlab.errors import CheckpointError, UnsafeCheckpoint

_MAX_SET = 10_000  # elements; a set costs memory that the file's size does not bound


@dataclass(eq=False)
class Record(Buildable):
    """An object of the file's own classes: what it was, and its attributes.

    ``origin`` is "torch" for a module of the PyTorch releases, "tensorflow" for a Network,
    "argparse" for the settings of a training run.
    """

    origin: str
    class_name: str  # as the file has it
    state: dict[str | int, Any] | None = field(default=None, repr=False)  # not checked in any way

    def build(self, state: object, budget: Budget) -> object:
        """Take the attributes, a dict, once."""
        if type(state) is not dict or self.state is not None:
            raise UnsafeCheckpoint("sets the state of an object in an unknown way")
        self.state = state
        return self


def read_pickle(path: Path) -> Any:
    """Read a whole pickle as data; nothing in it is imported, called or executed.

    Raises:
        CheckpointError: Naming file and byte: UnsafeCheckpoint where it asks for code,
            TruncatedCheckpoint where it ends too early, UnsupportedCheckpoint where it uses what
            no StyleGAN file does, CheckpointError where it is damaged.
    """
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            view = BoundedFile(file, size)
            # Twice the file: once as text of protocol 2 that holds bytes, once as numbers.
            found = PickleMachine(view, Language(_NAMES), Budget(2 * size)).run()
            if view.left:
                raise CheckpointError(f"byte {view.position}: {view.left} bytes follow the pickle")
            return found
    except CheckpointError as error:
        raise type(error)(f"{path}: {error}") from error
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror or error})") from error


def empty(make: Callable[[], object]) -> Builder:
    """Make a builder that takes no arguments."""

    def build(arguments: tuple[Any, ...], _: Budget) -> object:
        if arguments:
            raise UnsafeCheckpoint("makes an empty object from something")
        return make()

    return build


def text_set(arguments: tuple[Any, ...], _: Budget) -> set[str]:
    """``set(["name", ...])``."""
    items = arguments[0] if len(arguments) == 1 else None
    if type(items) is not list or len(items) > _MAX_SET:
        raise CheckpointError("a set that is not made of a short list")
    return set(checked_names(items))


def _latin1(arguments: tuple[Any, ...], budget: Budget) -> bytes:
    """``_codecs.encode(text, "latin1")``: how protocol 2 writes bytes."""
    if [type(item) for item in arguments] != [str, str] or arguments[1] != "latin1":
        raise UnsafeCheckpoint("encodes text in an unknown way")
    text: str = arguments[0]
    budget.take_bytes(len(text))
    try:
        return text.encode("latin1")
    except UnicodeEncodeError:
        raise CheckpointError("text that does not hold bytes") from None


def _module(arguments: tuple[Any, ...], _: Budget) -> Record:
    """A network module of the PyTorch releases; its source text is dropped here, never read."""
    meta = arguments[0] if len(arguments) == 1 else None
    kind = meta.get("type") if type(meta) is dict else None
    if type(meta) is not dict or type(kind) is not str or kind != "class":
        raise UnsafeCheckpoint("a module that is not described as a class")
    name, state = meta.get("class_name"), meta.get("state")
    if type(name) is not str or type(state) is not dict:
        raise CheckpointError("a module without a class name or without a state")
    return Record("torch", name, state)


# What networks and state dicts are made of in every kind of file.
COMMON_NAMES: Names = MappingProxyType(
    {
        ("torch._utils", "_rebuild_tensor_v2"): tensors.tensor,
        ("torch._utils", "_rebuild_parameter"): tensors.parameter,
        ("collections", "OrderedDict"): empty(dict),
        ("builtins", "set"): text_set,
        ("__builtin__", "set"): text_set,
    }
)


_NUMPY = ("numpy.core", "numpy._core")  # before and since numpy 2
_NAMES: Names = MappingProxyType(
    {
        **COMMON_NAMES,
        ("torch_utils.persistence", "_reconstruct_persistent_obj"): _module,
        ("torch.storage", "_load_from_bytes"): tensors.storage,
        ("dnnlib.tflib.network", "Network"): empty(lambda: Record("tensorflow", "Network")),
        # Progressive GAN as first released.
        ("tfutil", "Network"): empty(lambda: Record("tensorflow", "tfutil.Network")),
        ("dnnlib.util", "EasyDict"): empty(dict),
        ("dnnlib", "EasyDict"): empty(dict),
        ("_codecs", "encode"): _latin1,
        ("numpy", "dtype"): arrays.number_type,
        ("numpy", "ndarray"): None,
        **{(f"{core}.multiarray", "_reconstruct"): arrays.array for core in _NUMPY},
        **{(f"{core}.multiarray", "scalar"): arrays.scalar for core in _NUMPY},
        **{(f"{core}.numeric", "_frombuffer"): arrays.buffer for core in _NUMPY},
    }
)
