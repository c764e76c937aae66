"""Outcomes as they come: the table of a run that ends, or is stopped."""

import json
from pathlib import Path

import click
import pandas as pd
import pytest

from cli.pictures.choice import Choice
from cli.pictures.plan import Layout, make_plan
from cli.pictures.records import Record, Source
from cli.pictures.report import Outcome, PictureReport, carry_out, finished, refused, row_of
from latentlab import ImageError, NoFaceError

NAMES = ("a", "b", "c")


@pytest.fixture
def plan(tmp_path):
    for name in NAMES:
        (tmp_path / f"{name}.png").write_text(name)
    layout = Layout(tmp_path / "out", ["table.csv"], "*/record.json", ["*/file"], ["table.csv"])
    choice = Choice({tmp_path / f"{name}.png": name for name in NAMES}, {}, alone=False)
    return lambda: make_plan(choice, layout, {}, False, lambda record, folder: True)


def done(plan, job):
    """Write a picture's results."""
    folder = plan.layout.folder(job.name)
    folder.mkdir(parents=True)
    (folder / "file").write_text(job.name)
    row = row_of(job.picture, "ok", "")
    record = Record({}, Source.of(job.picture), row, {"file": "digest"})
    record.write(plan.layout.record(job.name))
    return finished(job.name, record)


def table(plan):
    frame = pd.read_csv(plan.layout.output / "table.csv")
    return {Path(picture).stem: status for picture, status in frame[["picture", "status"]].values}


def test_rows_are_in_the_order_of_the_plan_whatever_comes_first(plan):
    first = plan()
    a, b, c = first.left
    report = PictureReport(first, {"nothing": ImageError("no such file")}, {"seed": 3})

    def outcomes():
        yield done(first, c)
        yield refused(b.picture, NoFaceError("no face"))
        yield Outcome(str(a.picture), row_of(a.picture, "diverged", "nan"))

    carry_out(outcomes(), report)
    assert list(table(first).items()) == [
        ("a", "diverged"), ("b", "skipped"), ("c", "ok"), ("nothing", "refused")
    ]  # fmt: skip
    manifest = json.loads((first.layout.output / "manifest.json").read_text())
    assert manifest["settings"] == {"seed": 3}
    assert set(manifest["files"]) == {"table.csv", "c/file"}
    with pytest.raises(click.exceptions.Exit) as ended:
        report.close("tried")
    assert ended.value.exit_code == 5
    assert [job.name for job in plan().left] == ["a", "b"], "the next run does what is left"


@pytest.mark.parametrize("count", [0, 1])
def test_a_stopped_run_leaves_a_table_only_where_there_are_results(plan, count):
    """A table without results would be taken for a foreign one."""
    first = plan()
    closed = []

    def outcomes():
        try:
            yield refused(first.left[2].picture, ImageError("bad"))
            for job in first.left[:count]:
                yield done(first, job)
            raise KeyboardInterrupt
        finally:
            closed.append(True)

    with pytest.raises(KeyboardInterrupt):
        carry_out(outcomes(), PictureReport(first, {}, {}))
    assert closed
    output = first.layout.output
    there = {path.name for path in output.iterdir()} if output.exists() else set()
    assert there == ({"a", "table.csv"} if count else set())
    assert len(plan().left) == 3 - count


def test_the_work_is_closed_where_its_outcome_cannot_be_taken(plan, monkeypatch):
    first, closed = plan(), []

    def outcomes():
        try:
            yield done(first, first.left[0])
        finally:
            closed.append(True)

    report = PictureReport(first, {}, {})
    monkeypatch.setattr(report, "write_if_due", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        carry_out(outcomes(), report)
    assert closed
    assert table(first) == {"a": "ok"}
