"""What is guessed of time and memory: its structure, and on slow runs its size."""

import subprocess
import sys
import time

import pytest
import torch

import latentlab
from cli.running import estimates
from cli.running.estimates import Task, duration, estimate, size
from latentlab import perceptual_distance
from metrics import perceptual_path_length
from tests.conftest import make_fastgan, make_generator, make_progan, make_stylegan_xl

DIGITS = "builtin:digits-stylegan2"


@pytest.fixture(scope="module")
def digits():
    return latentlab.load(DIGITS).generator


@pytest.mark.parametrize(("seconds", "words"), [
    (0, "a few seconds"), (4.9, "a few seconds"), (5, "about 5 s"), (42, "about 40 s"),
    (58, "about 1 min"), (90, "about 2 min"), (3000, "about 50 min"), (3601, "about 1 h"),
    (12_000, "about 3 h 20 min"), (86_400 * 2, "about 2 days"), (1e6, "about 12 days"),
])  # fmt: skip
def test_times_are_rounded_as_guesses_are(seconds, words):
    assert duration(seconds) == words


@pytest.mark.parametrize(("count", "words"), [
    (0, "about 0.1 GB"), (1.26e9, "about 1.3 GB"), (24e9, "about 24.0 GB"),
])  # fmt: skip
def test_sizes_are_rounded_as_guesses_are(count, words):
    assert size(count) == words


@pytest.mark.parametrize(("task", "text"), [
    (Task("Projecting", 40, "picture", more=" into W, 1,000 steps each"),
     "Projecting 40 pictures into W, 1,000 steps each"),
    (Task("Rendering", 1, "picture"), "Rendering 1 picture"),
    (Task("Measuring", 50_000, "path"), "Measuring 50,000 paths"),
])  # fmt: skip
def test_a_task_is_told_in_words(task, text):
    assert task.text == text


def test_a_task_costs_its_pictures_one_by_one(monkeypatch):
    monkeypatch.setattr(estimates, "_timed", lambda _: (2.0, 100))
    monkeypatch.setattr(estimates, "_used", lambda _: 1000)
    found = estimate(Task("Measuring", 10, "path", make_generator(), pictures=2, batch=20))
    assert found.seconds == 2 * 10 * 2
    assert found.memory == 1000 + (20 - estimates._MOST_AT_ONCE) * 100


def test_processes_share_the_time_and_add_to_the_memory(monkeypatch):
    monkeypatch.setattr(estimates, "_timed", lambda _: (2.0, 100))
    monkeypatch.setattr(estimates, "_used", lambda _: 1000)
    found = estimate(Task("Projecting", 10, "picture", make_generator(), 2, processes=4))
    assert found.seconds == 2 * 10 * 2 / 4
    assert found.memory == 1000 * 5, "one more for the process that starts them"


def test_quick_networks_are_timed_in_batches(monkeypatch):
    times = iter([0.1, 0.16, 0.08])
    monkeypatch.setattr(estimates, "_timed", lambda _: (next(times), 0))
    found = estimate(Task("Measuring", 100, "picture", make_generator(), batch=8))
    assert found.seconds == pytest.approx(0.08 / 8 * 100)


def test_processes_share_the_work(monkeypatch):
    monkeypatch.setattr(estimates, "_timed", lambda _: (2.0, 0))
    monkeypatch.setattr("latentlab.distributed.size", lambda: 4)
    assert estimate(Task("Measuring", 10, "path", make_generator())).seconds == 2 * 10 / 4


@pytest.mark.parametrize("task", [Task("Aligning", 3, "photo"), Task("Rendering", 0, "picture")])
def test_nothing_is_guessed_where_no_picture_is_made(task):
    assert estimate(task) is None


@pytest.mark.parametrize("g", [
    make_generator(), make_generator(c_dim=3), make_generator(channels=1), make_progan(),
    make_stylegan_xl(), make_fastgan(lite=True, c_dim=2),
], ids=["plain", "classes", "grey", "progan", "stylegan-xl", "fastgan"])  # fmt: skip
@pytest.mark.parametrize("gradients", [False, True])
def test_every_generator_can_be_judged(g, gradients):
    before = [p.clone() for p in g.parameters()]
    state = torch.random.get_rng_state()
    found = estimate(Task("Rendering", 100, "picture", g, gradients=gradients, batch=4))
    assert found.seconds > 0
    assert found.memory > 0
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(a, b) for a, b in zip(g.parameters(), before, strict=True))
    assert all(p.grad is None for p in g.parameters())


def test_derivatives_and_larger_batches_take_memory(digits):
    def held(gradients):
        run = estimates._one_pass(Task("x", 1, "x", digits, gradients=gradients), digits)
        return estimates._timed(lambda: run(1))[1]

    plain, derived = held(False), held(True)
    assert plain == 0
    assert derived > 4 * 3 * 32 * 32  # more than the picture


# How good the guesses are.


@pytest.mark.slow
def test_the_time_of_path_lengths_is_right_to_a_factor(digits):
    distance = perceptual_distance("builtin:digits")
    task = Task("Measuring", 1000, "path", digits, pictures=2, distance=distance, batch=16)
    guess = estimate(task).seconds
    started = time.perf_counter()
    perceptual_path_length(digits, distance, num_samples=1000)
    assert guess / 4 < time.perf_counter() - started < guess * 4


@pytest.mark.slow
def test_the_time_of_projections_is_right_to_a_factor(digits):
    distance = perceptual_distance("builtin:digits")
    task = Task("Projecting", 2, "picture", digits, 200, "", distance, gradients=True)
    guess = estimate(task).seconds
    images = torch.zeros(2, 3, 32, 32)
    started = time.perf_counter()
    latentlab.project(digits, images, distance, steps=200, batch=1)
    assert guess / 5 < time.perf_counter() - started < guess * 5


@pytest.mark.slow
def test_the_memory_of_projections_is_right_to_a_factor():
    code = f"""
import resource, torch, latentlab
from cli.running.estimates import Task, estimate
g = latentlab.load({DIGITS!r}).generator
distance = latentlab.perceptual_distance("builtin:digits")
print(estimate(Task("x", 64, "x", g, 5, "", distance, gradients=True, batch=64)).memory)
latentlab.project(g, torch.zeros(64, 3, 32, 32), distance, steps=5, batch=64)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    guess, peak = map(int, done.stdout.split())
    assert peak / 2 < guess < peak * 2
