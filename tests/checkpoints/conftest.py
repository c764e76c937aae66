"""Reading bytes as a pickle or a file of torch.save, and requiring that they are refused."""

import pytest
import torch

import latentlab
from latentlab import UnsafeCheckpoint
from latentlab.checkpoints.pickles.reader import read_pickle
from latentlab.checkpoints.pickles.torch_save import read_torch
from tests.conftest import scarce_memory
from tests.support.tensorflow.pickles import write_pickle


@pytest.fixture
def read(tmp_path):
    """Write bytes and read them."""

    def run(content):
        (tmp_path / "x.pkl").write_bytes(content)
        return read_pickle(tmp_path / "x.pkl")

    return run


def _refuser(path, reader, *always):
    """Return what writes bytes that must be refused, in one line and without side effects."""

    def run(content, kind=UnsafeCheckpoint, *words):
        path.write_bytes(content)
        for open_file in (reader, latentlab.load):
            with scarce_memory(), pytest.raises(kind) as caught:
                open_file(path)
            message = str(caught.value)
            missing = [word for word in (str(path), *always, *words) if word not in message]
            assert not missing, message
            assert "\n" not in message
            assert len(message) < len(str(path)) + 300
        assert list(path.parent.iterdir()) == [path], "something was run"

    return run


@pytest.fixture
def check_refused(tmp_path):
    """Write a pickle that must be refused, with the byte where."""
    return _refuser(tmp_path / "x.pkl", read_pickle, "byte ")


@pytest.fixture
def check_torch_refused(tmp_path):
    """Write a file of torch.save that must be refused."""
    return _refuser(tmp_path / "x.pt", read_torch)


@pytest.fixture
def torch_saved(tmp_path):
    """Write a file as torch.save does and return its path."""

    def run(**found):
        torch.save(found, tmp_path / "model.pt")
        return tmp_path / "model.pt"

    return run


@pytest.fixture
def refuse(tmp_path, monkeypatch):
    """Write networks, or bytes, and require one line with the given words."""

    def run(found, kind, *words, where=""):
        path = tmp_path / "x.pkl"
        if isinstance(found, bytes):
            path.write_bytes(found)
        else:
            write_pickle(path, found, monkeypatch)
        with scarce_memory(), pytest.raises(kind) as caught:
            latentlab.load(path)
        message = str(caught.value)
        assert [word for word in (f"{path}: {where}", *words) if word not in message] == [], message
        assert "\n" not in message

    return run
