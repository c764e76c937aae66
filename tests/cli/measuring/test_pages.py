"""Pages of commands: what stands at their top and their end, whatever the files are called."""

import json
import re
import shlex

import pytest
from click.testing import CliRunner

import latentlab
from cli.main import main
from tests.cli.reports.test_page import Reader

FEW = {"contributions": ("--samples", "4"), "droplets": ("--samples", "2")}


class Headings(Reader):
    """A page with the text of its title and headings, and of the words in its pictures."""

    def __init__(self, html):
        self.headings, self._within = [], False
        super().__init__(html)

    def handle_starttag(self, tag, attributes):
        super().handle_starttag(tag, attributes)
        self._within = tag in ("title", "h1", "h2", "h3")

    def handle_endtag(self, tag):
        self._within = False

    def handle_data(self, text):
        super().handle_data(text)
        if self._within:
            self.headings.append(text)


@pytest.fixture(scope="module", params=["model.safetensors", "a <b>'name' & more.safetensors"])
def named(small, tmp_path_factory, request):
    path = tmp_path_factory.mktemp("models") / request.param
    latentlab.save(small, path)
    return path


@pytest.mark.parametrize("command", FEW)
def test_a_page_names_files_and_not_folders_and_says_when_and_how(named, tmp_path, command):
    arguments = [command, str(named), *FEW[command], "--html", "--device", "cpu",
                 "-o", str(tmp_path / "out")]  # fmt: skip
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.stderr
    html = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    page = Headings(html)
    assert not any(str(named.parent) in text for text in page.headings)
    assert "b" not in page.tags
    if command == "droplets":
        assert f"Droplets of {named.name}" in "".join(page.headings)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert shlex.split(manifest["command"]) == ["latentlab", *arguments]
    assert manifest["command"] in "".join(page.text)
    (time,) = page.having("time")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", time["datetime"])
    assert abs(int(time["datetime"][11:13]) - int(manifest["date"][11:13])) in (0, 1, 23)


def test_models_of_one_file_name_are_told_apart_without_their_whole_paths(small, tmp_path):
    for folder in ("before", "after"):
        (tmp_path / folder).mkdir()
        latentlab.save(small, tmp_path / folder / "model.safetensors")
    models = [str(tmp_path / folder / "model.safetensors") for folder in ("before", "after")]
    done = CliRunner().invoke(main, ["compare", *models, "--metric", "droplets", "--samples",
                                     "droplets=2", "-o", str(tmp_path / "out")])  # fmt: skip
    assert done.exit_code == 0, done.stderr
    html = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    title = "before/model.safetensors and after/model.safetensors"
    assert f"<h1>{title}</h1>" in html
    assert f"<title>{title}</title>" in html
