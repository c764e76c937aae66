import json
import shlex

import click
from click.testing import CliRunner

from cli.main import main
from cli.running.invocation import current_command, remember_command
from latentlab import Generator
from latentlab.checkpoints import save


def test_the_command_is_quoted_as_a_shell_takes_it():
    arguments = ["mix", "two words.pkl", "it's", "$HOME;rm", "-o", "x"]
    with click.Context(click.Command("c")) as ctx:
        remember_command(ctx, arguments)
        assert shlex.split(current_command()) == ["latentlab", *arguments]


def test_a_name_that_is_not_text_can_be_written():
    with click.Context(click.Command("c")) as ctx:
        remember_command(ctx, ["a\udcff.png"])
        assert current_command() == r"latentlab 'a\xff.png'"


def test_nothing_is_known_outside_a_command():
    assert current_command() is None


def test_a_command_of_the_group_is_in_its_manifest(small: Generator, tmp_path):
    save(small, tmp_path / "a model.safetensors")
    arguments = ["mix", str(tmp_path / "a model.safetensors"), "--rows", "1", "--cols", "2,3",
                 "-o", str(tmp_path / "out"), "--device", "cpu"]  # fmt: skip
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.stderr
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert shlex.split(manifest["command"]) == ["latentlab", *arguments]
