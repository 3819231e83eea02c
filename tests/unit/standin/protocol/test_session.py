"""The vendor's protocol, sentence by sentence (spec/vendor.md 2.2 to 2.6 and 11.1)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from standin.files.tape import Tape
from standin.protocol.session import ClientSession, Cluster, Hangup, ProtocolOptions, Reply, SessionState


def statuses(reply: Reply) -> list[tuple[str, str]]:
    """(status, message) of every status in a reply."""
    return [(each.status, each.message) for each in reply.statuses]


def say(session: ClientSession, action: str, params: str) -> list[tuple[str, str]]:
    return statuses(session.receive(json.dumps({"action": action, "params": params})))


def live(cluster: Cluster = "options", options: ProtocolOptions | None = None) -> ClientSession:
    session = ClientSession(cluster, frozenset({"key"}), options or ProtocolOptions())
    assert say(session, "auth", "key") == [("auth_success", "authenticated")]
    return session


def test_greets_with_an_array_of_one_connected_event() -> None:
    assert json.loads(ClientSession.greeting()) == [
        {"ev": "status", "status": "connected", "message": "Connected Successfully"}
    ]


def test_a_wrong_key_is_refused_and_cut_without_a_close_frame() -> None:
    session = ClientSession("options", frozenset({"key"}))
    reply = session.receive(b'{"action":"auth","params":"other"}')
    assert statuses(reply) == [("auth_failed", "authentication failed")]
    assert reply.hangup is Hangup.ABORT
    assert session.state is SessionState.CLOSED
    assert session.receive(b'{"action":"auth","params":"key"}') == Reply()


def test_a_plan_without_websocket_is_told_so() -> None:
    session = ClientSession("options", frozenset({"key"}), ProtocolOptions(plan_includes_websocket=False))
    (status, message) = say(session, "auth", "key")[0]
    assert status == "auth_failed"
    assert "plan doesn't include websocket access" in message


def test_subscribing_before_auth_is_refused() -> None:
    session = ClientSession("options", frozenset({"key"}))
    assert say(session, "subscribe", "T.*") == [("auth_failed", "authentication failed")]


def test_every_pair_is_acknowledged_in_one_frame_known_ticker_or_not() -> None:
    session = live()
    reply = session.receive(b'{"action":"subscribe","params":"T.*,T.O:NOPE,AM.O:SPY251219C00650000"}')
    assert reply.can_wait
    assert statuses(reply) == [
        ("success", "subscribed to: T.*"),
        ("success", "subscribed to: T.O:NOPE"),
        ("success", "subscribed to: AM.O:SPY251219C00650000"),
    ]


def test_unknown_channels_and_duplicates_get_no_answer() -> None:
    session = live()
    assert say(session, "subscribe", "T.*,ZZ.SPY") == [("success", "subscribed to: T.*")]
    assert say(session, "subscribe", "T.*,ZZ.SPY") == []
    assert session.version == 1


def test_a_token_is_split_at_its_first_dot_only() -> None:
    session = live("stocks")
    assert say(session, "subscribe", "A.BRK.B") == [("success", "subscribed to: A.BRK.B")]
    assert session.tickers["A"] == {"BRK.B": None}


def test_an_unentitled_channel_is_refused_and_the_rest_acknowledged() -> None:
    session = live(options=ProtocolOptions(entitled=frozenset({"T"})))
    answers = say(session, "subscribe", "Q.O:SPY251219C00650000,T.*")
    assert answers == [("error", "not authorized"), ("success", "subscribed to: T.*")]


def test_quotes_of_everything_are_not_offered_on_options_but_are_on_stocks() -> None:
    assert say(live(), "subscribe", "Q.*") == [("error", "not authorized")]
    assert say(live("stocks"), "subscribe", "Q.*") == [("success", "subscribed to: Q.*")]


def quotes(first: int, count: int) -> str:
    return ",".join(f"Q.O:SPY300118C{1000 * strike:08d}" for strike in range(first, first + count))


def test_a_request_past_the_quote_limit_is_refused_whole_with_several_errors() -> None:
    session = live()
    answers = say(session, "subscribe", "T.*," + quotes(1, 1001))
    assert len(answers) == 27
    assert {status for status, _ in answers} == {"error"}
    assert answers[0][1].startswith("Subscription limit reached")
    assert not session.holds("Q")
    assert not session.holds("T")


def test_the_limit_counts_contracts_held_and_unsubscribing_frees_them() -> None:
    session = live()
    assert len(say(session, "subscribe", quotes(1, 1000))) == 1000
    assert {status for status, _ in say(session, "subscribe", quotes(1001, 1))} == {"error"}
    assert say(session, "subscribe", quotes(1, 10)) == []  # held already: none of them is new
    assert len(say(session, "unsubscribe", quotes(1, 10))) == 10
    assert len(say(session, "subscribe", quotes(1001, 10))) == 10


def test_unsubscribing_answers_only_for_what_was_held() -> None:
    session = live()
    say(session, "subscribe", "T.*")
    assert say(session, "unsubscribe", "T.*,T.O:NOPE") == [("success", "unsubscribed to: T.*")]
    assert not session.holds("T")


@given(st.binary(max_size=60) | st.text(max_size=60))
def test_no_odd_frame_raises_or_gets_an_answer(frame: bytes | str) -> None:
    session = live()
    assert session.receive(frame).statuses == ()


# What the vendor's documents leave open


@pytest.mark.parametrize(
    ("answer", "told", "hangup"),
    [
        ("refuse", [("auth_failed", "authentication failed")], Hangup.ABORT),
        ("drop", [], Hangup.ABORT),
        ("ignore", [], None),
    ],
)
def test_subscribing_before_auth_can_be_refused_cut_or_ignored(
    answer: Any, told: list[tuple[str, str]], hangup: Hangup | None
) -> None:
    session = ClientSession("options", frozenset({"key"}), ProtocolOptions(early_subscribe=answer))
    reply = session.receive(b'{"action":"subscribe","params":"T.*"}')
    assert (statuses(reply), reply.hangup) == (told, hangup)
    assert (session.state is SessionState.CLOSED) == (hangup is not None)


def test_quotes_of_everything_can_be_allowed(tape: Tape) -> None:
    session = live(options=ProtocolOptions(quote_wildcard="allow"))
    assert say(session, "subscribe", "Q.*") == [("success", "subscribed to: Q.*")]
    assert session.rows(tape.listing, "Q").tolist() == [0, 1, 2]


@pytest.mark.parametrize(("switched", "rows"), [(True, [0, 1]), (False, [])])
def test_a_prefix_wildcard_is_an_unknown_ticker_unless_switched_on(tape: Tape, switched: bool, rows: list[int]) -> None:
    session = live(options=ProtocolOptions(prefix_wildcards=switched))
    assert say(session, "subscribe", "T.O:XYZ140620C*") == [("success", "subscribed to: T.O:XYZ140620C*")]
    assert session.rows(tape.listing, "T").tolist() == rows


def test_other_channels_can_count_toward_the_limit() -> None:
    some_of_each = "T.O:A,T.O:B," + quotes(1, 2)
    assert len(say(live(options=ProtocolOptions(quoted_contracts_max=3)), "subscribe", some_of_each)) == 4
    strict = live(options=ProtocolOptions(quoted_contracts_max=3, limit_counts="all", limit_errors=2))
    assert [status for status, _ in say(strict, "subscribe", some_of_each)] == ["error", "error"]


def test_fair_values_have_a_limit_of_their_own_and_no_wildcard() -> None:
    session = live(options=ProtocolOptions(business=True, quoted_contracts_max=2, limit_errors=1))
    assert len(say(session, "subscribe", "FMV.O:A,FMV.O:B," + quotes(1, 2))) == 4
    assert [status for status, _ in say(session, "subscribe", "FMV.O:C")] == ["error"]
    assert say(session, "subscribe", "FMV.*") == [("error", "not authorized")]
    assert say(live(), "subscribe", "FMV.O:A") == [("error", "not authorized")]


def test_the_word_of_unsubscribing_can_be_another() -> None:
    session = live(options=ProtocolOptions(unsubscribed="from"))
    say(session, "subscribe", "T.*")
    assert say(session, "unsubscribe", "T.*") == [("success", "unsubscribed from: T.*")]


def test_a_key_can_be_refused_or_not_heard() -> None:
    refused = ClientSession("options", frozenset({"key"}), reception="refused")
    assert say(refused, "auth", "key") == [("auth_failed", "authentication failed")]
    deaf = ClientSession("options", frozenset({"key"}), reception="deaf")
    assert say(deaf, "auth", "key") == []
    assert deaf.state is SessionState.GREETED


def test_an_absent_ticker_is_acknowledged_and_silent() -> None:
    session = ClientSession("indices", frozenset({"key"}), absent=frozenset({"I:VIX6M"}))
    say(session, "auth", "key")
    assert len(say(session, "subscribe", "V.*,V.I:VIX6M")) == 2
    assert [session.wants("V", ticker) for ticker in ("I:VIX", "I:VIX6M")] == [True, False]
