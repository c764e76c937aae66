"""Published weights in torch's cache: held against their SHA-256 each time."""

import hashlib
import logging

import pytest
import torch

from latentlab import CheckpointError
from latentlab.pretrained import hub_file

CONTENT = b"what was published"


@pytest.fixture
def published(tmp_path, monkeypatch):
    """The address of a file, and its place in the cache."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    name = f"net-{hashlib.sha256(CONTENT).hexdigest()[:8]}.pth"
    place = tmp_path / "hub" / "checkpoints" / name
    place.parent.mkdir(parents=True)
    return f"https://example.org/{name}", place


def test_the_published_file_is_taken(published, caplog):
    address, place = published
    place.write_bytes(CONTENT)
    assert hub_file(address, "net: the weights", "or not", trust=False) == place
    assert caplog.records == []


def test_another_file_is_refused_each_time_with_the_ways_out(published):
    address, place = published
    place.write_bytes(CONTENT)
    hub_file(address, "net: the weights", "or not", trust=False)
    place.write_bytes(CONTENT + b".")  # since then
    with pytest.raises(CheckpointError) as error:
        hub_file(address, "net: the weights", "or not", trust=False)
    for words in (str(place), "SHA-256 begins with", "delete the file", "give `trust`"):
        assert words in str(error.value)
    assert place.exists()


def test_another_file_that_is_trusted_is_taken_with_a_warning(published, caplog):
    address, place = published
    place.write_bytes(b"my own")
    with caplog.at_level(logging.WARNING):
        assert hub_file(address, "net: the weights", "or not") == place
    assert "not those that were published" in caplog.text
