"""House rules that a reader of the repository may rely on. They look at what git would commit."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

LINES_MAX = 600  # what one can keep in mind, with room; most files have a quarter of it
LONGER: dict[str, str] = {  # file: why it is better whole
}

# Addresses of package indexes, mirrors and proxies: pins are hashes, and where packages come from is the user's choice.
DOWNLOADS = re.compile(
    r"--(?:extra-)?index-url|--find-links|files\.pythonhosted\.|//(?:[\w.-]*\.)?(?:pypi|conda|npmjs|crates)\.(?:org|io|com)"
    r"|//(?:[\w-]+\.)*(?:mirror|mirrors|proxy|artifactory|nexus)\."
)
# Places on the machine something was written on. `/var`, `/tmp` and `/etc` mean the same everywhere.
MACHINE_PATHS = re.compile(r"(?<![\w.$}~-])/(?:work|root|home|Users)/[\w.-]+")


def committed() -> list[Path]:
    """Files that git tracks, or would (not ignored), and that exist."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    return [path for name in listed.stdout.decode().split("\0") if name and (path := ROOT / name).is_file()]


def texts(*suffixes: str) -> Iterator[tuple[str, str]]:
    """(name, text) of the committed files with one of these suffixes; all text files when none is given."""
    for path in committed():
        if suffixes and path.suffix not in suffixes:
            continue
        data = path.read_bytes()
        if b"\0" not in data[:8192]:
            yield path.relative_to(ROOT).as_posix(), data.decode()


def prose(text: str) -> str:
    """A Markdown text without its code blocks."""
    return re.sub(r"^(```|~~~).*?^\1[^\n]*$", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(text: str) -> set[str]:
    """What a link may name behind `#`: headings in lower case, punctuation out, a hyphen for each blank."""
    headings = re.findall(r"^#+ (.+?)\s*$", prose(text), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def told(found: list[str]) -> str:
    return "\n" + "\n".join(found)


def test_no_file_is_longer_than_one_can_keep_in_mind() -> None:
    lines = {name: text.count("\n") for name, text in texts(".py")}
    found = [
        f"{name} has {count} lines, more than {LINES_MAX}; split it, or say in LONGER why it is better whole"
        for name, count in lines.items()
        if count > LINES_MAX and name not in LONGER
    ]
    assert not found, told(found)
    short = [name for name in LONGER if lines.get(name, 0) <= LINES_MAX]
    assert not short, f"LONGER lists files that are short by now or gone: {', '.join(short)}"


def test_every_document_has_one_title_and_it_comes_first() -> None:
    found = []
    for name, text in texts(".md"):
        titles = re.findall(r"^# .+", prose(text), flags=re.MULTILINE)
        if len(titles) != 1 or not text.startswith("# "):
            found.append(f"{name} has {len(titles)} titles, or does not begin with it")
    assert not found, told(found)


def test_every_link_between_documents_leads_somewhere() -> None:
    found = []
    for name, text in texts(".md"):
        for target in re.findall(r"\]\(([^)\s]+)\)", prose(text)):
            if re.match(r"[a-z]+:", target):
                continue
            file, _, anchor = target.partition("#")
            path = (ROOT / name).parent / file if file else ROOT / name
            if not path.exists():
                found.append(f"{name} links to {target}, which does not exist")
            elif anchor and path.suffix == ".md" and anchor not in anchors(path.read_text()):
                found.append(f"{name} links to {target}, but no heading there gives #{anchor}")
    assert not found, told(found)


def test_decision_notes_have_numbers_of_their_own() -> None:
    notes = sorted(path.name for path in (ROOT / "docs" / "decisions").glob("*.md"))
    numbers = [name[:4] for name in notes]
    assert all(re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", name) for name in notes), notes
    assert len(set(numbers)) == len(numbers), notes


def test_committed_files_name_no_download_host() -> None:
    found = [
        f"{name} names {match.group()!r}"
        for name, text in texts()
        if name != Path(__file__).relative_to(ROOT).as_posix()
        for match in DOWNLOADS.finditer(text)
    ]
    assert not found, told(found)


def test_committed_files_name_no_place_on_somebodys_machine() -> None:
    found = [
        f"{name} names {match.group()!r}"
        for name, text in texts()
        if name != Path(__file__).relative_to(ROOT).as_posix()
        for match in MACHINE_PATHS.finditer(text)
    ]
    assert not found, told(found)


@pytest.mark.parametrize(
    ("pattern", "text", "caught"),
    [
        (DOWNLOADS, "pip install --index" + "-url https://example.org", True),
        (DOWNLOADS, "https://py" + "pi.org/simple", True),
        (DOWNLOADS, "https://json-schema.org/draft/2020-12/schema", False),
        (MACHINE_PATHS, 'open("/home/jo/data.csv")', True),
        (MACHINE_PATHS, "var/home/x and $HOME/x and ~/work/x", False),
    ],
)
def test_the_patterns_catch_what_they_should(pattern: re.Pattern[str], text: str, caught: bool) -> None:
    assert bool(pattern.search(text)) == caught


def test_every_module_says_why_it_exists() -> None:
    found = [
        f"{name} has no docstring"
        for name, text in texts(".py")
        if name.startswith(("schemas/", "services/", "standin/", "strikewire/", "bench/"))
        and not ast.get_docstring(ast.parse(text))
    ]
    assert not found, told(found)


def test_every_folder_of_code_is_a_package_that_says_what_the_room_is() -> None:
    files = {name for name, _ in texts(".py") if name.startswith(("schemas/", "services/", "standin/"))}
    found = {
        f"{folder}/ has no __init__.py with a docstring that says what the room is"
        for folder in (name.rpartition("/")[0] for name in files)
        if f"{folder}/__init__.py" not in files
    }
    assert not found, told(sorted(found))


def test_every_public_class_and_function_says_what_it_is() -> None:
    """Overridden methods inherit their docstring; names with an underscore are the file's own business."""
    found = []
    for name, text in texts(".py"):
        if name.startswith(("schemas/", "services/", "standin/")):
            for node in ast.parse(text).body:
                public = isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
                if public and not node.name.startswith("_") and not ast.get_docstring(node):
                    found.append(f"{name}:{node.lineno} {node.name} has no docstring")
    assert not found, told(found)


# Unit tests that belong to no single file: what they look at.
OF_SEVERAL_FILES = {
    "chain/test_awkward.py": "readers and analysis on files as people have them",
    "deploy/test_compose.py": "compose file and image recipe, by schema",
    "detectors/test_detectors.py": "each detector through a whole pipeline, by scenario",
    "replay/test_old_rules.py": "rules of earlier programs through recording, wiring and a pipeline",
    "strikewire/test_exports.py": "the package, which is one file",
    "quant/test_real_chains.py": "the whole room on chains that were quoted",
}


def test_unit_tests_mirror_the_tree() -> None:
    """tests/unit/<room>/test_<file>.py is about services/<room>/<file>.py, a leading underscore aside."""
    found = []
    for path in committed():
        name = path.relative_to(ROOT).as_posix()
        if not re.match(r"tests/unit/.*test_\w+\.py$", name):
            continue
        *rooms, file = path.relative_to(ROOT / "tests" / "unit").parts
        packages = (ROOT, ROOT / "services")
        files = (file.removeprefix("test_"), file.removeprefix("test"))
        mirrored = any(package.joinpath(*rooms, each).is_file() for package in packages for each in files)
        if not mirrored and "/".join([*rooms, file]) not in OF_SEVERAL_FILES:
            found.append(f"{name} mirrors no file; rename it, or say in OF_SEVERAL_FILES what it looks at")
    assert not found, told(found)


def test_every_make_target_is_in_the_help() -> None:
    text = (ROOT / "Makefile").read_text()
    found = [
        f"make {target} has no help"
        for target in re.findall(r"^\.PHONY: (.+)$", text, flags=re.MULTILINE)
        if target != "help" and not re.search(rf"^{target}:.*## \S", text, flags=re.MULTILINE)
    ]
    assert not found, told(found)


def test_nothing_is_left_for_later_in_the_code() -> None:
    mark = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")
    found = [
        f"{name}:{at} {line.strip()}"
        for name, text in texts(".py", ".sql", ".toml")
        if name != Path(__file__).relative_to(ROOT).as_posix()
        for at, line in enumerate(text.splitlines(), 1)
        if mark.search(line)
    ]
    assert not found, told(found)
