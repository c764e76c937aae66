"""`project --html`: a folder of projections as one page."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cli.pictures.plan import Job, Layout, PicturePlan
from cli.pictures.report import Outcome
from cli.projecting.overview import Shown, write_overview
from cli.projecting.report import ProjectionReport
from cli.projecting.run import in_hand
from cli.running.progress import ProgressBar
from latentlab.files import sha256_of
from tests.cli.commands.test_project import check_refused, project, projected, rows
from tests.cli.projecting.test_project_folders import counted_calls, draw  # noqa: F401


@pytest.fixture
def photos(tmp_path):
    return draw(tmp_path / "photos", "c", "a", "b", "<i>d")


class Reader(HTMLParser):
    """The groups of a page's gallery: title, link, sources, text; and all of its text."""

    def __init__(self, path):
        super().__init__()
        self.groups, self.sources, self.text, self._place = [], [], [], None
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        if found.get("class") == "shots":
            self.groups.append({"alts": [], "text": []})
        if tag == "img":
            self.sources.append(found["src"])
            if self.groups and "link" not in self.groups[-1]:
                self.groups[-1]["alts"].append(found["alt"])
        if tag == "a" and self.groups and "link" not in self.groups[-1]:
            self.groups[-1]["link"] = found["href"]

    def handle_data(self, text):
        self.text.append(text)
        if self.groups and "link" in self.groups[-1]:
            self.groups[-1]["text"].append(text)


def test_the_page_shows_the_folder_the_worst_first(model, photos, tmp_path):
    out = tmp_path / "out"
    (photos / "bad.png").write_bytes(b"no picture")
    assert project(model, photos, "--html", "-o", out).exit_code == 4
    page = Reader(out / "report.html")
    text = "".join(page.text)
    report = pd.read_csv(out / "report.csv")
    done = report[report["status"] == "ok"].sort_values("distance", ascending=False)
    names = [path.rsplit("/", 1)[-1].removesuffix(".png") for path in done["picture"]]
    assert [group["text"][0] for group in page.groups] == names
    for group, (_, row) in zip(page.groups, done.iterrows(), strict=True):
        assert group["alts"] == ["target", "projection"]
        words = f"distance {row['distance']:.3g}, PSNR {row['psnr']:.1f} dB"
        assert any(words in line for line in group["text"])
        assert (out / group["link"].replace("%3C", "<").replace("%3E", ">")).is_file()
    assert all(source.startswith("data:image/") for source in page.sources)
    assert "4 of 5 pictures projected; 1 refused" in text
    assert text.count("bad.png") == 1, "the reason stands beside the name"
    assert "not a picture" in text
    assert "Pictures, the worst first" in text
    assert "builtin:digits" in text
    assert str(tmp_path) not in page.text[0], "no path in the title"
    listed = json.loads((out / "manifest.json").read_text())["files"]
    assert {"report.html", "distributions.png"} <= set(listed)


def test_it_is_drawn_later_without_projecting_again(model, photos, tmp_path, counted_calls):  # noqa: F811
    out = tmp_path / "out"
    projected(model, photos, "-o", out)
    before = {path: path.read_bytes() for path in out.rglob("*.*") if path.is_file()}
    assert not (out / "report.html").exists()
    projected(model, photos, "--html", "-o", out)
    assert counted_calls.calls == 4
    assert len(Reader(out / "report.html").groups) == 4
    del before[out / "manifest.json"]
    assert all(path.read_bytes() == content for path, content in before.items())


def test_an_older_page_grows_with_its_folder_and_is_not_touched_otherwise(model, photos, tmp_path):
    out = tmp_path / "out"
    projected(model, photos, "--html", "-o", out)
    files = {path: path.read_bytes() for path in out.rglob("*.*") if path.is_file()}
    for options in ([], ["--html"]):
        said = projected(model, photos, *options, "-o", out).stderr
        assert {path: path.read_bytes() for path in out.rglob("*.*") if path.is_file()} == files
        assert said.splitlines()[-1] == f"Open {out / 'report.html'}"
    projected(model, draw(photos, "new"), "-o", out)
    assert len(Reader(out / "report.html").groups) == 5, "it must not show less than there is"


@pytest.mark.parametrize("spoil", [Path.unlink, lambda page: page.write_text("mine")])
def test_a_page_that_has_gone_or_changed_is_drawn_again(model, photos, tmp_path, spoil):
    out = tmp_path / "out"
    projected(model, photos, "--html", "-o", out)
    spoil(out / "report.html")
    projected(model, photos, "--html", "-o", out)
    assert len(Reader(out / "report.html").groups) == 4
    listed = json.loads((out / "manifest.json").read_text())["files"]["report.html"]
    assert listed == sha256_of(out / "report.html")


def test_a_single_picture_and_a_mask(model, photos, tmp_path):
    out = tmp_path / "out"
    mask = np.zeros((40, 32), np.uint8)
    mask[:20] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    projected(model, photos / "a.png", "--mask", tmp_path / "mask.png", "--html", "-o", out)
    page = Reader(out / "report.html")
    (group,) = page.groups
    assert group["alts"] == ["target", "projection", "mask"]
    assert "worst" not in "".join(page.text)
    assert (group["text"][0], group["link"]) == ("a", "comparison.png")
    (row,) = rows(out / "report.csv")
    within = f"in the mask: distance {float(row['mask_distance']):.3g}"
    assert any(line.startswith(within) for line in group["text"])
    assert not (out / "distributions.png").exists(), "one value has no distribution"


def test_a_foreign_page_is_kept(model, photos, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "report.html").write_text("mine")
    message = check_refused(6, model, photos, "--html", "-o", tmp_path / "out")
    assert "report.html exists" in message


def shown(folder, count, masked=False, side=32):
    """Pictures of which the n-th has the distance n; all have the same files."""
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    for name in ("target.png", "projected.png"):
        Image.fromarray(noise).save(folder / name)
    numbers = [
        {"picture": f"{i}.png", "status": "ok", "note": "", "distance": float(i), "psnr": 20.0 + i,
         "mask_distance": float(count - i) if masked else None,
         "mask_psnr": None, "ssim": None}
        for i in range(count)
    ]  # fmt: skip
    return [Shown(str(i), folder, row) for i, row in enumerate(numbers)]


def test_thousands_of_pictures_make_a_page_of_the_worst(tmp_path):
    pictures = shown(tmp_path / "x", 3000, side=160)
    refused = [{"picture": f"bad{i}.png", "status": "refused", "note": "why"} for i in range(500)]
    every = [*(picture.row for picture in pictures), *refused]
    files = write_overview(tmp_path, pictures, every, {"checkpoint": "/a/b/model.pkl"})
    assert [file.name for file in files] == ["report.html", "distributions.png"]
    assert files[0].stat().st_size < 12e6
    page = Reader(files[0])
    text = " ".join("".join(page.text).split())
    assert [group["text"][0] for group in page.groups] == [str(i) for i in range(2999, 2799, -1)]
    assert "200 worst of 3,000; the 2,800 closer ones are left out" in text
    assert "300 more are in report.csv" in text
    assert "3,000 of 3,500 pictures projected; 500 refused" in text
    assert "Projections with model.pkl" in text
    assert "/a/b" not in text.split("How it was projected")[0]


def test_with_masks_the_order_is_that_within_them(tmp_path):
    pictures = shown(tmp_path / "x", 5, masked=True)
    every = [picture.row for picture in pictures]
    write_overview(tmp_path, pictures, every, {"checkpoint": "m"})
    assert [group["text"][0] for group in Reader(tmp_path / "report.html").groups] == list("01234")


def test_pictures_that_have_gone_and_equal_numbers_stop_nothing(tmp_path):
    pictures = shown(tmp_path / "x", 4)
    for picture in pictures:
        picture.row.update(distance=1.0, psnr=None, status="diverged", note="became NaN")
    (tmp_path / "x" / "projected.png").write_bytes(b"")
    (tmp_path / "x" / "target.png").unlink()
    every = [picture.row for picture in pictures]
    write_overview(tmp_path, pictures, every, {"checkpoint": "m"})
    text = "".join(Reader(tmp_path / "report.html").text)
    assert "0 of 4 pictures projected; 4 diverged" in text
    assert "equal pixels" in text
    assert text.count("projected.png: ") == 4


def test_the_rows_of_earlier_versions_get_todays_names(tmp_path):
    layout = Layout(tmp_path, ["report.csv", "manifest.json"], "*/x", ["*/y"], [])
    report = ProjectionReport(PicturePlan(layout, [], {}), {}, {}, "latents.safetensors", False)
    row = {"distance": 1.0, "whole_distance": 2.0, "start_distance": 3.0,
           "mean_image_distance": 4.0, "psnr": 5.0, "mask": "mask.png"}  # fmt: skip
    plain = row | {"distance": 2.0, "mask": None}
    for number, each in enumerate((row, plain)):
        report.add(Outcome(str(number), each))
    first, second = report.rows
    assert (first["distance"], first["mask_distance"], first["psnr"]) == (2.0, 1.0, 5.0)
    assert (first["mask_start_distance"], first["start_distance"]) == (3.0, None)
    assert (second["distance"], second["start_distance"]) == (2.0, 3.0)
    assert "whole_distance" not in first
    assert "mask_distance" not in second


# The bar.


@pytest.mark.parametrize(
    ("numbers", "words"), [([2], "picture 3 of 40"), (range(8, 16), "pictures 9-16 of 40")]
)
def test_the_bar_says_which_pictures_are_in_hand(tmp_path, numbers, words):
    jobs = [Job(tmp_path / f"{i}.png", str(i)) for i in range(40)]
    layout = Layout(tmp_path, ["report.csv"], "*/x", ["*/y"], [])
    assert in_hand(PicturePlan(layout, jobs, {}), [jobs[i] for i in numbers]) == words


def test_the_bar_over_several_processes(tmp_path, monkeypatch):
    photos = draw(tmp_path / "photos", *"abcd")
    labels = []

    def at_once(begin, arguments, pieces, count, on_step):
        """Compute here what processes would."""
        compute = begin(*arguments, on_step)
        for piece in pieces:
            yield from compute(piece)

    monkeypatch.setattr("cli.projecting.spread.spread", at_once)
    monkeypatch.setattr("cli.projecting.spread.processes_for", lambda *_: 2)
    monkeypatch.setattr(ProgressBar, "rename", lambda _, label: labels.append(label))
    projected("builtin:digits-stylegan2", photos, "--device", "cpu", "-o", tmp_path / "out")
    assert labels[0] == "pictures 1-2 of 4"
    assert labels[1:3] == ["pictures 2-3 of 4", "pictures 3-4 of 4"]
    assert set(labels[3:]) == {"pictures 3-4 of 4"}


def test_the_bar_of_a_run_names_its_pictures(model, photos, tmp_path):
    result = project(model, photos, "--batch", 3, "-o", tmp_path / "out")
    assert re.search(r"picture 4 of 4: 100% \(6 of 6; \d+:\d+ gone\)", result.stderr)
    assert ": :" not in result.stderr
