"""Which classes a command line names."""

import click
import pytest

import latentlab
from cli.classes import classes_of
from tests.conftest import make_generator


def opened(tmp_path, names=None, c_dim=4):
    path = tmp_path / "m.safetensors"
    latentlab.save(
        make_generator(c_dim=c_dim), path, {} if names is None else {"class_names": names}
    )
    return latentlab.load(path)


def classes(checkpoint, *asked):
    return classes_of(checkpoint, checkpoint.generator, asked)


ANIMALS = ["cat", "dog", "all", "0-1"]
NUMBERS = ["3", "1", "2", "0"]


@pytest.mark.parametrize(("names", "asked", "expected"), [
    (None, [], ()), (None, ["3"], (3,)), (None, ["0-2"], (0, 1, 2)), (None, ["all"], (0, 1, 2, 3)),
    (None, ["2", "0-3", "2"], (2, 0, 1, 3)), (None, ["#1"], (1,)),
    (["cat", "dog", "x", "y"], ["dog", "0"], (1, 0)),
    (ANIMALS, ["all", "0-1"], (2, 3)),  # names win
    (NUMBERS, ["3", "#3"], (0, 3)), (NUMBERS, ["1-3"], (1, 2, 0)), (NUMBERS, ["all"], (0, 1, 2, 3)),
])  # fmt: skip
def test_classes_are_numbers_ranges_all_or_names(names, asked, expected, tmp_path):
    assert classes(opened(tmp_path, names), *asked) == expected


@pytest.mark.parametrize(("names", "asked", "words"), [
    (None, "4", "must be 0 to 3 for this generator, but got 4"), (None, "2-9", "0 to 3"),
    (None, "#4", "0 to 3"), (None, "3-1", "runs backwards"), (None, "cat", "no class 'cat'"),
    (["cat", "dog", "x", "y"], "bird", "0 to 3, called cat, dog, x, y"),
    (["7", "8", "9", "x"], "0", "no class is called 0; there are 7, 8, 9, x, or by number '#0' to"),
    (["7", "8", "9", "x"], "0-99999999", "no class is called"),
])  # fmt: skip
def test_others_are_refused_with_what_there_is(names, asked, words, tmp_path):
    with pytest.raises(click.UsageError) as error:
        classes(opened(tmp_path, names), asked)
    assert words in str(error.value)


def test_a_generator_without_labels_takes_no_class(tmp_path):
    with pytest.raises(click.UsageError, match="has no labels; leave --class out"):
        classes(opened(tmp_path, c_dim=0), "0")


@pytest.mark.parametrize("names", [["a"], ["a", "a", "b", "c"], "abcd", None, {}])
def test_names_that_do_not_fit_are_none(names, tmp_path):
    assert opened(tmp_path, names).class_names == ()
