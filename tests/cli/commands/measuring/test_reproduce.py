"""Each table and figure of the papers once, on small models."""

import html
import json

import click
import pandas as pd
import pytest

import latentlab
from cli.main import main
from cli.options.reproduction import TABLES
from cli.trust import keep_trust
from latentlab.datasets.pictures import open_dataset
from metrics import linear_separability, perceptual_path_length
from metrics.picture_fidelity import fidelity
from metrics.published_figures import published
from metrics.scheme import LEADING, MODEL, SHA256, TRAILING
from tests.conftest import DATA, make_generator, make_progan
from tests.support.commands import run, succeeded
from tests.support.pooled import NAME, Pooled

A, B = "builtin:digits-stylegan1", "builtin:digits-stylegan2"
NEAR = ("--distance", "builtin:digits")
PATHS = (*NEAR, "--whole-pictures")
REALS = ("--data", "builtin:digits", "--reals", "24")
JUDGE = ("--classifier", "builtin:digits-classifier")
COUNTS = {"fidelity": 24, "ppl": 8, "separability": 160}

# By name: the models with their rows, what else is given, and a published number on the page.
RUNS = {
    "stylegan-table1": ((f"F={A}",), REALS, "8.04"),
    "stylegan-table2": ((f"90={B}",), REALS, "17.41"),
    "stylegan-table3": ((f"D={A}", B), (*PATHS, *JUDGE), "446.2"),
    "stylegan-table4": ((f"traditional-8={A}",), (*REALS, *PATHS, *JUDGE), "170.29"),
    "stylegan2-table1": ((f"A={A}", f"F={B}"), (*REALS, *NEAR), "0.492"),
    "stylegan2-table3": ((f"cat-stylegan2={B}",), (*REALS, *NEAR), "1485"),
    "stylegan2-fig8": ((B,), (), "prints no numbers"),
    "stylegan2-projection": ((f"one={A}", f"two={B}"), (
        *NEAR, "--real", "builtin:digits", "--most-real", "4", "--steps", "2"
    ), "prints no numbers"),
}  # fmt: skip


def counts_of(name):
    known = [metric for metric in TABLES[name] if metric in COUNTS]
    text = ",".join(f"{metric}={COUNTS[metric]}" for metric in known)
    return ("--samples", text) if known else ()


def reproduce(name, folder, *more):
    models, options, _ = RUNS[name]
    return run("reproduce", name, *models, *options, *counts_of(name), "--quick", "--device", "cpu",
               *more, "-o", folder)  # fmt: skip


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Each of RUNS, with a stand-in for the networks of fidelity."""
    with pytest.MonkeyPatch.context() as patch:
        import torch_fidelity

        for metric in ("fid", "kid", "prc"):
            patch.setitem(torch_fidelity.utils.DEFAULT_FEATURE_EXTRACTOR, metric, NAME)
        place = tmp_path_factory.mktemp("reproduced")
        yield {name: (place / name, succeeded(reproduce(name, place / name))) for name in RUNS}


def table_of(folder):
    path = folder / "table.csv"
    rows = pd.read_csv(path, dtype={"row": str}, keep_default_na=False, na_values=[""])
    return rows.fillna({"model": ""})


def test_every_table_is_run_here():
    assert set(RUNS) == set(TABLES)


@pytest.mark.parametrize("name", RUNS)
def test_a_folder_holds_the_numbers_and_the_page(name, folders):
    folder, done = folders[name]
    page = html.unescape((folder / "report.html").read_text(encoding="utf-8"))
    assert RUNS[name][2] in page
    assert page.count("<img") >= 1
    rows = pd.read_csv(folder / "report.csv", dtype=str, keep_default_na=False)
    columns = rows.columns.tolist()
    assert columns[: 1 + len(LEADING)] == [MODEL, *LEADING]
    assert columns[-1 - len(TRAILING) :] == [*TRAILING, SHA256]
    assert not rows.duplicated(["model", "metric", "protocol", "quantity"]).any()
    assert done.stderr.splitlines()[-1] == f"Open {folder / 'report.html'}"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert {"report.csv", "report.html"} < set(manifest["files"])
    assert done.stdout == ""


@pytest.mark.parametrize("name", [name for name in RUNS if name in published().tables])
def test_every_row_of_the_paper_is_there_with_what_is_published(name, folders):
    rows = table_of(folders[name][0])
    table = published().tables[name]
    for figure in table.figures:
        if figure.data == "ffhq" or any(row.data for row in table.rows):
            (row,) = rows[
                (rows["row"] == figure.row) & (rows["measure"] == figure.measure)
            ].to_dict("records")
            assert row["published"] == figure.value
            assert row["sources"] == " ".join(figure.sources) or not figure.sources
            assert ("not checked" in str(row["note"])) == (not figure.sources)
    measured = rows[rows["model"] != ""]
    assert measured["value"].notna().all()
    assert not measured["comparable"].any()  # digits are no faces
    assert measured["standard_errors_apart"].isna().all()


def test_values_are_those_of_the_metrics(folders):
    g = latentlab.load(A).generator
    rows = table_of(folders["stylegan-table4"][0]).set_index(["row", "measure"])["value"]
    reals = open_dataset("builtin:digits", 32, 1)
    expected = fidelity(g, reals, 24, metrics=["fid"], num_reals=24, extractor=NAME).value
    assert rows["traditional-8-z", "fid"] == rows["traditional-8-w", "fid"] == expected
    distance = latentlab.perceptual_distance("builtin:digits")
    for space, sampling in (("z", "full"), ("w", "end")):
        found = perceptual_path_length(g, distance, space, sampling, 8)
        assert rows[f"traditional-8-{space}", f"ppl_{space}{sampling}"] == found.value
    judge = latentlab.load_classifier("builtin:digits-classifier")
    scores = linear_separability(g, [judge], 160, dual=True).rows.set_index("quantity")["value"]
    for space in "zw":  # the published score: planes are judged on what they were fitted to
        found = rows[f"traditional-8-{space}", f"separability_{space}"]
        assert found == scores[f"separability in {space.upper()}"]


def test_mixed_latents_are_in_their_columns(folders):
    rows = table_of(folders["stylegan-table2"][0])
    mine = rows[rows["model"] != ""].set_index("measure")["value"]
    g, reals = latentlab.load(B).generator, open_dataset("builtin:digits", 32, 1)
    for mixed in (2, 4):
        expected = fidelity(g, reals, 24, metrics=["fid"], mixed=mixed, extractor=NAME).value
        assert mine[f"fid_mixed{mixed}"] == expected
    report = pd.read_csv(folders["stylegan-table2"][0] / "report.csv")
    assert report["protocol"].tolist() == ["fidelity", "mixing2", "mixing3", "mixing4"]


def test_the_report_says_what_is_published_beside_each_number(folders):
    rows = pd.read_csv(folders["stylegan2-table1"][0] / "report.csv")
    held = rows.dropna(subset="published").set_index(["table_row", "quantity"])["published"]
    assert held["F", "FID"] == 2.84
    assert held["A", "path length"] == 212.1
    assert held["F", "recall"] == 0.492
    assert rows[rows["quantity"] == "F-score"]["published"].isna().all()


def test_a_model_in_no_row_is_named(folders):
    folder, done = folders["stylegan-table3"]
    assert f"In no row of the paper's table: {B}" in done.stderr
    rows = table_of(folder)
    assert rows[rows["model"] == B]["row"].unique().tolist() == [f"{B} in Z", f"{B} in W"]
    assert rows[rows["model"] == B]["published"].isna().all()


def test_what_there_is_to_doubt_names_numbers_and_models(folders):
    _, done = folders["stylegan-table3"]
    filtered = [line.partition(": The published filter leaves out ") for line in
                done.stderr.splitlines()]  # fmt: skip
    heads = [head for head, found, _ in filtered if found]
    assert heads
    assert all(head.startswith("Path length (ppl2_") and " of builtin:" in head for head in heads)


def test_projections_of_several_models_are_overlaid_and_their_areas_compared(folders):
    folder, done = folders["stylegan2-projection"]
    rows = pd.read_csv(folder / "report.csv")
    areas = rows[rows["quantity"] == "auc"].set_index("model")["value"]
    (row,) = pd.read_csv(folder / "differences.csv").to_dict("records")
    assert (row["model_a"], row["model_b"]) == ("one", "two")
    assert row["difference"] == pytest.approx(areas["two"] - areas["one"])
    assert row["ci_low"] < row["difference"] < row["ci_high"]
    assert "Difference of the areas, two - one" in done.stderr
    distances = pd.read_csv(folder / "distances.csv")
    assert distances.groupby(["model", "group"]).size().tolist() == [4] * 4


# Continuing.


def test_a_finished_table_is_not_measured_again(folders, monkeypatch):
    folder, _ = folders["stylegan2-table1"]
    monkeypatch.setattr("cli.reproducing.jobs.fidelity", lambda *_, **__: pytest.fail("measured"))
    done = succeeded(reproduce("stylegan2-table1", folder))
    assert "is finished" in done.stderr
    assert "is finished" in succeeded(reproduce("stylegan2-table1", folder, "--dry-run")).stdout


def test_a_stopped_table_is_continued(tmp_path, pooled, monkeypatch, folders):
    calls, forward = [], Pooled.forward

    def interrupted(self, pixels):
        calls.append(len(pixels))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return forward(self, pixels)

    monkeypatch.setattr(Pooled, "forward", interrupted)
    assert reproduce("stylegan2-table1", tmp_path / "out").exit_code == 130
    done = succeeded(reproduce("stylegan2-table1", tmp_path / "out"))
    assert "continuing where it was stopped" in done.stderr
    assert sum(calls) == 4 * 24 + 24  # two sets of two models; the pictures of one were lost
    whole = folders["stylegan2-table1"][0]
    for name in ("table.csv", "report.csv"):
        first, second = (pd.read_csv(place / name) for place in (tmp_path / "out", whole))
        assert first.drop(columns="seconds", errors="ignore").equals(
            second.drop(columns="seconds", errors="ignore")
        )


def test_another_row_is_drawn_from_what_is_saved(tmp_path, pooled, monkeypatch):
    arguments = ("reproduce", "stylegan-table1", *REALS, "--samples", "fidelity=24", "-o", tmp_path)
    succeeded(run(*arguments, f"E={A}"))
    monkeypatch.setattr("cli.reproducing.jobs.fidelity", lambda *_, **__: pytest.fail("measured"))
    succeeded(run(*arguments, f"F={A}"))
    rows = table_of(tmp_path)
    assert rows[rows["model"] == A]["row"].tolist() == ["F"]


def test_more_samples_go_on_from_those_that_are_there(tmp_path, pooled):
    arguments = ("reproduce", "stylegan-table1", f"F={A}", *REALS, "-o", tmp_path)
    succeeded(run(*arguments, "--samples", "fidelity=64"))
    before = Pooled.calls
    done = succeeded(run(*arguments, "--samples", "fidelity=128"))
    assert Pooled.calls - before == 2  # 64 more pictures, in halves
    assert "holds a part of this measurement" in done.stderr
    assert pd.read_csv(tmp_path / "report.csv")["n"].tolist() == [128]


# What is measured.


@pytest.mark.parametrize(("name", "counts"), [
    ("stylegan-table4", {"fidelity": 50_000, "ppl": 100_000, "separability": 200_000}),
    ("stylegan2-table1", {"fidelity": 50_000, "ppl": 50_000}),
    ("stylegan2-table3", {"fidelity": 50_000, "ppl": 50_000}),
])  # fmt: skip
@pytest.mark.parametrize("quick", [False, True])
def test_samples_are_those_of_the_papers_or_a_tenth(name, counts, quick, tmp_path, pooled):
    models, options, _ = RUNS[name]
    done = succeeded(run("reproduce", name, *models, *options, *["--quick"] * quick, "--dry-run",
                         "--json", "-o", tmp_path / "out"))  # fmt: skip
    told = json.loads(done.stdout)
    for metric, count in counts.items():
        assert told[f"samples of {metric}"] == count // (10 if quick else 1)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("more", "mirror", "reals"), [
    ((), False, 1498), (("--dataset", "ffhq"), True, 1498), (("--dataset", "car"), False, 1498),
    (("--dataset", "ffhq", "--no-mirror"), False, 1498), (("--mirror",), True, 1498),
    (("--reals", "30"), False, 30), (("--quick", "--samples", "fidelity=40"), False, 40),
])  # fmt: skip
def test_real_pictures_are_all_of_them_mirrored_as_published(more, mirror, reals, tmp_path, pooled):
    data = ("--metric", "fidelity", "--data", "builtin:digits", "-o", tmp_path / "out")
    arguments = ("reproduce", "stylegan2-table1", f"F={B}", *data, *more, "--dry-run", "--json")
    done = succeeded(run(*arguments))
    told = json.loads(done.stdout)
    assert told["mirror"] == [mirror]
    assert told["reals"] == [reals]


def test_vgg16_of_nvidia_gives_precision_and_recall_as_well(tmp_path, pooled):
    done = succeeded(run(
        "reproduce", "stylegan2-table1", f"F={B}", *REALS, "--distance", DATA / "vgg16_standin.pt",
        "--samples", "fidelity=24,ppl=4", "--trust", "--dry-run", "--json", "-o", tmp_path / "out",
    ))  # fmt: skip
    assert json.loads(done.stdout)["distance"].endswith("vgg16_standin.pt")
    from types import SimpleNamespace

    from cli.reproducing.run import _vgg16

    wanted = SimpleNamespace(distance=str(DATA / "vgg16_standin.pt"), vgg_weights=None)
    assert _vgg16(wanted) is None  # its features are its program's
    with click.Context(click.Command("reproduce")) as context:
        keep_trust(context, None, True)
        assert _vgg16(wanted) == DATA / "vgg16_standin.pt"
        assert _vgg16(SimpleNamespace(distance="lpips-vgg", vgg_weights=None)) is None


def test_one_column_alone_needs_nothing_of_the_others(tmp_path):
    done = succeeded(run("reproduce", "stylegan2-table1", f"F={B}", "--metric", "ppl", *NEAR,
                         "--samples", "ppl=8", "-o", tmp_path))  # fmt: skip
    assert table_of(tmp_path)["column"].unique().tolist() == ["path length"]
    assert "FID" not in done.stderr


def test_each_row_may_have_its_own_data(tmp_path, pooled):
    arguments = ("reproduce", "stylegan2-table3", f"cat-stylegan={A}", f"car-stylegan2={B}",
                 "--metric", "fidelity", "--samples", "fidelity=24", "--reals", "24")  # fmt: skip
    one = run(*arguments, "--data", "cat=builtin:digits", "-o", tmp_path / "one")
    assert one.exit_code == 2
    assert "has no real pictures" in one.stderr
    succeeded(run(*arguments, "--data", "cat=builtin:digits", "--data",
                  "car-stylegan2=builtin:digits", "-o", tmp_path / "both"))  # fmt: skip


def test_what_a_model_has_not_is_noted_and_the_rest_goes_on(tmp_path, pooled):
    latentlab.save(make_progan(resolution=32, channels=1), tmp_path / "pg.safetensors")
    done = succeeded(run("reproduce", "stylegan-table2", f"0={tmp_path / 'pg.safetensors'}", *REALS,
                         "--samples", "fidelity=8", "-o", tmp_path / "out"))  # fmt: skip
    assert "pg.safetensors has no fidelity of 2 mixed latents, fidelity of 3 mixed" in done.stderr
    assert "this generator takes one latent for all its layers" in done.stderr
    rows = table_of(tmp_path / "out")
    assert rows[rows["row"] == "0"]["value"].notna().tolist() == [True, False, False, False]


def test_a_tenth_of_the_real_pictures_is_projected(tmp_path):
    done = succeeded(run("reproduce", "stylegan2-projection", A, *NEAR, "--real", "builtin:digits",
                         "--quick", "--dry-run", "--json", "-o", tmp_path / "out"))  # fmt: skip
    told = json.loads(done.stdout)
    assert told["real"] == told["generated"] == 29  # of 299 held-out digits


def test_a_folder_of_snapshots_is_a_run(tmp_path):
    (tmp_path / "run").mkdir()
    for images in (1000, 2000):
        g = make_generator(resolution=16)
        latentlab.save(g, tmp_path / "run" / f"snapshot-{images:09d}.safetensors")
    arguments = ("reproduce", "stylegan2-fig8", tmp_path / "run", "--samples", "contributions=8",
                 "-o", tmp_path / "out")  # fmt: skip
    dry = succeeded(run(*arguments, "--dry-run")).stdout
    assert "work        Measuring 2 models, 8 latents each" in dry
    assert dry.count("Measuring") == 1
    done = succeeded(run(*arguments))
    assert "2 models measured" in done.stderr


# Refusals: one line, exit code 2.


@pytest.mark.parametrize(("words", "message"), [
    (("stylegan-table9", A), "'stylegan-table9' is not one of"),
    (("stylegan-table1", A), "stylegan-table1 needs real pictures, which --data gives"),
    (("stylegan-table3", A), "stylegan-table3 needs classifiers, which --classifier gives"),
    (("stylegan-table4", A, "--data", "x"), "needs classifiers"),
    (("stylegan2-projection", A), "stylegan2-projection needs real pictures, which --real gives"),
    (("stylegan-table3", A, *JUDGE, "--data", "x"), "stylegan-table3 has no use for --data"),
    (("stylegan2-fig8", A, "--mirror"), "stylegan2-fig8 has no use for --mirror"),
    (("stylegan2-fig8", A, "--dataset", "ffhq"), "no use for --dataset"),
    (("stylegan2-fig8", f"E={A}"), "without LABEL="),
    (("stylegan2-table1", A, "--metric", "separability"), "stylegan2-table1 has fidelity, ppl"),
    (("stylegan2-table1", A, "--samples", "separability=9"), "has fidelity, ppl"),
    (("stylegan-table1", A, "--data", "builtin:digits", "--dataset", "car"), "ffhq"),
    (("stylegan2-table3", A, "--data", "x", "--dataset", "car"), "a data set in each row"),
    (("stylegan-table3", A, A, *JUDGE), "is given twice"),
    (("stylegan-table3", f"F={A}", f"f={B}", *JUDGE), "is given twice"),
    (("stylegan2-table1", A, "--data", "builtin:digits", "--data", "builtin:digits"),
     "has several sets of real pictures"),
])  # fmt: skip
def test_what_is_missing_or_does_not_fit_is_said_in_a_line(words, message, tmp_path):
    done = run("reproduce", *words, "-o", tmp_path / "out")
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.split())
    assert not (tmp_path / "out").exists()


def test_a_distance_for_other_sizes_is_told_before_anything_is_made(tmp_path):
    done = run("reproduce", "stylegan-table3", A, *JUDGE, *NEAR, "-o", tmp_path / "out")
    assert done.exit_code == 4
    assert "32x32 images only, but got 16x16 (the middle of the face" in done.stderr
    assert not (tmp_path / "out").exists()


def test_results_of_something_else_are_not_replaced(tmp_path):
    (tmp_path / "table.csv").touch()
    done = run("reproduce", "stylegan-table3", A, *JUDGE, *PATHS, "-o", tmp_path)
    assert done.exit_code == 6
    assert "table.csv exists" in done.stderr


def test_names_are_offered_in_the_help():
    text = " ".join(
        main.commands["reproduce"]
        .get_help(
            main.commands["reproduce"].make_context(
                "reproduce", ["stylegan-table1", "x", "-o", "o"]
            )
        )
        .split()
    )
    assert all(name in text for name in TABLES)


# Genuine files of the published systems.


def test_published_systems_fill_their_rows(shared, tmp_path, pooled):
    """Progressive GAN is the traditional generator without mapping, StyleGAN the other."""
    done = succeeded(run(
        "reproduce", "stylegan-table4", f"traditional-0={shared / 'pgan_32.pkl'}",
        f"stylebased-8={shared / 'sg1_32.pkl'}", *REALS, "--samples",
        "fidelity=24,ppl=4,separability=80", "--distance", shared / "vgg16_standin.pt",
        "--classifier", shared / "classifier_00_dbasic.pkl", "-o", tmp_path,
    ))  # fmt: skip
    rows = table_of(tmp_path)
    mine = rows[rows["model"] != ""]
    assert mine.groupby("row")["measure"].apply(list).to_dict() == {
        "traditional-0": ["fid", "ppl_zfull", "ppl_zend", "separability_z"],
        "stylebased-8": ["fid", "ppl_wfull", "ppl_wend", "separability_w"],
    }
    assert mine["note"].str.contains("measured on 32x32").all()
    assert "sg1_32.pkl, stylebased-8, path length, end:" in done.stderr
