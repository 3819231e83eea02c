"""The vendor's session, bytes in and bytes out: spec/vendor.md 2.1 to 2.10, in the order of its tables."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.gateway.gaps.ledger import cause_of
from services.gateway.massive.messages import Trade
from services.gateway.massive.protocol import ConnectionState, FeedProtocol, Retry
from services.gateway.massive.subscriptions import ACK_TIMEOUT_NS, PAIRS_PER_REQUEST, Note
from tests.support import vendor as v

KEY = "s3cret"


def said(session: FeedProtocol, *elements: dict[str, Any], now_ns: int = 0) -> list[Note]:
    """What the session has to say to a frame of elements."""
    return session.receive_frame(v.frame(*elements), now_ns).notes


def sent(session: FeedProtocol) -> list[dict[str, str]]:
    """What it wants to send now."""
    return [json.loads(message) for message in session.data_to_send()]


def live(*pairs: str) -> FeedProtocol:
    """A session that is authenticated and has sent its first request."""
    session = FeedProtocol("options", KEY, pairs)
    said(session, v.status("connected"), v.status("auth_success"))
    assert session.state is ConnectionState.LIVE
    sent(session)
    return session


def acks(*pairs: str, word: str = "subscribed") -> list[dict[str, Any]]:
    return [v.status("success", f"{word} to: {pair}") for pair in pairs]


class TestSequence:
    def test_nothing_is_sent_before_the_greeting(self) -> None:
        session = FeedProtocol("options", KEY, {"T.*"})
        assert session.state is ConnectionState.CONNECTING
        assert sent(session) == []

    def test_the_greeting_is_answered_with_the_key_and_nothing_else(self) -> None:
        session = FeedProtocol("options", KEY, {"T.*"})
        assert said(session, v.status("connected", "Connected Successfully")) == []
        assert session.state is ConnectionState.AUTHING
        assert sent(session) == [{"action": "auth", "params": KEY}]

    def test_subscriptions_follow_authentication(self) -> None:
        session = FeedProtocol("options", KEY, {"T.*"})
        said(session, v.status("connected"))
        sent(session)
        notes = said(session, v.status("auth_success", "authenticated"))
        assert [note.kind for note in notes] == ["live"]
        assert sent(session) == [{"action": "subscribe", "params": "T.*"}]

    def test_greeting_and_answer_may_share_a_frame(self) -> None:
        session = FeedProtocol("options", KEY, {"T.*"})
        said(session, v.status("connected"), v.status("auth_success"))
        assert [message["action"] for message in sent(session)] == ["auth", "subscribe"]

    def test_an_acknowledged_pair_is_held(self) -> None:
        session = live("T.*")
        assert said(session, *acks("T.*")) == [Note("subscribed", pairs=("T.*",))]
        assert session.subscriptions.acknowledged == {"T.*"}

    def test_market_events_beside_statuses_keep_flowing(self) -> None:
        session = live("T.*")
        received = session.receive_frame(v.frame(v.trade(), *acks("T.*"), v.trade()), 0)
        assert sum(isinstance(event, Trade) for event in received.market.events) == 2
        assert session.subscriptions.acknowledged == {"T.*"}

    def test_the_key_is_in_no_text_of_the_session(self) -> None:
        session = live("T.*")
        assert KEY not in repr(session)


class TestSubscriptions:
    def test_a_channel_goes_first_and_alone_then_quotes_by_the_request_size(self) -> None:
        quotes = [f"Q.O:SPY251219C{strike:08d}" for strike in range(450)]
        session = FeedProtocol("options", KEY, {"T.*", *quotes})
        said(session, v.status("connected"), v.status("auth_success"))
        assert sent(session)[1:] == [{"action": "subscribe", "params": "T.*"}]
        said(session, *acks("T.*"))
        sizes = []
        while requests := sent(session):
            (request,) = requests  # one in flight at a time
            pairs = request["params"].split(",")
            sizes.append(len(pairs))
            said(session, *acks(*reversed(pairs)))  # order of arrival is not guaranteed
        assert sizes == [PAIRS_PER_REQUEST, PAIRS_PER_REQUEST, 50]
        assert session.subscriptions.acknowledged == {"T.*", *quotes}

    def test_a_request_is_not_over_before_its_last_ack(self) -> None:
        session = live("Q.a", "Q.b")
        said(session, *acks("Q.a"))
        session.want({"Q.a", "Q.b", "Q.c"}, 0)
        assert sent(session) == []
        said(session, *acks("Q.b"))
        assert sent(session) == [{"action": "subscribe", "params": "Q.c"}]

    def test_what_is_held_is_not_asked_for_again(self) -> None:
        session = live("T.*")
        said(session, *acks("T.*"))
        session.want({"T.*"}, 0)
        assert sent(session) == []

    def test_room_is_made_before_it_is_taken(self) -> None:
        session = live("Q.a")
        said(session, *acks("Q.a"))
        session.want({"Q.b"}, 0)
        assert sent(session) == [{"action": "unsubscribe", "params": "Q.a"}]
        assert said(session, *acks("Q.a", word="unsubscribed")) == [Note("unsubscribed", pairs=("Q.a",))]
        assert sent(session) == [{"action": "subscribe", "params": "Q.b"}]
        assert session.subscriptions.acknowledged == set()

    def test_silence_ends_a_request_in_time(self) -> None:
        session = live("ZZ.a", "Q.b")
        said(session, *acks("Q.b"))
        assert session.tick(ACK_TIMEOUT_NS - 1) == []
        assert session.tick(ACK_TIMEOUT_NS) == [Note("unanswered", pairs=("ZZ.a",))]
        session.want({"ZZ.a", "Q.b"}, ACK_TIMEOUT_NS)
        assert sent(session) == [], "an unanswered pair is not asked for again at once"

    def test_an_unauthorized_channel_alone_is_refused_at_once(self) -> None:
        session = live("T.*")
        assert said(session, v.status("error", "not authorized")) == [Note("refused", pairs=("T.*",))]

    def test_not_authorized_names_no_pair_so_the_others_acks_are_awaited(self) -> None:
        session = live("Q.a", "V.b")
        assert said(session, v.status("error", "not authorized")) == []
        said(session, *acks("Q.a"))
        assert session.tick(ACK_TIMEOUT_NS) == [Note("refused", pairs=("V.b",))]


class TestEnds:
    @pytest.mark.parametrize(
        ("status", "retry"),
        [
            ("auth_failed", Retry.NEVER),
            ("auth_timeout", Retry.SOON),
            ("max_connections", Retry.CONTENDED),
            ("slow_consumer", Retry.SOON),
            ("force_disconnect", Retry.SOON),
        ],
    )
    @pytest.mark.parametrize("greeted", [True, False])
    def test_a_closing_status_says_how_to_come_back(self, status: str, retry: Retry, greeted: bool) -> None:
        session = live("T.*") if greeted else FeedProtocol("options", KEY)
        (note,) = said(session, v.status(status, "because"))
        assert (note.kind, note.message) == ("closing", f"{status}: because")
        assert session.state is ConnectionState.CLOSING
        assert session.closed(None) is retry
        assert session.state is ConnectionState.CLOSED

    def test_what_comes_while_closing_is_still_read(self) -> None:
        session = live("T.*")
        said(session, v.status("slow_consumer"))
        assert len(session.receive_frame(v.frame(v.trade()), 0).market.events) == 1

    def test_a_close_with_1008_and_no_word_is_a_contended_key(self) -> None:
        assert live("T.*").closed(1008, "") is Retry.CONTENDED

    def test_the_cause_of_a_close_is_a_word_whatever_the_vendor_says(self) -> None:
        """It becomes a label of a metric and a word in the ledger."""
        for reason in ("", "connection 7f3a of account 12 at 10:31:07"):
            session = live("T.*")
            session.closed(1008, reason)
            assert cause_of(session.last_status, 1008) == "close 1008"
            assert reason in session.last_status

    @pytest.mark.parametrize("status", ["slow_consumer", "force_disconnect"])
    def test_a_close_with_1008_after_another_reason_is_no_contended_key(self, status: str) -> None:
        session = live("T.*")
        said(session, v.status(status))
        assert session.closed(1008, "") is Retry.SOON

    @pytest.mark.parametrize("code", [None, 1000, 1001, 1006, 1011])
    def test_any_other_loss_is_retried_soon(self, code: int | None) -> None:
        assert live("T.*").closed(code) is Retry.SOON


class TestStrangeness:
    @pytest.mark.parametrize(
        "element", [v.status("auth_success"), v.status("moon_phase", "full"), v.status("success", "hello")]
    )
    def test_what_the_protocol_does_not_know_is_said_and_changes_nothing(self, element: dict[str, Any]) -> None:
        session = live("T.*")
        (note,) = said(session, element)
        assert note.kind == "protocol"
        assert session.state is ConnectionState.LIVE

    def test_success_before_authentication_is_not_believed(self) -> None:
        session = FeedProtocol("options", KEY, {"T.*"})
        said(session, *acks("T.*"))
        assert session.subscriptions.acknowledged == set()

    def test_a_second_greeting_does_not_send_the_key_again(self) -> None:
        session = live("T.*")
        said(session, v.status("connected"))
        assert sent(session) == []
