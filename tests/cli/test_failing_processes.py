"""A process that fails ends the job within seconds, with its error, and nothing half-written."""

import numpy as np
import pandas as pd
from click.testing import CliRunner
from PIL import Image

from cli.main import main
from latentlab.numerics import Stream
from tests.processes import command_together

MODEL = "builtin:digits-stylegan2"
PPL = ["ppl", MODEL, "--distance", "builtin:digits", "--samples", "400", "--device", "cpu"]
SECONDS = 60  # most of them for starting; torch's own patience is half an hour

# Every batch is computed as ever, but the second one of a process named here ends otherwise.
FAILING = """
import os, signal, time
from latentlab import NumericalError
from metrics import sampling

calls, original = [], sampling._computed

def computed(compute, samples):
    calls.append(samples)
    if os.environ["RANK"] == "{rank}" and len(calls) == 2:
        {end}
    return original(compute, samples)

sampling._computed = computed
"""
RAISES = 'raise NumericalError("planted: not finite")'
KILLED = "os.kill(os.getpid(), signal.SIGKILL)"


def test_the_error_of_one_ends_a_measurement_that_can_go_on(tmp_path):
    out = tmp_path / "out"
    done = command_together(tmp_path, *PPL, "-o", out, before=FAILING.format(rank=1, end=RAISES))
    assert done.code != 0
    assert done.seconds < SECONDS
    assert done.said[1].endswith("Error: planted: not finite (process 1 of 2)\n"), done
    assert "Error" not in done.said[0], done
    assert "Traceback" not in "".join(done.said), done
    assert {file.name for file in out.iterdir()} == {*partial(out)}
    assert "continuing" in continued(out).stderr


def test_a_killed_process_ends_a_measurement(tmp_path):
    out = tmp_path / "out"
    done = command_together(tmp_path, *PPL, "-o", out, before=FAILING.format(rank=0, end=KILLED))
    assert done.code != 0
    assert done.seconds < SECONDS
    assert "Traceback" not in "".join(done.said), done
    # Told by the other where it waited for this one; else torchrun ended it before it noticed.
    assert done.said[1].count("\n") <= 1, done
    assert "SIGKILL" in done.report
    assert {file.name for file in out.iterdir()} <= {".lock", *partial(out)}
    continued(out)


def continued(out):
    """Run the same command in one process; what is there must be of use, or not in the way."""
    one = CliRunner().invoke(main, [*PPL, "-o", str(out)])
    assert one.exit_code == 0, one.stderr
    assert len(pd.read_csv(out / "path_lengths.csv")) == 400
    assert partial(out) == []
    return one


def partial(folder):
    return [path.name for path in folder.glob(".partial-*")]


def test_a_bad_picture_of_one_process_ends_training_where_it_can_go_on(tmp_path):
    data, out = tmp_path / "data", tmp_path / "out"
    data.mkdir()
    for i in range(100):
        Image.new("RGB", (16, 16), (2 * i, 0, 0)).save(data / f"{i:02d}.png")
    order = np.random.default_rng([0, Stream.SHUFFLE, 0]).permutation(100).tolist()
    # The first in the second process's rows that is not in the grid of real pictures as well.
    place = next(place for place in range(5, 100, 2) if order[place] >= 64)
    bad, before = data / f"{order[place]}.png", place // 4 * 4
    good = bad.read_bytes()
    bad.write_bytes(b"no picture")
    command = ["train", "--data", data, "--config", "stylegan2-small", "--batch", 4, "--kimg",
               "0.1", "--resolution", 16, "--device", "cpu", "-o", out]  # fmt: skip
    done = command_together(tmp_path, *command)
    assert done.code != 0
    assert done.seconds < SECONDS
    assert sum(text.count(bad.name) for text in done.said) == 1, done
    assert "Traceback" not in "".join(done.said), done
    kept = sorted(file.name for file in out.glob("snapshot-*"))
    assert kept == [f"snapshot-{before:09d}{end}safetensors" for end in (".optimizer.", ".")]
    assert not list(out.glob(".*"))
    bad.write_bytes(good)
    longer = CliRunner().invoke(main, [*map(str, command), "--kimg", str((before + 4) / 1000)])
    assert longer.exit_code == 0, longer.stderr
    assert f"snapshot-{before + 4:09d}" in longer.stderr
