"""Links between the pages of the documentation lead somewhere, and every page is reached."""

import re

import pytest

from tests.support.documentation import PAGES, ROOT, text_of


def _linked(page: str) -> list[str]:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text_of(page))
    return [link for link in links if "://" not in link]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    assert [link for link in _linked(page) if not ((ROOT / page).parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_anchors_are_headings(page):
    for target, anchor in re.findall(r"\]\(([^)#]*)#([^)]+)\)", text_of(page)):
        if "://" in target:
            continue
        other = ((ROOT / page).parent / target).relative_to(ROOT).as_posix() if target else page
        headings = re.findall(r"^#+ (.*)$", text_of(other), re.MULTILINE)
        slugs = {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}
        assert anchor in slugs, (page, target, anchor)


def test_every_page_is_reached_from_the_readme():
    reached, todo = set(), ["README.md"]
    while todo:
        page = todo.pop()
        if page in reached or not page.endswith(".md"):
            continue
        reached.add(page)
        todo += [((ROOT / page).parent / link).resolve().relative_to(ROOT).as_posix()
                 for link in _linked(page)]  # fmt: skip
    assert set(PAGES) - reached == set()
