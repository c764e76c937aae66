"""Numbers for a person have the digits that they are worth."""

import math

import numpy as np
import pandas as pd
import pytest

from cli.reports.numbers import (
    in_words,
    interval,
    number_of,
    places,
    rounded_rows,
    share_of,
    with_interval,
)


def row(value, error=math.nan, low=math.nan, high=math.nan):
    return {"value": value, "standard_error": error, "ci_low": low, "ci_high": high}


@pytest.mark.parametrize(("value", "error", "text"), [
    (24.53, 0.61, "24.5"),
    (24.53, 0.12, "24.53"), (24.53, 0.354, "24.53"), (24.53, 0.356, "24.5"),
    (24.53, 0.96, "24.5"),  # rounds up to 1.0
    (664.8854, 12.0, "665"), (664.8854, 61.0, "660"), (12345.6, 400.0, "12,300"),
    (0.0312, 0.0044, "0.031"), (-0.0001, 0.01, "0.000"), (-1.26, 0.5, "-1.3"),
    (1.234e-9, 1e-11, "1.234e-09"), (0.0, 1e-9, "0"),
    (24.53, math.nan, "24.53"), (24.53, 0.0, "24.53"), (2.0, math.inf, "2"),
    (123456.7, math.nan, "123,457"), (math.nan, 0.1, ""), (None, None, ""),
])  # fmt: skip
def test_a_number_is_rounded_by_its_standard_error(value, error, text):
    assert number_of(row(value, error)) == text


def test_the_rounding_is_never_worse_than_a_third_of_the_error():
    rng = np.random.default_rng(0)
    for _ in range(2000):
        value, error = rng.normal() * 10 ** rng.uniform(-4, 6), 10 ** rng.uniform(-4, 4)
        written = float(number_of(row(value, error)).replace(",", ""))
        assert abs(written - value) <= 0.15 * error * 1.0001


def test_an_interval_has_the_decimals_of_its_value():
    known = row(24.53, 0.61, 23.3349, 25.71)
    assert with_interval(known) == "24.5 (23.3 to 25.7)"
    assert in_words(known) == "24.5, 95 % interval 23.3 to 25.7"
    assert (interval(row(24.53, 0.61)), with_interval(row(24.53, 0.61))) == ("", "24.5")


def test_where_the_error_is_not_known_the_interval_decides():
    assert with_interval(row(0.0, 0.0, 0.0, 0.0291)) == "0.000 (0.000 to 0.029)"
    assert places(row(5.0, math.nan, 3.0, 7.0)) == 1  # 4 / 3.92 is 1.02


def test_a_share_is_worth_as_much_as_its_cases():
    assert share_of(0.5, 100) == "0.50"
    assert share_of(0.5, 10_000) == "0.500"
    assert share_of(1.0, 2000) == "1.0000"


def test_rows_for_a_page_are_text_and_the_rest_stays():
    frame = pd.DataFrame([{"quantity": "a", "n": 7, **row(24.53, 0.61, 23.3349, 25.71)}])
    shown = rounded_rows(frame)
    assert shown.loc[0].to_dict() == {
        "quantity": "a", "n": 7, "value": "24.5", "standard_error": "0.6", "ci_low": "23.3",
        "ci_high": "25.7",
    }  # fmt: skip
    assert frame["value"].tolist() == [24.53]
