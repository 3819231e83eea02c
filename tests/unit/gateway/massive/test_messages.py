"""The dialect: each element judged on its own, no byte able to raise."""

from __future__ import annotations

import pytest

from services.gateway.massive.messages import IndexValue, Quote, Status, StockBar, Trade, Unused, decode_frame
from tests.support import vendor as v


def test_a_trade_has_the_fields_of_the_wire() -> None:
    (trade,), rejects, kind = decode_frame("options", v.frame(v.trade()))
    assert isinstance(trade, Trade)
    assert (trade.sym, trade.p, trade.s, trade.c, trade.t, trade.x, trade.q) == (
        v.SPY_CALL, 12.41, 25, (219,), v.T0_MS, 302, 1844730912,
    )  # fmt: skip
    assert rejects == []
    assert kind is Trade


def test_a_frame_may_mix_event_types_and_keeps_their_order() -> None:
    data = v.frame(v.quote(), v.trade(), v.status("success", "subscribed to: T.*"), v.quote())
    events, _, kind = decode_frame("options", data)
    assert [type(event) for event in events] == [Quote, Trade, Status, Quote]
    assert kind is None


def test_the_same_tag_means_what_its_cluster_says() -> None:
    (bar,), _, _ = decode_frame("stocks", v.frame(v.stock_bar()))
    assert isinstance(bar, StockBar)
    (aggregate,), rejects, _ = decode_frame("options", v.frame(v.stock_bar(v.SPY_CALL)))
    assert isinstance(aggregate, Unused)
    assert rejects == []


def test_an_index_value_names_its_ticker_in_capital_t() -> None:
    (value,), _, _ = decode_frame("indices", v.frame(v.index_value("I:VIX", val=17.04)))
    assert isinstance(value, IndexValue)
    assert (value.ticker, value.val, value.t) == ("I:VIX", 17.04, v.T0_MS)


def test_integers_may_come_as_floats_and_prices_as_integers() -> None:
    (trade,), rejects, _ = decode_frame("options", v.frame(v.trade(s=25.0, x=302.0, p=12, t=float(v.T0_MS))))
    assert isinstance(trade, Trade)
    assert (trade.s, trade.x, trade.p) == (25, 302, 12.0)
    assert type(trade.s) is int
    assert rejects == []


@pytest.mark.parametrize("conditions", [[], None, [219, 232]])
def test_conditions_may_be_empty_null_or_several(conditions: list[int] | None) -> None:
    (trade,), rejects, _ = decode_frame("options", v.frame(v.trade(c=conditions)))
    assert isinstance(trade, Trade)
    assert list(trade.c or ()) == (conditions or [])
    assert rejects == []


def test_a_missing_condition_list_is_none_at_all() -> None:
    (trade,), _, _ = decode_frame("options", v.frame(v.without(v.trade(), "c")))
    assert isinstance(trade, Trade)
    assert trade.c == ()


def test_unknown_fields_are_ignored() -> None:
    events, rejects, _ = decode_frame("options", v.frame(v.trade(ds="25", new={"deep": [1]})))
    assert len(events) == 1
    assert rejects == []


@pytest.mark.parametrize(
    "broken",
    [
        v.without(v.trade(), "p"),
        v.trade(p=-0.01),
        v.trade(p="much"),
        v.trade(s=0),
        v.trade(s=2.5),
        v.trade(s=2**31),
        v.trade(x=2**15),
        v.trade(t=1_765_981_806),  # seconds
        v.trade(t=1_765_981_806_123_000_000),  # nanoseconds
        v.trade(q=2**63),
        v.trade(c=[-1]),
        v.trade(sym=7),
    ],
)
def test_a_malformed_trade_is_a_reject_and_leaves_its_neighbours_alone(broken: dict[str, object]) -> None:
    events, rejects, _ = decode_frame("options", v.frame(v.trade(q=1), broken, v.trade(q=2)))
    assert [event.q for event in events if isinstance(event, Trade)] == [1, 2]
    (reject,) = rejects
    assert reject.reason == "malformed"
    assert reject.data == v.frame(broken)[1:-1]


@pytest.mark.parametrize("element", [{"ev": "ZZ"}, {"ev": 5}])
def test_an_unknown_event_is_a_reject_of_its_own_kind(element: dict[str, object]) -> None:
    events, (reject,), _ = decode_frame("options", v.frame(element, v.trade()))
    assert len(events) == 1
    assert reject.reason == "unknown_event"


def test_an_element_without_an_event_type_is_malformed() -> None:
    _, (reject,), _ = decode_frame("options", v.frame({"sym": "X"}))
    assert reject.reason == "malformed"


@pytest.mark.parametrize("data", [b"", b"{", b"[{]", b"null", b'{"ev":"T"}', b"[" * 100_000, b'["\xff"', b"\x00"])
def test_what_is_no_json_array_is_one_reject(data: bytes) -> None:
    events, (reject,), kind = decode_frame("options", data)
    assert events == []
    assert kind is None
    assert reject.reason == "not_json"
    assert len(reject.data) <= 4096


def test_of_truncated_json_the_whole_elements_are_taken_and_the_rest_is_one_reject() -> None:
    data = v.frame(*[v.trade(q=q) for q in range(100)])[:-40]
    events, (reject,), kind = decode_frame("options", data)
    assert [event.q for event in events] == list(range(99))  # type: ignore[union-attr]
    assert kind is Trade
    assert reject.reason == "cut_off"
    assert data.endswith(reject.data)


@pytest.mark.parametrize("tail", ['{"ev":"T","sym":"},{","p":', '{"ev":"status","message":"a},{b},{c'])
def test_text_that_looks_like_an_elements_end_is_none(tail: str) -> None:
    data = v.frame(v.trade(q=1), v.trade(q=2))[:-1] + b"," + tail.encode()
    events, (reject,), _ = decode_frame("options", data)
    assert [event.q for event in events] == [1, 2]  # type: ignore[union-attr]
    assert reject == ("cut_off", reject.detail, b"," + tail.encode())


def test_a_frame_that_breaks_off_in_its_first_element_is_one_reject() -> None:
    events, (reject,), _ = decode_frame("options", v.frame(v.trade())[:-10])
    assert (events, reject.reason) == ([], "not_json")


def test_bytes_that_are_not_utf8_spoil_only_their_element() -> None:
    data = v.frame(v.trade(sym="BAD"), v.trade()).replace(b"BAD", b"\xff\xfe\xfd")
    events, (reject,), _ = decode_frame("options", data)
    assert len(events) == 1
    assert reject.reason == "malformed"
