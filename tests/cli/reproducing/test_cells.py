"""Standard errors between a measured and a published number, and when they are withheld."""

import math
from dataclasses import dataclass, field
from types import SimpleNamespace

import pandas as pd
import pytest

from cli.measuring.saved import SavedModel
from cli.reproducing.cells import Cell, Measured, cells_of, standard_errors_apart
from cli.reproducing.page import _summary, _withheld, side_by_side, tidy, verdict
from cli.reproducing.plots import _name
from cli.reproducing.tables import COLUMNS, table_of
from metrics import MetricResult
from metrics.fidelity_networks import NVIDIAS_VGG16
from metrics.published_figures import Figure


def figure(value, spread=None):
    return Figure("F", "ffhq", "fid", value, spread, ("a", "b"), str(value))


@pytest.mark.parametrize(("value", "error", "published", "spread", "apart"), [
    (2.90, 0.04, 2.84, 0.03, 1.2),  # 0.06 / sqrt(0.0016 + 0.0009)
    (2.78, 0.04, 2.84, 0.03, -1.2), (149.0, 2.0, 145.0, None, 2.0),
    (2.90, math.nan, 2.84, 0.03, 2.0), (2.84, 0.01, 2.84, 0.03, 0.0),
])  # fmt: skip
def test_both_errors_count_where_they_are_known(value, error, published, spread, apart):
    row = {"value": value, "standard_error": error}
    assert standard_errors_apart(row, figure(published, spread)) == pytest.approx(apart)


@pytest.mark.parametrize("error", [math.nan, None, 0.0])
def test_without_any_error_nothing_is_said(error):
    row = {"value": 0.5, "standard_error": error}
    assert math.isnan(standard_errors_apart(row, figure(0.4)))


@dataclass
class Double:
    """What a table needs of a model."""

    resolution: int = 1024
    short_name: str = "m"
    name: str = "m.pkl"
    sha256: str = "0"
    trained: dict = field(default_factory=dict)

    @property
    def g(self):
        return SimpleNamespace(resolution=self.resolution)

    @property
    def opened(self):
        return SimpleNamespace(metadata={"training": {"data": self.trained}})


FID = {
    "n": 50_000, "reals": 70_000, "seed": 0, "features": {"fid": "inception", "prc": NVIDIAS_VGG16},
    "weights_sha256": {"inception": "6726825d" + "0" * 56},
}  # fmt: skip


def measured(fidelity=None, paths=None, dataset="ffhq", **changes):
    scores = pd.DataFrame([
        {"quantity": "FID", "measure": "fid", "value": 2.90, "standard_error": 0.04},
        {"quantity": "precision", "measure": "precision", "value": 0.695, "standard_error": 0.002},
        {"quantity": "recall", "measure": "recall", "value": 0.49, "standard_error": math.nan},
    ])  # fmt: skip
    lengths = pd.DataFrame([{"quantity": "path length", "value": 147.0, "standard_error": 1.2}])
    results = [
        MetricResult("fidelity", scores, {**FID, **(fidelity or {})}),
        MetricResult("path_length", lengths, {
            "protocol": "ppl2_wend", "n": 50_000, "seed": 0, "distance": "lpips-vgg",
            **(paths or {})}),
    ]  # fmt: skip
    table = table_of("stylegan2-table1")
    model = Double(**changes)
    row = next(row for row in table.rows if row.key == "F")
    each = Measured(model, [row], SavedModel({}, results), dataset)
    cells = cells_of(table, COLUMNS["stylegan2-table1"], "ffhq", [each])
    return {cell.column.title: cell for cell in cells if cell.model}, cells, each


def test_a_model_as_in_the_paper_is_held_against_it():
    mine, _, _ = measured()
    assert {title: verdict(cell) for title, cell in mine.items()} == {
        "FID": "+1.2", "path length": "+1.5", "precision": "+3.0", "recall": "not known",
    }  # fmt: skip
    assert all(cell.reasons == () for cell in mine.values())


@pytest.mark.parametrize(("changes", "columns", "words"), [
    ({"resolution": 512}, 4, "1024x1024, measured on 512x512"),
    ({"dataset": ""}, 4, "--dataset would say"),
    ({"dataset": "car"}, 4, "trained on LSUN Car"),
    ({"trained": {"fingerprint": "builtin:digits train"}}, 4, "trained on builtin:digits"),
    ({"name": "builtin:digits-stylegan2"}, 4, "trained on builtin:digits"),
    ({"fidelity": {"n": 5000}}, 3, "50,000 generated pictures, measured from 5,000"),
    ({"fidelity": {"reals": 40_000}}, 3, "50,000 real pictures, measured from 40,000"),
    ({"fidelity": {"weights_sha256": {"inception": "ab"}}}, 1, "not have the published weights"),
    ({"fidelity": {"features": {"fid": "inception", "prc": "vgg16 fc"}}}, 2, "NVIDIA's VGG16"),
    ({"paths": {"distance": "lpips-alex"}}, 1, "measured by lpips-alex"),
    ({"paths": {"n": 999}}, 1, "fewer than 1,000 paths"),
])  # fmt: skip
def test_what_is_not_as_in_the_paper_withholds_it_with_the_reason(changes, columns, words):
    mine, _, _ = measured(**changes)
    withheld = [cell for cell in mine.values() if cell.reasons]
    assert len(withheld) == columns
    for cell in withheld:
        assert verdict(cell) == "not comparable"
        assert math.isnan(cell.apart)
        assert any(words in reason for reason in cell.reasons)


def test_reasons_are_said_once_with_the_columns_and_models_that_they_are_about():
    first, cells, _ = measured(resolution=512, fidelity={"n": 5000}, paths={"n": 999})
    second, others, _ = measured(resolution=512, paths={"n": 999}, short_name="k")
    assert _withheld([*first.values(), *second.values()]) == [
        "m and k are not held against the paper: published for pictures of 1024x1024, measured on "
        "512x512. For FID, precision and recall of m: published from 50,000 generated pictures, "
        "measured from 5,000. For path length: of fewer than 1,000 paths, which biases the mean "
        "upwards."
    ]
    assert [*_summary(cells), *_summary(others[:4])] == [
        'None of 4 numbers measured can be held against the paper\'s; "How far apart" says why.',
        "Nothing was measured that the paper has a number of.",
    ]
    _, cells, _ = measured()
    assert _withheld(cells) == []
    assert [*_summary(cells)] == [
        "3 of 4 numbers measured can be held against the paper's: 2 within two standard errors, 1 "
        "farther apart."
    ]


@pytest.mark.parametrize(("table", "names"), [
    ("stylegan-table2", ["0: Mixing regularization of 0 % (E)"]),
    ("stylegan-table4", ["Traditional 0", "Traditional 8, Z", "Traditional 8, W", "Style-based 0"]),
    ("stylegan2-table3", ["LSUN Car, StyleGAN", "LSUN Car, StyleGAN2", "LSUN Cat, StyleGAN"]),
])  # fmt: skip
def test_the_plot_names_a_row_once(table, names):
    found = [_name(Cell(row, None, None)) for row in table_of(table).rows]
    assert found[: len(names)] == names


def test_rows_without_a_model_are_shown_as_published_alone():
    _, cells, each = measured()
    frame = side_by_side(cells).set_index("row")
    assert frame.loc["B", "FID"] == ""
    assert frame.loc["B", "FID, published"] == "4.39 *"
    assert frame.loc["F", "FID"] == "2.90"
    assert frame.loc["F", "FID, published"] == "2.84 \u00b1 0.03"
    assert frame.loc["A-large", "FID, published"] == "3.98 **"
    rows = tidy(cells, [each])
    assert len(rows) == 7 * 4
    assert rows["published"].notna().all()
    mine = rows[rows["model"] == "m"].set_index("measure")
    assert mine["standard_errors_apart"].dropna().round(6).tolist() == [
        1.2,
        pytest.approx(1.538462),
        3.0,
    ]
    assert mine["comparable"].all()
    alone = rows[rows["model"] == ""]
    assert alone["value"].isna().all()
    assert not alone["comparable"].any()
    assert alone.loc[alone["row"] == "A-large", "note"].str.contains("not checked").all()
