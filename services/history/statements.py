"""ClickHouse's HTTP requests, read: what a request wants of the engine. Pure.

    POST /?database=strikewire&param_id=7&max_threads=2    body: SELECT * FROM t WHERE id = {id:UInt8} FORMAT Native
    POST /?query=INSERT INTO t (a) FORMAT Arrow&...        body: the rows, Content-Encoding: lz4
    POST /?...                                             body: INSERT INTO t (a) FORMAT Arrow\\n and the rows

`query` may stand in the URL, in the body, or in both (then the body continues it); `param_*` are the statement's
parameters; what is neither known here nor a parameter is a setting.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["BadRequestError", "Statement", "quoted", "read_statement"]

# What the HTTP interface itself understands; the engine would refuse these as settings.
TRANSPORT = frozenset(
    {
        "buffer_size", "cancel_http_readonly_queries_on_client_close", "client_protocol_version", "compress",
        "database", "decompress", "default_format", "enable_http_compression", "http_headers_progress_interval_ms",
        "http_write_exception_in_output_format", "password", "query", "query_id", "quota_key", "role",
        "send_progress_in_http_headers", "session_check", "session_id", "session_timeout", "user",
        "wait_end_of_query",
    }
)  # fmt: skip
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
# An INSERT whose rows follow: everything up to the format's name, then one white space, then the rows.
_INSERT = re.compile(rb"\s*INSERT\b.*?\bFORMAT\s+(\w+)[ \t]*(?:\r?\n|\s|;|$)", re.IGNORECASE | re.DOTALL)
_INSERT_HEAD_BYTES = 65_536
_TRAILING_FORMAT = re.compile(r"\bFORMAT\s+(\w+)\s*;?\s*$", re.IGNORECASE)
_LEADING = re.compile(r"(?:\s+|--[^\n]*\n|/\*.*?\*/)*\(*\s*(\w+)", re.DOTALL)
_READS = frozenset({"SELECT", "WITH", "SHOW", "DESCRIBE", "DESC", "EXISTS", "EXPLAIN", "CHECK"})
_STREAMS = frozenset({"SELECT", "WITH"})
# Each block of these is a whole of its own; the others have a head or foot and must be made in one piece.
_STREAM_FORMATS = frozenset({"Native", "TabSeparated", "TSV", "CSV", "RowBinary", "JSONEachRow"})


class BadRequestError(ValueError):
    """A request that cannot be a statement."""


class Statement(NamedTuple):
    """One statement. `data` is what an INSERT brings, None when the statement stands for itself."""

    sql: str
    data: bytes | None
    format: str
    database: str | None
    parameters: dict[str, str]
    settings: dict[str, str]

    @property
    def reads_only(self) -> bool:
        """Whether nothing can change."""
        return _first_word(self.sql) in _READS and self.data is None

    @property
    def may_stream(self) -> bool:
        """Whether its result may be sent block by block."""
        return _first_word(self.sql) in _STREAMS and self.data is None and self.format in _STREAM_FORMATS


def read_statement(url: Mapping[str, str], body: bytes, format_header: str | None = None) -> Statement:
    """What a request wants; `url` are the URL's parameters, `body` is decompressed. Raises BadRequestError.

    >>> read_statement({"query": "SELECT 1 FORMAT JSON", "max_threads": "2"}, b"")
    Statement(sql='SELECT 1', data=None, format='JSON', database=None, parameters={}, settings={'max_threads': '2'})
    >>> read_statement({}, b"INSERT INTO t FORMAT CSV\\n1,2\\n").data
    b'1,2\\n'
    """
    sql, data = _split(url.get("query", ""), body)
    if not sql.strip():
        raise BadRequestError("an empty query")
    format_name = format_header or url.get("default_format") or "TabSeparated"
    match = _TRAILING_FORMAT.search(sql)
    if match:
        format_name = match[1]
        sql = sql[: match.start()].rstrip()
    elif data is not None:
        raise BadRequestError("an INSERT with rows and without FORMAT")
    settings = {key: value for key, value in url.items() if key not in TRANSPORT and not key.startswith("param_")}
    for key in settings:
        if not _NAME.fullmatch(key):
            raise BadRequestError(f"{key[:40]!r} is not the name of a setting")
    return Statement(
        sql.rstrip().rstrip(";"),
        data,
        format_name,
        url.get("database") or None,
        {key.removeprefix("param_"): value for key, value in url.items() if key.startswith("param_")},
        settings,
    )


def quoted(text: str) -> str:
    """A string literal.

    >>> quoted("it's")
    "'it\\\\'s'"
    """
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _split(query: str, body: bytes) -> tuple[str, bytes | None]:
    """The text of the statement, and the rows it brings."""
    if query:
        if _first_word(query) == "INSERT" and _TRAILING_FORMAT.search(query):
            return query, body
        return (query + "\n" + _text(body), None) if body else (query, None)
    match = _INSERT.match(body[:_INSERT_HEAD_BYTES])
    if match and match[1].upper() != b"VALUES":
        return body[: match.end(1)].decode(), body[match.end() :]
    return _text(body), None


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise BadRequestError("a query that is not UTF-8") from None


def _first_word(sql: str) -> str:
    match = _LEADING.match(sql)
    return match[1].upper() if match else ""
