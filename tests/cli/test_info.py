import json

import pytest
from click.testing import CliRunner

import latentlab
from cli.main import main
from tests.conftest import make_generator


def run(*arguments):
    return CliRunner().invoke(main, ["info", *map(str, arguments)])


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.safetensors"
    latentlab.save(make_generator(), path, {"licence": "MIT"})
    return path


def test_json_holds_the_facts(model):
    facts = json.loads(run(model, "--json").stdout)
    opened = latentlab.load(model)
    assert facts["sha256"] == opened.sha256
    network = facts["networks"]["G_ema"]
    assert (network["resolution"], network["z_dim"], network["architecture"]) == (16, 6, "skip")
    assert network["parameters"] == sum(p.numel() for p in opened.generator.parameters())
    assert facts["metadata"] == {"licence": "MIT"}


def test_the_text_names_what_is_inside(model):
    text = run(model).stdout
    for fact in ("stylegan2-native", "stylegan2-generator", "resolution 16", "licence  MIT"):
        assert fact in text
    assert max(map(len, text.splitlines()[3:])) < 300


@pytest.mark.parametrize("name", ["ada_cond_32.pkl", "ada_skip_32_state.safetensors"])
def test_official_checkpoints_are_told(name, shared):
    text = run(shared / name).stdout
    assert "stylegan2-ada" in text
    assert all(part in text for part in ("G_ema", "D", "stylegan2-discriminator"))


def test_a_file_that_does_not_open_is_one_line(tmp_path):
    (tmp_path / "x.pkl").write_text("hello, I am no checkpoint")
    done = run(tmp_path / "x.pkl")
    assert done.exit_code == 3
    assert done.stderr.count("\n") == 1
