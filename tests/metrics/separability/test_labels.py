import numpy as np
import pandas as pd
import pytest

from latentlab import DataError
from metrics.separability.attributes import label_logits


@pytest.mark.parametrize(
    "cells",
    [
        [0, 1, None, 1], [0.0, 1.0, np.nan, 1.0], ["0", "1", "", "1"], [-1, 1, None, 1],
        [False, True, None, True], ["no", "Yes", " ", "yes "], ["FALSE", "true", None, "1"],
    ],
)  # fmt: skip
def test_every_way_to_write_a_label(cells):
    logits = label_logits(pd.DataFrame({"smile": cells}, dtype=object))
    np.testing.assert_array_equal(logits, [[-1, 1, np.nan, 1]])


def test_other_numbers_are_scores():
    logits = label_logits(pd.DataFrame({"a": [-3.5, 0.25, 7], "b": ["1", "1", "1"]}))
    np.testing.assert_array_equal(logits, [[-3.5, 0.25, 7], [1, 1, 1]])


@pytest.mark.parametrize(
    ("cells", "match"),
    [
        ([1, "maybe"], "row 2: 'maybe' is not a label"),
        ([1, "inf"], "not a label"),
        ([-1, 0], "leave unknown cells empty"),
        ([0.2, 0.9], "probabilities"),
        ([None, ""], "is empty"),
    ],
)
def test_what_is_no_label_is_named(cells, match):
    with pytest.raises(DataError, match=f"'smile'.*{match}"):
        label_logits(pd.DataFrame({"smile": cells}, dtype=object))


def test_a_table_without_columns_is_refused():
    with pytest.raises(DataError, match="empty"):
        label_logits(pd.DataFrame(index=[0, 1]))
