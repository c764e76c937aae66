"""One process, and two that torchrun starts: the same numbers."""

import pytest
import torch
import torch.distributed as dist

from latentlab import ImageError, SettingsError, distributed
from tests.support.torchrun import facts_of_two

# Every process measures alone first, then with the other. A second measurement has batches of the
# first that only one of them kept.
SCRIPT = """
import json, pathlib, sys, time
import torch
from latentlab import ImageError, distributed
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
    facts["sum"] = distributed.add_up_(torch.tensor([rank + 1.0, 5.0])).tolist()
    facts["any"] = distributed.any_of(rank == 1), distributed.any_of(False)
    facts["from_main"] = distributed.from_main(lambda: {"made by": rank})
    try:
        with distributed.failing_together(ImageError):
            if rank == 1:
                raise ImageError("bad picture")
    except ImageError as error:
        facts["caught"] = str(error), error.__notes__
facts["left"] = distributed.size()

def ending(fail):
    started = time.monotonic()
    try:
        with distributed.joined():
            fail()
    except BaseException as error:
        return type(error).__name__, str(error), getattr(error, "exit_code", None)
    finally:
        assert distributed.size() == 1
        assert time.monotonic() - started < 60

def one_fails():
    distributed.barrier()
    if rank == 1:
        raise ImageError("bad picture")
    distributed.gather("the other has gone")

def main_fails():
    def make():
        raise ImageError("bad plan")
    distributed.from_main(make)

def late_failure():
    if rank == 1:
        time.sleep(0.5)
        raise ImageError("after the work of the other")

def interrupted():
    if rank == 0:
        raise KeyboardInterrupt
    distributed.barrier()

facts["endings"] = [ending(each) for each in (one_fails, main_fails, late_failure, interrupted)]
pathlib.Path(sys.argv[1], f"{rank}.json").write_text(json.dumps(facts))
"""


def test_one_process_is_a_group_of_one():
    with distributed.joined():
        assert (distributed.size(), distributed.rank()) == (1, 0)
        assert distributed.is_main()
        assert distributed.share([5, 6, 7]) == [5, 6, 7]
        assert distributed.gather("item") == ["item"]


def test_one_process_exchanges_with_itself():
    assert distributed.from_main(lambda: "made") == "made"
    assert distributed.add_up_(torch.tensor([1.0, 2.0])).tolist() == [1, 2]
    assert (distributed.any_of(True), distributed.any_of(False)) == (True, False)
    distributed.barrier()
    with pytest.raises(ImageError, match="bad"), distributed.failing_together(ImageError):
        raise ImageError("bad")


@pytest.mark.parametrize(("size", "said"), [("two", "is not a number"), ("2", "MASTER_ADDR")])
def test_processes_that_torchrun_did_not_start_are_refused(size, said, monkeypatch):
    for name in ("RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WORLD_SIZE", size)
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(SettingsError, match=f"{said}.*torchrun"), distributed.joined():
        pass


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


def test_two_processes_exchange(facts):
    for each in facts:
        assert each["sum"] == [3, 10]
        assert each["any"] == [True, False]
        assert each["from_main"] == {"made by": 0}


def test_an_error_can_end_both_in_good_order(facts):
    for each in facts:
        assert each["caught"] == ["bad picture", ["process 1 of 2"]]


def test_the_first_error_is_told_once_and_ends_both(facts):
    endings = list(zip(*(each["endings"] for each in facts), strict=True))
    told = [["ImageError", "bad picture", 4], ["ImageError", "bad plan", 4],
            ["ImageError", "after the work of the other", 4],
            ["KeyboardInterrupt", "", None]]  # fmt: skip
    for pair, error, code in zip(endings, told, [4, 4, 4, 130], strict=True):
        assert sum(each == error for each in pair) == 1
        (other,) = [each for each in pair if each != error]
        assert other[0] == "StoppedElsewhere"
        assert other[2] == code
    assert endings[0][1] == told[0], "the error is the second process's"


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
