"""The README's example runs, and the files it shows are there."""

import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_python_examples_run_one_after_the_other(tmp_path, monkeypatch):
    code = "\n".join(re.findall(r"```python\n(.*?)```", README, re.DOTALL))
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(code.replace("steps=300", "steps=20").replace("num_samples=1000", "num_samples=8"), names)
    assert names["r"].ci_low < names["r"].value < names["r"].ci_high
    with Image.open("projected.png") as picture:
        assert picture.size == (32, 32)


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", *sorted(
    path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md")
)])  # fmt: skip
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not ((ROOT / page).parent / link).exists()] == []
