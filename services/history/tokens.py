"""ClickHouse's SQL as its own lexer cuts it, as far as one must know where a statement ends. Pure.

A `;` ends a statement, and a keyword is one, only outside of strings, quoted names, here documents and comments.
Comments begin with `--`, `//`, `# `, `#!` or `/*`, and the last kind nests. What is opened and not closed swallows the
rest, as it does for the engine, which then says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["Token", "first_semicolon", "tokens"]

_TOKEN = re.compile(
    rb"""
      (?P<blank>   \s++ | --[^\n]*+ | //[^\n]*+ | \#[ !][^\n]*+ )
    | (?P<opening> /\* )
    | (?P<quoted>  '(?:[^'\\]|\\.)*+(?:'|\\?\Z) | "(?:[^"\\]|\\.)*+(?:"|\\?\Z) | `(?:[^`\\]|\\.)*+(?:`|\\?\Z)
                 | \xe2\x80\x98.*?\xe2\x80\x99 | \xe2\x80\x9c.*?\xe2\x80\x9d      # curly quotes know no escapes
                 | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$ )
    | (?P<mark>    [;().] )
    | (?P<other>   (?:[^\s\w'"`/\#$;().\xe2-] | \d++(?![\w$]))++ )      # many numbers in a row are one
    | (?P<word>    \w[\w$]*+ )
    | (?P<rest>    . )
    """,
    re.DOTALL | re.VERBOSE,
)
_COMMENT_MARK = re.compile(rb"/\*|\*/")
# A `;`, or what may hold one that ends nothing.
_SEMICOLON = re.compile(
    rb"""; | '(?:[^'\\]|\\.)*+(?:'|\\?\Z) | "(?:[^"\\]|\\.)*+(?:"|\\?\Z) | `(?:[^`\\]|\\.)*+(?:`|\\?\Z)
    | --[^\n]*+ | /\*.*?(?:\*/|\Z)""",
    re.DOTALL | re.VERBOSE,
)


class Token(NamedTuple):
    """A piece of a statement that is neither blank nor comment; `kind` is word, quoted, mark, other or rest."""

    kind: str
    text: bytes
    start: int
    end: int

    @property
    def word(self) -> str:
        """The word in upper case, empty for what is none."""
        return self.text.decode().upper() if self.kind == "word" else ""


def tokens(text: bytes, start: int = 0) -> Iterator[Token]:
    """The tokens from `start` on, one at a time.

    >>> [token.text for token in tokens(b"SELECT ';' -- ; /* \\n; x")]
    [b'SELECT', b"';'", b';', b'x']
    """
    while match := _TOKEN.match(text, start):
        kind = str(match.lastgroup)
        start = _comment_end(text, match.end()) if kind == "opening" else match.end()
        if kind not in ("blank", "opening"):
            yield Token(kind, match[0], match.start(), start)


def first_semicolon(text: bytes, start: int) -> int:
    """Where the first `;` among the values of an INSERT is, or the text's length: without cutting up what may be a
    hundred megabytes of them. Of rare things (a nested comment, a here document) it may see one too many.

    >>> first_semicolon(b"(1, 'a;b'); x", 0)
    10
    """
    found = (mark.start() for mark in _SEMICOLON.finditer(text, start) if mark[0] == b";")
    return next(found, len(text))


def _comment_end(text: bytes, start: int) -> int:
    depth = 1
    for mark in _COMMENT_MARK.finditer(text, start):
        depth += 1 if mark[0] == b"/*" else -1
        if depth == 0:
            return mark.end()
    return len(text)
