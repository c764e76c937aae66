"""Rules of the whole tree, read off the syntax trees."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted(
    file for name in ("latentlab", "metrics", "cli") for file in (ROOT / name).rglob("*.py")
)
FORBIDDEN = {"latentlab": {"metrics", "cli"}, "metrics": {"cli"}, "cli": set()}
TORCH_LOAD = {"latentlab/pretrained.py"}  # published weights, with weights_only=True


def name_of(file):
    return file.relative_to(ROOT).as_posix()


@pytest.fixture(params=MODULES, ids=name_of)
def module(request):
    return request.param, ast.parse(request.param.read_text(encoding="utf-8"))


def test_imports_point_downwards(module):
    file, tree = module
    storey = file.relative_to(ROOT).parts[0]
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names] if isinstance(node, ast.Import)
            else [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        )
    }  # fmt: skip
    assert not imported & FORBIDDEN[storey]


def test_nothing_foreign_can_run(module):
    file, tree = module
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None)]
            assert not {"pickle", "dill", "cloudpickle", "marshal", "shelve"} & set(names)
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        assert called not in {"eval", "exec", "compile", "__import__", "pickle.load"}
        if called == "torch.load":
            assert name_of(file) in TORCH_LOAD
            assert "weights_only=True" in ast.unparse(node)
        if called == "np.load":
            assert "allow_pickle=False" in ast.unparse(node)


def test_user_errors_are_raised_not_asserted(module):
    _, tree = module
    assert not [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)]


def test_the_library_does_not_print(module):
    _, tree = module
    calls = [ast.unparse(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)]
    assert "print" not in calls


def test_importing_has_no_side_effects():
    code = (
        "import torch, random, numpy as np\n"
        "before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()\n"
        "import latentlab, metrics, latentlab.training.run\n"
        "after = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()\n"
        "assert torch.equal(before[0], after[0]) and before[1:] == after[1:]\n"
        "assert not torch.cuda.is_initialized()\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
