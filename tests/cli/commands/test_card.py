import json

import pytest
from click.testing import CliRunner

import latentlab
from cli.main import main
from latentlab.checkpoints.native import write_native
from tests.conftest import make_fastgan, make_generator, make_progan

HEAD = ["license", "library_name", "tags", "pipeline_tag"]


def run(*words):
    return CliRunner().invoke(main, [*map(str, words)])


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """A model, the same converted, and a measurement of it."""
    folder = tmp_path_factory.mktemp("card")
    latentlab.save(make_generator(), folder / "m.safetensors")
    done = run("convert", folder / "m.safetensors", folder / "model.safetensors")
    assert done.exit_code == 0, done.stderr
    done = run("droplets", folder / "m.safetensors", "--samples", 2, "-o", folder / "droplets")
    assert done.exit_code == 0, done.stderr
    return folder


def card(places, *words):
    out = places / "README.md"
    done = run("card", places / "model.safetensors", out, *words, "--overwrite")
    assert done.exit_code == 0, done.stderr
    return out.read_text(encoding="utf-8")


def test_the_head_is_what_the_hub_reads(places):
    head = card(places).split("---\n")[1].strip().splitlines()
    assert [line.split(": ")[0] for line in head] == HEAD
    assert all(json.loads(line.split(": ", 1)[1]) for line in head)


def test_it_says_how_to_open_the_file(places):
    text = card(places, "--repository", "me/faces")
    digest = latentlab.load(places / "model.safetensors").sha256
    assert 'latentlab.from_pretrained("me/faces", "model.safetensors")' in text
    assert f"hf://me/faces/model.safetensors#sha256={digest}" in text
    assert text.splitlines()[7] == "# faces"


def test_its_python_runs(places, monkeypatch):
    code = card(places).split("```python\n")[1].split("```")[0]
    monkeypatch.setattr(latentlab, "from_pretrained", lambda _, file: latentlab.load(places / file))
    found: dict[str, object] = {}
    exec(code, found)
    assert found["images"].shape == (2, 3, 16, 16)


def test_that_of_a_conditional_one_runs_too(places, monkeypatch):
    write_native({"G_ema": make_generator(c_dim=3)}, places / "labelled.safetensors", {})
    out = places / "labelled.md"
    done = run("card", places / "labelled.safetensors", out, "--overwrite")
    assert done.exit_code == 0, done.stderr
    code = out.read_text().split("```python\n")[1].split("```")[0]
    monkeypatch.setattr(latentlab, "from_pretrained", lambda _, file: latentlab.load(places / file))
    exec(code, {})
    assert "--class 0" in out.read_text()


@pytest.mark.parametrize("make", [make_fastgan, make_progan])
def test_that_of_one_without_w_runs_too(make, places, monkeypatch):
    latentlab.save(make(), places / "no_w.safetensors")
    out = places / "no_w.md"
    done = run("card", places / "no_w.safetensors", out, "--overwrite")
    assert done.exit_code == 0, done.stderr
    code = out.read_text().split("```python\n")[1].split("```")[0]
    monkeypatch.setattr(latentlab, "from_pretrained", lambda _, file: latentlab.load(places / file))
    found: dict[str, object] = {}
    exec(code, found)
    assert len(found["images"]) == 2


@pytest.mark.parametrize("name", ["me", "me/", "/faces", "me/faces/more", "hf://me/faces", "a b/c"])
def test_a_repository_has_an_owner_and_a_name(name, places, tmp_path):
    done = run("card", places / "model.safetensors", tmp_path / "x.md", "--repository", name)
    assert done.exit_code == 2
    assert f"{name!r} is not OWNER/NAME" in done.stderr
    assert not (tmp_path / "x.md").exists()


def test_numbers_are_those_of_the_folders(places):
    plain, measured = card(places), card(places, places / "droplets")
    assert "## Measured" not in plain
    assert "| droplets | " in measured.split("## Measured")[1]


def test_a_folder_of_another_model_is_refused(places, tmp_path):
    done = run("droplets", "builtin:digits-stylegan2", "--samples", 2, "-o", tmp_path / "others")
    assert done.exit_code == 0
    done = run("card", places / "model.safetensors", tmp_path / "x.md", tmp_path / "others")
    assert done.exit_code == 4
    assert "only of builtin:digits-stylegan2" in done.stderr
    assert not (tmp_path / "x.md").exists()


def test_a_folder_without_a_measurement_is_refused(places, tmp_path):
    done = run("card", places / "model.safetensors", tmp_path / "x.md", tmp_path)
    assert done.exit_code == 4
    assert "no finished measurement" in done.stderr


def test_an_existing_card_is_kept(places, tmp_path):
    (tmp_path / "x.md").write_text("mine")
    done = run("card", places / "model.safetensors", tmp_path / "x.md")
    assert done.exit_code == 6
    assert (tmp_path / "x.md").read_text() == "mine"
