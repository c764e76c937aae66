"""--trust: files that are programs run where the command line says so, and nowhere else."""

from types import SimpleNamespace

import click
import pytest
import torch
from click.testing import CliRunner

import latentlab
from cli.inversions.networks import _distances
from cli.main import main
from cli.measuring.fidelity import digests_and_missing
from cli.trust import keep_trust, trusted
from latentlab import UnsafeCheckpoint
from tests.support.scripted import Brightness, Pixels, as_torchscript

TAKES_A_PROGRAM = {"distance", "classifiers", "identity", "vgg_weights"}  # parameters
MODEL = "builtin:digits-stylegan2"


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("programs")
    as_torchscript(Pixels(), folder / "pixels.pt")
    as_torchscript(Brightness(), folder / "judge.pt")
    return folder


@pytest.fixture
def no_programs(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a program was run")

    monkeypatch.setattr(torch.jit, "load", refuse)


def test_every_command_that_takes_a_program_asks():
    parameters = {name: {each.name for each in command.params}
                  for name, command in main.commands.items()}  # fmt: skip
    takes = {name for name, own in parameters.items() if own & TAKES_A_PROGRAM}
    assert {name for name, own in parameters.items() if "trust" in own} == takes
    assert takes >= {"ppl", "project", "separability", "inversion-report", "fidelity", "tune"}


@pytest.mark.parametrize(("command", "way_out"), [
    (("ppl", MODEL, "--distance", "pixels.pt", "--samples", "4"), "give LPIPS as data"),
    (("separability", MODEL, "--classifier", "judge.pt", "--samples", "40"), "give a checkpoint"),
    (("project", MODEL, "digit.png", "--distance", "builtin:digits", "--identity", "pixels.pt"),
     "leave --identity out"),
])  # fmt: skip
@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_a_program_is_refused_in_a_line_that_says_both_ways_out(
    command, way_out, more, programs, tmp_path, no_programs
):
    places = {"pixels.pt": str(programs / "pixels.pt"), "judge.pt": str(programs / "judge.pt"),
              "digit.png": "docs/digit.png"}  # fmt: skip
    words = [places.get(word, word) for word in command]
    done = CliRunner().invoke(main, [*words, "--device", "cpu", "-o", str(tmp_path / "o"), *more])
    assert done.exit_code == 3, done.output
    line = done.stderr.splitlines()[-1]
    for words in ("a TorchScript file, which is a program", "was not run", "--trust", way_out):
        assert words in line
    assert not (tmp_path / "o").exists()


def test_features_of_a_program_are_refused_as_well(programs, no_programs):
    pytest.importorskip("torch_fidelity")
    with pytest.raises(UnsafeCheckpoint, match="vgg_weights"):
        digests_and_missing(("prc",), None, programs / "pixels.pt", fetch=True)


def test_a_distance_that_a_folder_names_is_never_run(programs, no_programs):
    """Whoever sends a folder of results does not choose what runs here."""
    found, left_out = [SimpleNamespace(distances=[str(programs / "pixels.pt")])], []
    with click.Context(click.Command("inversion-report")) as context:
        keep_trust(context, None, True)
        assert trusted()
        opened = _distances((), found, 32, "cpu", left_out)
    assert "pixels.pt" not in [each.name for each in opened]
    assert any("was not run" in line for line in left_out)


def test_nothing_is_trusted_where_no_command_runs():
    assert not trusted()


def test_python_says_what_it_trusts(programs):
    assert latentlab.load_classifier(programs / "judge.pt") is not None
    for opens, name in ((latentlab.load_classifier, "judge.pt"),
                        (latentlab.perceptual_distance, "pixels.pt"),
                        (latentlab.identity.FaceIdentity, "pixels.pt")):  # fmt: skip
        with pytest.raises(UnsafeCheckpoint, match="give `trust`"):
            opens(programs / name, trust=False)
