"""Who opens files, and that nothing in them can run; read off the syntax trees."""

import ast
from collections.abc import Iterator

import pytest

from tests.support.syntax import (
    calls_in,
    full_name,
    imports_in,
    names_of_imports,
    references_in,
)
from tests.test_architecture import MODULES, ROOT, name_of, parsed

# The rooms that CONTRIBUTING.md names: foreign bytes come in here.
ROOMS = {
    "latentlab/checkpoints/": "checkpoints, read as data",
    "latentlab/images/": "pictures",
    "latentlab/datasets/": "pictures to train on, and their labels",
    "latentlab/latent_files/": "latents of other tools",
    "latentlab/downloads/": "what comes from the network, and its notes; opens no checkpoint",
    "latentlab/faces/landmarks.py": "landmarks",
    "latentlab/faces/record.py": "alignments",
    "latentlab/tensor_files.py": "safetensors and .npz",
    "latentlab/csv_files.py": "tables",
    "latentlab/foreign_files/": "opens what is a regular file, for the others; zips, JSON",
}
# Who opens files besides, and why.
ALSO = {
    "latentlab/locks.py": "its own lock, which may be a trap",
    "latentlab/files.py": "digests of files, and writing them",
    "latentlab/torchscript.py": "a program that the user trusts, and the names in its archive",
    "latentlab/pretrained.py": "published weights, as data",
    "latentlab/training/log.py": "the log of the same run",
    "metrics/published_figures.py": "the table that is part of the package",
    "cli/options/completion.py": "headers and names, for the shell; never more than a few kB",
    "cli/projecting/files.py": "what the same command wrote, to compare it",
    "cli/projecting/latent_table.py": "latents that latentlab wrote: Parquet, and its own .npz",
    "cli/reports/page.py": "pictures that the same command drew",
    "cli/reports/description.py": "first bytes of a checkpoint that is open already",
    "cli/main.py": "the null device, in place of a closed pipe",
    "cli/threads.py": "what the kernel says of this process",
}
OPENING = {
    "open", "io.open", "os.open", "os.fdopen", "mmap.mmap", "codecs.open", "numpy.load",
    "numpy.fromfile", "numpy.memmap", "numpy.genfromtxt", "numpy.loadtxt", "numpy.frombuffer",
    "PIL.Image.open", "PIL.ImageFile.Parser", "cv2.imread", "cv2.imdecode", "safetensors.safe_open",
    "safetensors.torch.load_file", "safetensors.torch.load", "safetensors.numpy.load_file",
    "zipfile.ZipFile", "zipfile.Path", "tarfile.open", "tarfile.TarFile", "gzip.open",
    "gzip.GzipFile", "bz2.open", "bz2.BZ2File", "lzma.open", "lzma.LZMAFile",
    "shutil.unpack_archive", "torch.load", "torch.jit.load", "torch.from_file",
    "struct.unpack", "struct.unpack_from", "struct.iter_unpack", "csv.reader",
    "csv.DictReader", "json.load", "tomllib.load",
    "pandas.read_csv", "pandas.read_json", "pandas.read_parquet", "pandas.read_excel",
    "pandas.read_table", "pandas.read_feather", "pandas.read_hdf", "pyarrow.parquet.ParquetFile",
    "pyarrow.parquet.read_table", "pyarrow.OSFile", "pyarrow.memory_map", "sqlite3.connect",
    "h5py.File", "onnx.load", "fileinput.input", "linecache.getlines",
}  # fmt: skip
METHODS = {".open", ".read_bytes", ".read_text", ".readinto", ".getchunk"}
NO_FILES = {"request.open"}  # methods of our own: what a command asks for is opened by a room

BUILT_IN = {"eval", "exec", "compile", "__import__"}
RUNNING = BUILT_IN | {  # whatever makes a program of data
    "builtins", "pickle", "_pickle", "cPickle", "dill",
    "cloudpickle", "marshal", "shelve", "joblib", "sklearn.externals", "copyreg", "jsonpickle",
    "yaml", "runpy", "code", "codeop", "imp", "zipimport", "pkgutil", "importlib", "ctypes", "cffi",
    "subprocess", "pty", "os.system", "os.popen", "os.execv", "os.execve", "os.execl", "os.execvp",
    "os.spawnv", "os.spawnl", "os.posix_spawn", "os.startfile", "pandas.read_pickle",
    "pandas.eval", "numpy.lib.format.read_pickle", "torch.load", "torch.jit.load", "torch.package",
    "torch.hub.load", "torch.hub.load_state_dict_from_url", "torch.utils.cpp_extension",
    "torch.ops.load_library", "torch.classes.load_library", "onnxruntime", "tensorflow", "keras",
    "pickletools", "timeit", "trace", "webbrowser",
}  # fmt: skip
# Who may, and why. What is not here may not.
MAY = {
    ("latentlab/pretrained.py", "torch.load"): "with weights_only=True, which is tested below",
    ("latentlab/torchscript.py", "torch.jit.load"): "after the user's word",
    ("latentlab/checkpoints/pickles/opcodes.py", "pickletools"): "parses opcodes, and runs none",
    ("latentlab/allocator.py", "ctypes"): "asks the C library to keep memory; sees no file",
    ("latentlab/video/ffmpeg.py", "subprocess"): "starts ffmpeg, with arguments of our own",
    ("metrics/published_figures.py", "importlib"): "importlib.resources: a file of the package",
    ("cli/options/completion.py", "importlib"): "importlib.util.find_spec: where the package is",
}


def openings(tree: ast.AST) -> Iterator[str]:
    """Yield the calls by which a module comes by the bytes of files; not those that write alone."""
    for called, node in calls_in(tree):
        method = f".{called.rsplit('.', 1)[-1]}"
        own = called.startswith(("latentlab.", "metrics.", "cli."))  # opens, and is here itself
        known = called in OPENING or ("." in called and method in METHODS and not own)
        if not known or ast.unparse(node.func) in NO_FILES or _writes(called, node):
            continue
        yield ast.unparse(node)


def _writes(called: str, node: ast.Call) -> bool:
    """Whether a call opens a file for writing alone."""
    index = 1 if called in ("open", "io.open", "os.fdopen") else 0
    given = [each.value for each in node.keywords if each.arg == "mode"]
    given = given or node.args[index : index + 1]
    mode = given[0].value if given and isinstance(given[0], ast.Constant) else None
    return isinstance(mode, str) and mode in ("w", "wb", "x", "xb", "a", "ab")


def ways_to_run(tree: ast.AST) -> set[str]:
    """Return what of RUNNING a module imports or names, and switches that let a file run."""
    # A module is imported before it can be named: `code` alone is a variable.
    named = {name for name in references_in(tree) if "." in name or name in BUILT_IN}
    named |= {*imports_in(tree)}
    found = {way for way in RUNNING for name in named if f"{name}.".startswith(f"{way}.")}
    for called, node in calls_in(tree):
        switches = {each.arg: ast.unparse(each.value) for each in node.keywords}
        if switches.get("weights_only", "True") != "True":
            found.add("weights_only=False")
        if switches.get("allow_pickle", "False") != "False":
            found.add("allow_pickle=True")
        if called == "numpy.load" and "allow_pickle" not in switches:
            found.add("numpy.load without allow_pickle=False")
        if called == "torch.load" and "weights_only" not in switches:
            found.add("torch.load without weights_only=True")
    return found


def test_files_are_opened_in_the_rooms_that_are_named():
    opened = {name_of(file) for file in MODULES if any(openings(parsed(file)))}
    assert {name for name in opened if not name.startswith((*ROOMS,))} == {*ALSO}


def test_the_rooms_are_there():
    assert [name for name in (*ROOMS, *ALSO) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("line", [
    "open(path)", "open(path, 'r+b')", "path.open('rb')", "Path(path).read_bytes()",
    "files[0].read_text()", "json.load(stream)", "zipfile.ZipFile(path)", "np.load(path)",
    "Image.open(path)", "safe_open(path, 'pt')", "torch.load(path)", "load_it(path)",
    "os.open(path, os.O_RDONLY)", "mmap.mmap(number, 0)", "tarfile.open(path)",
])  # fmt: skip
def test_a_planted_opening_is_found(line):
    imports = (
        "import json, mmap, os, tarfile, torch, zipfile\nimport numpy as np\n"
        "from PIL import Image\n"
        "from pathlib import Path\nfrom safetensors import safe_open\n"
        "from safetensors.torch import load_file as load_it\n"
    )
    assert [*openings(ast.parse(imports))] == []
    assert [*openings(ast.parse(f"{imports}def f(path):\n    return {line}"))] == [
        ast.unparse(ast.parse(line))
    ]


@pytest.mark.parametrize("line", ["open(path, 'wb')", "path.open('w')", "open(path, mode='x')"])
def test_writing_is_no_opening(line):
    assert [*openings(ast.parse(line))] == []


def test_c14_nothing_foreign_can_run():
    found = {(name_of(file), way) for file in MODULES for way in ways_to_run(parsed(file))}
    assert found == {*MAY}


@pytest.mark.parametrize(("code", "way"), [
    ("import pickle", "pickle"), ("from pickle import loads as read", "pickle"),
    ("import importlib\nimportlib.import_module(name)", "importlib"), ("eval(text)", "eval"),
    ("run = exec", "exec"), ("__import__(name)", "__import__"), ("import marshal", "marshal"),
    ("import joblib\njoblib.load(path)", "joblib"), ("import shelve", "shelve"),
    ("from subprocess import run", "subprocess"), ("import os\nos.system(text)", "os.system"),
    ("import torch\ntorch.jit.load(path)", "torch.jit.load"),
    ("from torch.jit import load", "torch.jit.load"),
    ("import torch as t\nt.load(path, weights_only=True)", "torch.load"),
    ("from torch.package import PackageImporter", "torch.package"),
    ("import torch\ntorch.hub.load(name)", "torch.hub.load"),
    ("f(path, weights_only=False)", "weights_only=False"),
    ("f(path, allow_pickle=True)", "allow_pickle=True"),
    ("f(path, allow_pickle=unsafe)", "allow_pickle=True"),
    ("import numpy as np\nnp.load(path)", "numpy.load without allow_pickle=False"),
    ("import torch\ntorch.load(path)", "torch.load without weights_only=True"),
    ("import pandas as pd\npd.read_pickle(path)", "pandas.read_pickle"),
])  # fmt: skip
def test_c14_a_planted_way_is_found(code, way):
    assert way in ways_to_run(ast.parse(code))


def test_c14_no_option_and_no_argument_is_unsafe():
    words = ("unsafe", "pickle", "exec", "no_check", "insecure")
    found = [
        f"{name_of(file)}: {argument.arg}"
        for file in MODULES
        for node in ast.walk(parsed(file))
        if isinstance(node, ast.FunctionDef)
        for argument in (*node.args.args, *node.args.kwonlyargs)
        if argument.arg.startswith(words)
    ]
    assert found == []


def test_the_command_line_asks_before_a_program_runs():
    """Every network that may be a program is opened with the command line's word on it."""
    opens = {
        "latentlab.perceptual_distance", "latentlab.load_classifier",
        "latentlab.identity.FaceIdentity", "metrics.fidelity_networks.find_weights",
        "metrics.picture_fidelity.fidelity",
    }  # fmt: skip
    bundled = {"cli/demo_steps.py"}  # opens what is part of the package
    found, silent = set(), []
    for file in MODULES:
        known = names_of_imports(parsed(file))
        for name, node in calls_in(parsed(file)):
            called = full_name(node.args[0], known) if name == "functools.partial" else name
            if called in opens and name_of(file).startswith("cli/"):
                found.add(called)
                said = "trust" in {each.arg for each in node.keywords}
                silent += [] if said or name_of(file) in bundled else [f"{name_of(file)}: {called}"]
    assert silent == []
    assert found == opens
