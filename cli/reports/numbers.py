"""Numbers for a person: no more digits than they are worth.

Which are worth something follows from the standard error, or from the interval where that is all
that is known: it keeps two digits up to 0.354, one above (Particle Data Group, "Rounding"), and
number and interval end at the same place. Tables on disk keep all digits.
"""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from cli.reports.tables import short
from metrics import MetricResult
from metrics.scheme import UNCERTAINTY

_TWO_DIGITS_TO, _ONE_DIGIT_TO = 3.545, 9.5  # of the error's leading digits
_ERRORS_WIDE = 3.92  # a 95 % interval, if normal
_MOST_DECIMALS = 6  # more are written with an exponent

ROUNDED = ("value", *UNCERTAINTY)  # columns of tidy rows

Row = Mapping[Any, Any]  # value, standard_error, ci_low, ci_high


def places(row: Row) -> int | None:
    """Return the decimals that a number is worth, below 0 for tens; None where nothing is known."""
    error, low, high = (_number(row, name) for name in ("standard_error", "ci_low", "ci_high"))
    if not error > 0:
        error = (high - low) / _ERRORS_WIDE
    if not 0 < error < math.inf:
        return None
    exponent = math.floor(math.log10(error))
    leading = error / 10.0**exponent
    if leading >= _ONE_DIGIT_TO:
        return -exponent  # rounds up to 10, and two digits of that
    return -exponent + (leading < _TWO_DIGITS_TO)


def rounded(value: float, decimals: int | None) -> str:
    """Write a number to so many decimals; to four digits where they are not known."""
    if decimals is None or pd.isna(value):
        return short(value)
    if decimals > _MOST_DECIMALS:
        digits = decimals + math.floor(math.log10(abs(value))) if value else 0
        return f"{value:.{max(digits, 0)}e}" if value else "0"
    text = f"{round(value, decimals):,.{max(decimals, 0)}f}"
    return text.lstrip("-") if float(text.replace(",", "")) == 0 else text


def number_of(row: Row) -> str:
    """Write a value: 24.53 with a standard error of 0.61 is "24.5"; a missing one is ""."""
    return rounded(_number(row, "value"), places(row))


def interval(row: Row) -> str:
    """Write a 95 % interval to the decimals of its value: "23.3 to 25.7"; "" if not known."""
    low, high = (_number(row, name) for name in ("ci_low", "ci_high"))
    if math.isnan(low) or math.isnan(high):
        return ""
    return f"{rounded(low, places(row))} to {rounded(high, places(row))}"


def with_interval(row: Row) -> str:
    """Write a value and its interval for a table: "24.5 (23.3 to 25.7)"."""
    found = interval(row)
    return number_of(row) + (f" ({found})" if found else "")


def in_words(row: Row) -> str:
    """Write a value and its interval for a sentence: "24.5, 95 % interval 23.3 to 25.7"."""
    found = interval(row)
    return number_of(row) + (f", 95 % interval {found}" if found else "")


def rounded_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Return tidy rows with the ROUNDED columns as text, as the pages show them."""
    rows = frame.to_dict("records")
    texts = {
        name: [rounded(_number(row, name), places(row)) for row in rows]
        for name in ROUNDED if name in frame.columns
    }  # fmt: skip
    return frame.assign(**texts)


def rows_of(result: MetricResult) -> list[Row]:
    """Return the tidy rows of a result, the headline first."""
    return [*result.frame().to_dict("records")]


def share_of(share: float, total: int) -> str:
    """Write a share of so many cases to the decimals that they are worth."""
    error = math.sqrt(share * (1 - share) / total)
    return rounded(share, places({"standard_error": error or 1 / total}))  # 0 and 1 have none


def _number(row: Row, name: str) -> float:
    value = row.get(name)
    return math.nan if value is None or pd.isna(value) else float(value)
