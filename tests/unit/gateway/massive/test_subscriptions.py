"""What is asked for again, what is not, and when: against a vendor with a limit of its own."""

from __future__ import annotations

import json

from services.gateway.massive.subscriptions import (
    ACK_TIMEOUT_NS,
    ASKED_MAX,
    LIMIT_RETRY_NS,
    PAIRS_PER_REQUEST,
    QUIET_NS,
    RETRY_NS,
    Coverage,
    Subscriptions,
)

S = 1_000_000_000


class Vendor:
    """Answers requests as the vendor does: all pairs or, beyond `limit` quotes, none."""

    def __init__(self, limit: int, silent: tuple[str, ...] = ()) -> None:
        self.limit, self.silent = limit, silent
        self.deaf: set[str] = set()  # granted, but the acknowledgement is lost
        self.held: set[str] = set()
        self.requests: list[tuple[str, int]] = []

    def serve(self, subscriptions: Subscriptions, now_ns: int) -> None:
        """Answer what is in the outbox, and what the answers lead to."""
        while subscriptions.outbox:
            request = json.loads(subscriptions.outbox.pop(0))
            pairs = request["params"].split(",")
            self.requests.append((request["action"], len(pairs)))
            if request["action"] == "unsubscribe":
                self.held.difference_update(pairs)
                for pair in pairs:
                    if pair not in self.silent:
                        subscriptions.acknowledge(pair, gone=True)
            elif sum(pair.startswith("Q.") for pair in {*self.held, *pairs}) > self.limit:
                for _ in range(27):
                    subscriptions.quote_limit("Subscription limit reached for feed.", now_ns)
            else:
                for pair in pairs:
                    if pair not in self.silent:
                        if pair not in self.held and pair not in self.deaf:
                            subscriptions.acknowledge(pair, gone=False)
                        self.held.add(pair)
            subscriptions.settle(now_ns)


def quotes(count: int) -> list[str]:
    """Pairs, the most important first."""
    return [f"Q.O:SPY251219C{count - number:08d}" for number in range(count)]


def run(subscriptions: Subscriptions, vendor: Vendor, start_s: int, stop_s: int) -> None:
    """Let seconds pass."""
    for second in range(start_s, stop_s):
        subscriptions.tick(second * S)
        vendor.serve(subscriptions, second * S)


def test_beyond_the_vendors_limit_as_many_of_the_most_important_are_held_as_fit() -> None:
    vendor, wanted = Vendor(limit=333), quotes(500)
    subscriptions = Subscriptions(["T.*", *wanted])
    subscriptions.start(0)
    run(subscriptions, vendor, 0, 30)
    assert vendor.held == {"T.*", *wanted[:333]}
    assert len(vendor.requests) < 20, "the limit is found by halves, not one by one"


def test_at_the_limit_a_more_important_contract_takes_the_place_of_the_least_important() -> None:
    vendor, wanted = Vendor(limit=10), quotes(12)
    subscriptions = Subscriptions(wanted)
    subscriptions.start(0)
    run(subscriptions, vendor, 0, 10)
    assert vendor.held == set(wanted[:10])
    subscriptions.want(["Q.new", *wanted], 10 * S)
    run(subscriptions, vendor, 10, 12)
    assert vendor.held == {"Q.new", *wanted[:9]}


def test_a_limit_that_was_lifted_is_found_out_after_a_minute() -> None:
    vendor, wanted = Vendor(limit=10), quotes(12)
    subscriptions = Subscriptions(wanted)
    subscriptions.start(0)
    run(subscriptions, vendor, 0, 10)
    vendor.limit = 1000
    run(subscriptions, vendor, 10, LIMIT_RETRY_NS // S)
    assert vendor.held == set(wanted[:10])
    run(subscriptions, vendor, LIMIT_RETRY_NS // S, LIMIT_RETRY_NS // S + 10)
    assert vendor.held == set(wanted)


def test_a_limit_that_stays_is_tried_ever_more_seldom() -> None:
    vendor = Vendor(limit=10)
    subscriptions = Subscriptions(quotes(12))
    subscriptions.start(0)
    run(subscriptions, vendor, 0, 3600)
    assert len(vendor.requests) < 40, "an hour of refusals costs a handful of requests"


def test_a_quote_whose_acknowledgement_was_lost_is_given_back_when_it_is_no_longer_wanted() -> None:
    vendor, wanted = Vendor(limit=10), quotes(11)
    vendor.deaf = {wanted[0]}
    subscriptions = Subscriptions(wanted[:5])
    subscriptions.start(0)
    run(subscriptions, vendor, 0, 20)
    assert vendor.held == set(wanted[:5])
    subscriptions.want(wanted[1:], 20 * S)
    run(subscriptions, vendor, 20, 40)
    assert vendor.held == set(wanted[1:]), "its slot is free for another"
    assert subscriptions.coverage == Coverage(desired=10, acknowledged=10, refused=0, open=0)


def test_the_limit_that_is_met_counts_what_may_be_held() -> None:
    vendor, wanted = Vendor(limit=10), quotes(12)
    vendor.deaf = {wanted[3]}
    subscriptions = Subscriptions(wanted)
    subscriptions.start(0)
    run(subscriptions, vendor, 0, 60)
    assert vendor.held == set(wanted[:10])


def test_a_limit_is_found_although_something_that_got_no_answer_is_not_held() -> None:
    vendor, wanted = Vendor(limit=9), quotes(12)
    vendor.silent = (wanted[3],)
    subscriptions = Subscriptions(wanted)
    subscriptions.start(0)
    run(subscriptions, vendor, 0, 600)
    assert vendor.held <= set(wanted)
    assert len(vendor.held) >= 8
    assert len(vendor.requests) < 60, "nobody asks every second for what is refused"


def test_what_never_was_answered_is_given_back_once() -> None:
    vendor = Vendor(limit=10, silent=("Q.gone",))
    subscriptions = Subscriptions(["Q.gone"])
    subscriptions.start(0)
    run(subscriptions, vendor, 0, 20)
    subscriptions.want(["Q.a"], 20 * S)
    run(subscriptions, vendor, 20, 600)
    assert vendor.requests == [("subscribe", 1), ("unsubscribe", 1), ("subscribe", 1)]


def refusing(channel: str) -> tuple[Subscriptions, list[str]]:
    """Whatever of a channel is asked for in ten re-ranks, by a vendor that grants the others."""
    subscriptions, asked = Subscriptions(["T.*"]), []
    subscriptions.start(0)
    for minute in range(10):
        subscriptions.want(["T.*", *(f"Q.O:SPY251219C{minute:08d}{number}" for number in range(3))], minute * 60 * S)
        for second in range(60):
            now_ns = (minute * 60 + second) * S
            subscriptions.tick(now_ns)
            while subscriptions.outbox:
                request = json.loads(subscriptions.outbox.pop(0))
                for pair in request["params"].split(","):
                    if pair.startswith(channel):
                        asked.append(pair)
                        subscriptions.unauthorized()
                    else:
                        subscriptions.acknowledge(pair, gone=request["action"] == "unsubscribe")
                subscriptions.settle(now_ns)
    return subscriptions, asked


def test_a_channel_that_the_plan_does_not_have_is_asked_for_once_whatever_contracts_come_and_go() -> None:
    subscriptions, asked = refusing("Q.")
    assert len(asked) == 3, "the first three"
    assert subscriptions.coverage == Coverage(desired=4, acknowledged=1, refused=3, open=0)


def test_a_channel_that_is_granted_late_is_asked_for_again() -> None:
    """One complaint, and answers slower than our patience: the channel seemed to be none of the plan's."""
    subscriptions = Subscriptions(["T.*"])
    subscriptions.start(0)
    subscriptions.acknowledge("T.*", gone=False)
    subscriptions.settle(0)
    subscriptions.want(["T.*", "Q.a", "Q.b"], S)
    subscriptions.unauthorized()
    subscriptions.tick(S + ACK_TIMEOUT_NS)
    assert subscriptions.refused == {"Q.a", "Q.b"}
    subscriptions.acknowledge("Q.a", gone=False)
    subscriptions.outbox.clear()
    subscriptions.want(["T.*", "Q.a", "Q.b", "Q.c"], 2 * S + ACK_TIMEOUT_NS)
    assert [json.loads(request)["params"] for request in subscriptions.outbox] == ["Q.b,Q.c"]


def test_a_contract_that_is_refused_alone_says_nothing_of_its_channel() -> None:
    subscriptions, asked = refusing("Q.O:SPY251219C000000052")
    assert asked == ["Q.O:SPY251219C000000052"]
    assert subscriptions.coverage == Coverage(desired=4, acknowledged=4, refused=0, open=0)


def test_error_elements_that_come_late_are_not_taken_for_the_answer_to_the_next_request() -> None:
    subscriptions = Subscriptions(["Q.a", "Q.b"])
    subscriptions.start(0)
    subscriptions.quote_limit("Subscription limit reached", 0)
    subscriptions.settle(0)
    subscriptions.outbox.clear()
    assert subscriptions.quote_limit("Subscription limit reached", QUIET_NS - 1) == []
    subscriptions.tick(QUIET_NS)
    assert [json.loads(message)["params"] for message in subscriptions.outbox] == ["Q.a"]


def test_an_unanswered_pair_is_asked_for_again_and_at_last_given_up() -> None:
    vendor = Vendor(limit=1000, silent=("ZZ.*",))
    subscriptions = Subscriptions(["ZZ.*"])
    subscriptions.start(0)
    run(subscriptions, vendor, 0, 3600)
    assert vendor.requests == [("subscribe", 1)] * ASKED_MAX
    assert subscriptions.coverage == Coverage(desired=1, acknowledged=0, refused=1, open=0)


def test_a_pair_that_was_given_up_and_is_granted_late_is_counted_once() -> None:
    subscriptions = Subscriptions(["ZZ.*"])
    subscriptions.start(0)
    run(subscriptions, Vendor(limit=1000, silent=("ZZ.*",)), 0, 3600)
    subscriptions.acknowledge("ZZ.*", gone=False)
    assert subscriptions.coverage == Coverage(desired=1, acknowledged=1, refused=0, open=0)


def test_a_late_answer_to_a_pair_that_was_to_be_asked_again_is_enough() -> None:
    subscriptions = Subscriptions(["Q.a"])
    subscriptions.start(0)
    subscriptions.tick(ACK_TIMEOUT_NS)
    subscriptions.acknowledge("Q.a", gone=False)
    subscriptions.outbox.clear()
    subscriptions.tick(ACK_TIMEOUT_NS + RETRY_NS)
    assert subscriptions.outbox == []
    assert subscriptions.coverage.acknowledged == 1


def test_what_the_plan_does_not_have_is_asked_for_once() -> None:
    subscriptions = Subscriptions(["T.*"])
    subscriptions.start(0)
    subscriptions.unauthorized()
    (note,) = subscriptions.settle(0)
    assert (note.kind, note.pairs) == ("refused", ("T.*",))
    subscriptions.outbox.clear()
    subscriptions.tick(3600 * S)
    assert subscriptions.outbox == []


def test_nothing_is_asked_for_once_the_vendor_is_about_to_close() -> None:
    subscriptions = Subscriptions(["T.*"])
    subscriptions.start(0)
    subscriptions.acknowledge("T.*", gone=False)
    subscriptions.settle(0)
    subscriptions.outbox.clear()
    subscriptions.stop()
    subscriptions.want(["T.*", "Q.a"], S)
    assert subscriptions.outbox == []


def test_the_most_important_contracts_are_asked_for_first() -> None:
    wanted = quotes(PAIRS_PER_REQUEST + 50)
    subscriptions = Subscriptions(wanted)
    subscriptions.start(0)
    (message,) = subscriptions.outbox
    assert json.loads(message)["params"].split(",") == wanted[:PAIRS_PER_REQUEST]
