import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import click
import pandas as pd
import pytest
from PIL import Image

from cli.reports.page import Page
from cli.running.invocation import remember_command


class Reader(HTMLParser):
    """Collects the text, the tags and the sources of a page."""

    def __init__(self, html):
        super().__init__()
        self.text, self.tags, self.sources, self.elements = [], [], [], []
        self.feed(html)

    def having(self, tag):
        """The attributes of all elements of that kind."""
        return [attributes for name, attributes in self.elements if name == tag]

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.elements.append((tag, dict(attributes)))
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
    page.caution(text)
    page.section(text, text)
    page.cards([(text, [(text, text)])])
    page.code(text)
    page.link(text, text)
    page.table(pd.DataFrame({text: [text]}), text)
    Image.new("L", (4, 4)).save(tmp_path / "p.png")
    page.picture(tmp_path / "p.png", text)
    with click.Context(click.Command("c")) as ctx:
        remember_command(ctx, [text])
        return Reader(written(page, tmp_path))


@pytest.mark.parametrize("foreign", ["<script>alert(1)</script>", "a & b", "</table>", '"><img>'])
def test_r03_foreign_text_stays_text(tmp_path, foreign):
    reader, plain = page_of(foreign, tmp_path), page_of("plain", tmp_path)
    assert reader.tags == plain.tags
    assert "".join(reader.text).count(foreign) == "".join(plain.text).count("plain") == 16


@pytest.mark.parametrize("foreign", ["javascript:alert(1)", "http://x", '" onload="x', "a b\udcff"])
def test_a_link_stays_beside_the_page(tmp_path, foreign):
    page = Page("t")
    page.link("a file", foreign)
    (link,) = Reader(written(page, tmp_path)).having("a")
    assert re.fullmatch(r"[\w/%.-]+", link["href"])
    with pytest.raises(ValueError, match="beside"):
        page.link("a file", tmp_path / "report.csv")


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


# What readers of the markup rely on: screen readers, phones, programs.


def test_the_markup_says_what_is_what(tmp_path):
    Image.new("L", (4, 4)).save(tmp_path / "p.png")
    page = Page("Path length of a model")
    page.section("Numbers")
    page.table(pd.DataFrame({"measure": ["fid", "kid"], "value": [1.0, 2.0]}), "What was measured")
    page.picture(tmp_path / "p.png", "A long caption.", alt="a dot")
    html = written(page, tmp_path)
    reader = Reader(html)
    assert reader.having("html") == [{"lang": "en"}]
    assert reader.tags.count("h1") == reader.tags.count("main") == reader.tags.count("footer") == 1
    assert [each["scope"] for each in reader.having("th")] == ["col", "col", "row", "row"]
    assert [each["alt"] for each in reader.having("img")] == ["a dot"]
    assert html.index("What was measured</figcaption>") < html.index('<div class="scroll"')
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in (
        reader.having("meta")
    )


def test_each_of_several_models_has_a_row_among_the_settings(tmp_path):
    page = Page("t")
    models = [{"name": name, "sha256": name * 64} for name in "ab"]
    page.settings("How it was measured", {"models": models, "one": models[:1], "seed": 0})
    cells = re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", written(page, tmp_path))
    assert cells[2::2] == ["model\u00a01", "model\u00a02", "one", "seed"]
    assert cells[3] == f"name a, sha256 {'a' * 64}"
    assert cells[5] == f"name b, sha256 {'b' * 64}"


def test_tables_and_pictures_move_in_a_box_and_captions_do_not(tmp_path):
    Image.new("L", (4, 4)).save(tmp_path / "p.png")
    page = Page("t")
    page.section("s")
    page.table(pd.DataFrame({"x": [1]}), "caption")
    page.picture(tmp_path / "p.png", "caption")
    html = written(page, tmp_path)
    for box in re.findall(r'<div class="scroll".*?</div>', html, re.S):
        assert "<table" in box or "<img" in box
        assert ">caption<" not in box
    assert html.count(">caption<") == html.count('class="scroll"') == 2
    style = html[html.index("<style>") : html.index("</style>")]
    for rule in (
        "prefers-color-scheme: dark",
        "position: sticky",
        "overflow-x: auto",
        "print",
        "animation-timeline",
    ):
        assert rule in style


@pytest.mark.parametrize(("sections", "listed"), [(4, False), (5, True)])
def test_many_sections_are_listed(tmp_path, sections, listed):
    page = Page("t")
    for i in range(sections):
        page.section("The same title" if i < 2 else f"\u0416 {i}")
    reader = Reader(written(page, tmp_path))
    names = [each["id"] for each in reader.having("section")]
    assert len(set(names)) == sections
    assert names[:2] == ["the-same-title", "the-same-title-2"]
    assert [each["href"] for each in reader.having("a")] == [f"#{n}" for n in names] * listed


def test_what_comes_before_all_sections_comes_first(tmp_path):
    page = Page("t")
    page.cards([("One", [("system", "StyleGAN")]), ("Two", [("system", "StyleGAN2")])])
    page.caution("They do not compare.")
    page.section("Numbers")
    text = " ".join(Reader(written(page, tmp_path)).text)
    places = [text.index(word) for word in ("One", "StyleGAN2", "They do not", "Numbers")]
    assert places == sorted(places)


def test_the_date_and_the_command_are_at_the_end(tmp_path):
    with click.Context(click.Command("c")) as ctx:
        remember_command(ctx, ["ppl", "my model.pkl", "-o", "x"])
        html = written(Page("t"), tmp_path)
    assert "<code>latentlab ppl &#39;my model.pkl&#39; -o x</code>" in html
    (date,) = [each["datetime"] for each in Reader(html).having("time")]
    assert date.endswith("Z")
    assert abs(datetime.fromisoformat(date) - datetime.now(UTC)) < timedelta(minutes=2)


def test_a_page_written_outside_a_command_has_a_date_alone(tmp_path):
    reader = Reader(written(Page("t"), tmp_path))
    assert "code" not in reader.tags
    assert "time" in reader.tags


def test_what_belongs_together_in_a_table_is_not_broken(tmp_path):
    page = Page("t")
    page.section("s")
    cells = {"name": ["x" * 64], "value": ["24.5 (23.1 to 26.1)"], "words": ["a few words (2)"]}
    page.table(pd.DataFrame(cells))
    page.table(pd.DataFrame({f"column {i}": [i] for i in range(9)}))
    reader = Reader(written(page, tmp_path))
    assert reader.having("th")[3]["class"] == "long"
    assert next(each.get("class") for each in reader.having("td")) == "interval"
    assert [each.get("class") for each in reader.having("table")] == [None, "wide"]
