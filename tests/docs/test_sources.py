"""The table of public names in docs/sources.md is that of the file with their addresses."""

import re

from latentlab.downloads import public_names
from tests.support.documentation import text_of


def test_every_public_name_is_listed_once():
    page = text_of("docs/sources.md")
    table = page.split("<!-- names: begin -->")[1].split("<!-- names: end -->")[0]
    found = []
    for family, names in re.findall(
        r"^\| `([a-z0-9-]+):` \| [^|]* \| (.*) \|$", table, re.MULTILINE
    ):
        found += [f"{family}:{name}" for name in re.findall(r"`([^`]+)`", names)]
    assert sorted(found) == sorted(public_names())
