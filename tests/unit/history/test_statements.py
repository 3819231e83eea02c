"""ClickHouse's HTTP requests, read."""

from __future__ import annotations

import time

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
@pytest.mark.parametrize(
    "head", ["INSERT INTO t FORMAT CSV", "  insert into `t` (a, b)\n format CSV", "INSERT INTO t FORMAT CSV ; "]
)
def test_rows_follow_an_insert_in_the_body_or_beside_one_in_the_url(head: str, rows: bytes):
    beside = read_statement({"query": head}, rows)
    within = read_statement({}, head.encode() + b"\n" + rows)
    assert beside.data == within.data == rows
    assert beside.sql == within.sql
    assert beside.format == within.format == "CSV"


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO t VALUES (1)",
        "INSERT INTO t SELECT 1",
        "insert into t values ('FORMAT x y')",
        "INSERT INTO values VALUES ('a; b'), (';')",
        "INSERT INTO t SELECT a FROM u WHERE b = 'FORMAT CSV '",
    ],
)
def test_an_insert_may_carry_its_values_in_its_text(sql: str):
    for statement in (read_statement({}, sql.encode()), read_statement({}, f"{sql} ;\n".encode())):
        assert statement.sql.rstrip("; ") == sql
        assert statement.data is None
        assert not statement.reads_only


@pytest.mark.parametrize(
    "table", ["format", "`format`", "db.format", "values", "outfile", "t (format, `values`)", "TABLE t"]
)
def test_a_table_may_be_called_like_a_keyword(table: str):
    statement = read_statement({}, f"INSERT INTO {table} -- FORMAT x\n FORMAT CSV\n;1;".encode())
    assert statement.data == b";1;"
    assert statement.format == "CSV"
    assert f"INSERT INTO {table} " in statement.sql


@pytest.mark.parametrize(
    "sql",
    [
        "SHOW TABLES; DROP DATABASE y",
        "SELECT 1; CREATE DATABASE x FORMAT JSON",
        "SELECT 1;; SELECT 2",
        "; SELECT 1",
        "SELECT ';' ; SELECT 2",
        "SELECT 1 /* ; */; /* and */ DROP TABLE t",
        "SELECT 1 -- why\n; SELECT 2",
        "INSERT INTO t VALUES (1); DROP TABLE t",
        "INSERT INTO t SELECT 1; DROP TABLE t FORMAT CSV\n1",
        "INSERT INTO t; DROP TABLE t FORMAT CSV\n1",
    ],
)
def test_a_second_statement_is_refused_wherever_it_stands(sql: str):
    for url, body in (({}, sql), ({"query": sql}, "")):
        with pytest.raises(BadRequestError, match="Multi-statements are not allowed") as refused:
            read_statement(url, body.encode())
        assert refused.value.code == 62
    with pytest.raises(BadRequestError, match="Multi-statements"):
        read_statement({"query": "SELECT 1;"}, b"DROP TABLE t")


@pytest.mark.parametrize(
    "sql", ["SELECT 1", "SELECT ';'", 'SELECT 1 AS ";"', "SELECT `;` FROM t", "SELECT 1 /* ; */", "SELECT $$;$$ -- ;\n"]
)
@pytest.mark.parametrize("tail", [";", " ; ;\n", "; -- done", ";/* ; */"])
def test_a_statement_may_end_with_a_semicolon(sql: str, tail: str):
    assert read_statement({}, (sql + tail).encode()).sql == sql.strip()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 INTO OUTFILE '/f'",
        "(SHOW TABLES) into -- x\n outfile '/f' FORMAT CSV",
        "SELECT 1 insert INTO OUTFILE $$f$$",
    ],
)
def test_no_file_is_written_here(sql: str):
    with pytest.raises(BadRequestError, match="INTO OUTFILE is not allowed") as refused:
        read_statement({}, sql.encode())
    assert refused.value.code == 358


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


def test_values_are_not_cut_up_and_a_text_has_a_limit() -> None:
    """Two megabytes of values with semicolons in their strings took three seconds, in which nobody was answered."""
    values = b"INSERT INTO t VALUES " + b"(1, 'abc;d', 2.5), " * 100_000 + b"(1, ';', 2)"
    began = time.process_time()
    assert read_statement({}, values + b" ; ").sql.encode() == values
    assert time.process_time() - began < 1.0
    with pytest.raises(BadRequestError, match="Multi-statements"):
        read_statement({}, values + b"; DROP TABLE t")
    with pytest.raises(BadRequestError, match="max_query_size"):
        read_statement({}, b"SELECT 1 IN (" + b"1, " * 100_000 + b"1)")
