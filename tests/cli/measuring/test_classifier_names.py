"""A classifier is called the same in every command."""

import json

import pandas as pd
from click.testing import CliRunner

from cli.main import main

MODEL, JUDGE = "builtin:digits-stylegan2", "builtin:digits-classifier"


def test_a_classifier_is_called_the_same_in_all_commands(tmp_path):
    def run(*words):
        done = CliRunner().invoke(main, [*map(str, words)])
        assert done.exit_code == 0, done.output

    few = ("--classifier", JUDGE, "--samples")
    run("separability", MODEL, *few, 200, "--space", "w", "-o", tmp_path / "ls")
    run("directions", MODEL, "--method", "svm", *few, 200, "-o", tmp_path / "svm")
    run("compare", MODEL, "builtin:digits-stylegan1", "--metric", "separability", "--classifier",
        JUDGE, "--samples", "separability=200", "-o", tmp_path / "versus")  # fmt: skip
    attributes = set(pd.read_csv(tmp_path / "ls" / "attributes.csv")["attribute"].astype(str))
    found = set(pd.read_csv(tmp_path / "svm" / "directions.csv")["direction"].astype(str))
    assert found
    assert found <= attributes
    for folder in ("ls", "svm", "versus"):
        manifest = json.loads((tmp_path / folder / "manifest.json").read_text(encoding="utf-8"))
        assert list(manifest["settings"]["classifiers"]) == ["digits-classifier"]
