"""The newest records of a topic, oldest first: alerts, signals, contexts, dead.letters, options.trades,
options.greeks, index.ticks, outcomes.
"""

from __future__ import annotations

import argparse
import base64
from typing import Any

import msgspec
from rich.table import Table

from schemas.kinds import KINDS
from schemas.symbols import SYMBOL_BYTES, Contract, contract_ticker
from schemas.topics import TOPICS, Topic
from services.commands._arguments import symbol
from services.commands._output import alert_row, alerts_table, console, market_time, print_json
from services.commands._replaying import history
from services.errors import InputError
from services.history.warehouse import Warehouse

EXAMPLE = "strikewire tail alerts -n 20"

_ORDER = {"contexts": "as_of_ns", "outcomes": "exit_ns", "feed.gaps": "lost_ns"}
_UNDERLYING = {"index.ticks": "symbol", "dead.letters": None, "outcomes": None, "feed.gaps": None}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which topic, how many, of what."""
    parser.add_argument("topic", metavar="TOPIC")
    parser.add_argument("-n", type=int, default=10, metavar="N", help="how many (default 10, at most 10,000)")
    parser.add_argument("--underlying", type=symbol, metavar="U", help="only this underlying")


def run(options: argparse.Namespace) -> int:
    """Always 0."""
    topic = TOPICS.get(options.topic)
    if topic is None:
        raise InputError(options.topic, f"there is no such topic; known: {', '.join(TOPICS)}")
    if not 0 < options.n <= 10_000:
        raise InputError(f"-n {options.n}", "between 1 and 10,000")
    where, parameters = _where(topic, options.underlying)
    with history(options) as client:
        order = "emitted_ns" if topic.document in KINDS else _ORDER.get(topic.name, "received_ns")
        rows = Warehouse(client).newest(topic.table, order, where, parameters, options.n)
    documents = [_document(topic, row) for row in rows]
    if options.json:
        for document in documents:
            print_json(document)
    elif not documents:
        console.print(f"nothing on {topic.name} yet")
    elif topic.name == "alerts":
        table = alerts_table()
        for document in documents:
            alert_row(table, document)
        console.print(table)
    else:
        console.print(_table(documents))
    return 0


def _where(topic: Topic, underlying: str | None) -> tuple[str, dict[str, Any]]:
    if underlying is None:
        return "", {}
    column = _UNDERLYING.get(topic.name, "underlying")
    if column is None:
        raise InputError("--underlying", f"{topic.name} has no underlying")
    if topic.lane is not None:  # fixed width, padded with NUL
        return f"WHERE {column} = toFixedString({{symbol:String}}, {SYMBOL_BYTES})", {"symbol": underlying}
    return f"WHERE {column} = {{symbol:String}}", {"symbol": underlying}


def _document(topic: Topic, row: dict[str, Any]) -> dict[str, Any]:
    """What a person or program wants of a stored row: the published document, or the row itself."""
    if "document" in row:
        document: dict[str, Any] = msgspec.json.decode(row["document"])
        return document
    if topic.name == "dead.letters":
        data = row["data"]
        return {
            **{name: str(row[name]) for name in ("received_ns", "source", "reason", "detail")},
            "data": base64.b64encode(data if isinstance(data, bytes) else data.encode()).decode(),
        }
    out: dict[str, Any] = {"at": row["event_ns"].isoformat()}
    for name, value in row.items():
        if name in ("event_ns", "received_ns", "recorded_at", "condition_bits"):
            continue
        out[name] = value.rstrip(b"\0").decode() if isinstance(value, bytes) else _plain(value)
    if "strike_mills" in out:
        day = (row["expiry_day"] - type(row["expiry_day"])(1970, 1, 1)).days
        ticker = contract_ticker(Contract(out["root"], day, out["strike_mills"], out["right"]))
        out = {"at": out.pop("at"), "contract": ticker, **out}
        for name in ("root", "expiry_day", "strike_mills", "right"):
            del out[name]
    return out


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value != value:
        return None
    return value if isinstance(value, int | float | str) else str(value)


def _table(documents: list[dict[str, Any]]) -> Table:
    hidden = {"parameters", "inputs", "factors", "evidence", "values", "partition", "epoch", "position", "seq", "data",
              "lost_ns", "restored_ns", "losses", "contracts_failed", "prints_known"}  # fmt: skip
    names = [name for name in documents[0] if name not in hidden][:14]
    table = Table(border_style="dim")
    for name in names:
        table.add_column(name, overflow="fold")
    for document in documents:
        table.add_row(*(_cell(name, document.get(name)) for name in names))
    return table


def _cell(name: str, value: Any) -> str:
    if name.endswith("_ns") and isinstance(value, int):
        return market_time(value)
    if isinstance(value, float):
        return f"{value:,.6g}"
    return "" if value is None else str(value)
