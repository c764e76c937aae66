import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

import latentlab
from cli.commands.info import _finite
from cli.main import main
from latentlab.checkpoints.native import write_native
from tests.conftest import make_discriminator, make_generator, make_progan, make_stylegan1

ROOT = Path(__file__).parents[3]


def run(*arguments):
    result = CliRunner().invoke(main, ["info", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def told(path):
    """The facts of the text by their names; lines of one fact are joined."""
    result = run(path)
    assert result.exit_code == 0, result.stderr
    first, *lines = result.stdout.splitlines()
    assert first == str(path)
    assert max(map(len, lines)) <= 80
    facts, name = {}, ""
    for line in lines:
        name = line[2:16].strip() or name
        facts[name] = f"{facts[name]} {line[16:]}" if name in facts else line[16:]
    return facts


def saved(path, g, **metadata):
    latentlab.save(g, path, metadata)
    return path


# JSON.


def test_r01_json_holds_the_facts(tmp_path):
    model = saved(tmp_path / "m.safetensors", make_generator(), licence="MIT", scores=[1, None])
    facts = json.loads(run(model, "--json").stdout)
    opened = latentlab.load(model)
    assert facts["sha256"] == opened.sha256
    assert (facts["kind"], facts["licence"]) == ("stylegan2-native", "MIT")
    network = facts["networks"]["G_ema"]
    assert (network["resolution"], network["z_dim"], network["architecture"]) == (16, 6, "skip")
    assert network["parameters"] == sum(p.numel() for p in opened.generator.parameters())
    assert network["conv_clamp"] is None
    assert facts["metadata"] == {"licence": "MIT", "scores": [1, None]}


def test_json_has_every_setting(tmp_path):
    model = saved(tmp_path / "m.safetensors", make_stylegan1())
    network = json.loads(run(model, "--json").stdout)["networks"]["G_ema"]
    assert set(vars(latentlab.load(model).config)) <= set(network)


def test_r02_numbers_that_json_lacks_are_null():
    """Pickles may hold them; our own format does not."""
    facts = {"a": math.nan, "b": [math.inf, 1], "c": {"d": -math.inf}}
    assert _finite(facts) == {"a": None, "b": [None, 1], "c": {"d": None}}


# Text.


def test_the_text_names_what_matters_first(tmp_path):
    model = saved(tmp_path / "m.safetensors", make_generator(c_dim=3), licence="mine, all mine")
    facts = told(model)
    assert list(facts)[:4] == ["format", "images", "latents", "labels"]
    assert facts["format"] == "StyleGAN2 in latentlab's own format (safetensors)"
    assert facts["images"] == "16x16, colour"
    assert facts["latents"] == "z 6, w 5 in 6 layers"
    assert facts["labels"] == "3 classes: --class 0 to 2"
    assert facts["licence"] == "mine, all mine"
    assert facts["sha256"] == latentlab.load(model).sha256
    count = sum(p.numel() for p in latentlab.load(model).generator.parameters())
    assert (
        facts["networks"] == f"G_ema: averaged generator, skip architecture, {count:,} parameters"
    )


def test_settings_are_told_where_they_are_not_as_published(tmp_path):
    write_native({"G": make_generator(), "D": make_discriminator()}, tmp_path / "m.safetensors")
    facts = told(tmp_path / "m.safetensors")
    assert facts["settings"] == (
        "G: channel_base 128, channel_max 8, mapping_layers 2 D: channel_base 128, channel_max 8"
    )
    usual = make_generator(channel_base=32768, channel_max=512, mapping_layers=8, resolution=4)
    assert told(saved(tmp_path / "u.safetensors", usual))["settings"] == "G_ema: as published"


def test_generators_without_styles_or_in_the_middle_of_growing(tmp_path):
    facts = told(saved(tmp_path / "p.safetensors", make_progan(channels=1)))
    assert facts["format"].startswith("Progressive GAN in ")
    assert (facts["images"], facts["latents"]) == ("16x16, grey", "z 6, no w")
    assert "growth" not in facts
    g = make_stylegan1(styles=False, const_input=False)
    g.synthesis.set_lod(1.5)
    facts = told(saved(tmp_path / "g.safetensors", g))
    assert facts["latents"] == "z 6, w 5 in 1 layer"
    assert "traditional architecture" in facts["networks"]
    assert facts["growth"].startswith("lod 1.5, grown to 8x8")


@pytest.mark.parametrize(("truncation", "text"), [
    ({"psi": 0.7, "cutoff": 8}, "psi 0.7 in the first 8 layers"),
    ({"psi": 0.5, "cutoff": None}, "psi 0.5 in all layers"),
    ({"psi": None, "cutoff": 8},
     "its own system truncates only when told to, and then the first 8 layers"),
    ({"psi": 1.0, "cutoff": None},
     "its own system truncates only when told to, and then all layers"),
])  # fmt: skip
def test_the_own_truncation_notes_and_leftovers_are_told(truncation, text, tmp_path):
    notes = ["The borders are computed differently. " * 5, "Second note."]
    metadata = {"truncation": truncation, "notes": notes, "ignored": ["optimizer", "pl_mean"]}
    facts = told(saved(tmp_path / "m.safetensors", make_generator(), **metadata))
    assert text in facts["truncation"]
    assert facts["notes"] == f"{notes[0].strip()} {notes[1]}"
    assert facts["left aside"] == "optimizer, pl_mean"


def test_what_it_was_converted_from_is_told(shared, tmp_path):
    source = shared / "ada_skip_32.pkl"
    latentlab.save(latentlab.load(source), tmp_path / "m.safetensors")
    facts = told(tmp_path / "m.safetensors")
    digest = latentlab.load(source).sha256
    assert facts["converted"] == (
        f"from ada_skip_32.pkl: StyleGAN2 of stylegan2-ada-pytorch of SHA-256 {digest}"
    )
    assert facts["licence"].startswith("The weights come from ada_skip_32.pkl and remain under")


def test_bundled_models_are_told_in_a_few_lines():
    facts = told("builtin:digits-stylegan2")
    assert facts["licence"] == "MIT"
    assert facts["training"].startswith("config stylegan2-small, data (pictures 1498, ")
    assert "images 400000" in facts["training"]
    facts = told("builtin:digits-classifier")
    assert facts["classes"] == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9"
    assert "settings" not in facts


@pytest.mark.parametrize(("name", "container", "networks"), [
    ("ada_cond_32.pkl", "pickle", 3), ("ada_skip_32_state.safetensors", "safetensors", 2),
])  # fmt: skip
def test_official_checkpoints_are_told(name, container, networks, shared):
    facts = told(shared / name)
    assert facts["format"] == f"StyleGAN2 of stylegan2-ada-pytorch ({container})"
    assert facts["networks"].count("parameters") == networks
    assert "non-commercial" in facts["licence"]


# Foreign text and odd places.


def test_foreign_metadata_cannot_flood_or_steer_the_terminal(tmp_path):
    metadata = {
        "evil\x1b]0;title\x07": "x" * 9000, "notes": ["\x1b[2J" * 900, {"a": 1}],
        "ignored": [1, None, "\x9b31m"], "truncation": {"psi": "\x1b", "cutoff": [1]},
        "source": {"kind": "\x1b[0m" * 99, "file": ["\x08"] * 99, "sha256": None},
        "licence": "\x1b[1m" * 500, "deep": {"a": {"b": {"c": {"d": 1}}}}, "": "",
    }  # fmt: skip
    path = saved(tmp_path / "m.safetensors", make_generator(), **metadata)
    text = run(path).stdout
    assert all(c.isprintable() for c in text.replace("\n", ""))
    assert max(map(len, text.splitlines()[1:])) <= 80
    assert len(text) < 4000


@pytest.mark.parametrize("metadata", [
    {"truncation": 3, "notes": "no list", "ignored": {}, "source": "x", "licence": 5},
    {"truncation": {}, "notes": [], "ignored": [], "source": {}, "training": None},
])  # fmt: skip
def test_metadata_of_other_types_is_survived(metadata, tmp_path):
    path = saved(tmp_path / "m.safetensors", make_generator(), **metadata)
    assert told(path)["latents"] == "z 6, w 5 in 6 layers"


def test_r06_a_terminal_without_utf_8_is_served(tmp_path):
    path = saved(tmp_path / "caf\xe9.safetensors", make_generator(), licence="\xa9 me")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": str(ROOT)}
    for options, expected in ([], "caf\\xe9.safetensors\n"), (["--json"], '"\\u00a9 me"'):
        done = subprocess.run(
            [sys.executable, "-m", "cli", "info", str(path), *options],
            capture_output=True, text=True, env=environment, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert expected in done.stdout


def test_r01_a_closed_pipe_ends_quietly():
    command = f"{sys.executable} -m cli info builtin:digits-stylegan2; echo code=$? >&2"
    done = subprocess.run(
        [shutil.which("bash") or "bash", "-c", f"({command}) | true"],
        capture_output=True, text=True, cwd=ROOT, timeout=60, check=False,
    )  # fmt: skip
    assert re.fullmatch(r"code=(0|141)\n", done.stderr)


def test_a_file_that_does_not_open_is_one_line(tmp_path):
    (tmp_path / "x.pkl").write_text("hello, I am no checkpoint")
    done = run(tmp_path / "x.pkl")
    assert done.exit_code == 3
    assert done.stderr.count("\n") == 1


# Settings that a bare state dict does not hold.


@pytest.fixture
def state(tmp_path):
    torch.save(make_generator(conv_clamp=256.0).state_dict(), tmp_path / "state.pt")
    return tmp_path / "state.pt"


def test_what_a_state_dict_does_not_say_is_asked_for(state):
    result = run(state)
    assert result.exit_code == 3
    assert "mapping_lr_multiplier (" in result.stderr
    command = f"latentlab convert {state} OUT.safetensors --assume mapping_lr_multiplier=0.01"
    assert command in result.stderr


def test_what_is_assumed_is_told(state):
    result = run(state, "--assume", "mapping_lr_multiplier=0.01,conv_clamp=none", "--json")
    assert result.exit_code == 0, result.stderr
    facts = json.loads(result.stdout)
    assert facts["networks"]["G_ema"]["conv_clamp"] is None
    assert "mapping_lr_multiplier 0.01, conv_clamp none" in facts["metadata"]["notes"][0]


@pytest.mark.parametrize(("options", "words"), [
    (["--assume", "rate=0.01"], "--assume must be one of mapping_lr_multiplier, conv_clamp"),
    (["--assume", "mapping_lr_multiplier=fast"], "mapping_lr_multiplier must be a number above 0"),
    (["--assume", "mapping_lr_multiplier"], "'mapping_lr_multiplier' is not NAME=VALUE"),
    (["--assume", "=1"], "'=1' is not NAME=VALUE"),
    (["--assume", "a=1,a=2"], "a is given twice"),
    (["--assume", "a=1", "--assume", "a=1"], "a is given twice"),
])  # fmt: skip
def test_wrong_assumptions(options, words, state):
    result = run(state, *options)
    assert result.exit_code == 2
    assert words in result.stderr


def test_nothing_is_assumed_of_a_file_that_says_everything(tmp_path):
    latentlab.save(make_generator(), tmp_path / "g.safetensors")
    result = run(tmp_path / "g.safetensors", "--assume", "a=1")
    assert result.exit_code == 2
    assert "--assume must be left out" in result.stderr
