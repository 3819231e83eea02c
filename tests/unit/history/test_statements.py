"""ClickHouse's HTTP requests, read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.history.statements import BadRequestError, quoted, read_statement


def test_a_query_may_stand_in_the_body_or_the_url():
    assert read_statement({}, b"SELECT 1").sql == "SELECT 1"
    assert read_statement({"query": "SELECT 1"}, b"").sql == "SELECT 1"
    assert read_statement({"query": "SELECT"}, b"1").sql == "SELECT\n1"


@pytest.mark.parametrize(
    ("url", "header", "sql", "wanted"),
    [
        ({}, None, "SELECT 1", "TabSeparated"),
        ({"default_format": "JSON"}, None, "SELECT 1", "JSON"),
        ({"default_format": "JSON"}, "CSV", "SELECT 1", "CSV"),
        ({"default_format": "JSON"}, "CSV", "SELECT 1\n FORMAT Native ; ", "Native"),
        ({}, None, "SELECT 'FORMAT x' AS y FROM t", "TabSeparated"),
    ],
)
def test_the_format_in_the_text_wins_then_the_header_then_the_default(
    url: dict[str, str], header: str | None, sql: str, wanted: str
):
    statement = read_statement(url, sql.encode(), header)
    assert statement.format == wanted
    assert not statement.sql.endswith(("Native", ";", " "))


def test_what_is_neither_transport_nor_parameter_is_a_setting():
    statement = read_statement(
        {"database": "d", "param_a": "1", "max_threads": "2", "session_id": "x", "user": "u", "password": "p"},
        b"SELECT 1",
    )
    assert statement.database == "d"
    assert statement.parameters == {"a": "1"}
    assert statement.settings == {"max_threads": "2"}


@pytest.mark.parametrize("name", ["a b", "a=1, b", "", "1a", "a'b", "a;b"])
def test_a_setting_is_a_name_and_nothing_else(name: str):
    with pytest.raises(BadRequestError, match="not the name of a setting"):
        read_statement({name: "1"}, b"SELECT 1")


@pytest.mark.parametrize("rows", [b"1,2\n", b"", b"\x00\xff FORMAT \xfe;", b"INSERT INTO u FORMAT CSV 3\n"])
@pytest.mark.parametrize("head", ["INSERT INTO t FORMAT CSV", "  insert into `t` (a, b)\n format CSV"])
def test_rows_follow_an_insert_in_the_body_or_beside_one_in_the_url(head: str, rows: bytes):
    beside = read_statement({"query": head}, rows)
    within = read_statement({}, head.encode() + b"\n" + rows)
    assert beside.data == within.data == rows
    assert beside.sql == within.sql
    assert beside.format == within.format == "CSV"


@pytest.mark.parametrize(
    "sql", ["INSERT INTO t VALUES (1)", "INSERT INTO t SELECT 1", "insert into t values ('FORMAT x y')"]
)
def test_an_insert_may_carry_its_values_in_its_text(sql: str):
    statement = read_statement({}, sql.encode())
    assert statement.data is None or "FORMAT" in sql
    assert not statement.reads_only


@pytest.mark.parametrize(
    ("sql", "reads", "streams"),
    [
        ("SELECT 1 FORMAT Native", True, True),
        ("SELECT 1 FORMAT Arrow", True, False),
        ("  -- why\n /* and\n how */ (SELECT 1) FORMAT CSV", True, True),
        ("with a as (select 1) select * from a format Native", True, True),
        ("SHOW TABLES", True, False),
        ("DROP TABLE t", False, False),
        ("SELECTED", False, False),
        ("INSERT INTO t SELECT 1", False, False),
        ("ALTER TABLE t DELETE WHERE 1", False, False),
    ],
)
def test_what_only_reads_is_known_and_what_may_stream(sql: str, reads: bool, streams: bool):
    statement = read_statement({}, sql.encode())
    assert (statement.reads_only, statement.may_stream) == (reads, streams)


@pytest.mark.parametrize("body", [b"", b"  \n", b"\xff\xfe"])
def test_nothing_to_do_is_said(body: bytes):
    with pytest.raises(BadRequestError):
        read_statement({}, body)


@given(st.text())
def test_a_literal_ends_where_it_should(text: str):
    literal = quoted(text)
    inner, escaped = literal[1:-1], False
    for character in inner:
        assert escaped or character != "'"
        escaped = character == "\\" and not escaped
    assert not escaped
    assert literal[0] == literal[-1] == "'"


@given(st.dictionaries(st.text(max_size=12), st.text(max_size=12), max_size=4), st.binary(max_size=200))
def test_no_request_breaks_the_reader(url: dict[str, str], body: bytes):
    try:
        statement = read_statement(url, body)
    except BadRequestError:
        return
    assert statement.sql.strip() or statement.sql == ""
