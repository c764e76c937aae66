"""Small work that meets with accidents."""

import pytest

from tests.faults.commands import commands
from tests.faults.jobs import prepare


@pytest.fixture(scope="session")
def server():
    """What runs command lines in processes of their own; it takes some seconds to start."""
    with commands() as found:
        yield found


@pytest.fixture(scope="session")
def inputs(tmp_path_factory):
    """The photos and the network that the jobs take."""
    return prepare(tmp_path_factory.mktemp("faults") / "inputs")
