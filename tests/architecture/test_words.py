"""Identifiers use the field's words, and a class name means one thing. The table is `words.py`."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.words import ALLOWED, IN_PARTS, ROOMS_TO_COME, WHOLE

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("schemas", "services", "standin", "strikewire", "bench", "deploy")
PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def identifiers(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Names that a file gives: classes, functions, arguments, variables, attributes; each with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr, node.lineno
        elif isinstance(node, ast.alias | ast.ExceptHandler) and (name := getattr(node, "asname", node.name)):
            yield name, node.lineno


def old_word(identifier: str) -> tuple[str, str] | None:
    """The word of ours in an identifier, and the field's for it.

    >>> old_word("told_rows"), old_word("_at"), old_word("started_at"), old_word("open_interest_floor")
    (('told', 'published'), ('at', 'index, row, time_ns'), None, None)
    """
    name = identifier.strip("_")
    for allowed in ALLOWED:
        name = re.sub(rf"(?i)(?<![a-z]){allowed}(?![a-z])", "", name)
    alone = name.strip("_").lower()
    if alone in WHOLE:
        return alone, WHOLE[alone]
    for part in PARTS.findall(name):
        if part.lower() in IN_PARTS:
            return part.lower(), IN_PARTS[part.lower()]
    return None


def breaches(files: dict[str, str]) -> list[str]:
    """One sentence for each identifier of each file that holds an old word."""
    found: dict[str, None] = {}
    for file, text in files.items():
        stem = Path(file).parent.name if Path(file).stem == "__init__" else Path(file).stem
        for identifier, line in [(stem, 1), *identifiers(ast.parse(text))]:
            word = old_word(identifier)
            if word is not None:
                found.setdefault(f"{file}:{line} names {identifier}; the field's word for {word[0]} is {word[1]}")
    return list(found)


def files() -> dict[str, str]:
    return {
        path.relative_to(ROOT).as_posix(): path.read_text()
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
    }


def test_identifiers_use_the_fields_words() -> None:
    found = breaches({file: text for file, text in files().items() if not file.startswith(ROOMS_TO_COME)})
    assert not found, "\n" + "\n".join(found)


def test_rooms_that_are_done_leave_the_list() -> None:
    texts = files()
    done = [
        room
        for room in ROOMS_TO_COME
        if not breaches({file: text for file, text in texts.items() if file.startswith(room)})
    ]
    assert not done, f"no old word is left in {', '.join(done)}: take it from ROOMS_TO_COME"


def test_no_class_name_stands_twice() -> None:
    """The glossary promises that a word means one thing; a name with an underscore is its file's own business."""
    where: dict[str, list[str]] = defaultdict(list)
    for file, text in files().items():
        if file.startswith(("schemas/", "services/", "standin/")):
            for node in ast.parse(text).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    where[node.name].append(file)
    found = [f"{name} is a class of {' and of '.join(places)}" for name, places in where.items() if len(places) > 1]
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("told = 1", "x.py:1 names told; the field's word for told is published"),
        ("class ToldRows: pass", "x.py:1 names ToldRows; the field's word for told is published"),
        ("def f(at): return at", "x.py:1 names at; the field's word for at is index, row, time_ns"),
        ("def f(*, _held_rows=1): pass", "x.py:1 names _held_rows; the field's word for held is records, pending"),
        ("\nself.inbox = 1", "x.py:2 names inbox; the field's word for inbox is receive_queue"),
        ("import numpy as dice", "x.py:1 names dice; the field's word for dice is rng, rng_state"),
        ("for place in (): pass", "x.py:1 names place; the field's word for place is slot, position"),
    ],
)
def test_an_old_word_is_named_in_a_sentence(text: str, sentence: str) -> None:
    assert [found for found in breaches({"x.py": text}) if found.startswith(sentence)]


def test_the_fields_own_words_pass() -> None:
    text = "open_interest = started_at = ask_usd = one_way = 1\nnp.add.at(x, y, z)\nprint('told')\n"
    assert breaches({"x.py": text}) == []
    assert [found for found in breaches({"services/told/__init__.py": ""}) if "names told" in found]
