"""A process that is killed ends the job within seconds, and nothing is half-written."""

import time

import pandas as pd
import pytest
from click.testing import CliRunner

from cli.main import main
from tests.support.torchrun import finish, start

PPL = ["ppl", "builtin:digits-stylegan2", "--distance", "builtin:digits", "--samples", "400",
       "--device", "cpu"]  # fmt: skip

# The main process dies in its second batch.
SCRIPT = """
import os, signal
from cli.main import main
from metrics import sampling

calls, computed = [], sampling._computed

def killed(compute, samples):
    calls.append(samples)
    if os.environ["RANK"] == "0" and len(calls) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return computed(compute, samples)

sampling._computed = killed
main(prog_name="latentlab")
"""


@pytest.mark.slow
def test_a_killed_process_ends_the_job_and_one_process_can_do_it_again(tmp_path):
    script, out = tmp_path / "script.py", tmp_path / "out"
    script.write_text(SCRIPT)
    begun = time.monotonic()
    code, said = finish(start(script, *PPL, "-o", out, stderr=-1))
    assert code == 1  # torchrun's own
    assert time.monotonic() - begun < 120, "most of it for starting; torch waits for 30 minutes"
    assert "SIGKILL" in said
    assert said.count("Traceback") == 1, "torchrun's"
    # The other one tells where it noticed before torchrun ended it.
    assert said.count("\nError: ") == said.count("process 1 of 2 has lost the others") <= 1
    left = {file.name for file in out.iterdir()}
    assert {name for name in left if not name.startswith(".partial-")} <= {".lock"}
    again = CliRunner().invoke(main, [*PPL, "-o", str(out)])
    assert again.exit_code == 0, again.stderr
    assert len(pd.read_csv(out / "path_lengths.csv")) == 400
    assert not list(out.glob(".*"))
