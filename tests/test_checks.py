"""One voice for arguments that do not fit: name, rule, what was given."""

import math

import pytest

from latentlab import SettingsError
from latentlab.checks import check_choice, check_flag, check_number, check_taps, check_whole
from latentlab.errors import OutputError, quoted


@pytest.mark.parametrize(
    ("check", "values", "rule"),
    [
        (lambda x: check_whole(x, "x"), [-1, 1.0, True, None, "1"], "a whole number >= 0"),
        (lambda x: check_whole(x, "x", 2, 4), [1, 5, 10**400], "a whole number 2 to 4"),
        (lambda x: check_number(x, "x"), [math.nan, math.inf, 10**400, True, "1", None],
         "a finite number"),
        (lambda x: check_number(x, "x", 0), [-1e-9, math.nan], "a finite number >= 0"),
        (lambda x: check_number(x, "x", above=0, below=1), [0, 1], "a finite number > 0 and < 1"),
        (lambda x: check_choice(x, "x", ["w", "w+"]), ["z", None, ["w"]], "one of w, w+"),
        (lambda x: check_flag(x, "x"), [0, 1, None, "true"], "true or false"),
        (lambda x: check_taps(x, "x"),
         [(1.0,), (1.0, -1.0), [1, 1], (1, math.nan), (1, 10**400), (1, 1e9), (1,) * 17, 3, None],
         "2 to 16 numbers below 1e9, sum not 0"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_by_name_rule_and_value(check, values, rule):
    for value in values:
        with pytest.raises(SettingsError) as caught:
            check(value)
        assert str(caught.value) == f"`x` must be {rule}, but got {quoted(value)}"


def test_what_fits_passes():
    check_whole(0, "x")
    check_whole(4, "x", 2, 4)
    check_whole(None, "x", optional=True)
    check_number(-3, "x")
    check_number(0, "x", 0, below=1)
    check_number(None, "x", optional=True)
    check_choice("w", "x", ["w", "w+"])
    check_flag(False, "x")
    check_taps((1, 2.5), "x")


def test_another_error_may_be_asked_for():
    with pytest.raises(OutputError, match="`x` must be"):
        check_whole(-1, "x", error=OutputError)
