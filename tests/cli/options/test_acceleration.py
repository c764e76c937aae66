"""--compile and --precision, as the commands that have them heed them."""

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from cli.main import main
from latentlab import acceleration

DIGITS = "builtin:digits-stylegan2"
NEAR = ["--distance", "builtin:digits"]


@pytest.fixture
def compilations(monkeypatch):
    """Have torch.compile leave functions as they are, and count them."""
    found = []

    def keep(function, dynamic):
        found.append(function)
        return function

    monkeypatch.setattr(torch, "compile", keep)
    return found


def run(*arguments):
    done = CliRunner().invoke(main, [*map(str, arguments)])
    assert done.exit_code == 0, done.output
    return done


def test_the_choices_are_those_of_the_library():
    (option,) = (each for each in main.commands["generate"].params if each.name == "precision")
    assert tuple(option.type.choices) == acceleration.PRECISIONS


def test_pictures_are_previews_in_16_bits(tmp_path):
    for precision in acceleration.PRECISIONS:
        run("generate", DIGITS, "--seeds", "1", "--precision", precision, "-o",
            tmp_path / precision)  # fmt: skip
    exact, *near = (
        np.asarray(Image.open(tmp_path / precision / "seed0001.png")).astype(int)
        for precision in acceleration.PRECISIONS
    )
    # Measured: 4 and 1 levels.
    for picture, most in zip(near, (12, 3), strict=True):
        assert abs(picture - exact).max() <= most


@pytest.mark.parametrize(("cost", "told"), [(1.83, True), (0.5, False)])
def test_a_processor_that_is_slower_in_16_bits_is_told(cost, told, monkeypatch, tmp_path):
    monkeypatch.setattr(acceleration, "cost_of", lambda _: cost)
    done = run("generate", DIGITS, "--seeds", "1", "--precision", "float16", "-o", tmp_path)
    line = ("float16 is slower than float32 on this processor: a convolution takes 1.8 times as "
            "long.")  # fmt: skip
    assert (line in done.stderr) is told


def test_what_they_change_is_in_the_settings_and_a_dry_run_compiles_nothing(
    compilations, monkeypatch, tmp_path
):
    monkeypatch.setattr(acceleration, "cost_of", lambda _: 1.0)
    picture = tmp_path / "face.png"
    Image.new("RGB", (32, 32), "gray").save(picture)
    both = {"compiled": True, "precision": "bfloat16"}
    for arguments, expected in (
        (["generate", DIGITS, "--seeds", "1"], both),
        (["project", DIGITS, picture, *NEAR], both),
        (["ppl", DIGITS, *NEAR], {"compiled": True}),
        (["separability", DIGITS, "--classifier", "builtin:digits-classifier"],
         {"compiled": True}),
    ):  # fmt: skip
        options = ["--compile", *(["--precision", "bfloat16"] if len(expected) > 1 else [])]
        done = run(*arguments, "--dry-run", "--json", "-o", tmp_path / "out")
        assert not set(both) & set(json.loads(done.stdout))
        done = run(*arguments, *options, "--dry-run", "--json", "-o", tmp_path / "out")
        facts = json.loads(done.stdout)
        assert {name: facts.get(name) for name in expected} == expected
    assert compilations == []


def test_path_lengths_are_measured_by_compiled_networks(compilations, tmp_path):
    arguments = ["ppl", DIGITS, *NEAR, "--samples", "8"]
    run(*arguments, "--compile", "-o", tmp_path)
    assert len(compilations) == 2  # generator and distance
    report = (tmp_path / "report.csv").read_text()
    assert '""compiled"": true' in report
    # It is another measurement than without.
    done = CliRunner().invoke(main, [*arguments, "-o", str(tmp_path)])
    assert done.exit_code != 0
    assert "holds another measurement" in done.stderr


def test_a_projection_ends_in_float32(compilations, monkeypatch, tmp_path):
    monkeypatch.setattr(acceleration, "cost_of", lambda _: 1.0)
    picture, out = tmp_path / "face.png", tmp_path / "out"
    Image.new("RGB", (32, 32), "gray").save(picture)
    run("project", DIGITS, picture, *NEAR, "--steps", "4", "--precision", "float16", "--compile",
        "-o", out)  # fmt: skip
    assert len(compilations) == 2
    facts = json.loads((out / "projection.json").read_text())
    assert "float16" in json.dumps(facts)
    run("generate", DIGITS, "--projected-w", out, "-o", tmp_path / "again")
    again = next(path for path in (tmp_path / "again").glob("*.png") if path.name != "grid.png")
    assert np.array_equal(Image.open(again), Image.open(out / "projected.png"))


def test_networks_whose_layers_are_not_known_to_bear_it_are_refused(tmp_path):
    done = CliRunner().invoke(main, [
        "generate", "builtin:digits-stylegan1", "--seeds", "0", "--precision", "bfloat16", "-o",
        str(tmp_path),
    ])  # fmt: skip
    assert done.exit_code == 2
    assert done.stderr.endswith("only StyleGAN2's layers are known to bear 16 bits; --precision "
                                "float32 is for all\n")  # fmt: skip
