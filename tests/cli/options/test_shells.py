"""The scripts for bash, zsh and fish, in the shells themselves where they are installed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.main import main
from cli.options.shells import Bash, Fish, Zsh

ROOT = Path(__file__).parents[3]
HEAVY = ("torch", "numpy", "pandas", "PIL")

# Lets bash complete a line as the Tab key does, and prints what it would put there.
ASK = """
eval "$(latentlab completion bash)"
compopt() { echo "option: $1 $2"; }
COMP_LINE=$1 COMP_POINT=${#1}
_latentlab_completion latentlab
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def program(tmp_path, monkeypatch):
    """A latentlab on PATH, and a folder to be in."""
    place = tmp_path / "bin"
    place.mkdir()
    (place / "latentlab").write_text(
        f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -W error -m cli "$@"\n'
    )
    (place / "latentlab").chmod(0o755)
    folder = tmp_path / "work"
    (folder / "my photos").mkdir(parents=True)
    (folder / "my photos" / "anna (1).jpg").touch()
    (folder / "a:b.pkl").touch()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATH", f"{place}{os.pathsep}{os.environ['PATH']}")
    return place / "latentlab"


def in_bash(line):
    done = subprocess.run(["bash", "--norc", "-c", ASK, "bash", line], capture_output=True,
                          text=True, timeout=60, check=True)  # fmt: skip
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(("line", "replies"), [
    ("latentlab sep", ["separability"]),
    ("latentlab ppl b", ["builtin:digits-stylegan1", "builtin:digits-stylegan2"]),
    # Bash has cut after the colon or the equals sign, and replaces what follows.
    ("latentlab ppl builtin:digits-", ["digits-stylegan1", "digits-stylegan2"]),
    ("latentlab ppl m --distance builtin:", ["digits"]),
    ("latentlab ppl m --distance=builtin:d", ["digits"]),
    ("latentlab ppl m --distance=lpips-a", ["lpips-alex"]),
    ("latentlab compare a b --samples ppl=5,co", ["5,contributions=", "option: -o nospace"]),
    ("latentlab ppl a:", ["b.pkl"]),
    ("latentlab ppl 'a:", ["a:b.pkl"]),
    # Quoted as bash reads it.
    ("latentlab project m my", [r"my\ photos/", "option: -o nospace"]),
    (r"latentlab project m my\ photos/", [r"my\ photos/anna\ \(1\).jpg"]),
    ('latentlab project m "my photos/a', ["my photos/anna (1).jpg"]),
    ("latentlab frob x", [""]),
    ("latentlab ppl 'unfinished", [""]),
])  # fmt: skip
def test_bash_completes(line, replies, program):
    assert sorted(in_bash(line)) == sorted(replies)


def ask(shell, program, words, current):
    """What the program answers a shell that sends its words."""
    environment = {**os.environ, "_LATENTLAB_COMPLETE": f"{shell}_complete", "COMP_WORDS": words,
                   "COMP_CWORD": current}  # fmt: skip
    return subprocess.run([program], env=environment, capture_output=True, text=True, timeout=60,
                          check=True)  # fmt: skip


@pytest.mark.parametrize("shell", ["zsh", "fish"])
@pytest.mark.parametrize(("words", "replies"), [
    ("ppl builtin:digits-s", ["builtin:digits-stylegan1", "builtin:digits-stylegan2"]),
    ("ppl m --distance=lpips-a", ["--distance=lpips-alex"]),
    ("project m 'my photos/'", ["my photos/anna (1).jpg"]),
])  # fmt: skip
def test_zsh_and_fish_get_whole_words(shell, words, replies, program):
    current = str(words.count(" ") - words.count("'") // 2 + 1)
    if shell == "fish":
        current = words.rpartition(" ")[2] if "'" not in words else "'my photos/'"
    done = ask(shell, program, f"latentlab {words}", current)
    assert done.stdout.splitlines() == replies
    assert done.stderr == ""


@pytest.mark.parametrize(("shell", "line"), [
    ("zsh", "latentlab ppl builtin:digits-stylegan1 --dist"), ("fish", "latentlab ppl m --dist"),
])  # fmt: skip
@pytest.mark.slow
def test_the_shell_itself_reads_its_script(shell, line, program):
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    text = subprocess.run([program, "completion", shell], capture_output=True, text=True,
                          timeout=60, check=True).stdout  # fmt: skip
    if shell == "fish":
        text += f"\ncomplete -C '{line}'\n"
        done = subprocess.run(["fish", "-c", text], capture_output=True, text=True, check=True,
                              timeout=60)  # fmt: skip
        assert "--distance" in done.stdout
    else:
        subprocess.run(["zsh", "-n", "-c", text], check=True, timeout=60)


def test_completion_imports_nothing_heavy(tmp_path):
    code = f"""
import atexit, sys
atexit.register(lambda: print("imported:", *sorted({set(HEAVY)!r} & set(sys.modules))))
from cli.main import main
main(prog_name="latentlab")
"""
    environment = {**os.environ, "_LATENTLAB_COMPLETE": "bash_complete", "PYTHONPATH": str(ROOT),
                   "COMP_LINE": "latentlab generate builtin:digits-stylegan2 --class "}  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True,
                          text=True, cwd=tmp_path, timeout=60, check=True)  # fmt: skip
    assert done.stdout.strip().splitlines()[-1] == "imported:"


@pytest.mark.parametrize("kind", [Bash, Zsh, Fish])
def test_the_command_prints_the_script(kind):
    done = CliRunner().invoke(main, ["completion", kind.name])
    assert (done.exit_code, done.stderr) == (0, "")
    assert f"_LATENTLAB_COMPLETE={kind.name}_complete" in done.stdout
    assert "%(" not in done.stdout


def test_another_shell_is_refused():
    done = CliRunner().invoke(main, ["completion", "tcsh"])
    assert done.exit_code == 2
    assert "bash" in done.stderr
