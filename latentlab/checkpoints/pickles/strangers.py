"""Names that no StyleGAN file needs, in parts that nothing here looks at.

Training scripts save what they have at hand: a ``torch.device``, a path, the settings of a library
for logging. Such an object becomes a ``Record``: its name and its attributes. The class is never
looked up, imported or called, so a name cannot do harm, whatever it is. Two kinds are refused
nevertheless, so that whoever got the file is warned of it:

- what the standard library, torch and numpy have besides plain data: ``os.system``,
  ``builtins.eval``, ``torch.hub.load``. Of the standard library only the names in ``_STANDARD``
  pass, of torch the classes that networks and optimisers are made of;
- such modules where another has imported them: ``mine.os.execv``;
- other packages that start programs, load code or open connections, and functions that are
  called as such ones usually are.

What a network is built from must be tensors and plain values; a record there is refused as well,
by whoever builds it.
"""

import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from latentlab.checkpoints.pickles.language import Builder
from latentlab.checkpoints.pickles.limits import Budget
from latentlab.checkpoints.pickles.records import Record
from latentlab.errors import UnsafeCheckpoint

_LONGEST = 200  # characters of a name


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_BUILTINS = (
    "bool int float complex str bytes bytearray list tuple dict set frozenset range slice object "
    "Ellipsis NotImplemented"
)
_PATHS = "Path PosixPath WindowsPath PurePath PurePosixPath PureWindowsPath"
# Module -> names: plain data of the standard library.
_STANDARD: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "builtins": _words(_BUILTINS),
        "__builtin__": _words(f"{_BUILTINS} long unicode xrange"),  # in protocol 2
        "collections": _words("deque Counter ChainMap UserDict UserList"),
        "datetime": _words("date datetime time timedelta timezone"),
        "decimal": _words("Decimal"),
        "fractions": _words("Fraction"),
        "functools": _words("partial"),
        "logging": _words("getLogger"),
        "pathlib": _words(_PATHS),
        "pathlib._local": _words(_PATHS),  # in Python 3.13
        "random": _words("Random"),
        "re": _words("_compile"),
        "time": _words("struct_time"),
        "types": _words("SimpleNamespace"),
        "uuid": _words("UUID"),
    }
)

_TORCH_PACKAGES = (
    "torch.nn.", "torch.optim.", "torch.amp.", "torch.cuda.amp.", "torch.distributions.",
    "torch.utils.data.",
)  # fmt: skip
_TORCH = _words(
    "device Size Generator Tensor float16 float32 float64 half float double bfloat16 uint8 int8 "
    "int16 int32 int64 short int long bool complex64 complex128 strided contiguous_format "
    "channels_last preserve_format qint8 quint8 qint32"
)
_TORCH_OTHERS = frozenset([
    ("torch._C", "Generator"), ("torch.serialization", "_get_layout"),
    ("torch._utils", "_rebuild_sparse_tensor"),
])  # fmt: skip
_NUMPY = _words(
    "bool bool_ float16 float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 uint64 "
    "ndarray dtype"
)

# Packages outside the standard library of this Python, or no longer in it.
_PACKAGES = _words(
    "nt posix commands imp distutils lib2to3 asyncore asynchat smtpd pipes telnetlib crypt cgi "
    "httplib urllib2 cPickle cloudpickle dill joblib jsonpickle pip setuptools pkg_resources "
    "requests aiohttp httpx urllib3 paramiko fabric invoke sh pexpect cffi IPython "
    "win32api win32com _pickle copy_reg"
)
# Functions that run what they are given, whoever wrote them.
_FUNCTIONS = _words(
    "eval exec execfile system popen spawn compile getattr setattr __import__ import_module "
    "open_url call_func_by_name get_obj_by_name"
)
# Modules that any package may have imported: "mine.os.execv" is a way to them.
_REACHED = _words(
    "os posix nt sys subprocess builtins importlib ctypes socket shutil pty runpy marshal pickle"
)


def stranger(module: str, name: str) -> Builder:
    """Return what calling an unknown name makes: a record.

    Raises:
        UnsafeCheckpoint: If it is a name that only attacks have.
    """
    if not _is_plain(module, name):
        raise UnsafeCheckpoint(
            f"asks for {ascii(f'{module}.{name}')[1:-1][:100]}, which no StyleGAN checkpoint "
            "needs; nothing was run"
        )

    def build(_: tuple[Any, ...], __: Budget) -> Record:
        return Record("class", name, module=module)

    return build


def _is_plain(module: str, name: str) -> bool:
    parts = [*module.split("."), *name.split(".")]
    if len(module) + len(name) > _LONGEST or not all(part.isidentifier() for part in parts):
        return False
    if any(part.startswith("__") for part in parts if part not in ("__main__", "__builtin__")):
        return False
    if not (_FUNCTIONS.isdisjoint(parts) and _REACHED.isdisjoint(parts[1:])):
        return False
    known: Mapping[str, Callable[[str, str], bool]] = {"torch": _of_torch, "numpy": _of_numpy}
    root = module.split(".", maxsplit=1)[0]
    if root in known:
        return known[root](module, name)
    if root in sys.stdlib_module_names or root == "__builtin__":
        return name in _STANDARD.get(module, ())
    return root not in _PACKAGES


def _of_torch(module: str, name: str) -> bool:
    if (module, name) in _TORCH_OTHERS:
        return True
    if module == "torch":
        return name in _TORCH
    there_again = "torch" in [*module.split(".")[1:], *name.split(".")]
    return f"{module}.".startswith(_TORCH_PACKAGES) and not there_again


def _of_numpy(module: str, name: str) -> bool:
    return name in _NUMPY if module == "numpy" else f"{module}.".startswith("numpy.random.")
