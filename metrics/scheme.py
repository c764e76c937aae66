"""The columns of every report and the words in them; docs/reports.md explains each."""

from collections.abc import Iterable

UNCERTAINTY = ("standard_error", "ci_low", "ci_high")

# A row: what was measured, the number, what it is worth; then the metric's own columns; then how.
LEADING = (
    "metric", "protocol", "quantity", "unit", "value", *UNCERTAINTY, "n", "better_when", "note",
)  # fmt: skip
TRAILING = ("seed", "settings", "seconds")

# On disk the model stands before these, and the SHA-256 of its file after them.
MODEL, SHA256 = "model", "sha256"


def in_order(columns: Iterable[str]) -> list[str]:
    """Return the columns of a report on disk in their order, with a metric's own in the middle."""
    given = list(columns)
    first, last = (MODEL, *LEADING), (*TRAILING, SHA256)
    own = [name for name in given if name not in (*first, *last)]
    return [name for name in (*first, *own, *last) if name in given]


DIFFERENCES = (
    "model_a", "model_b", "metric", "protocol", "quantity", "unit", "value_a", "value_b",
    "difference", *UNCERTAINTY, "significant", "better", "note",
)  # fmt: skip

# ``better_when``: empty for numbers that only describe.
LOWER, HIGHER = "lower", "higher"

# ``better`` of a difference, where it is no model: its interval holds zero; it has no interval; or
# the numbers do not compare, as ``note`` says.
NEITHER, UNKNOWN, WITHHELD = "neither", "not known", "not comparable"

# ``unit``
SHARE = "share"  # from 0 to 1
PERCENT = "percent"
PER_SQUARED_STEP = "distance/epsilon^2"
TWO_TO_BITS = "2^bits"
BITS = "bits"
GREY_LEVELS = "grey levels"  # of 8 bits, 0 to 255
DISTANCE = "distance"
FEATURES = "squared feature distance"
DECIBELS = "dB"
UNITS = (
    SHARE, PERCENT, PER_SQUARED_STEP, TWO_TO_BITS, BITS, GREY_LEVELS, DISTANCE, FEATURES, DECIBELS,
)  # fmt: skip
