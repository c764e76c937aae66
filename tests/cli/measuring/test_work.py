import click
import pytest

from cli.measuring.work import end


@pytest.mark.parametrize(
    ("left_out", "diverged", "code"),
    [(["a.png: damaged"], 0, 4), ([], 2, 5), (["a.png: damaged"], 1, 5)],
)
def test_what_is_left_out_is_named_and_decides_the_exit_code(capsys, left_out, diverged, code):
    with pytest.raises(click.exceptions.Exit) as done:
        end(left_out, diverged)
    assert done.value.exit_code == code
    told = capsys.readouterr().err.splitlines()
    assert told[diverged > 0 :] == [f"Left out: {line}" for line in left_out]
    assert len(told) == len(left_out) + (diverged > 0)


def test_nothing_left_out_is_no_reason_to_end(capsys):
    end([])
    assert capsys.readouterr().err == ""
