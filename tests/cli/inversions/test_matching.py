"""Which result belongs to which target, by name."""

from pathlib import PurePath

import pytest

from cli.inversions.matching import matched
from cli.inversions.methods import name_of, unpadded


def paths(*names):
    return [PurePath(name) for name in names]


def found(targets, results):
    pairs = matched(paths(*targets), paths(*results)).pairs
    return [(targets[i], results[j]) for i, j in pairs]


@pytest.mark.parametrize(("target", "result"), [
    ("anna.jpg", "anna.jpg"), ("anna.jpg", "anna.png"), ("IMG_7.JPG", "img_0007.png"),
    ("00012.png", "12.jpg"), ("a/anna.png", "a/anna.jpg"), ("photos/anna.png", "anna.png"),
    ("0.png", "000.png"),
])  # fmt: skip
def test_names_of_one_picture(target, result):
    others = ["other.png", "3000.png"]
    assert found([target, *others], [*others, result])[0] == (target, result)


@pytest.mark.parametrize(("target", "result"), [
    ("anna.jpg", "ben.jpg"), ("img_7.png", "img_70.png"), ("x/anna.png", "y-anna.png"),
])  # fmt: skip
def test_names_of_two_pictures(target, result):
    found = matched(paths(target), paths(result, "q.png"))
    assert (found.pairs, found.targets, found.results) == ([], [0], [0, 1])


def test_the_whole_name_goes_first():
    targets, results = ["1.png", "01.png"], ["01.png", "1.png"]
    assert found(targets, results) == [("1.png", "1.png"), ("01.png", "01.png")]


def test_what_two_files_may_be_of_is_left_alone():
    result = matched(paths("a.tif", "b.tif"), paths("a.png", "a.jpg", "b.png"))
    assert (result.pairs, result.targets, result.results) == ([(1, 2)], [0], [0, 1])


@pytest.mark.parametrize(("first", "numbers"), [(1, "00001 00002 00003"), (0, "0 1 2")])
def test_numbers_count_the_targets_where_no_name_fits(first, numbers):
    targets = ["ben.jpg", "anna.jpg", "carl.jpg", "dora.jpg"]
    results = [f"{number}.jpg" for number in numbers.split()]
    found = matched(paths(*targets), paths(*results))
    assert found.by_order
    assert found.pairs == [(0, 1), (1, 0), (2, 2)]  # anna is the first
    assert found.targets == [3]


def test_numbers_do_not_count_where_a_name_fits():
    found = matched(paths("1.jpg", "anna.jpg"), paths("1.png", "2.png"))
    assert (found.pairs, found.by_order, found.results) == ([(0, 0)], False, [1])


def test_more_numbers_than_targets_have_none():
    found = matched(paths("a.png"), paths("1.png", "2.png"))
    assert (found.pairs, found.results) == ([(0, 0)], [1])


def test_names_are_those_of_projections():
    assert name_of(PurePath("a/b/anna.smith.jpg")) == "a-b-anna.smith"
    assert unpadded("Img_0007") == "img_7"
