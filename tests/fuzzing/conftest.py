"""Generated inputs, the same ones in every run."""

import sys

import pytest
from hypothesis import HealthCheck, settings

from latentlab.errors import LatentlabError
from tests.conftest import scarce_memory

settings.register_profile(
    "repeatable",
    derandomize=True,
    database=None,
    deadline=None,  # the machine may be busy; pytest's own timeout stops what hangs
    max_examples=200,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("repeatable")

# What Python reports when something is run, fetched or taken away. Imports are not among them:
# Python itself makes some when they are first needed, as for the names of encodings.
WATCHED = frozenset({
    "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.remove", "os.rename", "os.rmdir",
    "os.spawn", "os.system", "pickle.find_class", "shutil.rmtree", "socket.connect",
    "subprocess.Popen",
})  # fmt: skip
_watching: list[list[str]] = []


def _note(event: str, _: object) -> None:
    for seen in _watching:
        if event in WATCHED:
            seen.append(event)


sys.addaudithook(_note)  # for good: Python takes no hook back


@pytest.fixture
def watch():
    """Returns a function that calls another, and asserts that nothing was run meanwhile."""

    def watched(call, *arguments):
        seen: list[str] = []
        _watching.append(seen)
        try:
            return call(*arguments)
        finally:
            _watching.remove(seen)
            assert seen == []

    return watched


@pytest.fixture
def outcome(watch, tmp_path):
    """Returns a function that reads bytes as a file: what is found, or None if it is refused.

    A refusal is an error of latentlab's own, of one printable line that names the file.
    """
    path = tmp_path / "made"

    def read(reader, content: bytes):
        path.write_bytes(content)
        try:
            with scarce_memory():
                return watch(reader, path)
        except LatentlabError as error:
            message = str(error)
        assert message.isprintable()
        assert str(path) in message
        assert len(message) < 2000
        return None

    return read
