"""One process, and two that torchrun starts: the same numbers."""

import click
import pytest
import torch
import torch.distributed as dist

from cli.options import resolve_device
from latentlab import distributed
from tests.torchrun import facts_of_two

# Every process measures alone first, then with the other. A second measurement has batches of the
# first that only one of them kept.
SCRIPT = """
import json, pathlib, sys
from latentlab import distributed
from metrics import contributions, linear_separability, perceptual_path_length
from tests.conftest import make_generator
from tests.metrics.doubles import Counting

g = make_generator(resolution=64)  # 16 at once

def measure(finished):
    distance = Counting()
    length = perceptual_path_length(g, distance, "w", "full", 72, seed=1, finished=finished)
    share = contributions(g, 40, seed=1)
    split = linear_separability(g, [lambda x: x[:, :, 0, 0]], 72, outputs="attributes")
    assert length.settings["n"] == len(length.samples) == 72
    numbers = [length.value, length.ci_low, *length.samples["path_length"], *share.rows["value"],
               *split.rows["value"], *split.samples["entropy"], *split.samples["ci_low"]]
    return [float(number).hex() for number in numbers], distance.calls

alone, calls_alone = measure({})
with distributed.joined():
    rank, finished = distributed.rank(), {}
    together, calls = measure(finished)
    resumed, calls_resumed = measure(finished if rank == 0 else {})
    facts = {
        "alone": alone, "together": together, "resumed": resumed,
        "calls": [calls_alone, calls, calls_resumed], "size": distributed.size(), "rank": rank,
        "main": distributed.is_main(), "share": list(distributed.share(range(7))),
        "gathered": distributed.gather({"rank": rank}),
    }
facts["left"] = distributed.size()
pathlib.Path(sys.argv[1], f"{rank}.json").write_text(json.dumps(facts))
"""


def test_one_process_is_a_group_of_one():
    with distributed.joined():
        assert (distributed.size(), distributed.rank()) == (1, 0)
        assert distributed.is_main()
        assert distributed.share([5, 6, 7]) == [5, 6, 7]
        assert distributed.gather("item") == ["item"]


@pytest.fixture(scope="module")
def facts(tmp_path_factory):
    """What two processes found, by rank."""
    return facts_of_two(SCRIPT, tmp_path_factory.mktemp("two"))


def test_two_processes_know_each_other(facts):
    assert [each["size"] for each in facts] == [2, 2]
    assert [each["rank"] for each in facts] == [0, 1]
    assert [each["main"] for each in facts] == [True, False]
    assert [each["share"] for each in facts] == [[0, 2, 4, 6], [1, 3, 5]]
    assert [each["gathered"] for each in facts] == [[{"rank": 0}, {"rank": 1}]] * 2
    assert [each["left"] for each in facts] == [1, 1]


def test_two_processes_find_the_numbers_of_one_to_the_last_bit(facts):
    for each in facts:
        assert each["together"] == each["alone"] == facts[0]["alone"]


def test_two_processes_share_the_work(facts):
    assert [each["calls"][:2] for each in facts] == [[5, 3], [5, 2]]


def test_only_batches_that_every_process_kept_are_left_out(facts):
    for each in facts:
        assert each["resumed"] == each["alone"]
    assert [each["calls"][2] for each in facts] == [3, 2]


@pytest.mark.parametrize(
    ("gpus", "processes", "expected"),
    [(0, 2, False), (1, 2, False), (2, 2, True), (2, 1, True)],
)
def test_nccl_is_for_processes_with_a_gpu_each(monkeypatch, gpus, processes, expected):
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(processes))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(dist, "is_nccl_available", lambda: True)
    assert distributed._on_gpus() == expected


@pytest.mark.parametrize("name", ["auto", "cuda"])
def test_a_process_takes_its_gpu_and_is_refused_one_that_is_not_there(monkeypatch, name):
    made = []

    def empty(_, device):
        if device == "cuda:2":
            raise RuntimeError("invalid device ordinal")
        made.append(device)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "empty", empty)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert resolve_device(name) == "cuda:1"
    assert made == ["cuda:1"]
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(click.BadParameter, match="'cuda:2' is no device of this machine"):
        resolve_device(name)
