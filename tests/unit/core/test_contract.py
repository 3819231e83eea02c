"""What a context or detector gets without writing it: defaults, published views, moments."""

from __future__ import annotations

import pytest

from schemas.decisions import View
from schemas.frames import Lane
from services.core.calendar import NS
from services.core.contract import FAR_FUTURE_NS, Context, ContextView, Moment, Parameters, Views
from tests.support.frames import constant_rows, heartbeat
from tests.support.machines import FRIDAY, OPEN_NS, SESSIONS, UNDERLYING, CountView, Follower, Last, LastView, Prints


def opened(kind: type[Context]) -> Context:
    context = kind(kind.Parameters())
    context.open_session(FRIDAY, SESSIONS[0])
    return context


def test_a_moment_counts_minutes_from_the_open() -> None:
    assert Moment(OPEN_NS + 90 * NS, 0, 1, 0, FRIDAY, SESSIONS[0]).minute == 1.5
    assert Moment(OPEN_NS - 60 * NS, 0, 1, 0, FRIDAY, SESSIONS[0]).minute == -1.0
    assert Moment(OPEN_NS, 0, 1, 0, FRIDAY, None).minute is None


def test_a_context_that_wants_nothing_is_never_due() -> None:
    context = opened(Follower)
    assert context.due_ns == FAR_FUTURE_NS
    context.open_epoch(2)
    assert context.triggers == []


def test_a_context_has_nothing_to_say_about_a_signal_unless_it_says_so() -> None:
    context = opened(Follower)
    view = context.view(UNDERLYING)
    assert view is not None
    assert context.contribution(None, "momentum", view, OPEN_NS) is None  # type: ignore[arg-type]


def test_a_view_is_published_with_who_and_when() -> None:
    context = opened(Last)
    assert context.published(UNDERLYING) is None, "nothing was seen yet"
    frame = heartbeat(Lane.TICKS, 1, 3, OPEN_NS)._replace(rows=constant_rows(Lane.TICKS, [OPEN_NS], price_usd=1 / 3))
    context.update(frame, 0, 1, Views([]))
    assert context.published(UNDERLYING) == View(
        context="last", version="1", underlying=UNDERLYING, as_of_ns=OPEN_NS, ready=True, reason="", stance="",
        confidence=1.0, values={"price_usd": 0.333333},
    )  # fmt: skip


def test_views_are_asked_for_by_type() -> None:
    views = Views([opened(Follower), opened(Prints)])
    assert views.get(CountView, UNDERLYING) is None, "that context has seen nothing of it"
    assert views.get(LastView, UNDERLYING) is None, "that context is off"


def test_a_context_that_lacks_its_methods_cannot_be_made() -> None:
    class Half(Context):
        name = "half"

    with pytest.raises(TypeError, match="abstract"):
        Half(Parameters())  # type: ignore[abstract]


def test_what_is_not_a_number_is_not_published() -> None:
    class Rich(ContextView, frozen=True, kw_only=True):
        level_usd: float | None
        label: str
        walls: tuple[float, ...]

    view = Rich(
        underlying="SPY", as_of_ns=1, ready=True, reason="", stance="", confidence=1.0, level_usd=None, label="x",
        walls=(1.0,),
    )  # fmt: skip
    assert view.values() == {"level_usd": None}
