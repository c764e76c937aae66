"""What every manifest says, by one command of each way in which results are written."""

import json
import re

import pytest
from click.testing import CliRunner

from cli.main import main
from latentlab.files import sha256_of
from tests.cli.reports import test_dry_run as dry_runs

# By command, short; `train` is in test_train_again.
RUNS = {
    "contributions": [dry_runs.DIGITS, "--samples", "8"],
    "mix": ["{model}", "--rows", "0", "--cols", "1"],
    "project": ["{model}", "{pics}", *dry_runs.NEAR, "--steps", "1"],
    "tune": ["{model}", "{projections}", *dry_runs.NEAR, "--steps", "1"],
}
# Of all of it, and the settings that say how and with what each was computed.
WORDS = ("date", "command", "latentlab", "python", "torch", "numpy", "device", "dtype")
DECIDING = {
    "contributions": {"samples", "seed", "sha256", "checkpoint"},
    "mix": {"rows", "columns", "layers", "truncation_psi", "noise_mode", "sha256", "checkpoint"},
    "project": {"steps", "seed", "batch", "distance_name", "space", "sha256", "checkpoint"},
    "tune": {"steps", "batch", "distance_name", "sha256", "checkpoint"},
}  # fmt: skip

things = dry_runs.things


@pytest.mark.parametrize("command", sorted(RUNS))
def test_r08_a_manifest_says_what_decides_its_results(command, things, tmp_path):
    out = tmp_path / "out"
    arguments = [each.format(**things) for each in RUNS[command]]
    done = CliRunner().invoke(main, [command, *arguments, "-o", str(out)])
    assert done.exit_code == 0, (done.stderr, done.exception)
    found = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert found.keys() == {*WORDS, "settings", "files"}
    assert all(isinstance(found[word], str) and found[word] for word in WORDS)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", found["date"])
    assert found["command"].startswith(f"latentlab {command} ")
    assert (found["device"], found["dtype"]) == ("cpu", "float32")
    said = json.dumps(found["settings"])
    assert [name for name in DECIDING[command] if f'"{name}": ' not in said] == []
    assert {name: sha256_of(out / name) for name in found["files"]} == found["files"]
    written = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    listed = found["files"].keys() | {"manifest.json"}
    assert {name for name in written - listed if not name.startswith("saved/")} == set()
