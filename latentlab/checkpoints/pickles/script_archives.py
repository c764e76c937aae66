"""TorchScript archives as plain data: the state of the program's modules, without the program.

Such an archive is laid out as torch.save's, with the program beside it in ``code/``. Of that
folder nothing is read, not even to unpack it. What is left is a pickle of modules, each a record
with its attributes, and its tensors.
"""

from collections.abc import Sequence
from io import BufferedReader
from pathlib import Path
from types import MappingProxyType
from typing import Any

from latentlab.checkpoints.pickles.language import Builder, Language, Names
from latentlab.checkpoints.pickles.limits import Budget
from latentlab.checkpoints.pickles.records import Record
from latentlab.checkpoints.pickles.stored_zip import contents, read_directory
from latentlab.checkpoints.pickles.strangers import stranger
from latentlab.checkpoints.pickles.torch_save import NAMES, read_members
from latentlab.errors import CheckpointError, UnsafeCheckpoint, UnsupportedCheckpoint
from latentlab.foreign_files.opening import open_regular, size_of
from latentlab.torchscript import is_program

_PROGRAMS_OWN = "__torch__"  # the package that TorchScript puts a file's classes in
_LONGEST = 200  # characters of a class's name


def read_script(path: Path) -> Any:
    """Read the state of a TorchScript archive as data; nothing in it is run, or compiled.

    Returns:
        What ``read_pickle`` does: modules are records of origin "class" whose state holds tensors,
        plain values and the modules below.

    Raises:
        CheckpointError: Naming the file, if it is damaged, or nothing of the kind.
    """
    try:
        with open_regular(path) as file:
            return _read(file, size_of(file))
    except CheckpointError as error:
        raise type(error)(f"{path}: {error}") from error
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror or error})") from error


def _read(file: BufferedReader, size: int) -> Any:
    members, end = read_directory(file, size)
    root = members[0].name.split("/")[0] if members else ""
    names = [member.name for member in members]
    if not is_program(names) or f"{root}/data.pkl" not in names:
        raise UnsupportedCheckpoint("not a TorchScript archive")
    sections = contents(file, end, members, unread=f"{root}/code/")
    return read_members(file, sections, root, Language(_NAMES, None, frozenset(), _stranger), size)


def _stranger(module: str, name: str) -> Builder:
    """Return what calling a class of the program makes: a record; others are as everywhere."""
    if module.split(".", 1)[0] != _PROGRAMS_OWN:
        return stranger(module, name)
    parts = [*module.split("."), *name.split(".")]
    if len(module) + len(name) > _LONGEST or not all(part.isidentifier() for part in parts):
        raise UnsafeCheckpoint("a module's class has a name that is none; nothing was run")

    def build(_: tuple[Any, ...], __: Budget) -> Record:
        return Record("class", name, module=module)

    return build


def _list(arguments: Sequence[Any], _: Budget) -> list[Any]:
    """``torch.jit._pickle.build_intlist([1, 2])`` and its like: the list."""
    if len(arguments) != 1 or type(arguments[0]) is not list:
        raise CheckpointError("a list of numbers that is made of something else")
    found: list[Any] = arguments[0]
    return found


def _typed(arguments: Sequence[Any], _: Budget) -> Any:
    """``torch.jit._pickle.restore_type_tag(value, "List[int]")``: the value."""
    if len(arguments) != 2 or type(arguments[1]) is not str:
        raise CheckpointError("a value with a type that is none")
    return arguments[0]


_LISTS = ("build_intlist", "build_tensorlist", "build_doublelist", "build_boollist")
_NAMES: Names = MappingProxyType(
    {
        **NAMES,
        **{("torch.jit._pickle", name): _list for name in _LISTS},
        ("torch.jit._pickle", "restore_type_tag"): _typed,
    }
)
