"""What is stopped within a batch goes on with the same batches: they decide the last digits."""

from pathlib import Path

import pytest

from cli.pictures.plan import Job, Layout, PicturePlan
from cli.pictures.records import Record, Source
from cli.projecting import run
from tests.cli.commands.test_project import project, projected
from tests.cli.projecting.test_project_folders import contents, draw


def stopped_after(count, monkeypatch):
    """Let Ctrl-C come when so many pictures are on disk."""
    publish, done = run.publish, []

    def stopping(*arguments):
        if len(done) == count:
            raise KeyboardInterrupt
        done.append(publish(*arguments))

    monkeypatch.setattr(run, "publish", stopping)


@pytest.fixture(scope="module")
def whole(model, tmp_path_factory):
    """Five pictures, and what a run that nobody stops makes of them: a batch of 3, and of 2."""
    folder = tmp_path_factory.mktemp("whole")
    photos = draw(folder / "photos", *"abcde")
    projected(model, photos, "--batch", 3, "-o", folder / "out")
    return photos, contents(folder / "out")


@pytest.mark.parametrize("count", [1, 4])
def test_j11_a_batch_stopped_half_way_equals_an_uninterrupted_one(
    count, model, whole, tmp_path, monkeypatch
):
    photos, wanted = whole
    command = (model, photos, "--batch", 3, "-o", tmp_path / "out")
    with monkeypatch.context() as patch:
        stopped_after(count, patch)
        assert project(*command).exit_code == 130
    published = {path.parent.name for path in tmp_path.rglob("projected_w.npz")}
    assert len(published) == count
    times = {name: (tmp_path / "out" / name / "projected_w.npz").stat().st_mtime_ns
             for name in published}  # fmt: skip
    projected(*command)
    assert contents(tmp_path / "out") == wanted
    for name, time in times.items():
        assert (tmp_path / "out" / name / "projected_w.npz").stat().st_mtime_ns == time


def plan_of(names, done):
    """A plan of pictures; ``done`` gives for some of them what they were computed with."""

    def job(name):
        record = Record({}, Source(name, 1, 1, "00"), {}, {}, list(done[name]))
        return Job(Path(name), name, record if name in done else None)

    done = {name: [] for name in names if name in done} | done
    jobs = [Job(Path(name), name) if name not in done else job(name) for name in names]
    return PicturePlan(Layout(Path(), [], "", [], []), jobs, {})


@pytest.mark.parametrize(("names", "done", "size", "batches"), [
    ("abcdef", {}, 4, ["abcd", "ef"]),
    ("abcdef", {"a": "abcd"}, 4, ["abcd", "ef"]),
    ("abcdef", {"e": "ef", "b": "abcd"}, 4, ["abcd", "ef"]),
    ("abcdef", dict.fromkeys("abcd", "abcd"), 4, ["ef"]),  # done: not again
    ("abcdefgh", dict.fromkeys("efgh", "efgh") | {"c": "abcd"}, 4, ["abcd"]),  # by processes
    ("aAbBcd", dict.fromkeys("abcd", "abcd"), 4, ["AB"]),  # added: by themselves
    ("aAbcdef", {"a": "abcd"}, 4, ["abcd", "Aef"]),
    ("acdef", {"a": "abcd"}, 4, ["acd", "ef"]),  # b was removed
    ("abcdef", {"a": "abcd"}, 2, ["bc", "de", "f"]),  # smaller batches than before
    ("abcdef", {"a": ""}, 1, ["b", "c", "d", "e", "f"]),
])  # fmt: skip
def test_begun_batches_stay_and_the_others_are_cut_in_order(names, done, size, batches):
    found = plan_of(names, done).batches(size)
    assert ["".join(job.name for job in batch) for batch in found] == batches
