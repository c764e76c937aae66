import click
import pytest
import torch

from cli.models import resolve_device


@pytest.mark.parametrize("name", ["auto", "cuda"])
def test_each_process_of_torchrun_takes_a_gpu_of_its_own(name, monkeypatch):
    def empty(_, device):
        if device == "cuda:4":
            raise RuntimeError("invalid device ordinal")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "empty", empty)
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert resolve_device(name) == "cuda:3"
    monkeypatch.setenv("LOCAL_RANK", "4")
    with pytest.raises(click.BadParameter, match="'cuda:4' is no device of this machine"):
        resolve_device(name)
