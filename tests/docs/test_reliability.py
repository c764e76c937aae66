"""The faults of docs/reliability.md have tests, and its checks end as it says."""

import os
import re
import subprocess
import sys

import pytest

from tests.docs.faults import carriers, rows, table
from tests.support.documentation import ROOT, text_of

PAGE = "docs/reliability.md"
COUNTS = {"C": 15, "D": 19, "I": 20, "J": 18, "N": 16, "R": 8}


def test_every_row_has_a_test_and_every_id_is_a_row():
    listed = [row.name for row in rows(text_of(PAGE))]
    assert listed == [f"{kind}{i}" for kind, count in COUNTS.items() for i in range(1, count + 1)]
    tests = carriers(ROOT / "tests")
    assert [name for name in listed if name not in tests] == []
    assert sorted(set(tests) - set(listed)) == []


def test_a_hole_is_shown(tmp_path):
    folder = tmp_path / "tests" / "room"
    folder.mkdir(parents=True)
    source = "class TestIt:\n    def test_c01_c15_a_call(self): pass\ndef test_r1_is_none(): pass\n"
    (folder / "test_x.py").write_text(source)
    tests = carriers(tmp_path / "tests")
    place = "tests/room/test_x.py::TestIt::test_c01_c15_a_call"
    assert tests == {"C1": [place], "C15": [place]}
    first, second, *_ = table(rows(text_of(PAGE)), tests)
    assert first.split()[:2] == ["C1", "1"]
    assert first.endswith(place)
    assert second.split()[:2] == ["C2", "0"]
    assert second.endswith("NONE")


def checks():
    """The blocks for a shell, each with the answers that stand below it."""
    found = re.findall(r"```sh\n(.*?)```\n\n```text\n(.*?)```", text_of(PAGE), re.DOTALL)
    return [(commands, answers.splitlines()) for commands, answers in found]


@pytest.mark.slow
def test_the_checks_of_the_promises_end_as_the_page_says(tmp_path):
    assert len(checks()) == 10
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, words in (("python", ""), ("latentlab", "-m cli")):
        (tools / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {words} "$@"\n')
        (tools / name).chmod(0o755)
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "LC_ALL": "C",
                   "PYTHONPATH": str(ROOT)}  # fmt: skip
    for commands, answers in checks():
        done = subprocess.run(
            ["bash", "-c", commands], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            cwd=tmp_path, env=environment, timeout=300, check=False,
        )  # fmt: skip
        for answer in answers:
            assert answer in done.stdout, done.stdout
    assert not (tmp_path / "owned").exists()
