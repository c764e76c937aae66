"""A small checkpoint, and files that are none, which must be named in one line."""

import pytest

import latentlab
from latentlab import CheckpointError
from tests.conftest import make_generator, scarce_memory


@pytest.fixture(scope="session")
def sound(tmp_path_factory):
    """The bytes of a checkpoint."""
    path = tmp_path_factory.mktemp("sound") / "g.safetensors"
    latentlab.save(make_generator(), path)
    return path.read_bytes()


@pytest.fixture
def told(tmp_path):
    """Write a file and return why it is refused, without its path."""

    def run(content, name="x.pkl", kind=CheckpointError):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        with scarce_memory(), pytest.raises(kind) as caught:
            latentlab.load(path)
        message = str(caught.value)
        assert message.startswith(f"{path}")
        assert message.isprintable()
        assert len(message) < len(str(path)) + 400
        return message.removeprefix(f"{path}: ")

    return run
