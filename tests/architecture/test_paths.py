"""A path that a document or docstring names in backticks is there: in full from the root, or as a file's bare name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Set

import pytest

from tests.architecture.test_house_rules import ROOT, committed, prose, texts, told

SUFFIXES = (".md", ".py", ".sql", ".toml", ".yaml", ".yml")


def tracked() -> set[str]:
    """Committed files and their folders, from the root."""
    files = {path.relative_to(ROOT) for path in committed()}
    return {file.as_posix() for file in files} | {folder.as_posix() for file in files for folder in file.parents}


def missing(text: str, there: Set[str]) -> Iterator[str]:
    """What in a document's backticks looks like a path of the repository and is none.

    With a slash it is one if it begins with a folder of the root, or ends as a file does; without, if it ends so.
    """
    names = {path.rpartition("/")[2] for path in there}
    for token in re.findall(r"`([^`\s]+)`", prose(text)):
        if not re.fullmatch(r"\w[\w.-]*(?:/[\w.-]+)*/?", token):
            continue
        is_file = token.endswith(SUFFIXES)
        if "/" in token:
            if (is_file or token.partition("/")[0] in there) and token.rstrip("/") not in there:
                yield token
        elif is_file and token not in names:
            yield token


def test_every_path_in_a_text_exists() -> None:
    there = tracked()
    found = [
        f"{name} names `{path}`, which is not there" for name, text in texts(".md") for path in missing(text, there)
    ]
    assert not found, told(found)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see `services/core/pipeline.py`", []),
        ("see `services/core/` and `services/core`", []),
        ("see `services/core/pipelines.py`", ["services/core/pipelines.py"]),
        ("see `core/pipeline.py`", ["core/pipeline.py"]),
        ("see `services/nowhere`", ["services/nowhere"]),
        ("see `pipeline.py` and `pipelines.py`", ["pipelines.py"]),
        ("`a/b`, `/v3/trades`, `var/`, `schemas/*.sql`, `GET /x.py`", []),
        ("```\nservices/nowhere.py `x.py`\n```\n", []),
    ],
)
def test_a_missing_path_is_found(text: str, found: list[str]) -> None:
    there = {"services", "services/core", "services/core/pipeline.py"}
    assert list(missing(text, there)) == found
