"""--workers: processes of one thread each, whose results are those of one process."""

import os
import sys

import click
import pandas as pd
import pytest
import torch
from click.testing import CliRunner

from cli.main import main
from cli.threads import ask_for_threads, ask_for_workers, settle_threads
from latentlab import workers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forked on Linux alone")

MODEL = "builtin:digits-stylegan2"
NEAR = ["--distance", "builtin:digits"]
COMMANDS = {  # with tables of samples, where a command has one
    "ppl": ([*NEAR, "--samples", 192], ["path_lengths.csv"]),
    "separability": (["--classifier", "builtin:digits-classifier", "--samples", 192,
                      "--space", "w"], ["attributes.csv"]),
    "contributions": (["--samples", 192], []),
    "droplets": (["--samples", 192], ["detections.csv"]),
    "noise": (["--samples", 4, "--draws", 4], ["latents.csv"]),
    "attribution": (["builtin:digits", *NEAR, "--most-real", 2, "--steps", 2], ["distances.csv"]),
    "generate": (["--seeds", "0-5"], []),
}  # fmt: skip
SLOW = {"contributions", "droplets", "noise"}  # whose batches come from where the others' do


@pytest.fixture(autouse=True)
def _anything_is_worth_it(monkeypatch):
    monkeypatch.setattr(workers, "_WORTH", 0.0)
    before = torch.get_num_threads()
    yield
    workers.spread_over(1)
    torch.set_num_threads(before)


def run(*arguments):
    done = CliRunner().invoke(main, list(map(str, arguments)))
    assert done.exit_code == 0, done.stderr
    return done


@pytest.mark.parametrize("command", [
    pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in COMMANDS
])  # fmt: skip
def test_several_processes_write_the_files_of_one(command, tmp_path, monkeypatch):
    options, tables = COMMANDS[command]
    started = []
    original = workers.spread
    monkeypatch.setattr(
        workers, "spread", lambda *given: (started.append(given[3]), original(*given))[1]
    )
    for count in (0, 2):
        run(command, MODEL, *options, "--workers", count, "-o", tmp_path / str(count))
    assert started
    assert set(started) == {2}
    one, two = ({file.name: file.read_bytes() for file in (tmp_path / name).iterdir()
                 if file.suffix == ".png" or file.name in tables} for name in "02")  # fmt: skip
    assert one == two
    assert len(one) > len(tables)
    if command != "generate":
        first, second = (pd.read_csv(tmp_path / name / "report.csv") for name in "02")
        pd.testing.assert_frame_equal(
            first.drop(columns="seconds"), second.drop(columns="seconds"), check_exact=True
        )


@pytest.mark.parametrize(("ask", "number", "variable", "expected"), [
    (None, None, None, 6), (ask_for_workers, 3, None, 3), (ask_for_workers, 0, None, 1),
    (ask_for_threads, 1, None, 1), (None, None, "OMP_NUM_THREADS", 1),
    (ask_for_workers, 3, "OMP_NUM_THREADS", 3),
])  # fmt: skip
def test_a_small_network_has_a_process_for_each_cpu_unless_the_user_says(
    ask, number, variable, expected, monkeypatch
):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if variable is not None:
        monkeypatch.setenv(variable, "1")
    monkeypatch.setattr("cli.threads.usable_cpus", lambda: 6)
    torch.set_num_threads(1)
    with click.Context(click.Command("one")) as ctx:
        if ask is not None:
            ask(ctx, None, number)
        assert settle_threads(small=True) == 1
        assert workers.usable_workers() == expected


@pytest.mark.parametrize("options", [["--threads", "2", "--workers", "2"], ["--workers", "2"]])
def test_threads_of_workers_and_workers_of_torchrun_are_refused(options, tmp_path, monkeypatch):
    if "--threads" not in options:
        monkeypatch.setitem(os.environ, "WORLD_SIZE", "2")
    done = CliRunner().invoke(main, ["ppl", MODEL, *options, "-o", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert "--workers" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "out").exists()
