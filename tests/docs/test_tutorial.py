"""The tutorial, command by command, as a new user gives them."""

import shlex
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image

from cli.main import main
from latentlab import load_classifier
from latentlab.images import load_image
from tests.support.documentation import ROOT, latentlab_words, shell_lines

LINES = shell_lines("docs/tutorial.md")
# What the checks below do not depend on is done less often than a reader does it.
FEWER = {
    ("project", "300"): "40",
    ("directions", "2k"): "600",
    ("ppl", "1k"): "60",
    ("separability", "2k"): "300",
    ("compare", "ppl=1k,separability=2k,contributions=64,droplets=64"):
        "ppl=60,separability=300,contributions=8,droplets=8",
}  # fmt: skip
INSTALLATION = [line for line in LINES if latentlab_words(line) is None]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder in which all commands of latentlab were given, one after the other."""
    folder, left = tmp_path_factory.mktemp("tutorial"), dict(FEWER)
    (folder / "docs").symlink_to(ROOT / "docs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for words in filter(None, map(latentlab_words, LINES)):
            fewer = [FEWER.get((words[0], word), word) for word in words]
            left = {key: None for key in left if key not in {(words[0], word) for word in words}}
            given = CliRunner().invoke(main, fewer)
            assert given.exit_code == 0, f"{shlex.join(words)}\n{given.output}"
    assert not left, "the tutorial has other numbers now"
    return folder / "tutorial"


def test_the_pictures_are_what_the_text_says(done):
    classifier = load_classifier("builtin:digits-classifier")

    def read(path: Path) -> int:
        return int(classifier(load_image(path, 32)[None]).argmax())

    assert read(done / "two" / "projected.png") == 2
    frames = sorted((done / "edit" / "two" / "7").glob("*.png"))
    assert len(frames) == 6
    assert read(frames[-1]) == 7


def test_the_edits_are_back_in_the_photo(done):
    pasted = sorted((done / "pasted").glob("*.png"))
    assert len(pasted) == 6
    photo = np.asarray(Image.open(ROOT / "docs" / "desk.jpg").convert("RGB"))
    for path in pasted:
        changed = (np.asarray(Image.open(path).convert("RGB")) != photo).any(axis=2)
        y, x = np.nonzero(changed)
        assert changed.any()
        assert (np.hypot(x - 390, y - 230) < 180 / np.sqrt(2) + 1).all()


def test_the_pages_and_tables_are_there(done):
    for name in ("paths-1", "paths-2", "planes", "paths", "comparison"):
        assert (done / name / "report.html").is_file()
        assert (done / name / "report.csv").is_file()
    one, two = (pd.read_csv(done / f"paths-{i}" / "report.csv")["value"][0] for i in (1, 2))
    row = pd.read_csv(done / "paths" / "differences.csv").iloc[0]
    assert (row["value_a"], row["value_b"]) == (one, two)


@pytest.mark.slow
def test_the_installation_leads_to_a_command(tmp_path):
    """Downloads PyTorch, where pip has not kept it."""
    copy = tmp_path / "copy"
    subprocess.run(["git", "clone", "--quiet", ROOT, copy], check=True)
    script = "set -e\n" + "\n".join([*INSTALLATION, "latentlab --version"])
    subprocess.run(["bash", "-c", script], cwd=copy, check=True, timeout=3000)
