"""Every command that the documentation shows can be given as it stands."""

import re

import pytest
from click.testing import CliRunner

from cli.main import main
from latentlab.downloads import is_address
from tests.cli.conftest import AS_IN_GROUP
from tests.support.documentation import (
    PAGES,
    examples_in_help,
    latentlab_words,
    shell_lines,
    text_of,
)

TUTORIAL = "docs/tutorial.md"  # which a test of its own runs
SHOWN = dict.fromkeys(
    tuple(words) for page in PAGES if page != TUTORIAL for line in shell_lines(page)
    if (words := latentlab_words(line)) is not None
) | dict.fromkeys(tuple(words) for _, words in examples_in_help())  # fmt: skip
# For networks larger than those of the desk, whose layers end at 7.
LARGE = {"fine", "8-17"}
# What the documentation calls by a name that is another file on the desk: the bundled models have
# no discriminator, which --from needs.
STAND_INS = {"train": {"ffhq.pkl": "trained.pkl"}}
# Without a dry run of their own, or of folders that are not on the desk; the tests of these
# commands, and of the tutorial, run them.
NOT_DRY = (
    "info",
    "card",
    "convert",
    "convert-latents",
    "paste-back",
    "train-classifier",
    "completion",
)
OPTIONS = {name for command in main.commands.values() for param in command.params
           for name in (*param.opts, *param.secondary_opts)}  # fmt: skip


@pytest.mark.parametrize("words", SHOWN, ids=" ".join)
def test_a_documented_command_is_accepted(words, desk, tmp_path, monkeypatch):
    monkeypatch.chdir(desk)
    name, *arguments = words
    if name in NOT_DRY or LARGE & set(words):
        main.commands[name].make_context(name, arguments, **AS_IN_GROUP)
        return
    command = main.commands[name]
    arguments = [STAND_INS.get(name, {}).get(word, word) for word in arguments]
    # Nor can what is on the network.
    arguments = ["ffhq.pkl" if is_address(word) else word for word in arguments]
    # LPIPS's backbone cannot be fetched.
    if any("--distance" in param.opts for param in command.params) and "--distance" not in words:
        arguments += ["--distance", "vgg16.pt"]
    arguments[arguments.index("-o") + 1] = str(tmp_path / "new")
    done = CliRunner().invoke(main, [name, *arguments, "--dry-run"])
    assert done.exit_code == 0, done.stderr
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("page", PAGES)
def test_options_in_the_text_exist(page):
    named = set(re.findall(r"`(--[a-z][a-z0-9-]*)", text_of(page)))
    others = {"--help", "--version", "--nproc-per-node", "--gpus"}  # of every command, of others
    assert named - OPTIONS - others == set()
