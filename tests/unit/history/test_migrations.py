"""The schema: applied once, refused when changed, rendered for a node and a cluster, every table with its reasons."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from schemas.topics import TOPICS
from services.errors import MigrationError
from services.history.migrations import MIGRATIONS_DIR, cluster, migrate, rendered, single_node

FILES = sorted(MIGRATIONS_DIR.glob("*.sql"))
# A table and the comment that stands over it. A comment may speak for the tables that follow it in the same file.
TABLE = re.compile(r"CREATE TABLE IF NOT EXISTS (\w+)(.*?);", re.DOTALL)


def tables() -> list[tuple[str, str, str]]:
    """Every table: its name, its statement, the comments of its file above it."""
    found = []
    for path in FILES:
        text = path.read_text()
        for match in TABLE.finditer(text):
            comments = "\n".join(line for line in text[: match.start()].splitlines() if line.startswith("--"))
            found.append((match[1], match[0], comments))
    return found


def test_every_topic_has_a_table():
    assert {topic.table for topic in TOPICS.values()} <= {name for name, _, _ in tables()}


@pytest.mark.parametrize(
    ("name", "statement", "comments"), tables(), ids=lambda value: value if " " not in value else ""
)
def test_every_table_states_its_order_and_why_and_how_long_it_keeps(name: str, statement: str, comments: str):
    assert "ORDER BY" in statement
    assert "Order:" in comments, f"{name} does not say why it is ordered as it is"
    assert re.search(r"Retention:|90 days|[Nn]ever expires", comments), f"{name} does not say how long it keeps"
    if name != "epochs":
        assert "TTL recorded_at" in statement, f"{name} does not expire"
    assert "{dedup}" in statement, f"{name} would not know a repeated insert"


@pytest.mark.parametrize(
    ("name", "statement"), [(n, s) for n, s, _ in tables()], ids=lambda value: value if " " not in value else ""
)
def test_lanes_are_dropped_by_whole_parts_and_decisions_replace_by_id(name: str, statement: str):
    if name in ("signals", "alerts", "contexts", "outcomes", "gaps"):
        assert "{rmt}" in statement
    else:
        assert "{mt}" in statement
        assert name == "epochs" or "ttl_only_drop_parts = 1" in statement


def test_a_single_node_gets_no_cluster_and_no_open_token():
    for path in FILES:
        for statement in rendered(path.read_text(), single_node):
            assert "ON CLUSTER" not in statement
            assert not re.search(r"\{\w+\}", statement), statement
            assert "non_replicated_deduplication_window = 10000" in statement


def test_a_cluster_gets_replicated_engines_on_every_table():
    rendering = cluster("east")
    for path in FILES:
        for statement in rendered(path.read_text(), rendering):
            head = statement[: statement.index("(")]
            assert "ON CLUSTER 'east'" in head, head
            assert re.search(r"ENGINE = Replicated(Replacing)?MergeTree\('/clickhouse/tables/\{shard\}", statement)
            assert "replicated_deduplication_window_seconds = 604800" in statement
            assert "non_replicated" not in statement
            assert statement.count("(") == statement.count(")")


def test_statements_end_at_semicolons_and_comments_do_not_count():
    text = "-- one; two\nCREATE TABLE a (x Int8) ENGINE = {mt} ORDER BY x;\n\n  -- three;\nSELECT 1;"
    assert rendered(text, single_node) == ["CREATE TABLE a (x Int8) ENGINE = MergeTree ORDER BY x", "SELECT 1"]


def test_a_second_run_applies_nothing(empty_database: Any):
    assert migrate(empty_database) == [path.name for path in FILES]
    assert migrate(empty_database) == []
    tables_there = {row[0] for row in empty_database.query("SHOW TABLES").result_rows}
    assert tables_there == {name for name, _, _ in tables()} | {"schema_migrations"}


def test_a_changed_file_is_refused_and_a_new_one_applied(empty_database: Any, tmp_path: Path):
    first = tmp_path / "0001_first.sql"
    first.write_text("CREATE TABLE a (x Int8) ENGINE = {mt} ORDER BY x;")
    assert migrate(empty_database, tmp_path) == ["0001_first.sql"]
    (tmp_path / "0002_second.sql").write_text("CREATE TABLE b (x Int8) ENGINE = {mt} ORDER BY x;")
    assert migrate(empty_database, tmp_path) == ["0002_second.sql"]
    first.write_text(first.read_text() + "\n-- a thought\n")
    with pytest.raises(MigrationError, match=r"0001_first\.sql was applied and has changed since"):
        migrate(empty_database, tmp_path)


def test_a_warehouse_newer_than_the_program_is_refused(empty_database: Any, tmp_path: Path):
    newest = tmp_path / "0007_future.sql"
    newest.write_text("CREATE TABLE a (x Int8) ENGINE = {mt} ORDER BY x;")
    migrate(empty_database, tmp_path)
    newest.unlink()
    with pytest.raises(MigrationError, match="0007_future"):
        migrate(empty_database, tmp_path)


def test_a_migration_cut_off_half_way_is_taken_up_again(empty_database: Any, tmp_path: Path):
    """A process may die between a file's statements; each can be run again, and the ledger is written last."""
    path = tmp_path / "0001_two.sql"
    path.write_text("CREATE TABLE a (x Int8) ENGINE = {mt} ORDER BY x; CREATE TABLE b (x Int8) ENGINE = {mt} ORDER;")
    with pytest.raises(Exception, match="Syntax error"):
        migrate(empty_database, tmp_path)
    path.write_text(
        "CREATE TABLE IF NOT EXISTS a (x Int8) ENGINE = {mt} ORDER BY x;"
        "CREATE TABLE b (x Int8) ENGINE = {mt} ORDER BY x;"
    )
    assert migrate(empty_database, tmp_path) == ["0001_two.sql"]
