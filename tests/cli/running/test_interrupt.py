import os
import signal

import pytest

from cli.running.interrupt import sigterm_waits, unwind_on_sigterm


def test_j07_sigterm_waits_for_the_end_of_the_block():
    done = []

    def work():
        with sigterm_waits():
            os.kill(os.getpid(), signal.SIGTERM)
            done.append("block")
        done.append("after")

    with unwind_on_sigterm(), pytest.raises(SystemExit) as stopped:
        work()
    assert stopped.value.code == 143
    assert done == ["block"]


def test_without_a_signal_handlers_are_as_before():
    before = signal.getsignal(signal.SIGTERM)
    with sigterm_waits():
        pass
    assert signal.getsignal(signal.SIGTERM) is before
