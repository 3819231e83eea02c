"""ClickHouse's HTTP requests, read: what a request wants of the engine. Pure.

    POST /?database=strikewire&param_id=7&max_threads=2    body: SELECT * FROM t WHERE id = {id:UInt8} FORMAT Native
    POST /?query=INSERT INTO t (a) FORMAT Arrow&...        body: the rows, Content-Encoding: lz4
    POST /?...                                             body: INSERT INTO t (a) FORMAT Arrow\\n and the rows

`query` may stand in the URL, in the body, or in both (then the body continues it); `param_*` are the statement's
parameters; what is neither known here nor a parameter is a setting. One request is one statement: the engine would run
whatever stands behind a `;` as well, a server does not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from services.history.tokens import Token, first_semicolon, tokens

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
# ClickHouse's own numbers of the reasons given here.
_SYNTAX, _INTO_OUTFILE = 62, 358
# What may stand between an INSERT's format and its rows.
_BEFORE_ROWS = re.compile(rb"(?:[ \t]*(?:;?[ \t]*\r?\n|\s|;))?")
# Behind these an INSERT names its table, also one that is called `format`.
_BEFORE_NAME = frozenset({"INTO", "TABLE", "FUNCTION"})
# Enough for the first word behind any comment; a statement that has none in it counts as one that writes.
_HEAD_CHARACTERS = 65_536
# ClickHouse's `max_query_size`: so long may a text be, the values of an INSERT aside. It is cut up word by word here.
_TEXT_BYTES_MAX = 262_144
_READS = frozenset({"SELECT", "WITH", "SHOW", "DESCRIBE", "DESC", "EXISTS", "EXPLAIN", "CHECK"})
_STREAMS = frozenset({"SELECT", "WITH"})
# Each block of these is a whole of its own; the others have a head or foot and must be made in one piece.
_STREAM_FORMATS = frozenset({"Native", "TabSeparated", "TSV", "CSV", "RowBinary", "JSONEachRow"})


class BadRequestError(ValueError):
    """A request that cannot be a statement; `code` is ClickHouse's number of the reason."""

    def __init__(self, problem: str, code: int = _SYNTAX) -> None:
        super().__init__(problem)
        self.code = code


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
        """Whether it is of a kind that changes nothing; a `WITH` may yet turn out to be an INSERT."""
        return _first_word(self.sql[:_HEAD_CHARACTERS].encode()) in _READS and self.data is None

    @property
    def may_stream(self) -> bool:
        """Whether its result may be sent block by block."""
        kind = _first_word(self.sql[:_HEAD_CHARACTERS].encode())
        return kind in _STREAMS and self.data is None and self.format in _STREAM_FORMATS


def read_statement(url: Mapping[str, str], body: bytes, format_header: str | None = None) -> Statement:
    """What a request wants; `url` are the URL's parameters, `body` is decompressed. Raises BadRequestError.

    >>> read_statement({"query": "SELECT 1 FORMAT JSON", "max_threads": "2"}, b"")
    Statement(sql='SELECT 1', data=None, format='JSON', database=None, parameters={}, settings={'max_threads': '2'})
    >>> read_statement({}, b"INSERT INTO t FORMAT CSV\\n1,2\\n").data
    b'1,2\\n'
    """
    sql, named, data = _split(url.get("query", "").encode(errors="replace"), body)
    if not sql:
        raise BadRequestError("an empty query")
    settings = {key: value for key, value in url.items() if key not in TRANSPORT and not key.startswith("param_")}
    for key in settings:
        if not _NAME.fullmatch(key):
            raise BadRequestError(f"{key[:40]!r} is not the name of a setting")
    return Statement(
        sql,
        data,
        named or format_header or url.get("default_format") or "TabSeparated",
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


def _split(query: bytes, body: bytes) -> tuple[str, str | None, bytes | None]:
    """The text of the statement, the format it names, and the rows it brings."""
    head = query + b"\n" if query else body
    cut = _cut(head)
    if query and body and cut.rows is None:  # then the body is more of the text
        head, body = head + body, b""
        cut = _cut(head)
    sql = _text(head[: cut.end])
    if cut.rows is None:
        return sql, cut.format, None
    return sql, cut.format, head[cut.rows :] + body if query else head[cut.rows :]


class _Cut(NamedTuple):
    """Where a statement's text ends, the format named behind it, and where the rows of an INSERT begin."""

    end: int
    format: str | None
    rows: int | None


def _cut(text: bytes) -> _Cut:
    """Raises BadRequestError for a second statement, and for one that wants to write a file here."""
    takes_rows = _first_word(text) == "INSERT"
    depth, end = 0, len(text)
    before = last = Token("", b"", 0, 0)
    for number, token in enumerate(tokens(text)):
        if token.end > _TEXT_BYTES_MAX:
            raise BadRequestError(f"Syntax error: a statement's text may have {_TEXT_BYTES_MAX} bytes (max_query_size)")
        if token.text == b";":
            end = _only_end(text, token.start)
            break
        # INSERT INTO outfile is a table of that name.
        if token.word == "OUTFILE" and last.word == "INTO" and not (takes_rows and number == 2):
            raise BadRequestError("INTO OUTFILE is not allowed", _INTO_OUTFILE)
        depth += {b"(": 1, b")": -1}.get(token.text, 0)
        if takes_rows and depth == 0 and not _names(last):
            if last.word == "FORMAT" and token.kind == "word" and not _names(before):
                found = _BEFORE_ROWS.match(text, token.end)
                return _Cut(last.start, token.text.decode(), found.end() if found else token.end)
            if token.word == "VALUES":
                return _Cut(_only_end(text, first_semicolon(text, token.end)), None, None)
            takes_rows = token.word not in ("SELECT", "WITH")
        before, last = last, token
    if before.word == "FORMAT" and last.kind == "word":
        return _Cut(before.start, last.text.decode(), None)
    return _Cut(end, None, None)


def _only_end(text: bytes, end: int) -> int:
    """`end`, behind which nothing may stand but more semicolons. Raises BadRequestError for a second statement."""
    if any(more.text != b";" for more in tokens(text, end)):
        shown = text[end : end + 40].decode(errors="replace")
        raise BadRequestError(f"Syntax error (Multi-statements are not allowed): {shown}")
    return end


def _names(token: Token) -> bool:
    """Whether the next one is a name, whatever it looks like."""
    return token.word in _BEFORE_NAME or token.text == b"."


def _text(text: bytes) -> str:
    try:
        return text.decode().strip()
    except UnicodeDecodeError:
        raise BadRequestError("a query that is not UTF-8") from None


def _first_word(text: bytes) -> str:
    return next((token.word for token in tokens(text) if token.text != b"("), "")
