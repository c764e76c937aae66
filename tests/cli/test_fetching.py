"""Addresses of the network in place of a checkpoint's file."""

import pytest
import torch
from click.testing import CliRunner

from cli.main import main
from latentlab.downloads import fetched, public_names
from latentlab.models import builtin_path
from tests.cli.options.test_completion import offered
from tests.support.file_server import serving


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server with two bundled models, and a cache of its own."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    names = ("digits-stylegan2", "digits-classifier")
    with serving({
        f"/{name}.safetensors": builtin_path(f"builtin:{name}").read_bytes() for name in names
    }) as server:  # fmt: skip
        yield server


@pytest.fixture
def model(server):
    return f"{server.url}/digits-stylegan2.safetensors"


def run(*words):
    return CliRunner().invoke(main, [*map(str, words)])


def test_it_is_fetched_once_and_its_digest_shown(server, model):
    first, second = run("info", model), run("info", model)
    assert first.exit_code == second.exit_code == 0, first.stderr
    file = fetched(model)
    assert f"Saved {file} (" in first.stderr
    assert "SHA-256 " in first.stderr
    assert "Fetching" not in second.stderr
    assert first.stdout == second.stdout
    assert len(server.asked) == 1


def test_pictures_are_those_of_the_file(model, tmp_path):
    done = run("generate", model, "--seeds", 1, "-o", tmp_path / "out")
    assert done.exit_code == 0, done.stderr
    same = run("generate", "builtin:digits-stylegan2", "--seeds", 1, "-o", tmp_path / "same")
    assert same.exit_code == 0
    pictures = [(tmp_path / folder / "seed0001.png").read_bytes() for folder in ("out", "same")]
    assert pictures[0] == pictures[1]


def test_a_report_names_the_model_by_its_file(model, tmp_path):
    done = run("droplets", model, "--samples", 2, "-o", tmp_path / "out")
    assert done.exit_code == 0, done.stderr
    report = (tmp_path / "out" / "report.csv").read_text()
    assert "\ndigits-stylegan2.safetensors," in report


def test_a_classifier_may_be_one_too(server, tmp_path):
    done = run(
        "separability", "builtin:digits-stylegan2", "--classifier",
        f"{server.url}/digits-classifier.safetensors", "--samples", 200, "--keep", 100,
        "-o", tmp_path / "out",
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    assert (tmp_path / "out" / "report.csv").is_file()


def test_a_dry_run_fetches_nothing(server, model, tmp_path):
    done = run("generate", model, "--seeds", 1, "-o", tmp_path / "out", "--dry-run")
    assert done.exit_code == 3
    assert f"`latentlab info {model}` fetches it" in done.stderr
    assert server.asked == []
    assert run("info", model).exit_code == 0
    done = run("generate", model, "--seeds", 1, "-o", tmp_path / "out", "--dry-run")
    assert done.exit_code == 0, done.stderr


@pytest.mark.parametrize(
    ("name", "code", "says"),
    [
        ("ngc:nothing", 2, "no such public name"),
        ("hf://owner", 2, "hf://owner/repo/file"),
        ("gdrive://x", 2, "is not fetched"),
    ],
)
def test_what_is_no_address_is_one_line(name, code, says):
    done = run("info", name)
    assert done.exit_code == code
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_names_are_completed():
    assert offered("info ng") == ["ngc:"]
    found = offered("info ngc:stylegan2-ffhq-")
    assert found == [name for name in public_names() if name.startswith("ngc:stylegan2-ffhq-")]
