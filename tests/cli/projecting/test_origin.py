"""Latents, noise maps and directions belong to a checkpoint: others are refused unless asked for.

Every command is called with the same things: what a projection of another checkpoint left.
"""

import dataclasses
import json

import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import latentlab
from cli.main import main
from cli.measuring.labelled_latents import read_labelled
from cli.models import open_model
from cli.pictures.records import Record, Source
from cli.projecting.files import RECORD
from cli.projecting.latent_table import write_latents
from cli.projecting.origin import Origin, origin_of
from latentlab.editing.directions import save_directions
from latentlab.latents import save_ws
from latentlab.projection import save_tuning
from latentlab.projection.tuning_file import difference
from tests.conftest import make_generator

OTHER = "ab" * 32
NAME = "faces.pkl"


def run(*arguments):
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def record(folder, **identity):
    """Say which checkpoint the projection in a folder is of."""
    Record(identity, Source("a.png", 1, 1, "00"), {"checkpoint": NAME}, {}).write(folder / RECORD)


@pytest.fixture
def theirs(saved, tmp_path):
    """Two projections, all their latents in a file, and directions: all of another checkpoint."""
    folder = tmp_path / "theirs"
    for name in ("anna", "ben"):
        (folder / name).mkdir(parents=True)
        for file in (saved / "projections" / name).iterdir():
            (folder / name / file.name).write_bytes(file.read_bytes())
        Image.new("RGB", (32, 32)).save(folder / name / "target.png")
        record(folder / name, sha256=OTHER)
    files = {f"{name}.png": folder / name / "projected_w.npz" for name in ("anna", "ben")}
    facts = {"space": "w+", "sha256": OTHER, "checkpoint": NAME}
    for name in ("latents.safetensors", "latents.parquet"):
        write_latents(folder / name, files, facts)
    (folder / "labels.csv").write_text("picture,smile\nanna,1\nben,0\n")
    Image.new("RGB", (32, 32), "grey").save(folder / "anna.png")
    return folder


LATENTS = {"one": "anna", "several": "", "table": "latents.safetensors", "rows": "latents.parquet",
           "file": "anna/projected_w.npz"}  # fmt: skip
COMMANDS = {
    "generate": ["--projected-w", "{}"],
    "edit": ["--projected-w", "{}", "--directions", "{dirs}", "--direction", "smile",
             "--strengths", "0"],
    "interpolate": ["{}", "{}", "--frames", "1"],
    "mix": ["--row-w", "{}", "--cols", "1"],
    "mix of columns": ["--rows", "1", "--col-w", "{}"],
    "directions": ["--method", "svm", "--latents", "{}", "--labels", "{theirs}/labels.csv",
                   "--layer", "0"],
    "project": ["{theirs}/anna.png", "--start", "{}", "--space", "w+", "--steps", "1",
                "--distance", "builtin:digits"],
}  # fmt: skip
FEW = {("directions", "one"), ("directions", "file")}  # one row for two labels
CASES = [(c, kind) for c in COMMANDS for kind in LATENTS if (c, kind) not in FEW]


@pytest.mark.parametrize(("command", "kind"), CASES)
def test_latents_of_another_checkpoint_are_refused_by_every_command(
    command, kind, saved, theirs, tmp_path, monkeypatch
):
    monkeypatch.setattr("cli.measuring.directions._UNIT_SAMPLES", 100)
    places = {"dirs": saved / "directions.safetensors", "theirs": theirs}
    options = [text.format(theirs / LATENTS[kind], **places) for text in COMMANDS[command]]
    arguments = [command.split()[0], saved / "model.safetensors", *options]
    done = run(*arguments, "-o", tmp_path / "out")
    assert done.exit_code == 4, done.stderr
    assert done.stderr.count("\n") == 1
    own = latentlab.load(saved / "model.safetensors").sha256
    assert f"{NAME} (SHA-256 {OTHER[:12]}...)" in done.stderr
    assert f"model.safetensors (SHA-256 {own[:12]}...)" in done.stderr
    assert "--any-checkpoint" in done.stderr
    assert not (tmp_path / "out").exists()
    done = run(*arguments, "--any-checkpoint", "-o", tmp_path / "out")
    assert done.exit_code == 0, done.stderr
    assert f"of another checkpoint, {NAME}" in done.stderr


def test_tune_refuses_them_in_the_same_words(saved, theirs, tmp_path):
    arguments = ["tune", saved / "model.safetensors", theirs / "anna", "--steps", 1,
                 "--distance", "builtin:digits", "-o", tmp_path / "out"]  # fmt: skip
    done = run(*arguments)
    assert (done.exit_code, "belongs to another checkpoint" in done.stderr) == (4, True)
    assert run(*arguments, "--any-checkpoint").exit_code == 0


@pytest.mark.parametrize("command", ["generate", "edit"])
def test_noise_maps_of_another_checkpoint_are_refused(command, saved, theirs, tmp_path):
    bare = tmp_path / "w.npz"
    bare.write_bytes((theirs / "anna" / "projected_w.npz").read_bytes())
    more = ["--directions", saved / "directions.safetensors", "--direction", "smile"]
    arguments = [command, saved / "model.safetensors", "--projected-w", bare,
                 *(more if command == "edit" else []), "-o", tmp_path / "out"]  # fmt: skip
    done = run(*arguments, "--noise", theirs / "anna" / "projected_noise.npz")
    assert (done.exit_code, "projected_noise.npz: belongs to" in done.stderr) == (4, True)
    assert run(*arguments).exit_code == 0


def test_what_says_nothing_is_taken_and_the_manifest_tells_for_what(saved, tmp_path):
    latents = tmp_path / "bare.npz"
    latents.write_bytes((saved / "projections" / "anna" / "projected_w.npz").read_bytes())
    own = latentlab.load(saved / "model.safetensors").sha256
    arguments = {
        "edit": ["--projected-w", latents, "--directions", saved / "directions.safetensors",
                 "--direction", "smile"],
        "interpolate": [latents, saved / "projections" / "ben", "--frames", 1],
        "mix": ["--row-w", latents, "--cols", 0],
    }  # fmt: skip
    for command, more in arguments.items():
        done = run(command, saved / "model.safetensors", *more, "-o", tmp_path / command)
        assert done.exit_code == 0, done.stderr
        manifest = json.loads((tmp_path / command / "manifest.json").read_text())
        assert manifest["settings"]["latents"][0] == {
            "file": str(latents), "checkpoint": None, "checkpoint_sha256": None, "taken_for": own,
        }  # fmt: skip


def test_results_are_known_by_the_manifest_above_them(saved, tmp_path):
    """An edit's latents have no record beside them; they go on under the model that made them."""
    more = ["--directions", saved / "directions.safetensors", "--direction", "smile"]
    done = run("edit", saved / "model.safetensors", "--seeds", 0, *more, "-o", tmp_path / "edit")
    assert done.exit_code == 0, done.stderr
    latents = tmp_path / "edit" / "seed0000" / "smile" / "w.npz"
    own = latentlab.load(saved / "model.safetensors").sha256
    assert origin_of(latents).digests == {own}
    latentlab.save(make_generator(1, resolution=32, z_dim=16, w_dim=12), tmp_path / "b.safetensors")
    done = run("generate", tmp_path / "b.safetensors", "--projected-w", latents, "-o",
               tmp_path / "out")  # fmt: skip
    assert (done.exit_code, "belongs to another checkpoint" in done.stderr) == (4, True)
    copy = tmp_path / "elsewhere.npz"
    copy.write_bytes(latents.read_bytes())
    assert origin_of(copy) == Origin()


@pytest.mark.parametrize("text", ["", "[]", '{"settings": 3, "files": {}}', "[" * 100_000])
def test_a_damaged_manifest_or_record_says_nothing(text, tmp_path):
    save_ws(tmp_path / "projected_w.npz", torch.zeros(1, 2, 3))
    (tmp_path / "manifest.json").write_text(text)
    (tmp_path / "projection.json").write_text(text)
    assert origin_of(tmp_path / "projected_w.npz") == Origin()


class TestConverted:
    """A converted file has the latents of the file that it was converted from."""

    @pytest.fixture
    def converted(self, saved, tmp_path):
        path = tmp_path / "converted.safetensors"
        assert run("convert", saved / "model.safetensors", path).exit_code == 0
        return path

    def test_latents_of_the_source_are_its_own_and_the_other_way_round(
        self, saved, converted, theirs, tmp_path
    ):
        model, new = (open_model(str(p), "cpu") for p in (saved / "model.safetensors", converted))
        assert new.opened.converted_from == model.sha256 != new.sha256
        for opened, other in ((model, new), (new, model)):
            record(theirs / "anna", **opened.digests)
            out = tmp_path / other.sha256[:4]
            done = run("generate", other.name, "--projected-w", theirs / "anna", "-o", out)
            assert done.exit_code == 0, done.stderr

    def test_project_says_what_it_was_converted_from(self, saved, converted, tmp_path):
        Image.new("RGB", (32, 32), "grey").save(tmp_path / "a.png")
        done = run("project", converted, tmp_path / "a.png", tmp_path, "--steps", 1, "--distance",
                   "builtin:digits", "-o", tmp_path / "out")  # fmt: skip
        assert done.exit_code == 0, done.stderr
        for file in ("latents.safetensors", "a"):
            more = ["--projected-w", tmp_path / "out" / file, "-o", tmp_path / f"of-{file}"]
            done = run("generate", saved / "model.safetensors", *more)
            assert done.exit_code == 0, done.stderr

    def test_directions_and_tunings_hold_too(self, saved, converted, directions, tmp_path):
        model = latentlab.load(saved / "model.safetensors")
        own = dataclasses.replace(directions, sha256=model.sha256)
        save_directions(tmp_path / "directions.safetensors", own)
        done = run("edit", converted, "--seeds", 0, "--directions", tmp_path, "--direction",
                   "smile", "-o", tmp_path / "edit")  # fmt: skip
        assert done.exit_code == 0, done.stderr
        other = make_generator(1, resolution=32, z_dim=16, w_dim=12)
        tuning = difference(model.generator, other, model.sha256, {})
        save_tuning(tuning, tmp_path / "t.safetensors")
        arguments = ["--seeds", 0, "--tuning", tmp_path / "t.safetensors"]
        for name, path in (("old", saved / "model.safetensors"), ("new", converted)):
            done = run("generate", path, *arguments, "-o", tmp_path / name)
            assert done.exit_code == 0, done.stderr
        old, new = (tmp_path / name / "seed0000.png" for name in ("old", "new"))
        assert old.read_bytes() == new.read_bytes()
        # Tuned on the way, its weights are others: the tuning would be applied twice.
        tuned = tmp_path / "tuned.safetensors"
        run("convert", saved / "model.safetensors", tuned, "--tuning", tmp_path / "t.safetensors")
        done = run("generate", tuned, *arguments, "-o", tmp_path / "twice")
        assert (done.exit_code, "the tuning was made for" in done.stderr) == (3, True)


def test_directions_say_whose_they_are(saved, tmp_path, monkeypatch):
    done = run("directions", saved / "model.safetensors", "--samples", 100, "--components", 2,
               "-o", tmp_path / "pca")  # fmt: skip
    assert done.exit_code == 0, done.stderr
    latentlab.save(make_generator(1, resolution=32, z_dim=16, w_dim=12), tmp_path / "b.safetensors")
    done = run("edit", tmp_path / "b.safetensors", "--seeds", 0, "--directions", tmp_path / "pca",
               "--direction", "pca0", "-o", tmp_path / "edit")  # fmt: skip
    assert done.exit_code == 4
    assert f"another checkpoint, {saved / 'model.safetensors'} (SHA-256" in done.stderr


def test_the_nearest_row_of_labels_is_not_taken_for_another(saved, tmp_path):
    """x/anna.jpg had been taken for anna.jpg where x-anna was there as well."""
    folder, ws = tmp_path / "projections", torch.zeros(1, 8, 12)
    for i, name in enumerate(("anna", "x-anna")):
        (folder / name).mkdir(parents=True)
        save_ws(folder / name / "projected_w.npz", ws + i)
    (tmp_path / "labels.csv").write_text("picture,smile\nx/anna.jpg,1\nanna.jpg,0\n")
    found = read_labelled(folder, tmp_path / "labels.csv", layer=0)
    assert found.latents[:, 0].tolist() == [0, 1]
    assert found.labels["smile"].tolist() == ["0", "1"]
