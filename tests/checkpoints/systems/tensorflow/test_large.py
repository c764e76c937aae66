"""Full-size TensorFlow pickles: what opening them costs."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from latentlab.checkpoints.assemble import blank
from latentlab.checkpoints.systems.tensorflow import config as configs
from latentlab.checkpoints.systems.tensorflow import names as names
from latentlab.checkpoints.systems.tensorflow.arguments import DEFAULTS, Arguments
from tests.support.tensorflow.pickles import Network, composed, write_pickle

# Opening may take this much memory besides what the process has, in sizes of the file: the
# weights once, and what is under way from one form to the other.
MOST = 1.5
SECONDS = 3.0  # of the processor, which other work on the machine does not change

CHILD = """
import json, sys, time
import torch
import latentlab
from latentlab.networks.generator import Generator
from latentlab.networks.stylegan2_config import StyleGAN2Config

def peak():  # getrusage would count the parent, as it was when it started this process
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))

with torch.device("meta"):  # loads code on first use
    Generator(StyleGAN2Config(resolution=8))
before, start = peak(), time.process_time()
checkpoint = latentlab.load(sys.argv[1])
seconds, extra = time.process_time() - start, peak() - before
with torch.no_grad():
    image = checkpoint.generator(torch.ones([1, 512]), truncation_psi=0.7)
print(json.dumps({"extra": extra, "seconds": seconds, "kind": checkpoint.kind,
                  "shape": list(image.shape), "finite": bool(image.isfinite().all()),
                  "spread": float(image.std())}))
"""


def random_variables(function, translate, rows):
    """Variables of a network with its default settings, by the names that are opened."""
    arguments = Arguments({"num_channels": 3, "resolution": 1024}, DEFAULTS[function])
    config = translate(arguments)
    shapes = {k: t.shape for k, t in blank(config, "").state_dict().items()}
    rng, found = np.random.default_rng(0), {}
    for row in rows(config, arguments):
        shape = row.layout.shape_there(shapes[row.ours])
        found[row.theirs] = rng.standard_normal(shape, np.float32)
        if shape == ():
            found[row.theirs] = np.float32(0)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("top", "synthesis", "discriminator", "kind"),
    [
        ("G_style", "G_synthesis", "D_basic", "stylegan1-tf"),
        ("G_main", "G_synthesis_stylegan2", "D_stylegan2", "stylegan2-tf"),
    ],
)
def test_a_full_size_pickle_opens_in_little_memory(
    top, synthesis, discriminator, kind, tmp_path, monkeypatch
):
    if not Path("/proc/self/status").exists():
        pytest.skip("the size of the process is read from /proc")
    system = "stylegan1" if top == "G_style" else "stylegan2"
    kwargs = {"num_channels": 3, "resolution": 1024}
    of_g = random_variables(
        top if top == "G_style" else synthesis,
        getattr(configs, f"{system}_generator"),
        getattr(names, f"{system}_generator"),
    )
    of_d = random_variables(
        discriminator,
        getattr(configs, f"{system}_discriminator"),
        getattr(names, f"{system}_discriminator"),
    )
    if top == "G_style":
        of_g["synthesis/lod"] = np.float32(0)
    copies = [{name: value.copy() for name, value in of_g.items()} for _ in range(2)]
    g, gs = (composed(top, synthesis, own, kwargs) for own in copies)
    path = write_pickle(tmp_path / "x.pkl", (g, Network(discriminator, of_d, kwargs), gs),
                        monkeypatch)  # fmt: skip
    size = path.stat().st_size
    assert size > 280e6
    command = [sys.executable, "-c", CHILD, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    print(f"{size / 1e6:.0f} MB: {found}")
    assert found["kind"] == kind
    assert found["shape"] == [1, 3, 1024, 1024]
    assert found["finite"]
    assert found["spread"] > 0
    assert found["extra"] < MOST * size
    assert found["seconds"] < SECONDS
