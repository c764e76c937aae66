"""J1, J6, J11: work that is killed at any instant goes on, and ends as if it had not been.

`make kills` does it 50 times each.
"""

import pytest

from tests.faults.jobs import JOBS
from tests.faults.kills import killed


@pytest.mark.slow
@pytest.mark.parametrize("name", JOBS)
def test_j01_killed_work_goes_on_to_the_same_results(name, server, inputs, tmp_path):
    *_, found = killed(server, JOBS[name], inputs, 5, 0, tmp_path)
    assert found.failures == []
    assert found.kills == 5
