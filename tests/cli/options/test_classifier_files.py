"""What --classifier stands for: files, folders and patterns."""

import json
import shutil

import pandas as pd
import pytest
import torch
from click.testing import CliRunner

import latentlab
from cli.main import main
from latentlab.checkpoints.native import write_native

MODEL, JUDGE = "builtin:digits-stylegan2", "builtin:digits-classifier"


def run(*arguments):
    return CliRunner().invoke(main, [*map(str, arguments), "--device", "cpu"])


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "celebahq"
    place.mkdir()
    for name in ("c-10.safetensors", "c-2.safetensors", "c-1.SAFETENSORS"):
        shutil.copy(latentlab.models.builtin_path(JUDGE), place / name)
    (place / "README.md").write_text("what these are")
    (place / ".hidden.pkl").write_text("nothing")
    (place / "more.pkl").mkdir()
    return place


def planned(*classifiers):
    given = [part for one in classifiers for part in ("--classifier", one)]
    done = run("separability", MODEL, *given, "--samples", 40, "--dry-run", "--json", "-o", "out")
    return done, list(json.loads(done.stdout)["classifiers"]) if done.exit_code == 0 else []


def test_a_folder_stands_for_its_classifiers_in_natural_order(folder):
    done, names = planned(folder)
    assert done.exit_code == 0, done.stderr
    assert names == ["c-1", "c-2", "c-10"]
    assert f"{folder}: 3 classifiers; other files are left out: README.md." in done.stderr
    assert "Classifying 40 pictures by 3 classifiers" in done.stdout


def test_a_pattern_stands_for_what_it_matches(folder):
    done, names = planned(folder / "c-*.safetensors")
    assert done.exit_code == 0, done.stderr
    assert names == ["c-2", "c-10"]
    assert "left out" not in done.stderr


def test_names_stay_apart_and_in_the_order_given(folder):
    _, names = planned(folder / "c-2.safetensors", folder, JUDGE)
    assert names == ["c-2", "c-1", "c-2-2", "c-10", "digits-classifier"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(folder):
    file = folder / "c[2].safetensors"
    shutil.copy(latentlab.models.builtin_path(JUDGE), file)
    assert planned(file)[1] == ["c[2]"]


@pytest.mark.parametrize("command", [
    ("separability", MODEL), ("directions", MODEL, "--method", "svm"),
    ("compare", MODEL, "builtin:digits-stylegan1", "--metric", "separability"),
])  # fmt: skip
@pytest.mark.parametrize(("name", "words"), [
    ("empty", "no classifier in this folder (looked for .pkl, .pt, .pth, .safetensors)"),
    ("none-*.pkl", "no file matches this pattern"),
])  # fmt: skip
def test_nothing_found_is_a_usage_error(tmp_path, command, name, words):
    (tmp_path / "empty").mkdir()
    done = run(*command, "--classifier", tmp_path / name, "-o", tmp_path / "out")
    assert done.exit_code == 2
    assert "'--classifier'" in done.stderr
    assert words in done.stderr


def test_a_missing_file_and_addresses_stay_as_they_are(tmp_path):
    done, _ = planned(tmp_path / "none.pkl")
    assert done.exit_code == 3
    assert "none.pkl" in done.stderr
    from cli.options.classifier_files import classifier_files

    names = ("https://example.org/a*.pkl?x=[1]", "hf://a/b/*.pkl", JUDGE, "plain.pkl")
    assert classifier_files(None, None, names) == names


def test_a_file_in_a_folder_that_is_no_classifier_is_refused_by_name(folder):
    shutil.copy(latentlab.models.builtin_path(MODEL), folder / "g.safetensors")
    done, _ = planned(folder)
    assert done.exit_code == 3
    assert "g.safetensors" in done.stderr.splitlines()[-1]


def test_compare_and_directions_take_a_folder(folder, tmp_path):
    done = run("compare", MODEL, "builtin:digits-stylegan1", "--classifier", folder, "--metric",
               "separability", "--samples", "separability=40", "--dry-run",
               "-o", tmp_path / "out")  # fmt: skip
    assert done.exit_code == 0, done.stderr
    assert "separability: 40 pictures of each model by 3 classifiers" in done.stdout
    done = run("directions", MODEL, "--method", "svm", "--classifier", folder, "--samples", 40,
               "--dry-run", "-o", tmp_path / "out")  # fmt: skip
    assert done.exit_code == 0, done.stderr
    assert "Classifying 40 pictures by 3 classifiers" in done.stdout


def test_classifiers_in_another_order_keep_their_own_numbers(folder, tmp_path):
    """Batches of an earlier run hold columns in its order; they must not be taken for others."""
    names = (folder / "c-2.safetensors", tmp_path / "other.safetensors")
    _write_other(names[1])

    def measured(out, order, samples):
        given = [part for one in order for part in ("--classifier", one)]
        done = run("separability", MODEL, *given, "--space", "w", "--samples", samples,
                   "-o", tmp_path / out)  # fmt: skip
        assert done.exit_code == 0, done.stderr
        table = pd.read_csv(tmp_path / out / "attributes.csv")
        return table.set_index("attribute").sort_index()[["balance", "entropy"]]

    measured("one", names, 64)
    longer = measured("one", names[::-1], 128)
    pd.testing.assert_frame_equal(longer, measured("two", names, 128))


def _write_other(path):
    """Write a classifier whose classes are those of the bundled one, turned round."""
    judge = latentlab.load_classifier(JUDGE)
    with torch.no_grad():
        for weight in (judge.head.weight, judge.head.bias):
            weight.copy_(weight.flip(0))
    write_native({"classifier": judge}, path)
