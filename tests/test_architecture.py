"""Rules of the whole tree, read off the syntax trees."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STOREYS = ("latentlab", "metrics", "cli")
MODULES = sorted(file for name in STOREYS for file in (ROOT / name).rglob("*.py"))
FORBIDDEN = {"latentlab": {"metrics", "cli"}, "metrics": {"cli"}, "cli": set()}

# Each room of the command line imports only from those after it. cli/main.py and cli/__main__.py
# stand above all of them.
ROOMS = (
    "translations", "commands", "completion", "demo_steps", "inversions", "reproducing",
    "comparing", "measuring", "rendering", "projecting", "pictures", "reports", "options",
    "running", "models", "classes", "fetching", "threads", "first_words", "garbage",
    "trust", "text",
)  # fmt: skip
# What makes the first answer of the command line slow.
HEAVY = {
    "torch", "torchvision", "pandas", "matplotlib", "scipy", "sklearn", "skimage", "lpips",
    "pyarrow",
}  # fmt: skip
MOST_FILES = 25  # of code in a folder: what the eye finds a name in
MOST_LINES = 39  # of a command without its options and help: it parses, calls and writes


def name_of(file):
    return file.relative_to(ROOT).as_posix()


def module_of(file):
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


FILES = {module_of(file): file for file in MODULES}


@cache
def parsed(file):
    return ast.parse(file.read_text(encoding="utf-8"))


def names_in(node):
    """The modules that an import statement names; a name that is no module counts as its module."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    full = {alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return {path if path in FILES else node.module for path in full.values()}


@cache
def imported_by(module):
    """All modules that a module imports, wherever the statement stands."""
    nodes = ast.walk(parsed(FILES[module]))
    return {
        name
        for node in nodes
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in names_in(node)
    }


def imported_at_once(node):
    """The modules that are imported when a module is: not by its functions, not for types only."""
    found = set()
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            found |= names_in(child)
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        elif not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            found |= imported_at_once(child)
    return found


@cache
def loaded_with(module):
    """Everything that is loaded when a module is, by the packages that it is in as well."""
    found, waiting = set(), {module}
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        waiting |= {name.rpartition(".")[0]} - {""}
        if name in FILES:
            waiting |= imported_at_once(parsed(FILES[name]))
    return found


def room_of(module):
    parts = module.split(".")
    return parts[1] if parts[0] == "cli" and len(parts) > 1 else None


@cache
def calls_in(file):
    """All calls of a module, each with what is called."""
    nodes = ast.walk(parsed(file))
    return [(ast.unparse(node.func), node) for node in nodes if isinstance(node, ast.Call)]


def test_imports_point_downwards():
    wrong = [
        f"{module} imports {name}"
        for module in FILES
        for name in imported_by(module)
        if name.split(".")[0] in FORBIDDEN[module.split(".")[0]]
    ]
    assert wrong == []


def test_a_command_is_imported_by_main_alone():
    wrong = [
        f"{module} imports {name}"
        for module in FILES
        for name in imported_by(module)
        if name.startswith("cli.commands.") and module != "cli.main"
    ]
    assert wrong == []


def commands_in(tree):
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            decorators = {ast.unparse(each).partition("(")[0] for each in node.decorator_list}
            if "click.command" in decorators:
                yield node


def test_a_command_parses_calls_and_writes():
    lengths = {}
    for module, file in FILES.items():
        if room_of(module) == "commands":
            for command in commands_in(parsed(file)):
                body = command.body[ast.get_docstring(command) is not None :]
                lengths[f"{module}: {command.name}"] = body[-1].end_lineno - body[0].lineno + 1
    assert len(lengths) == len(list((ROOT / "cli/commands").rglob("[!_]*.py")))  # one in each file
    assert {name: count for name, count in lengths.items() if count > MOST_LINES} == {}


def test_the_rooms_of_the_command_line_stand_in_their_order():
    wrong = []
    for module in FILES:
        here = room_of(module)
        if here in (None, "main", "__main__"):
            continue
        lower = ROOMS[ROOMS.index(here) :]  # a room without a place here is an error
        rooms = {name: room_of(name) for name in imported_by(module)}
        wrong += [f"{module} imports {name}" for name, room in rooms.items()
                  if room is not None and room not in lower]  # fmt: skip
    assert wrong == []


@pytest.mark.parametrize("room", ["main", "translations", "options", "commands"])
def test_help_and_usage_errors_wait_for_no_heavy_library(room):
    modules = [module for module in FILES if room_of(module) == room]
    assert modules
    heavy = {module: loaded_with(module) & HEAVY for module in modules}
    assert {module: names for module, names in heavy.items() if names} == {}


def test_networks_know_no_other_room():
    allowed = {"latentlab.networks", "latentlab.numerics", "latentlab.checks", "latentlab.errors"}
    wrong = [
        f"{module} imports {name}"
        for module in FILES
        if module.startswith("latentlab.networks")
        for name in imported_by(module)
        if name.split(".")[0] == "latentlab" and ".".join(name.split(".")[:2]) not in allowed
    ]
    assert wrong == []


def test_one_room_interprets_pickles():
    room = "latentlab.checkpoints.pickles"
    wrong = [
        f"{module} imports {name}"
        for module in FILES
        if not module.startswith(room)
        for name in imported_by(module)
        if name in ("pickletools", f"{room}.machine", f"{room}.opcodes")
    ]
    assert wrong == []
    assert "pickletools" in imported_by(f"{room}.opcodes")


def test_a_folder_holds_few_files():
    folders = {file.parent for name in (*STOREYS, "tests", "benchmarks", "docs")
               for file in (ROOT / name).rglob("*.py")}  # fmt: skip
    counts = {name_of(folder): len(list(folder.glob("*.py"))) for folder in folders}
    assert {folder: count for folder, count in counts.items() if count > MOST_FILES} == {}


def test_user_errors_are_raised_not_asserted():
    wrong = [
        f"{name_of(file)}:{node.lineno}"
        for file in MODULES
        for node in ast.walk(parsed(file))
        if isinstance(node, ast.Assert)
    ]
    assert wrong == []


def test_the_library_does_not_print():
    calls = {name_of(file): {called for called, _ in calls_in(file)} for file in MODULES}
    assert [name for name, called in calls.items() if "print" in called] == []


def test_n15_importing_has_no_side_effects():
    code = (
        "import torch, random, numpy as np\n"
        "before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()\n"
        "import latentlab, metrics, latentlab.training.run\n"
        "after = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()\n"
        "assert torch.equal(before[0], after[0]) and before[1:] == after[1:]\n"
        "assert not torch.cuda.is_initialized()\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
