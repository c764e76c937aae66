"""Commands in two processes that torchrun starts: the results of one, or one error."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image

from cli.main import main
from tests.processes import together

MODEL, CLASSIFIER = "builtin:digits-stylegan2", "builtin:digits-classifier"
PPL = ["ppl", MODEL, "--distance", "builtin:digits", "--samples", "130", "--device", "cpu"]
SEPARABILITY = ["separability", MODEL, "--classifier", CLASSIFIER, "--samples", "130",
                "--device", "cpu"]  # fmt: skip

# Several commands, one after the other, whose ends are told on stdout.
SCRIPT = """
import json, sys, time
from cli.main import main

for arguments in json.loads(sys.argv[1]):
    print(chr(12), file=sys.stderr)
    started = time.monotonic()
    try:
        main(arguments, prog_name="latentlab")
    except SystemExit as end:
        print(json.dumps([end.code, time.monotonic() - started]))
"""


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """The folder with what two processes wrote, and what they said in each command."""
    folder = tmp_path_factory.mktemp("two")
    commands = {
        "ppl": [*PPL, "--html", "-o", folder / "ppl"],
        "separability": [*SEPARABILITY, "-o", folder / "separability"],
        "dry run": [*PPL, "--dry-run", "-o", folder / "dry"],
        "missing": ["ppl", "nowhere.pt", "-o", folder / "missing"],
        "usage": [*PPL, "--device", "cuda:77", "-o", folder / "usage"],
        "existing": [*PPL, "-o", folder / "ppl"],
    }
    lines = json.dumps([[str(word) for word in command] for command in commands.values()])
    done = together(folder, SCRIPT, lines)
    assert done.code == 0, done
    said = [dict(zip(commands, text.split("\f")[1:], strict=True)) for text in done.said]
    told = [text.strip().splitlines() for text in done.told]
    return folder, commands, said, told


@pytest.mark.parametrize(("name", "table", "column"), [
    ("ppl", "path_lengths.csv", "path_length"),
    ("separability", "attributes.csv", "entropy"),
])  # fmt: skip
def test_two_processes_write_the_results_of_one(work, tmp_path, name, table, column):
    folder, commands, *_ = work
    one, two = tmp_path / name, folder / name
    done = CliRunner().invoke(main, [*map(str, commands[name][:-1]), str(one)])
    assert done.exit_code == 0, done.stderr
    assert {file.name for file in two.iterdir()} == {file.name for file in one.iterdir()}
    reports = [pd.read_csv(each / "report.csv") for each in (two, one)]
    np.testing.assert_allclose(reports[0]["value"], reports[1]["value"], rtol=1e-6)
    np.testing.assert_allclose(reports[0]["ci_low"], reports[1]["ci_low"], rtol=1e-6)
    samples = [pd.read_csv(each / table)[column].tolist() for each in (two, one)]
    assert samples[0] == samples[1], "samples agree to the last bit"
    for picture in one.glob("*.png"):
        with Image.open(picture) as expected, Image.open(two / picture.name) as drawn:
            assert drawn == expected


def test_one_process_speaks(work):
    *_, said, _ = work
    assert "ppl2_wend = " in said[0]["ppl"]
    assert "130/130" in said[0]["ppl"], "the bar"
    for name in ("ppl", "separability", "dry run"):
        assert said[1][name].strip() == ""


def test_a_dry_run_is_told_once(work):
    *_, told = work
    assert any('"samples": 130' in line for line in told[0])
    assert not any('"samples"' in line for line in told[1])


@pytest.mark.parametrize(("name", "code", "line"), [
    ("missing", 3, "Error: nowhere.pt: no such file"),
    ("usage", 2, "'cuda:77' is no device of this machine"),
    ("existing", 6, "report.csv"),
])  # fmt: skip
def test_an_error_of_all_is_said_once(work, name, code, line):
    folder, commands, said, told = work
    place = list(commands).index(name)
    ends = [[json.loads(each) for each in lines if each.startswith("[")] for lines in told]
    assert [end[place][0] for end in ends] == [code, code]
    assert max(end[place][1] for end in ends) < 10, "seconds"
    texts = [each[name] for each in said]
    assert sum(line in text for text in texts) == 1
    assert sum(text.strip() == "" for text in texts) == 1
    assert not any("Traceback" in text for text in texts)
    assert not (folder / name).exists()
