"""Links between the pages of the documentation lead somewhere, and the files that they name are there."""

from __future__ import annotations

import re

import pytest
from docs.documented import PAGES, ROOT

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
# Files of the project, by the folders they are in; not those that a user makes.
FILE = re.compile(
    r"`((?:backends|client|docker|docs|export|model_repository|scripts|server|tests)/[\w./-]+\.(?:py|md|json|yaml|yml|toml|txt))`"
)
GENERATED = re.compile(r"voice\.json|manifest\.json|dictionary\.json|plan\.json|docs/benchmarks/gpu_")


def prose(page):
    """The page without its code."""
    return re.sub(r"^```.*?^```|`[^`\n]*\]\([^`\n]*`", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)


def anchors(page):
    """What a heading is called in a link."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links():
    return [(page, target) for page in PAGES for target in LINK.findall(prose(page)) if "://" not in target]


@pytest.mark.parametrize(("page", "target"), links(), ids=lambda value: getattr(value, "name", value))
def test_a_link_leads_somewhere(page, target):
    path, _, anchor = target.partition("#")
    found = (page.parent / path).resolve() if path else page
    assert found.exists()
    assert found.is_relative_to(ROOT)
    if anchor:
        assert anchor in anchors(found)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_files_that_a_page_names_are_there(page):
    named = {name for name in FILE.findall(page.read_text("utf-8")) if not GENERATED.search(name)}
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_every_page_can_be_found_from_the_first_one():
    found, waiting = set(), [PAGES[0]]
    while waiting:
        page = waiting.pop()
        if page in found or page.suffix != ".md":
            continue
        found.add(page)
        targets = [target.partition("#")[0] for target in LINK.findall(prose(page)) if "://" not in target]
        waiting += [(page.parent / target).resolve() for target in targets if target]
    assert [page.name for page in PAGES if page.resolve() not in found] == []
