"""Every command that writes holds what it writes to, from before it looks until it ends."""

import pytest
from click.testing import CliRunner

from cli.main import main
from cli.running.folder_lock import LOCK
from latentlab.locks import locked
from tests.cli.reports import test_dry_run as dry_runs

FOLDERS = {name: arguments for name, (arguments, _) in dry_runs.RUNS.items()}
FOLDERS |= {"demo": [], "paste-back": ["{projections}"]}  # which have no dry run
FILES = {  # by command: the name of a file that it writes, and its arguments
    "card": ("card.md", [dry_runs.DIGITS, "{out}"]),
    "convert": ("model.safetensors", [dry_runs.DIGITS, "{out}"]),
    "convert-latents": ("w.npz", ["{projections}", "{out}"]),
    "train-classifier": ("digits.safetensors", ["{out}"]),
}
NOTHING = {"completion", "info"}  # is written by these: what they say is on stdout

things = dry_runs.things


def test_every_command_is_listed_here():
    assert FOLDERS.keys() | FILES.keys() | NOTHING == set(main.commands)
    with_output = {name for name, command in main.commands.items()
                   if {"output", "out"} & {each.name for each in command.params}}  # fmt: skip
    assert with_output == FOLDERS.keys() | FILES.keys()


def refusal(command, arguments, lock, out):
    """What a command says while another process holds the lock."""
    with locked(lock, out, elsewhere="", command="latentlab another"):
        before = sorted(out.parent.rglob("*"))
        done = CliRunner().invoke(main, [command, *arguments])
        assert sorted(out.parent.rglob("*")) == before
    assert done.exit_code == 6, (done.output, done.exception)
    (line,) = [line for line in done.stderr.splitlines() if "Error" in line]
    assert line.startswith(f"Error: {out}: another latentlab is writing there (process ")
    return line


@pytest.mark.parametrize("command", sorted(FOLDERS))
def test_j12_a_folder_that_another_process_writes_is_refused(
    command, things, tmp_path, monkeypatch
):
    # Weights of Inception are fetched before a folder is made.
    monkeypatch.setattr("cli.measuring.fidelity.digests_and_missing", lambda *_: ({}, []))
    out = tmp_path / "out"
    out.mkdir()
    arguments = [each.format(**things) for each in FOLDERS[command]]
    line = refusal(command, [*arguments, "-o", str(out)], out / LOCK, out)
    assert line.endswith(": latentlab another); wait for it, or give another --output")


@pytest.mark.parametrize("command", sorted(FILES))
def test_j12_a_file_that_another_process_writes_is_refused(command, things, tmp_path):
    name, arguments = FILES[command]
    out = tmp_path / name
    arguments = [each.format(out=out, **things) for each in arguments]
    line = refusal(command, arguments, tmp_path / f".{name}{LOCK}", out)
    assert ": latentlab another); wait for it, or give another OUT" in line
