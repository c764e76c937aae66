"""Values of options; tests/fuzzing has the rules that hold for any text."""

import click
import pytest

from cli.options.values import file_name, number_list


@pytest.mark.parametrize("name", ["..", ".", "", "a/b.csv", "../b.csv", "a/.."])
def test_a_file_name_is_in_the_folder_itself(name):
    with pytest.raises(click.BadParameter, match="is not a file name"):
        file_name()(name)


@pytest.mark.parametrize("parser", [file_name(".csv"), number_list])
def test_a_refusal_does_not_repeat_text_without_end(parser):
    with pytest.raises(click.BadParameter) as caught:
        parser("9999999999," * 500)
    assert len(caught.value.message) < 200
