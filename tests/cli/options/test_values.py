"""Values of options; tests/fuzzing has the rules that hold for any text."""

import click
import pytest

from cli.main import main
from cli.options.values import Count, file_name, number_list, sample_counts
from tests.cli.conftest import AS_IN_GROUP


@pytest.mark.parametrize("name", ["..", ".", "", "a/b.csv", "../b.csv", "a/.."])
def test_a_file_name_is_in_the_folder_itself(name):
    with pytest.raises(click.BadParameter, match="is not a file name"):
        file_name()(name)


@pytest.mark.parametrize("parser", [file_name(".csv"), number_list])
def test_a_refusal_does_not_repeat_text_without_end(parser):
    with pytest.raises(click.BadParameter) as caught:
        parser("9999999999," * 500)
    assert len(caught.value.message) < 200


@pytest.mark.parametrize(("text", "count"), [
    ("50k", 50_000), ("1M", 1_000_000), ("2.5k", 2500), ("1.5M", 1_500_000), ("7", 7), ("1K", 1000),
    (50_000, 50_000),
])  # fmt: skip
def test_counts_may_be_written_short(text, count):
    assert Count(1, 10_000_000).convert(text, None, None) == count


@pytest.mark.parametrize(
    "text", ["k", "1.2345k", "-1k", "1e3", "1kk", "1 k", "1m", "100M", "0k", ""]
)
def test_other_texts_are_no_counts(text):
    with pytest.raises(click.BadParameter):
        Count(1, 10_000_000).convert(text, None, None)


def test_counts_in_lists_may_be_written_short():
    counts = sample_counts(("ppl", "droplets"))
    assert counts("ppl=50k, droplets=1.5k") == {"ppl": 50_000, "droplets": 1500}
    for text in ("ppl=50kk", "ppl=100M", "ppl=0k", "ppl=k"):
        with pytest.raises(click.BadParameter, match="or 50k"):
            counts(text)


# Of all that take a number of samples or steps; --kimg counts thousands already.
@pytest.mark.parametrize("line", [
    "ppl m -o out --samples", "separability m --classifier c -o out --samples",
    "separability m --classifier c -o out --keep", "directions m -o out --samples",
    "noise m -o out --draws", "attribution m p.png -o out --generated",
    "droplets m -o out --samples",
    "fidelity m --data d -o out --samples", "project m p.png -o out --steps",
    "project m p.png -o out --start-samples", "project m p.png -o out --limit",
    "tune m out -o tuned --steps", "contributions m -o out --samples",
])  # fmt: skip
def test_every_count_may_be_written_short(line):
    name, *arguments = line.split()
    params = main.commands[name].make_context(name, [*arguments, "2k"], **AS_IN_GROUP).params
    assert 2000 in params.values()


def test_kimg_is_in_thousands_already():
    with pytest.raises(click.BadParameter):
        main.commands["train"].make_context(
            "train", ["--data", "d", "-o", "out", "--kimg", "25k"], **AS_IN_GROUP
        )
