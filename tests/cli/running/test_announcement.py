import pytest
import torch

from cli.running import announcement
from cli.running.announcement import announce, open_first, place_in_words
from cli.running.estimates import Estimate, Task, in_words
from tests.conftest import make_generator

MANY = Task("Projecting", 40, "picture", make_generator(), 1000, " into W, 1,000 steps each")


@pytest.fixture(autouse=True)
def two_threads(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)


def test_work_is_announced_in_one_line(monkeypatch, capsys):
    monkeypatch.setattr(announcement, "estimate", lambda _: Estimate(12_000, 0))
    announce([MANY], "cpu")
    assert capsys.readouterr() == ("", (
        "Projecting 40 pictures into W, 1,000 steps each, on cpu with 2 threads: about 3 h 20 min."
        "\n"
    ))  # fmt: skip


def test_several_tasks_are_told_together_and_each_once(monkeypatch, capsys):
    monkeypatch.setattr(announcement, "estimate", lambda task: task.g and Estimate(30, 0))
    tasks = [Task("ppl:", 50, "path", make_generator()) for _ in range(2)]
    announce([*tasks, Task("droplets:", 5, "picture")], "cpu")
    told = "ppl: 50 paths; droplets: 5 pictures, on cpu with 2 threads: about 1 min.\n"
    assert capsys.readouterr().err == told


def test_tasks_of_one_extent_are_told_together():
    named = [Task(f"{name}:", 500, "path", more=" of each model") for name in ("a", "b", "c")]
    methods = [Task("Comparing", 8, "pair", more=f" of {name}") for name in ("w", "psp")]
    tasks = [*named, Task("d:", 7, "picture"), *named, *methods, Task("Moving", 1, "picture")]
    told = (
        "a, b and c: 500 paths of each model; d: 7 pictures; Comparing 8 pairs each of w and psp; "
        "Moving 1 picture"
    )
    assert in_words(tasks) == told


@pytest.mark.parametrize(("count", "more", "told"), [
    (1, " into W, 1,000 steps each", "Projecting 1 picture into W, 1,000 steps"),
    (1, ", 20 steps each, of each model", "Projecting 1 picture, 20 steps, of each model"),
    (2, " into W, 1,000 steps each", "Projecting 2 pictures into W, 1,000 steps each"),
])  # fmt: skip
def test_of_one_picture_nothing_is_each(count, more, told):
    assert Task("Projecting", count, "picture", more=more).text == told


def test_few_pictures_are_not_timed(monkeypatch, capsys):
    def fail(_):
        raise AssertionError

    monkeypatch.setattr(announcement, "estimate", fail)
    announce([Task("Rendering", 3, "picture", make_generator())], "cpu")
    assert capsys.readouterr().err == "Rendering 3 pictures, on cpu with 2 threads.\n"


def test_nothing_is_announced_where_nothing_is_left(capsys):
    announce([Task("Projecting", 0, "picture", make_generator())], "cpu")
    announce([], "cpu")
    assert capsys.readouterr() == ("", "")


def test_only_the_main_process_speaks(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("latentlab.distributed.is_main", lambda: False)
    announce([MANY], "cpu")
    open_first(tmp_path / "grid.png")
    assert capsys.readouterr() == ("", "")


def test_the_file_to_open_is_named(capsys, tmp_path):
    open_first(tmp_path / "grid.png")
    assert capsys.readouterr() == ("", f"Open {tmp_path / 'grid.png'}\n")


def test_a_place_is_told_with_its_threads_and_processes(monkeypatch):
    assert place_in_words("cpu") == "cpu with 2 threads"
    assert place_in_words("cpu", 3) == "3 processes, each on cpu with 2 threads"
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "NVIDIA H200")
    assert place_in_words("cuda:1") == "cuda:1 (NVIDIA H200)"
    monkeypatch.setattr("latentlab.distributed.size", lambda: 2)
    assert place_in_words("cpu") == "2 processes, each on cpu with 2 threads"
