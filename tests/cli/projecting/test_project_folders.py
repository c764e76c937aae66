"""Whole folders: resuming, names that stay, order, latents in one file."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image
from safetensors import safe_open

import latentlab
from latentlab.datasets.digits import digits
from tests.cli.commands.test_project import check_refused, names, project, projected, rows
from tests.support.commands import run, succeeded

ROOT = Path(__file__).parents[3]
SETS = {
    "projected_w.npz", "projected_noise.npz", "target.png", "projected.png", "comparison.png",
    "history.csv", "projection.json",
}  # fmt: skip


def draw(folder, *stems):
    """Write a picture for each name, each with pixels of its own."""
    for stem in stems:
        path = folder / f"{stem}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(list(stem.encode()))
        Image.fromarray(rng.integers(0, 256, (40, 32, 3), dtype=np.uint8)).save(path)
    return folder


@pytest.fixture
def photos(tmp_path):
    return draw(tmp_path / "photos", "c", "a", "b")


@pytest.fixture
def counted_calls(monkeypatch):
    """Count the pictures that are projected; ``stop_after`` raises Ctrl-C at that one."""
    original = latentlab.project

    def counting(g, images, *arguments, **options):
        if counting.stop_after is not None and counting.calls >= counting.stop_after:
            raise KeyboardInterrupt
        counting.calls += len(images)
        return original(g, images, *arguments, **options)

    counting.calls, counting.stop_after = 0, None
    monkeypatch.setattr("cli.projecting.run.project", counting)
    return counting


def contents(folder):
    """The bytes of all files, without what tells the time."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.name == "projection.json":
            record = json.loads(path.read_text())
            del record["row"]["seconds"], record["source"]
            found[path.relative_to(folder)] = record
        elif path.name == "report.csv":
            table = pd.read_csv(path).drop(columns=["seconds"])
            found[path.relative_to(folder)] = table.to_csv()
        elif path.is_file() and path.name not in ("manifest.json", "report.html"):
            found[path.relative_to(folder)] = path.read_bytes()
    return found


# What is projected, and what it is called.


def test_a_folder_is_projected_in_sorted_order_with_the_folders_inside(model, photos, tmp_path):
    draw(photos, "more/a", "more/deep/x")
    (photos / ".hidden.png").write_bytes((photos / "a.png").read_bytes())
    (photos / "notes.txt").write_text("no picture")
    projected(model, photos, "-o", tmp_path / "out")
    folders = {"a", "b", "c", "more-a", "more-deep-x"}
    assert {path.name for path in (tmp_path / "out").iterdir() if path.is_dir()} == folders
    assert all(names(tmp_path / "out" / folder) == SETS for folder in folders)
    listed = [row["picture"] for row in rows(tmp_path / "out" / "report.csv")]
    assert sorted(listed) == listed
    assert len(listed) == 5


def test_a_folder_of_one_picture_has_a_folder_for_it(model, tmp_path):
    projected(model, draw(tmp_path / "photos", "a"), "-o", tmp_path / "out")
    assert names(tmp_path / "out" / "a") == SETS


def test_files_folders_and_patterns_name_each_picture_once(model, photos, tmp_path):
    sources = [photos / "b.png", photos, photos / "*.png"]
    projected(model, *sources, "-o", tmp_path / "out")
    listed = [Path(row["picture"]).stem for row in rows(tmp_path / "out" / "report.csv")]
    assert listed == ["b", "a", "c"]


def test_a_folder_without_pictures_is_named_and_the_others_go_on(model, photos, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    result = project(model, empty, photos, "-o", tmp_path / "out")
    assert result.exit_code == 4
    assert "3 of 4 pictures projected" in result.stderr
    assert str(empty) in result.stderr.splitlines()[-1]
    assert rows(tmp_path / "out" / "report.csv")[-1]["status"] == "refused"


def test_limit_takes_the_first_and_shuffle_orders_them_by_the_seed(model, tmp_path):
    photos = draw(tmp_path / "photos", *map(str, range(8)))

    def listed(*options):
        result = project(model, photos, *options, "--dry-run", "--json", "-o", tmp_path / "out")
        return [Path(picture).stem for picture in json.loads(result.stdout)["pictures"]]

    assert listed("--limit", 3) == ["0", "1", "2"]
    mixed = listed("--shuffle")
    assert mixed != sorted(mixed) == listed()
    assert listed("--shuffle") == mixed
    assert listed("--shuffle", "--seed", 1) not in (mixed, sorted(mixed))
    assert listed("--shuffle", "--limit", 3) == mixed[:3]


def test_i18_one_bad_picture_among_120_is_named(model, tmp_path):
    photos = draw(tmp_path / "photos", *(f"{i:03d}" for i in range(120)))
    (photos / "050.png").write_bytes(b"<html>404</html>")
    result = project(model, photos, "--batch", 40, "-o", tmp_path / "out", steps=1)
    assert result.exit_code == 4
    assert "119 of 120 pictures projected" in result.stderr
    report = rows(tmp_path / "out" / "report.csv")
    assert [row["status"] for row in report].count("ok") == 119
    assert (report[50]["status"], Path(report[50]["picture"]).name) == ("refused", "050.png")


# The same command again.


def test_the_same_command_again_projects_nothing_and_changes_nothing(
    model, photos, tmp_path, counted_calls
):
    out = tmp_path / "out"
    projected(model, photos, "-o", out)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    projected(model, photos, "-o", out)
    assert counted_calls.calls == 3
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_a_stopped_run_goes_on_and_equals_an_uninterrupted_one(
    model, photos, tmp_path, counted_calls
):
    projected(model, photos, "-o", tmp_path / "whole")
    counted_calls.stop_after = counted_calls.calls + 2
    result = project(model, photos, "-o", tmp_path / "out")
    assert result.exit_code == 130
    assert len(rows(tmp_path / "out" / "report.csv")) == 2
    assert not list((tmp_path / "out").glob(".*"))
    counted_calls.stop_after = None
    projected(model, photos, "-o", tmp_path / "out")
    assert counted_calls.calls == 3 + 3
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_single_picture_is_not_projected_twice(model, photos, tmp_path, counted_calls):
    for _ in range(2):
        projected(model, photos / "a.png", "-o", tmp_path / "out")
    assert counted_calls.calls == 1


def test_names_stay_when_pictures_are_added_before(model, photos, tmp_path, counted_calls):
    out = tmp_path / "out"
    projected(model, photos, "-o", out)
    before = (out / "a" / "target.png").read_bytes()
    draw(photos, "0/a", "A")
    (photos / "a.bmp").write_bytes((photos / "c.png").read_bytes())
    projected(model, photos, "-o", out)
    assert counted_calls.calls == 6
    assert (out / "a" / "target.png").read_bytes() == before
    assert {path.name.casefold() for path in out.iterdir() if path.is_dir()} == {
        "a", "b", "c", "0-a", "a-2", "a-3"
    }  # fmt: skip
    assert len(rows(out / "report.csv")) == 6


def test_other_pictures_with_the_same_settings_join_the_report(model, photos, tmp_path):
    out = tmp_path / "out"
    projected(model, photos, "-o", out)
    projected(model, draw(tmp_path / "others", "x", "a"), "-o", out)
    listed = {Path(row["picture"]).as_posix() for row in rows(out / "report.csv")}
    assert len(listed) == 5
    assert names(out) >= {"a", "b", "c", "x", "a-2"}


@pytest.mark.parametrize("change", ["picture", "file"])
def test_what_has_changed_is_projected_again(change, model, photos, tmp_path, counted_calls):
    out = tmp_path / "out"
    projected(model, photos, "-o", out)
    if change == "picture":
        (photos / "b.png").write_bytes((draw(tmp_path, "other") / "other.png").read_bytes())
    else:
        (out / "b" / "projected_w.npz").unlink()
    projected(model, photos, "-o", out)
    assert counted_calls.calls == 4
    assert names(out / "b") == SETS
    assert len(rows(out / "report.csv")) == 3


def test_other_settings_are_refused_with_the_difference(model, photos, tmp_path):
    out = tmp_path / "out"
    projected(model, photos, "-o", out)
    message = check_refused(6, model, photos, "--seed", 5, "-o", out)
    assert "seed 0 there, 5 here" in message
    assert "--overwrite" in message
    projected(model, photos, "--seed", 5, "--overwrite", "-o", out)
    assert {row["seed"] for row in rows(out / "report.csv")} == {"5"}
    assert {path.name for path in out.iterdir() if path.is_dir()} == {"a", "b", "c"}


def test_foreign_files_in_a_pictures_folder_are_kept(model, photos, tmp_path):
    mine = tmp_path / "out" / "b" / "target.png"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    assert str(mine) in check_refused(6, model, photos, "-o", tmp_path / "out")
    assert mine.read_text() == "mine"


def test_a_record_of_another_version_is_not_taken_for_ours(model, photos, tmp_path):
    out = tmp_path / "out"
    projected(model, photos, "-o", out)
    (out / "b" / "projection.json").write_text('{"format": 2}')
    assert str(out / "b") in check_refused(6, model, photos, "-o", out)


def test_j05_a_damaged_record_is_set_aside_and_its_picture_done_again(
    model, photos, tmp_path, counted_calls
):
    out = tmp_path / "out"
    projected(model, photos, "-o", out)
    (out / "b" / "projection.json.damaged").write_text("of an earlier time")
    record, outside = out / "b" / "projection.json", tmp_path / "mine.txt"
    outside.write_text("mine")
    facts = json.loads(record.read_text())
    whole, digest = record.read_text(), next(iter(facts["files"].values()))
    for number, listed in enumerate(([str(outside)], ["../../mine.txt"], ["a\0b"]), 2):
        text = json.dumps({**facts, "files": facts["files"] | dict.fromkeys(listed, digest)})
        record.write_text(text)
        planned = project(model, photos, "-o", out, "--dry-run")
        assert "b/projection.json is damaged" in planned.stderr
        assert record.read_text() == text, "a dry run changes nothing"
        done = projected(model, photos, "-o", out)
        assert done.stderr.count("b/projection.json is damaged") == 1
        assert counted_calls.calls == number + 2
        assert (out / "b" / f"projection.json.damaged-{number}").read_text() == text
        assert json.loads(record.read_text())["files"].keys() == json.loads(whole)["files"].keys()
        assert "is damaged" not in projected(model, photos, "-o", out).stderr
    assert outside.read_text() == "mine"
    assert (out / "b" / "projection.json.damaged").read_text() == "of an earlier time"
    assert len(rows(out / "report.csv")) == 3


def test_a_refused_picture_is_tried_again(model, photos, tmp_path):
    whole = (photos / "b.png").read_bytes()
    (photos / "b.png").write_bytes(whole[:-50])
    assert project(model, photos, "-o", tmp_path / "out").exit_code == 4
    (photos / "b.png").write_bytes(whole)
    projected(model, photos, "-o", tmp_path / "out")
    assert [row["status"] for row in rows(tmp_path / "out" / "report.csv")] == ["ok"] * 3


# Killed for real.

COMMAND = "import sys; from cli.main import main; main(sys.argv[1:], prog_name='latentlab')"


def test_a_folder_of_40_digits_killed_in_the_middle_equals_an_uninterrupted_run(tmp_path):
    photos = tmp_path / "digits"
    photos.mkdir()
    for i, pixels in enumerate(digits("held-out")[0][:40]):
        Image.fromarray(pixels).save(photos / f"{i:02d}.png")
    words = ["project", "builtin:digits-stylegan2", str(photos), "--distance", "builtin:digits",
             "--steps", "3", "--threads", "1", "-o"]  # fmt: skip
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    process = subprocess.Popen([sys.executable, "-c", COMMAND, *words, str(killed)], cwd=ROOT,
                               stderr=subprocess.DEVNULL)  # fmt: skip
    while len(list(killed.glob("[!.]*/projection.json"))) < 12:
        assert process.poll() is None, "it was done before it could be killed"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = len(list(killed.glob("[!.]*/projection.json")))
    assert 12 <= done < 40
    assert not (killed / "manifest.json").exists()
    for folder in (killed, whole):
        succeeded(run(*words, folder))
    assert len(list(whole.glob("*/projected_w.npz"))) == 40
    assert contents(killed) == contents(whole)
    assert not list(killed.glob(".*"))


# Latents in one file.


def saved_w(out, name):
    with np.load(out / name / "projected_w.npz", allow_pickle=False) as file:
        return file["w"][0]


@pytest.mark.parametrize("space", ["w", "w+"])
def test_latents_of_all_pictures_as_safetensors(space, model, photos, tmp_path):
    out = tmp_path / "out"
    projected(model, photos, "--space", space, "-o", out)
    with safe_open(out / "latents.safetensors", "np") as file:
        w, about = file.get_tensor("w"), json.loads(file.metadata()["latentlab"])
    wanted = np.stack([saved_w(out, name) for name in "abc"])
    assert np.array_equal(w, wanted if space == "w+" else wanted[:, 0])
    assert about["pictures"] == [str(photos / f"{name}.png") for name in "abc"]
    assert about["settings"]["space"] == space


@pytest.mark.parametrize("space", ["w", "w+"])
def test_latents_of_all_pictures_as_parquet(space, model, photos, tmp_path):
    out = tmp_path / "out"
    options = ["--latents", "all.parquet", "--space", space]
    projected(model, photos, *options, "-o", out)
    table = pq.read_table(out / "all.parquet")
    assert table["picture"].to_pylist() == [str(photos / f"{name}.png") for name in "abc"]
    shape = json.loads(table.schema.metadata[b"latentlab"])["w_shape"]
    for name, w in zip("abc", table["w"].to_pylist(), strict=True):
        wanted = saved_w(out, name)
        assert np.array_equal(np.float32(w).reshape(shape), wanted if space == "w+" else wanted[0])


def test_a_single_picture_has_a_file_of_latents_too(model, photos, tmp_path):
    out = tmp_path / "out"
    projected(model, photos / "a.png", "-o", out)
    with safe_open(out / "latents.safetensors", "np") as file:
        w, about = file.get_tensor("w"), json.loads(file.metadata()["latentlab"])
    with np.load(out / "projected_w.npz", allow_pickle=False) as file:
        assert np.array_equal(w, file["w"][:, 0])
    assert about["pictures"] == [str(photos / "a.png")]
    assert "latents.safetensors" in json.loads((out / "manifest.json").read_text())["files"]


def test_what_a_kill_left_half_moved_is_not_taken_for_done(model, photos, tmp_path):
    out = tmp_path / "out"
    projected(model, photos, "-o", out)
    (out / "b").rename(out / ".tmp-left")  # complete, but for its move
    projected(model, photos, "-o", out)
    assert {path.name for path in out.iterdir() if path.is_dir()} == {"a", "b", "c"}
    assert names(out / "b") == SETS
    assert [row["status"] for row in rows(out / "report.csv")] == ["ok"] * 3
