import json
import math
from contextlib import suppress

import numpy as np
import pandas as pd
import pytest

from cli.measuring.saved import NAME, SavedMeasurement, SavedModel, read_saved, save
from latentlab import DataError
from metrics import MetricResult

FACTS = {"name": "a", "checkpoint": "a.pkl", "kind": "stylegan2-tf", "sha256": "0" * 64}


def result(**changes):
    rows = pd.DataFrame([
        {"layer": "any", "better": "lower", "value": 0.1 + 0.2, "ci_low": math.nan, "count": 3},
        {"layer": "é\n", "better": None, "value": 5e-324, "ci_low": -0.0, "count": 4},
    ])  # fmt: skip
    samples = pd.DataFrame({
        "sample": np.arange(3), "kept": [True, False, True], "byte": np.arange(3, dtype=np.uint8),
        "single": np.array([0.1, math.nan, math.inf], dtype=np.float32), "mixed": [1, "a", None],
    })  # fmt: skip
    settings = {"n": 3, "crop": False, "spaces": ["z", "w"], "names": {"a": 1.5}, "none": None}
    return MetricResult("droplets", rows, settings, samples, 0.25, **changes)


def measurement(*results):
    models = [SavedModel(FACTS, [*results], {"ppl": "no W"}, ["a note"])]
    made_by = {"version": "1", "device": "cpu"}
    return SavedMeasurement({"title": "t"}, made_by, {"seed": 0}, {"samples": 3}, models,
                            ["report.csv"])  # fmt: skip


def test_a_measurement_comes_back_to_the_last_bit(tmp_path):
    bare = MetricResult("fidelity", pd.DataFrame([{"value": 1.0}]), {})
    save(tmp_path, measurement(result(), bare))
    read = read_saved(tmp_path)
    assert (read.shown, read.identity, read.extent) == ({"title": "t"}, {"seed": 0}, {"samples": 3})
    (model,) = read.models
    assert (model.facts, model.refused, model.notes) == (FACTS, {"ppl": "no W"}, ["a note"])
    for found, expected in zip(model.results, (result(), bare), strict=True):
        pd.testing.assert_frame_equal(found.rows, expected.rows, check_exact=True)
        pd.testing.assert_frame_equal(found.samples, expected.samples, check_exact=True)
        pd.testing.assert_frame_equal(found.frame(), expected.frame(), check_exact=True)
        assert found.settings == expected.settings
        assert found.seconds == expected.seconds or math.isnan(found.seconds)


def test_it_is_json_that_every_program_reads(tmp_path):
    path = save(tmp_path, measurement(result()))
    json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(name))


def test_a_folder_without_one_holds_none(tmp_path):
    assert read_saved(tmp_path) is None
    assert read_saved(tmp_path / "none") is None


def changed(content, place, value):
    *path, last = place
    part = content
    for name in path:
        part = part[name]
    part[last] = value
    return json.dumps(content)


RESULT = ("models", 0, "results", 0)


@pytest.mark.parametrize(("place", "value"), [
    (("format",), 2), (("format",), None), (("models",), {}), (("models", 0), 1),
    (("extent",), {"samples": "many"}), (("extent",), {"samples": True}), (("shown",), []),
    (("files",), ["../report.csv"]), (("files",), ["/etc/passwd"]), (("files",), ["a\n.csv"]),
    (("files",), [1]), (("files",), ["notes.txt"]),
    (("models", 0, "facts"), {}), (("models", 0, "facts", "sha256"), 1),
    (("models", 0, "refused"), {"ppl": 1}), (("models", 0, "notes"), [{}]),
    (RESULT, {}), ((*RESULT, "metric"), 1), ((*RESULT, "seconds"), "long"),
    ((*RESULT, "rows"), []), ((*RESULT, "rows"), "value"), ((*RESULT, "settings"), 1),
    ((*RESULT, "rows", 0, "type"), "category"), ((*RESULT, "rows", 0, "values"), ["one"]),
    ((*RESULT, "rows", 2, "values"), [1.0, "x"]), ((*RESULT, "rows", 2, "values"), [1.0, None]),
    ((*RESULT, "rows", 2, "values"), [1.0, {"float": "inf"}]),
    ((*RESULT, "rows", 2, "values"), [1.0, {"float": "1"}]),
    ((*RESULT, "rows", 4, "values"), [1.0, 2]), ((*RESULT, "rows", 4, "values"), [2**70, 2]),
    ((*RESULT, "rows", 0, "name"), "value"), ((*RESULT, "samples", 1, "values"), [0, 1, 2]),
    ((*RESULT, "samples", 2, "values"), [0, 1, 300]),
])  # fmt: skip
def test_what_is_not_as_written_is_refused_in_a_line(tmp_path, place, value):
    path = save(tmp_path, measurement(result()))
    path.write_text(changed(json.loads(path.read_text()), place, value))
    with pytest.raises(DataError) as refused:
        read_saved(tmp_path)
    assert NAME in str(refused.value)
    assert "damaged" in str(refused.value)
    assert len(str(refused.value)) < 400 + len(str(tmp_path))


@pytest.mark.parametrize("content", [
    b"", b"\x00", b"[" * 100_000, b"nan", b"\xff\xfe", b'{"format": 1}', b"[]", b"9" * 10_000,
])  # fmt: skip
def test_bytes_of_another_kind_are_refused_too(tmp_path, content):
    path = save(tmp_path, measurement(result()))
    path.write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        read_saved(tmp_path)


def test_a_cut_or_a_wrong_bit_is_no_crash(tmp_path):
    path = save(tmp_path, measurement(result()))
    whole = path.read_bytes()
    for i in range(0, len(whole), 3):
        for broken in (whole[:i], whole[:i] + bytes([whole[i] ^ 1 << i % 8]) + whole[i + 1 :]):
            path.write_bytes(broken)
            with suppress(DataError):
                read_saved(tmp_path)


def test_a_folder_in_its_place_is_refused(tmp_path):
    (tmp_path / NAME).mkdir(parents=True)
    with pytest.raises(DataError, match="damaged"):
        read_saved(tmp_path)
