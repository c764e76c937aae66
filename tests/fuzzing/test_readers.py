"""Every reader gets some files that are nearly right; `make fuzz` gives it many more."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzzing.readers import READERS

ROOT = Path(__file__).parents[2]
SEED, CASES = 0, 15


@pytest.fixture(scope="module")
def summaries(tmp_path_factory):
    out = tmp_path_factory.mktemp("fuzz") / "out.json"
    command = [sys.executable, "-m", "tests.fuzzing", "--seed", str(SEED), "--cases", str(CASES),
               "--no-genuine", "--out", str(out)]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert out.exists(), done.stderr
    return {row["reader"]: row for row in json.loads(out.read_text())}


@pytest.mark.parametrize("reader", READERS)
def test_damaged_files_are_read_or_refused_within_limits(reader, summaries):
    found = summaries[reader]
    assert found["findings"] == [], found["line"]
    assert sum(found["outcomes"].values()) == CASES
