import re
from html.parser import HTMLParser

import pandas as pd
import pytest
from PIL import Image

from cli.reports.page import Page


class Reader(HTMLParser):
    """Collects the text, the tags and the sources of a page."""

    def __init__(self, html):
        super().__init__()
        self.text, self.tags, self.sources = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.sources += [value for name, value in attributes if name in ("src", "href")]

    def handle_data(self, text):
        self.text.append(text)


def written(page, tmp_path):
    path = tmp_path / "report.html"
    page.write(path, "made by a test")
    return path.read_text(encoding="utf-8")


def test_a_page_needs_no_other_file(tmp_path):
    Image.new("RGB", (30, 20), "red").save(tmp_path / "dot.png")
    page = Page("A model", ["One line."])
    page.section("Pictures", "Some text.")
    page.picture(tmp_path / "dot.png", "a red dot")
    reader = Reader(written(page, tmp_path))
    assert all(source.startswith("data:image/png;base64,") for source in reader.sources)
    assert reader.tags.count("img") == 1
    for text in ("A model", "One line.", "Pictures", "Some text.", "a red dot", "made by a test"):
        assert any(text in part for part in reader.text)


def page_of(text, tmp_path):
    """A page with ``text`` in all places that take one."""
    page = Page(text, [text])
    page.section(text, text)
    page.table(pd.DataFrame({text: [text]}), text)
    Image.new("L", (4, 4)).save(tmp_path / "p.png")
    page.picture(tmp_path / "p.png", text)
    return Reader(written(page, tmp_path))


@pytest.mark.parametrize("foreign", ["<script>alert(1)</script>", "a & b", "</table>", '"><img>'])
def test_foreign_text_stays_text(tmp_path, foreign):
    reader, plain = page_of(foreign, tmp_path), page_of("plain", tmp_path)
    assert reader.tags == plain.tags
    assert "".join(reader.text).count(foreign) == "".join(plain.text).count("plain") >= 6


def test_numbers_are_short_and_missing_ones_a_dash(tmp_path):
    page = Page("t")
    page.section("s")
    page.table(pd.DataFrame({"x": [1 / 3, float("nan"), 1234567.8], "s": ["a", None, "b"]}))
    cells = re.findall(r"<td[^>]*>(.*?)</td>", written(page, tmp_path))
    assert cells == ["0.3333", "a", "\u2013", "\u2013", "1,234,568", "b"]


def test_a_wide_picture_fits_the_page(tmp_path):
    Image.new("RGB", (4000, 1000)).save(tmp_path / "wide.png")
    page = Page("t")
    page.section("s")
    page.picture(tmp_path / "wide.png", "wide")
    ((width, height),) = re.findall(r'width="(\d+)" height="(\d+)"', written(page, tmp_path))
    assert int(width) <= 1000
    assert int(width) == 4 * int(height) or abs(int(width) - 4 * int(height)) <= 2
