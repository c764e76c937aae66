"""Foreign pickles as plain data: the names that genuine StyleGAN files use, and what they become.

Reading gives dicts, lists, tuples, sets of text, text, numbers, bytes, numpy arrays, torch
tensors, names and ``Record``. What other names become, and which are refused, is in ``strangers``.
"""

from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any

from latentlab.checkpoints.pickles import arrays, tensors
from latentlab.checkpoints.pickles.keys import safe_item
from latentlab.checkpoints.pickles.language import Builder, Language, Names
from latentlab.checkpoints.pickles.limits import BoundedFile, Budget
from latentlab.checkpoints.pickles.machine import PickleMachine
from latentlab.checkpoints.pickles.records import Record
from latentlab.checkpoints.pickles.strangers import stranger
from latentlab.errors import CheckpointError, UnsafeCheckpoint
from latentlab.foreign_files.opening import open_regular, size_of

__all__ = ["ATTRIBUTES", "COMMON_NAMES", "Record", "read_pickle"]

ATTRIBUTES = frozenset({"_metadata"})  # of state dicts: version numbers of modules
_MAX_SET = 10_000  # elements; a set costs memory that the file's size does not bound


def read_pickle(path: Path) -> Any:
    """Read a whole pickle as data; nothing in it is imported, called or executed.

    Raises:
        CheckpointError: Naming file and byte: UnsafeCheckpoint where it asks for code,
            TruncatedCheckpoint where it ends too early, UnsupportedCheckpoint where it uses what
            no StyleGAN file does, CheckpointError where it is damaged.
    """
    try:
        with open_regular(path) as file:
            size = size_of(file)
            view = BoundedFile(file, size)
            # Twice the file: once as text of protocol 2 that holds bytes, once as numbers.
            language = Language(_NAMES, None, ATTRIBUTES, stranger)
            found = PickleMachine(view, language, Budget(2 * size)).run()
            if view.left:
                raise CheckpointError(f"byte {view.position}: {view.left} bytes follow the pickle")
            if (
                type(found) is Record
                and found.origin in ("argparse", "class")
                and not found.is_module
            ):
                # The whole file is one call, as in the shortest of attacks.
                raise UnsafeCheckpoint(
                    f"byte {view.position}: asks for {found.called}, which no StyleGAN checkpoint "
                    "needs; nothing was run"
                )
            return found
    except CheckpointError as error:
        raise type(error)(f"{path}: {error}") from error
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror or error})") from error


def _empty(make: Callable[[], object]) -> Builder:
    """Make a builder that takes no arguments."""

    def build(arguments: tuple[Any, ...], _: Budget) -> object:
        if arguments:
            raise UnsafeCheckpoint("makes an empty object from something")
        return make()

    return build


def _text_set(arguments: tuple[Any, ...], budget: Budget) -> set[str]:
    """``set(["name", ...])``."""
    items = arguments[0] if len(arguments) == 1 else None
    if type(items) is not list or len(items) > _MAX_SET:
        raise CheckpointError("a set that is not made of a short list")
    return {safe_item(item, budget) for item in items}


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


def _default_dict(arguments: tuple[Any, ...], _: Budget) -> dict[Any, Any]:
    """``collections.defaultdict(factory)``: a dict; the factory is left aside."""
    if len(arguments) > 1:
        raise UnsafeCheckpoint("makes a defaultdict in an unknown way")
    return {}


def _size(arguments: tuple[Any, ...], _: Budget) -> tuple[int, ...]:
    """``torch.Size((1, 2))`` as a tuple."""
    if len(arguments) != 1 or not arrays.is_geometry(arguments[0]):
        raise CheckpointError("a torch.Size that is not up to 8 numbers from 0")
    size: tuple[int, ...] = arguments[0]
    return size


# What networks, state dicts and the settings beside them are made of, in every kind of file.
_NUMPY = ("numpy.core", "numpy._core")  # before and since numpy 2
COMMON_NAMES: Names = MappingProxyType(
    {
        ("torch._utils", "_rebuild_tensor_v2"): tensors.tensor,
        ("torch._utils", "_rebuild_parameter"): tensors.parameter,
        ("torch._utils", "_rebuild_parameter_with_state"): tensors.parameter,
        ("torch._tensor", "_rebuild_from_type_v2"): tensors.with_attributes,
        ("torch", "Size"): _size,
        ("collections", "OrderedDict"): _empty(dict),
        ("collections", "defaultdict"): _default_dict,
        ("builtins", "set"): _text_set,
        ("__builtin__", "set"): _text_set,
        ("builtins", "bytes"): _empty(bytes),  # how protocol 2 writes none
        ("__builtin__", "bytes"): _empty(bytes),
        ("torch_utils.persistence", "_reconstruct_persistent_obj"): _module,
        ("dnnlib.tflib.network", "Network"): _empty(lambda: Record("tensorflow", "Network")),
        # Progressive GAN as first released.
        ("tfutil", "Network"): _empty(lambda: Record("tensorflow", "tfutil.Network")),
        ("dnnlib.util", "EasyDict"): _empty(dict),
        ("dnnlib", "EasyDict"): _empty(dict),
        ("argparse", "Namespace"): _empty(lambda: Record("argparse", "Namespace")),
        ("_codecs", "encode"): _latin1,
        ("numpy", "dtype"): arrays.number_type,
        ("numpy", "ndarray"): None,
        **{(f"{core}.multiarray", "_reconstruct"): arrays.array for core in _NUMPY},
        **{(f"{core}.multiarray", "scalar"): arrays.scalar for core in _NUMPY},
        **{(f"{core}.numeric", "_frombuffer"): arrays.buffer for core in _NUMPY},
        **{(dill, "_create_array"): arrays.created for dill in ("dill._dill", "dill.dill")},
    }
)
# The older layout of torch.save for each tensor, which torch.save itself never nests.
_NAMES: Names = MappingProxyType(
    {**COMMON_NAMES, ("torch.storage", "_load_from_bytes"): tensors.storage}
)
