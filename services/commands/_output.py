"""What commands print: JSON for machines, tables and sentences for people."""

from __future__ import annotations

import datetime as dt
import sys
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from services.core.calendar import NEW_YORK

__all__ = ["alert_row", "alerts_table", "console", "counted", "market_time", "print_json", "styled_direction"]

console = Console(highlight=False)
_STYLES = {"LONG": "green", "SHORT": "red", "NEUTRAL": "yellow", "LONG_VOL": "cyan", "SHORT_VOL": "magenta"}


def print_json(document: Any) -> None:
    """One document on one line of stdout, at once."""
    sys.stdout.write(msgspec.json.encode(document).decode() + "\n")
    sys.stdout.flush()


def counted(separator: str = ", ", /, **counts: int) -> str:
    """Counts in words.

    >>> counted(signals=1_200, alerts=1, dead_letters=0)
    '1,200 signals, 1 alert, 0 dead letters'
    """
    words = {name: name.replace("_", " ").removesuffix("s" if count == 1 else "") for name, count in counts.items()}
    return separator.join(f"{count:,} {words[name]}" for name, count in counts.items())


def market_time(time_ns: int, seconds: bool = True) -> str:
    """A time as traders write it: New York wall time.

    >>> market_time(1402061400000000000)
    '2014-06-06 09:30:00'
    """
    stamp = dt.datetime.fromtimestamp(time_ns // 1_000_000_000, NEW_YORK)
    return stamp.strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")


def styled_direction(direction: str) -> Text:
    """LONG in green, SHORT in red."""
    return Text(direction, _STYLES.get(direction, ""))


def alerts_table(title: str | None = None) -> Table:
    """An empty table of alerts."""
    table = Table(title=title, expand=False, border_style="dim", title_justify="left")
    for name, justify in (
        ("time", "left"), ("underlying", "left"), ("detector", "left"), ("direction", "left"), ("score", "right"),
        ("what", "left"), ("id", "left"),
    ):  # fmt: skip
        table.add_column(name, justify=justify, no_wrap=name != "what", overflow="fold")  # type: ignore[arg-type]
    return table


def alert_row(table: Table, alert: dict[str, Any]) -> None:
    """Add an alert document to a table of alerts."""
    table.add_row(
        market_time(alert["emitted_ns"])[11:],
        Text(alert["underlying"], "bold"),
        alert["detector"],
        styled_direction(alert["direction"]),
        f"{alert['score']:.0f}",
        alert["headline"],
        Text(alert["id"], "dim"),
    )
