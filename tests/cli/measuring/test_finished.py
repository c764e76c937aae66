"""A finished measurement given again, with a page, under another name, or with more samples."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import latentlab
from cli.main import main
from cli.measuring import directions
from metrics import sampling

MODEL = "builtin:digits-stylegan2"
DISTANCE = ("--distance", "builtin:digits")
CLASSIFIER = ("--classifier", "builtin:digits-classifier")
# What is measured, on how many samples and on how many more, and another setting.
COMMANDS = {
    "ppl": (("ppl", MODEL, *DISTANCE), 70, 140, ("--noise", "const")),
    "droplets": (("droplets", MODEL), 70, 140, ("--threshold", "3")),
    "noise": (("noise", MODEL, "--draws", "3"), 1, 2, ("--draws", "4")),
    "contributions": (("contributions", MODEL), 70, 140, ("--seed", "1")),
    "separability": (("separability", MODEL, *CLASSIFIER), 70, 140, ("--keep", "30")),
    "directions": (
        ("directions", MODEL, "--method", "svm", *CLASSIFIER), 170, 240, ("--seed", "1"),
    ),
    "fidelity": (
        ("fidelity", MODEL, "--data", "builtin:digits", "--metric", "fid"), 70, 140, ("--mirror",),
    ),
}  # fmt: skip


def run(command, folder, *more):
    arguments = [*command, "--device", "cpu", "-o", folder, *more]
    return CliRunner().invoke(main, [str(each) for each in arguments])


@pytest.fixture
def nothing_is_computed(monkeypatch):
    monkeypatch.setattr(sampling, "_computed", lambda *_: pytest.fail("a sample was computed"))


@pytest.fixture
def computed(monkeypatch):
    """The numbers of the samples that are computed."""
    numbers, compute = [], sampling._computed
    monkeypatch.setattr(
        sampling, "_computed", lambda c, samples: numbers.append(samples) or compute(c, samples)
    )
    return numbers


def content(folder, *but):
    """The bytes of all results, without those of times and command lines."""
    return {
        file.name: file.read_bytes()
        for file in folder.iterdir()
        if file.is_file() and file.name not in ("manifest.json", "report.html", *but)
    }


def table(file):
    return pd.read_csv(file, keep_default_na=False).drop(columns="seconds", errors="ignore")


def default_report(folder):
    return next(
        file for name in ("report.csv", "directions.csv") if (file := folder / name).exists()
    )


class Measured:
    """Folders in which a command has measured as many samples as asked; made once, then copied."""

    def __init__(self, command, root):
        self.arguments, self.few, self.many, self.other = command
        self._root, self._made = root, {}

    def made(self, samples, *options):
        key = (samples, *options)
        if key not in self._made:
            folder = self._root / f"{len(self._made)}"
            done = run(self.arguments, folder, "--samples", samples, *options)
            assert done.exit_code == 0, done.stderr
            self._made[key] = folder
        return self._made[key]

    def copy(self, place, samples):
        shutil.copytree(self.made(samples), place)
        return place

    def again(self, folder, samples, *options):
        return run(self.arguments, folder, "--samples", samples, *options)


@pytest.fixture(params=COMMANDS, scope="module")
def shared(request, tmp_path_factory):
    return Measured(COMMANDS[request.param], tmp_path_factory.mktemp(request.param))


@pytest.fixture
def command(shared, pooled, monkeypatch):
    monkeypatch.setattr(directions, "_UNIT_SAMPLES", 2000)  # 100,000 take seconds each time
    shared.made(shared.few)  # before a test counts what is computed
    return shared


class TestTheSameCommand:
    def test_ends_with_0_and_says_where_the_results_are(
        self, command, tmp_path, nothing_is_computed
    ):
        out = command.copy(tmp_path / "out", command.few)
        before = content(out)
        again = command.again(out, command.few)
        assert again.exit_code == 0, again.stderr
        assert f"{out} is finished; see {default_report(out)}" in again.stderr
        assert content(out) == before

    def test_tried_dry_says_that_it_is_finished_or_would_be_extended(
        self, command, tmp_path, nothing_is_computed
    ):
        out = command.copy(tmp_path / "out", command.few)
        before = content(out)
        finished = command.again(out, command.few, "--dry-run")
        assert finished.exit_code == 0, finished.stderr
        assert f"{out} is finished" in finished.stdout + finished.stderr
        assert "\nwork " not in finished.stdout + finished.stderr
        longer = command.again(out, command.many, "--dry-run")
        assert "holds a part of this measurement" in longer.stdout + longer.stderr
        assert "\nwork " in longer.stdout + longer.stderr
        other = command.again(out, command.few, *command.other, "--dry-run")
        assert other.exit_code == 6
        assert "holds another measurement" in other.stderr
        assert content(out) == before

    def test_with_another_setting_is_refused_by_name_unless_told_to_overwrite(
        self, command, tmp_path
    ):
        out = command.copy(tmp_path / "out", command.few)
        before = content(out)
        again = command.again(out, command.few, *command.other)
        assert again.exit_code == 6
        told = again.stderr.splitlines()[-1]
        assert command.other[0].removeprefix("--") in told
        assert "--overwrite" in told
        assert content(out) == before
        done = command.again(out, command.few, *command.other, "--overwrite")
        assert done.exit_code == 0, done.stderr
        fresh = command.made(command.few, *command.other)
        assert table(default_report(out)).equals(table(default_report(fresh)))


class TestAPageAndAnotherName:
    def test_are_made_from_what_is_saved(self, command, tmp_path, nothing_is_computed):
        out = command.copy(tmp_path / "out", command.few)
        before = content(out)
        done = command.again(out, command.few, "--html", "--report", "numbers.json")
        assert done.exit_code == 0, done.stderr
        assert "from what is saved" in done.stderr
        page = (out / "report.html").read_text(encoding="utf-8")
        assert page.count('<img src="data:image/png') == len(list(out.glob("*.png")))
        after = content(out)
        records = json.loads(after.pop("numbers.json"))
        assert after == before
        old, new = pd.read_csv(default_report(out)), pd.DataFrame(records)
        number = "value" if "value" in old else "deviation"
        np.testing.assert_array_equal(new[number].astype(float), old[number])
        assert command.again(out, command.few, "--html").stderr.count("is finished") == 1

    def test_show_what_a_fresh_measurement_shows(self, command, tmp_path):
        out = command.copy(tmp_path / "out", command.few)
        assert command.again(out, command.few, "--html").exit_code == 0
        fresh = command.made(command.few, "--html")
        a, b = ((each / "report.html").read_text(encoding="utf-8") for each in (out, fresh))
        assert a.count("<img") == b.count("<img") > 0
        assert a.count("<tr") == b.count("<tr")


class TestMoreSamples:
    def test_measure_what_is_missing_and_give_the_numbers_of_a_fresh_measurement(
        self, command, tmp_path, computed
    ):
        out = command.copy(tmp_path / "out", command.few)
        computed.clear()
        done = command.again(out, command.many)
        assert done.exit_code == 0, done.stderr
        assert f"holds a part of this measurement (samples {command.few})" in done.stderr
        assert "replaced" in done.stderr
        batch = sampling.default_batch(latentlab.load(MODEL).generator)
        drawn = [part for part in computed if part.start < 2**32]
        assert min(part.start for part in drawn) == (command.few // batch * batch or command.few)
        assert max(part.stop for part in drawn) == command.many
        fresh = command.made(command.many)
        report = default_report(out).name
        assert table(out / report).equals(table(fresh / report))
        assert content(out, report) == content(fresh, report)

    def test_can_be_stopped_and_go_on(self, command, tmp_path, monkeypatch):
        out = command.copy(tmp_path / "out", command.few)
        before, compute, calls = content(out), sampling._computed, []

        def broken(c, samples):
            calls.append(samples)
            if len(calls) == 2:
                raise KeyboardInterrupt
            return compute(c, samples)

        monkeypatch.setattr(sampling, "_computed", broken)
        stopped = command.again(out, command.many)
        if len(calls) > 1:  # else one batch was all that was missing
            assert stopped.exit_code == 130
            assert content(out) == before
        monkeypatch.setattr(sampling, "_computed", compute)
        assert command.again(out, command.many).exit_code == 0
        assert command.again(out, command.many).stderr.count("is finished") == 1
        assert not list(out.glob(".partial-*"))

    def test_or_fewer_are_refused(self, command, tmp_path):
        out = command.copy(tmp_path / "out", command.many)
        before, few, many = content(out), command.few, command.many
        done = command.again(out, few)
        assert done.exit_code == 6
        assert f"holds more than is asked for: samples {many} (not samples {few})" in done.stderr
        assert content(out) == before


PPL = COMMANDS["ppl"][0]


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("paths") / "out"
    assert run(PPL, folder, "--samples", 70).exit_code == 0
    return folder


@pytest.fixture
def measured(paths, tmp_path):
    return shutil.copytree(paths, tmp_path / "out")


def test_every_report_is_written_again_with_more_samples(measured):
    assert run(PPL, measured, "--samples", 70, "--html", "--report", "b.md").exit_code == 0
    assert run(PPL, measured, "--samples", 140, "--report", "c.json").exit_code == 0
    assert pd.read_csv(measured / "report.csv")["n"].item() == 140
    assert "140 paths" in (measured / "report.html").read_text(encoding="utf-8")
    assert "140" in (measured / "b.md").read_text()
    listed = json.loads((measured / "manifest.json").read_text())["files"]
    assert {"report.csv", "b.md", "c.json", "report.html"} <= set(listed)


def test_a_page_that_is_written_again_is_the_first_to_open(measured):
    page = measured / "report.html"
    assert run(PPL, measured, "--samples", 70, "--html").exit_code == 0
    finished = run(PPL, measured, "--samples", 70)
    assert f"is finished; see {page}" in finished.stderr
    more = run(PPL, measured, "--samples", 140)
    assert more.stderr.splitlines()[-1] == f"Open {page}"


def test_a_lost_picture_is_drawn_again(measured, nothing_is_computed):
    before = content(measured)
    (measured / "extremes.png").unlink()
    done = run(PPL, measured, "--samples", 70)
    assert done.exit_code == 0, done.stderr
    assert content(measured) == before


@pytest.mark.parametrize("name", ["report.csv", "extremes.png"])
def test_a_changed_file_is_not_replaced_without_a_word(measured, name):
    (measured / name).write_text("mine")
    done = run(PPL, measured, "--samples", 140)
    assert done.exit_code == 6
    assert f"{name} was changed" in done.stderr
    assert (measured / name).read_text() == "mine"
    assert run(PPL, measured, "--samples", 140, "--overwrite").exit_code == 0


@pytest.mark.parametrize(("name", "options"), [
    ("mine.json", ("--report", "mine.json")), ("report.html", ("--html",)),
])  # fmt: skip
def test_a_file_of_someone_else_is_not_replaced_either(measured, name, options):
    (measured / name).write_text("mine")
    done = run(PPL, measured, "--samples", 70, *options)
    assert done.exit_code == 6
    assert f"{name} exists" in done.stderr
    assert (measured / name).read_text() == "mine"


@pytest.mark.parametrize("more", [False, True])
@pytest.mark.parametrize("place", ["write_manifest", "save_figure", "write_table"])
def test_j14_a_run_that_ends_while_it_writes_is_finished_by_the_next(
    measured, monkeypatch, nothing_is_computed, place, more
):
    monkeypatch.undo()
    options = ("--samples", 140) if more else ("--samples", 70, "--html")

    def broken(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(f"cli.measuring.results.{place}", broken)
    code = run(PPL, measured, *options).exit_code
    monkeypatch.undo()
    if not (place == "save_figure" and not more):  # nothing is drawn for a page alone
        assert code == 130
    monkeypatch.setattr(sampling, "_computed", lambda *_: pytest.fail("computed"))
    done = run(PPL, measured, *options)
    assert done.exit_code == 0, done.stderr
    monkeypatch.undo()
    fresh = measured.parent / "fresh"
    assert run(PPL, fresh, *options).exit_code == 0
    assert table(measured / "report.csv").equals(table(fresh / "report.csv"))
    assert content(measured, "report.csv") == content(fresh, "report.csv")


def test_damaged_batches_are_measured_again(measured, computed):
    (kept,) = (measured / "saved").glob("*.npz")
    kept.write_bytes(kept.read_bytes()[:-9])
    done = run(PPL, measured, "--samples", 140)
    assert done.exit_code == 0, done.stderr
    assert "is damaged and left out" in done.stderr
    assert computed[0].start == 0
    fresh = measured.parent / "fresh"
    assert run(PPL, fresh, "--samples", 140).exit_code == 0
    assert (measured / "path_lengths.csv").read_bytes() == (fresh / "path_lengths.csv").read_bytes()


def test_of_another_device_or_version_a_page_is_drawn_but_nothing_added(measured):
    file = measured / "saved" / "results.json"
    saved = json.loads(file.read_text())
    saved["made_by"] = {"version": "0.0.1", "device": "cuda"}
    file.write_text(json.dumps(saved))
    done = run(PPL, measured, "--samples", 70, "--html")
    assert done.exit_code == 0, done.stderr
    done = run(PPL, measured, "--samples", 140)
    assert done.exit_code == 6
    assert "version 0.0.1" in done.stderr
    assert "device cuda (not cpu)" in done.stderr


@pytest.mark.parametrize(("first", "second", "code"), [
    ((), ("--relative-width", "0.5"), 6), (("--relative-width", "9"), (), 0),
    (("--relative-width", "9"), ("--relative-width", "0.001"), 0),
])  # fmt: skip
def test_a_narrower_interval_is_more_of_the_same(tmp_path, first, second, code):
    assert run(PPL, tmp_path, "--samples", 640, *first).exit_code == 0
    done = run(PPL, tmp_path, "--samples", 640, *second)
    assert done.exit_code == code, done.stderr
    assert pd.read_csv(tmp_path / "report.csv")["n"].item() == 640


def test_a_picture_of_directions_is_drawn_anew_where_another_is_asked_for(tmp_path):
    arguments = ("directions", MODEL, "--components", 2, "--samples", 400)
    assert run(arguments, tmp_path).exit_code == 0
    before = content(tmp_path)
    done = run((*arguments, "--picture", 5), tmp_path)
    assert done.exit_code == 0, done.stderr
    changed = {name for name, data in content(tmp_path).items() if data != before[name]}
    assert changed == {"directions.png"}


def test_attribution_is_drawn_from_what_is_saved(tmp_path, nothing_is_computed, monkeypatch):
    monkeypatch.undo()
    arguments = ("attribution", MODEL, "builtin:digits", *DISTANCE, "--most-real", 2, "--steps", 2)
    assert run(arguments, tmp_path).exit_code == 0
    before = content(tmp_path)
    monkeypatch.setattr(sampling, "_computed", lambda *_: pytest.fail("computed"))
    (tmp_path / "examples.png").unlink()  # from the batches that are kept
    assert run(arguments, tmp_path, "--html").exit_code == 0
    assert content(tmp_path) == before
    assert run(arguments, tmp_path, "--html").stderr.count("is finished") == 1
    other = run((*arguments, "--steps", 3), tmp_path)
    assert other.exit_code == 6
    assert "steps 2 (not 3)" in other.stderr


def test_separability_of_labels_is_drawn_from_what_is_saved(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "latents.npz", w=rng.standard_normal([40, 4]).astype(np.float32))
    pd.DataFrame({"smile": rng.integers(2, size=40)}).to_csv(tmp_path / "labels.csv", index=False)
    arguments = ("separability", "--latents", tmp_path / "latents.npz",
                 "--labels", tmp_path / "labels.csv")  # fmt: skip
    out = tmp_path / "out"
    assert run(arguments, out).exit_code == 0
    before = content(out)
    monkeypatch.setattr("cli.measuring.separability.separability_from_labels",
                        lambda *_, **__: pytest.fail("measured"))  # fmt: skip
    done = run(arguments, out, "--html")
    assert done.exit_code == 0, done.stderr
    assert content(out) == before
    assert "is finished" in run(arguments, out).stderr


def test_models_of_contributions_are_told_apart(tmp_path):
    for name in ("a", "b"):
        latentlab.save(latentlab.load(MODEL), tmp_path / f"{name}.safetensors")
    out, (a, b) = tmp_path / "out", (tmp_path / "a.safetensors", tmp_path / "b.safetensors")
    assert run(("contributions", a), out, "--samples", 8).exit_code == 0
    done = run(("contributions", a, b), out, "--samples", 8)
    assert done.exit_code == 6
    assert "model" in done.stderr
    assert "b.safetensors" in done.stderr


@pytest.mark.parametrize("change", [
    lambda saved: saved["models"][0]["results"][0].update(samples=[]),
    lambda saved: saved["models"][0].update(results=[]),
    lambda saved: saved["models"][0]["results"][0]["settings"].update(dict={}),
    lambda saved: saved["models"][0]["results"][0].update(metric="droplets"),
    lambda saved: saved.update(format=9),
])  # fmt: skip
def test_a_folder_that_a_stranger_has_made_ends_in_a_line(measured, change):
    file = measured / "saved" / "results.json"
    saved = json.loads(file.read_text())
    change(saved)
    file.write_text(json.dumps(saved))
    done = run(PPL, measured, "--samples", 70, "--html")
    assert done.exit_code in (0, 6)
    assert isinstance(done.exception, SystemExit | None)
    if done.exit_code:
        assert "--overwrite" in done.stderr.splitlines()[-1]
        assert run(PPL, measured, "--samples", 70, "--html", "--overwrite").exit_code == 0


@pytest.mark.parametrize(
    "text", ["", "[]", '{"files": []}', '{"files": {"../a": "b"}}', "[" * 9**6]
)
def test_a_damaged_manifest_ends_in_a_line_too(measured, text):
    (measured / "manifest.json").write_text(text)
    done = run(PPL, measured, "--samples", 70)
    assert done.exit_code in (0, 6), done.exception
    assert isinstance(done.exception, SystemExit | None)


def test_j02_what_a_kill_at_the_very_end_has_left_is_put_away(tmp_path, monkeypatch):
    """All results are there, and the batches not yet put together."""
    ppl = COMMANDS["ppl"][0]
    assert run(ppl, tmp_path / "whole", "--samples", 70).exit_code == 0
    killed = tmp_path / "killed"
    with monkeypatch.context() as patch:
        patch.setattr("cli.measuring.results.keep_small", lambda *_: None)
        assert run(ppl, killed, "--samples", 70).exit_code == 0
    (killed / ".tmp-0123.csv").write_bytes(b"a stump")
    (killed / "saved" / ".tmp-4567.npz").write_bytes(b"a stump")
    assert list(killed.glob(".partial-*"))
    again = run(ppl, killed, "--samples", 70)
    assert (again.exit_code, "is finished" in again.stderr) == (0, True)
    names = [{path.name for path in folder.rglob("*")} for folder in (tmp_path / "whole", killed)]
    assert names[0] == names[1]
