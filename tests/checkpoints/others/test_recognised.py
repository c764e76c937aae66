"""Files from public reports that are no checkpoint, through the library and the command line."""

import pytest
from click.testing import CliRunner

from cli.main import main

REPORTS = {
    "html_page.pkl": ["HTML page", "Google Drive - Virus scan warning", "gdown"],
    "lfs_pointer.pkl": ["Git-LFS pointer", "381,624,121 bytes", "git lfs pull"],
    "latents_18x512.npy": ["numpy"],
    "latents_dlatents.npz": ["npz"],
}


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize(
    "command", [["info"], ["generate", "--seeds", "0", "--output", "OUT"]], ids=str
)
def test_the_command_line_names_them(name, command, shared, tmp_path):
    words = [str(tmp_path / "out") if word == "OUT" else word for word in command]
    found = CliRunner().invoke(main, [words[0], str(shared / "reports" / name), *words[1:]])
    assert found.exit_code == 3, found.output
    assert [word for word in REPORTS[name] if word not in found.output] == [], found.output
    assert not (tmp_path / "out").exists()


def test_the_command_line_opens_what_is_compressed(shared):
    found = CliRunner().invoke(main, ["info", str(shared / "reports" / "gzipped.pkl")])
    assert found.exit_code == 0, found.output
    assert "gzipped.pkl" in found.output


@pytest.mark.parametrize("what", ["empty", "folder"])
def test_what_is_there_and_no_file_of_weights(what, tmp_path):
    path = tmp_path / "x.pkl"
    path.mkdir() if what == "folder" else path.touch()
    found = CliRunner().invoke(main, ["info", str(path)])
    assert found.exit_code == 3, found.output
    assert what in found.output
