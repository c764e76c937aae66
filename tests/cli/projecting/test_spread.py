"""A folder of small pictures over processes of one thread each: the files of one process."""

import contextlib
import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from cli.projecting import spread
from latentlab import load
from latentlab.datasets.digits import digits
from tests.cli.commands.test_project import project, rows
from tests.cli.projecting.test_project_folders import ROOT, contents
from tests.conftest import make_generator
from tests.test_workers import is_alive, wait_for

MODEL = "builtin:digits-stylegan2"
TWO_CPUS = """
import os
os.sched_getaffinity = lambda _: {0, 1}
from cli.main import main
from cli.projecting import spread
spread._STEPS_EACH = 1
if __name__ == "__main__":
    main(prog_name="latentlab")
"""


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for i, pixels in enumerate(digits("held-out")[0][:6]):
        Image.fromarray(pixels).save(folder / f"{i}.png")
    (folder / "3.png").write_bytes(b"no picture")
    return folder


@pytest.fixture
def two_cpus(monkeypatch):
    """Two CPUs, on which a few steps are worth a process, and nobody who says how many threads."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    monkeypatch.setattr("cli.threads._quotas", lambda *_: [])
    monkeypatch.setattr(spread, "_STEPS_FORKED", 1)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_two_processes_write_the_files_of_one(photos, tmp_path, monkeypatch, two_cpus):
    counts = []
    original = spread.spread

    def counted(begin, arguments, pieces, count, on_step):
        counts.append(count)
        return original(begin, arguments, pieces, count, on_step)

    monkeypatch.setattr(spread, "spread", counted)
    one, two = tmp_path / "one", tmp_path / "two"
    said = []
    for out, options in ((one, ["--threads", 1]), (two, [])):
        done = project(MODEL, photos, *options, "-o", out, steps=4)
        assert done.exit_code == 4, "a picture was refused"
        said.append(done.stderr)
    assert counts == [2]
    assert contents(two) == contents(one)
    statuses = [row["status"] for row in rows(two / "report.csv")]
    assert statuses == ["ok"] * 3 + ["refused"] + ["ok"] * 2
    assert [text.count("5 of 6 pictures projected") for text in said] == [1, 1]
    what = "Projecting 6 pictures into W, 4 steps each, on"
    places = ["cpu with 1 thread.", "2 processes, each on cpu with 1 thread."]
    for text, place in zip(said, places, strict=True):
        assert text.splitlines()[1] == f"{what} {place}"
    assert not list(two.glob(".*"))
    again = project(MODEL, photos, "-o", two, steps=4)
    assert (again.exit_code, contents(two)) == (4, contents(one))


@pytest.mark.parametrize("sign", [
    signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow),
])  # fmt: skip
def test_a_signal_ends_all_and_leaves_nothing_half_done(sign, photos, tmp_path):
    """SIGINT goes to the group, as Ctrl-C does; SIGTERM to the command alone."""
    script, out = tmp_path / "script.py", tmp_path / "out"
    script.write_text(TWO_CPUS)
    environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    command = [sys.executable, script, "project", MODEL, photos, "--distance", "builtin:digits",
               "--steps", "100000", "-o", out]  # fmt: skip
    process = subprocess.Popen(
        list(map(str, command)), cwd=ROOT, env={**environment, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        wait_for(lambda: len(list(out.glob(".tmp-*"))) == 2)
        workers = children_of(process.pid)
        send = os.killpg if sign == signal.SIGINT else os.kill
        send(process.pid, sign)
        _, said = process.communicate(timeout=60)
    finally:
        with contextlib.suppress(ProcessLookupError):  # none is left, unless the test fails
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143}[sign], said
    assert "Traceback" not in said
    assert said.count("Interrupted. The same command does what is left;") == 1
    assert len(workers) >= 2
    wait_for(lambda: not any(map(is_alive, workers)))
    assert not list(out.glob(".tmp-*"))


def children_of(process):
    tasks = f"/proc/{process}/task/{process}/children"
    with open(tasks) as file:
        return [int(number) for number in file.read().split()]


def test_a_dry_run_says_over_how_many_processes(photos, tmp_path, two_cpus):
    done = project(MODEL, photos, "--dry-run", "-o", tmp_path / "out", steps=4)
    assert "device      2 processes, each on cpu with 1 thread\n" in done.stdout
    assert not (tmp_path / "out").exists()


def wanting(g, pictures, steps, encoder=None, identity=None):
    """What `processes_for` looks at."""
    search = SimpleNamespace(encoder=encoder, identity=identity)
    settings, request = SimpleNamespace(steps=steps), SimpleNamespace(search=search)
    method = SimpleNamespace(g=g, batch=1, settings=settings, request=request)
    return spread.processes_for(method, SimpleNamespace(batches=lambda _: [[i] for i in pictures]))


def test_a_process_is_worth_a_thousand_steps(two_cpus, monkeypatch):
    g = load(MODEL).generator
    monkeypatch.setattr(spread, "forks", lambda: False)  # where each is started from nothing
    assert wanting(g, range(40), 1000) == 2
    assert wanting(g, range(3), 500) == 1
    assert wanting(g, range(1), 5000) == 1
    assert wanting(g, [], 5000) == 1
    assert wanting(g, range(40), 1000, "encoder.pt") == 1  # which each would open


def test_large_networks_and_what_the_user_says_are_left_in_one_process(two_cpus, monkeypatch):
    with torch.device("meta"):
        large = make_generator(resolution=256, channel_base=16384, channel_max=512)
    monkeypatch.setattr(type(large), "device", torch.device("cpu"))
    assert wanting(large, range(40), 1000) == 1
    g = load(MODEL).generator
    for variable in ("OMP_NUM_THREADS", "WORLD_SIZE"):
        with monkeypatch.context() as patch:
            patch.setenv(variable, "2")
            assert wanting(g, range(40), 1000) == 1
    assert wanting(g, range(40), 1000) == 2
