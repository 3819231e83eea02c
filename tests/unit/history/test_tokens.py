"""ClickHouse's SQL, cut as its own lexer cuts it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.history.tokens import tokens


@pytest.mark.parametrize(
    "hidden",
    [
        "';'",
        r"'\';'",
        "'it''s;'",
        '";"',
        r'"\";"',
        "`;`",
        "``` ; ```",
        "$$ ; $$",
        "$tag$ ; $$ ; $other$ ; $tag$",
        "\u2018 ; \\\u2019",
        "\u201c ; \u201d",
        "-- ;\n",
        "--;\n",
        "// ;\n",
        "# ;\n",
        "#! ;\n",
        "/* ; */",
        "/* /* */ ; */",
        "/**/",
    ],
)
def test_what_is_quoted_or_a_comment_ends_no_statement(hidden: str):
    assert [token.text for token in tokens(f"a {hidden} ; b".encode()) if token.kind in ("word", "mark")] == [
        b"a",
        b";",
        b"b",
    ]


@pytest.mark.parametrize(
    "visible", ["'' ;", "- ;", "/ ;", "#;", "$ ; $", "$a ; $a", "* / ;", "\u2018 ;", "a$b$ ; $b$", "->;"]
)
def test_what_only_looks_like_it_hides_nothing(visible: str):
    assert b";" in [token.text for token in tokens(visible.encode())]


@pytest.mark.parametrize("opened", ["'", '"', "`", "/*", "--", "/* /* */", r"'\'", "'\\"])
def test_what_is_not_closed_swallows_the_rest(opened: str):
    assert b";" not in [token.text for token in tokens(f"a {opened} ; b".encode())]
    assert [token.text for token in tokens(f"a {opened}".encode())][:1] == [b"a"]


PIECES = [*"'\"`$;/*-#\\\n a1().\u2018\u2019", "--", "/*", "*/", "$$"]


@given(st.lists(st.sampled_from(PIECES)))
def test_tokens_are_pieces_of_the_text_in_its_order(pieces: list[str]):
    text, position = "".join(pieces).encode(), 0
    for token in tokens(text):
        assert position <= token.start < token.end <= len(text)
        assert text[token.start : token.end] == token.text
        position = token.end
