"""Reading bytes as a pickle or a file of torch.save, and requiring that they are refused."""

import pytest

import latentlab
from latentlab import UnsafeCheckpoint
from latentlab.checkpoints.pickle_reader import read_pickle
from latentlab.checkpoints.torch_archive import read_torch
from tests.conftest import scarce_memory
from tests.tf_pickles import write_pickle


@pytest.fixture
def read(tmp_path):
    """Write bytes and read them."""

    def run(content):
        (tmp_path / "x.pkl").write_bytes(content)
        return read_pickle(tmp_path / "x.pkl")

    return run


@pytest.fixture
def check_refused(tmp_path):
    """Write bytes that must be refused, in one line and without side effects."""

    def run(content, kind=UnsafeCheckpoint, *words):
        path = tmp_path / "x.pkl"
        path.write_bytes(content)
        for open_file in (read_pickle, latentlab.load):
            with scarce_memory(), pytest.raises(kind) as caught:
                open_file(path)
            message = str(caught.value)
            missing = [word for word in (str(path), "byte ", *words) if word not in message]
            assert not missing, message
            assert "\n" not in message
            assert len(message) < len(str(path)) + 300
        assert list(tmp_path.iterdir()) == [path], "something was run"

    return run


@pytest.fixture
def check_torch_refused(tmp_path):
    """Write bytes of torch.save that must be refused, in one line and without side effects."""

    def run(content, kind=UnsafeCheckpoint, *words):
        path = tmp_path / "x.pt"
        path.write_bytes(content)
        for open_file in (read_torch, latentlab.load):
            with scarce_memory(), pytest.raises(kind) as caught:
                open_file(path)
            message = str(caught.value)
            assert [word for word in (str(path), *words) if word not in message] == [], message
            assert "\n" not in message
            assert len(message) < len(str(path)) + 300
        assert list(tmp_path.iterdir()) == [path], "something was run"

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
