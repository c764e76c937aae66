"""Batches of a GPU, by what is said of its memory."""

import pytest
import torch

from latentlab.devices import fitting

GPU, GIB = torch.device("cuda", 0), 2**30


@pytest.mark.parametrize(("memory", "each", "count"), [
    (16 * GIB, GIB, 8), (64 * GIB, GIB, 10), (5 * GIB, 2 * GIB, 1), (GIB, 4 * GIB, 1),
])  # fmt: skip
def test_pictures_fill_half_of_a_gpu(memory, each, count, monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (0, memory))
    assert fitting(GPU, each, 10) == count


def test_other_devices_take_as_many_as_help():
    assert fitting(torch.device("cpu"), GIB, 10) == 10
