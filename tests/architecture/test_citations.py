"""What committed files cite of docs/spec is there: every page, every number; and in one form (docs/spec/README.md)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.architecture.test_house_rules import ROOT, texts, told

SPEC = ROOT / "docs" / "spec"
NUMBER = r"(?:[A-G]\.)?\d+(?:\.\d+)?(?![\w-])"
CITATION = re.compile(rf"\bspec/(?P<page>[\w-]+\.md)(?:`?\s(?P<numbers>{NUMBER}(?:(?:, | and | to ){NUMBER})*))?")
# Pages nobody who reads the repository has, and numbers whose page must be guessed.
OLD = re.compile(
    r"\b(?:massive|domain|greeks|storage|faust)\.md\b|\bdomain(?:'s| specification)"
    r"|(?<![\w.])[A-G]\.\d{1,2}(?![\w.]*\w)"
)
# docs/spec numbers its own sections, pins are not prose, and a migration that was applied keeps its checksum.
NOT_PROSE = ("docs/spec/", "requirements/", "schemas/clickhouse/0002_decisions.sql")
ITSELF = Path(__file__).relative_to(ROOT).as_posix()


@cache
def numbers(page: str) -> frozenset[str]:
    """The numbers that headings of a page begin with."""
    return frozenset(re.findall(r"^#+ ((?:[A-G]\.)?\d+(?:\.\d+)?) ", (SPEC / page).read_text(), flags=re.MULTILINE))


def unresolved(text: str) -> Iterator[str]:
    """Citations in a text that lead nowhere."""
    for match in CITATION.finditer(text):
        if not (SPEC / match["page"]).exists():
            yield match.group()
            continue
        for number in re.findall(NUMBER, match["numbers"] or ""):
            if number not in numbers(match["page"]):
                yield f"{match.group()}: no section {number}"


def old_forms(text: str) -> list[str]:
    """What is cited without saying where it stands."""
    return OLD.findall(CITATION.sub("", text))


def test_every_citation_leads_to_a_heading() -> None:
    found = [f"{name} cites {what}" for name, text in texts() if name != ITSELF for what in unresolved(text)]
    assert not found, told(found)


def test_no_citation_leaves_its_page_to_be_guessed() -> None:
    found = [
        f"{name} cites {what}; write spec/PAGE.md NUMBER (docs/spec/README.md)"
        for name, text in texts()
        if name != ITSELF and not name.startswith(NOT_PROSE)
        for what in old_forms(text)
    ]
    assert not found, told(found)


def test_every_row_of_the_faults_leads_to_the_vendor_page() -> None:
    table = (ROOT / "docs" / "standin.md").read_text().partition("| keys | spec/vendor.md |\n")[2].partition("\n\n")[0]
    rows = [line.rstrip(" |").rpartition("| ")[2] for line in table.splitlines()[1:]]
    assert len(rows) > 20, "the table of faults is gone from docs/standin.md"
    found = [row for row in rows for number in row.split(", ") if number.split("/")[0] not in numbers("vendor.md")]
    assert not found, told(found)


def test_every_page_is_listed_and_numbered() -> None:
    pages = {path.name for path in SPEC.glob("*.md")} - {"README.md"}
    assert pages, "docs/spec is gone"
    listed = set(re.findall(r"^\| \[([\w-]+\.md)\]", (SPEC / "README.md").read_text(), flags=re.MULTILINE))
    assert pages == listed
    assert all(numbers(page) for page in pages)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("spec/vendor.md 2.8", 0),
        ("(spec/detectors.md B.5).", 0),
        ("spec/vendor.md 4, 7.5", 0),
        ("spec/vendor.md 2.2 to 2.6 and 11.1, rows 1 to 10", 0),
        ("spec/vendor.md 2.12", 1),
        ("spec/vendor.md 2.8, 99", 1),
        ("spec/detectors.md B.19", 1),
        ("spec/nowhere.md 1", 1),
    ],
)
def test_a_citation_is_resolved(text: str, count: int) -> None:
    assert len(list(unresolved(text))) == count


@pytest.mark.parametrize(
    ("text", "old"),
    [
        ("massive" + ".md 9", True),
        ("the spec's table C.4", True),
        ("spec B.5; Ni", True),
        ("B.12's note", True),
        ("the domain" + "'s sections", True),
        ("spec/vendor.md 9", False),
        ("(spec/detectors.md B.12 and B.14).", False),
        ("services.massive.mdx, A.25x, v1.2, BRK.B", False),
    ],
)
def test_an_old_form_is_caught(text: str, old: bool) -> None:
    assert bool(old_forms(text)) == old
