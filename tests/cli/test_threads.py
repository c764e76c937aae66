"""How many threads a command computes with."""

import contextlib
import os

import click
import pandas as pd
import pytest
import torch
from click.testing import CliRunner

import latentlab
from cli import threads
from cli.main import main
from latentlab.latents import draw_z
from tests.conftest import make_generator, make_progan, make_stylegan1, make_stylegan3

SMALL = "builtin:digits-stylegan2"


@pytest.fixture
def free(monkeypatch):
    """Nobody has said how many threads there are to be, and the machine has eight cores."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(threads, "_most_threads", lambda: 8)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)), raising=False)
    monkeypatch.setattr(threads, "_quotas", lambda *_: [])
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def seen_by(command):
    """Run a command line; returns torch's threads at the last layer that computes."""
    seen = []
    hook = torch.nn.modules.module.register_module_forward_pre_hook(
        lambda *_: seen.append(torch.get_num_threads())
    )
    with contextlib.ExitStack() as stack:
        stack.callback(hook.remove)
        done = CliRunner().invoke(main, [str(each) for each in command])
    assert done.exit_code == 0, done.stderr
    return seen[-1]


@pytest.mark.parametrize(("variable", "options", "expected"), [
    (None, [], 1), (None, ["--threads", 3], 3), ("2", [], 5), ("2", ["--threads", 3], 3),
])  # fmt: skip
def test_a_small_network_has_one_thread_unless_the_user_says(
    variable, options, expected, tmp_path, monkeypatch, free
):
    torch.set_num_threads(5)  # as torch would have read it from the variable
    if variable is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", variable)
    command = ["droplets", SMALL, "--samples", 4, *options, "-o", tmp_path]
    assert seen_by(command) == expected


def test_a_large_network_has_all_cpus_that_the_process_may_use(free, monkeypatch):
    assert threads.settle_threads(small=False) == 6
    monkeypatch.setattr(threads, "_quotas", lambda *_: [2.5])
    assert threads.settle_threads(small=False) == 2
    assert threads.settle_threads(small=True) == 1


def test_numbers_have_the_bits_of_their_threads(tmp_path, free):
    """The same number of threads, the same bits; another may round the last ones otherwise."""
    values = {}
    for name, count in (("one", 1), ("two", 2), ("again", 2)):
        command = ["contributions", SMALL, "--samples", 32, "--threads", count]
        assert seen_by([*command, "-o", tmp_path / name]) == count
        values[name] = pd.read_csv(tmp_path / name / "report.csv")["value"]
    assert values["two"].tolist() == values["again"].tolist()
    assert values["one"].tolist() == pytest.approx(values["two"].tolist(), rel=1e-4)


def test_what_one_command_line_asks_for_is_not_for_the_next(free):
    with click.Context(click.Command("one")) as ctx:
        threads.ask_for_threads(ctx, None, 4)
        assert threads.settle_threads(small=True) == 4
    with click.Context(click.Command("two")):
        assert threads.settle_threads(small=True) == 1


def test_every_command_that_computes_takes_threads():
    computing = {name for name, command in main.commands.items()
                 if any("--device" in each.opts for each in command.params)}  # fmt: skip
    assert {"project", "train", "demo", "ppl", "compare", "generate", "tune"} <= computing
    for name in (*computing, "train-classifier"):
        assert any("--threads" in each.opts for each in main.commands[name].params), name


def test_bundled_models_are_small_and_published_ones_large():
    for name in ("builtin:digits-stylegan1", SMALL):
        assert threads.is_small(latentlab.load(name).generator)
    with torch.device("meta"):
        large = make_generator(resolution=256, channel_base=16384, channel_max=512)
    assert not threads.is_small(large)


def test_multiply_adds_are_those_of_the_convolutions():
    g = make_generator(resolution=8, channel_base=32, channel_max=4)
    maps = 4
    convolutions = 4**2 * 9 * maps**2 + 2 * 8**2 * 9 * maps**2
    rgb = (4**2 + 8**2) * maps * g.channels
    assert threads.multiply_adds(g) == convolutions + rgb


@pytest.mark.parametrize("make", [make_stylegan1, make_stylegan3, make_progan])
def test_every_kind_of_generator_has_multiply_adds(make):
    assert threads.multiply_adds(make()) > 0


# What Linux says of the groups that a process is in, and the files of those groups.
GROUPS = [
    ("0::/\n", {"cpu.max": "150000 100000"}, 1),
    ("0::/pod/one\n", {"pod/one/cpu.max": "max 100000", "pod/cpu.max": "200000 100000"}, 2),
    ("0::/pod\n", {"pod/cpu.max": "50000 100000"}, 1),
    ("4:memory:/a\n1:cpu,cpuacct:/a/b\n",
     {"cpu,cpuacct/a/b/cpu.cfs_quota_us": "-1", "cpu,cpuacct/a/b/cpu.cfs_period_us": "100000",
      "cpu,cpuacct/a/cpu.cfs_quota_us": "300000", "cpu,cpuacct/a/cpu.cfs_period_us": "100000"}, 3),
    ("1:cpu:/hidden\n",
     {"cpu/cpu.cfs_quota_us": "400000", "cpu/cpu.cfs_period_us": "100000"}, 4),
    ("4:memory:/a\n", {"memory/a/cpu.max": "100000 100000"}, 6),
    ("0::/\n", {"cpu.max": "damaged"}, 6),
    ("0::/\n", {"cpu.max": "100000 0"}, 6),
    ("", {}, 6),
]  # fmt: skip


@pytest.mark.parametrize(("listed", "files", "expected"), GROUPS)
def test_quotas_of_control_groups_limit_the_cpus(listed, files, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)), raising=False)
    process, quotas = tmp_path / "cgroup", tmp_path / "quotas"
    process.write_text(listed)
    for name, text in files.items():
        (quotas / name).parent.mkdir(parents=True, exist_ok=True)
        (quotas / name).write_text(text)
    assert threads.usable_cpus(process, quotas) == expected


def test_a_system_without_affinity_and_groups_has_all_cpus(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    assert threads.usable_cpus(tmp_path / "none", tmp_path) == 5


def test_the_library_leaves_torchs_threads_alone(free):
    torch.set_num_threads(3)
    g = latentlab.load(SMALL).generator
    g(draw_z(range(2), g.z_dim, 0))
    assert torch.get_num_threads() == 3
