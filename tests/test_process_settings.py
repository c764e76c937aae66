"""Library and commands leave the process as they found it, and compute in whole float32."""

import json
import random
import signal
import subprocess
import sys
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image, ImageFile

import latentlab
import metrics
from cli.main import main
from latentlab import workers
from latentlab.editing.w_moments import w_moments
from tests.conftest import make_generator
from tests.metrics.doubles import squared


def settings():
    """What nobody may leave otherwise than it was."""
    cudnn, kinds = torch.backends.cudnn, {
        f"{library}.{kind}": getattr(getattr(torch.backends, library), kind).fp32_precision
        for library, kind in (("cuda", "matmul"), ("cudnn", "conv"), ("cudnn", "rnn"),
                              ("mkldnn", "matmul"), ("mkldnn", "conv"), ("mkldnn", "rnn"))
        if hasattr(getattr(getattr(torch.backends, library), kind, None), "fp32_precision")
    }  # fmt: skip
    return {
        "matmul": torch.get_float32_matmul_precision(), **kinds,
        "tf32": (cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32),
        "cudnn": (cudnn.enabled, cudnn.benchmark, cudnn.deterministic),
        "deterministic": (torch.are_deterministic_algorithms_enabled(),
                          torch.is_deterministic_algorithms_warn_only_enabled()),
        "threads": (torch.get_num_threads(), torch.get_num_interop_threads(), workers._wanted),
        "type": torch.get_default_dtype(),
        "gradients": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "random": (torch.get_rng_state().tolist(), random.getstate(),
                   [str(each) for each in np.random.get_state()]),
        "numpy": np.geterr(),
        "warnings": list(warnings.filters),
        "pictures": (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES),
        "signals": [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)],
    }  # fmt: skip


@contextmanager
def unusual():
    """Have nothing as it is by default, and put it back."""
    cudnn, before = torch.backends.cudnn, settings()
    torch.set_float32_matmul_precision("medium")
    cudnn.allow_tf32, cudnn.benchmark, cudnn.deterministic = False, True, True
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.set_num_threads(2)
    workers.spread_over(1)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before["matmul"])
        cudnn.allow_tf32, _ = before["tf32"]
        _, cudnn.benchmark, cudnn.deterministic = before["cudnn"]
        enabled, warns = before["deterministic"]
        torch.use_deterministic_algorithms(enabled, warn_only=warns)
        torch.set_num_threads(before["threads"][0])
        workers.spread_over(before["threads"][2])


# One after another in processes of their own: torch does not read the older of its two interfaces
# any more where somebody has mixed them, and there is no way back.
MIXED = [
    "torch.set_float32_matmul_precision('high')",
    "torch.set_float32_matmul_precision('medium')",
    "cudnn.allow_tf32 = matmul.allow_tf32 = True",
    "matmul.fp32_precision = 'tf32'",
    "torch.backends.fp32_precision = 'tf32'",
    "torch.backends.fp32_precision = 'bf16'",
    "cudnn.rnn.fp32_precision = 'ieee'",
    "torch.backends.mkldnn.matmul.fp32_precision = 'bf16'",
]
PRODUCTS = """
import json, os, sys, torch
from latentlab.numerics import full_precision
cudnn, matmul, mkldnn = torch.backends.cudnn, torch.backends.cuda.matmul, torch.backends.mkldnn
NEWER = hasattr(matmul, "fp32_precision")

def read(get):
    try:
        return get()
    except RuntimeError:
        return "mixed"

def state():
    found = {"older": [read(torch.get_float32_matmul_precision), read(lambda: cudnn.allow_tf32),
                       read(lambda: matmul.allow_tf32)]}
    if NEWER:
        places = matmul, cudnn.conv, cudnn.rnn, mkldnn.matmul, mkldnn.conv, mkldnn.rnn
        found["newer"] = [place.fp32_precision for place in places]
        found["all"] = [torch.backends.fp32_precision, cudnn.fp32_precision]
    return found

for line in json.loads(sys.argv[1]):
    if "fp32_precision" in line and not NEWER:
        continue
    told, tell = os.pipe()
    if os.fork() == 0:
        exec(line)
        before = state()
        with full_precision():
            within = state()
            with full_precision():
                pass
            again = state()
        os.write(tell, json.dumps([line, before, within, again, state()]).encode())
        os._exit(0)
    os.wait()
    os.close(tell)
    print(os.read(told, 10**6).decode() or json.dumps([line, "an error"]))
"""


def test_n16_float32_products_are_whole_for_a_time_whoever_has_set_what():
    done = subprocess.run(
        [sys.executable, "-c", PRODUCTS, json.dumps(MIXED)],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1], timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) in (3, len(MIXED)), "of a torch with the older interface alone, and others"
    for line, before, within, again, after in lines:
        assert after == before, line
        assert within == again, line
        assert within["older"][0] == "highest" or before["older"][0] == "mixed", line
        assert set(within.get("newer", [])) <= {"ieee", "none"}, line


QUICK = latentlab.TuningSettings(steps=2)
# What computes with a generator, given its pictures and their w.
ENTRIES = {
    "path length": lambda g, *_: metrics.perceptual_path_length(g, squared, num_samples=4),
    "droplets": lambda g, *_: metrics.droplets(g, num_samples=2),
    "contributions": lambda g, *_: metrics.contributions(g, num_samples=4),
    "noise": lambda g, *_: metrics.stochastic_variation(g, num_latents=2, num_draws=2),
    "spectrum": lambda g, *_: metrics.spectrum_of_generator(g, 0, 1, num_samples=2),
    "attribution": lambda g, x, _: metrics.attribution(g, x, squared, 2, steps=2),
    "project": lambda g, x, _: latentlab.project(g, x, squared, steps=3),
    "tune": lambda g, x, ws: latentlab.tune(g, ws, None, x, squared, "", settings=QUICK),
    "moments": lambda g, *_: w_moments(g, samples=64),
}  # fmt: skip
COMMANDS = {
    "generate": ["generate", "{model}", "--seeds", "0"],
    "contributions": ["contributions", "{model}", "--samples", "4", "--threads", "2"],
    "refused": ["generate", "{model}", "--seeds", "0", "--class", "7"],
}  # fmt: skip


@pytest.mark.parametrize("entry", ENTRIES)
def test_n16_the_library_leaves_the_process_as_it_was(entry):
    g, seen = make_generator(), []
    ws = g.mapping(torch.zeros(2, g.z_dim))
    images = g.synthesis(ws)
    with unusual():
        before = settings()
        look = torch.nn.modules.module.register_module_forward_pre_hook(
            lambda *_: seen.append(torch.get_float32_matmul_precision())
        )
        ENTRIES[entry](g, images, ws)
        look.remove()
        assert settings() == before
    assert set(seen) == {"highest"}


@pytest.mark.parametrize("name", COMMANDS)
def test_n16_a_command_called_from_python_leaves_the_process_as_it_was(name, tmp_path):
    latentlab.save(make_generator(), tmp_path / "g.safetensors")
    words = [each.format(model=tmp_path / "g.safetensors") for each in COMMANDS[name]]
    with unusual():
        before = settings()
        done = CliRunner().invoke(main, [*words, "-o", str(tmp_path / "out")])
        assert settings() == before
    assert (done.exit_code == 0) == (name != "refused"), done.stderr
