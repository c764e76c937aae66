"""A cache of its own for each test, and a server with a checkpoint."""

import pytest
import torch

from latentlab.downloads import transfer
from latentlab.models import builtin_path
from tests.support.file_server import serving


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The folder of torch's hub cache in which files are kept."""
    for name in ("HF_TOKEN", "HF_ENDPOINT", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    monkeypatch.setattr(transfer, "_PAUSES", (0.0, 0.0))
    return tmp_path / "torch" / "hub" / "latentlab"


@pytest.fixture(scope="session")
def content():
    """The bytes of a bundled checkpoint."""
    return builtin_path("builtin:digits-stylegan2").read_bytes()


@pytest.fixture
def server(content):
    """A server that has it as /models/digits.safetensors."""
    with serving({"/models/digits.safetensors": content}) as server:
        yield server


@pytest.fixture
def address(server):
    """Where the checkpoint is."""
    return f"{server.url}/models/digits.safetensors"
