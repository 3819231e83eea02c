"""One option chain file worked out: forwards, vols, smiles, indices, dealer exposure.

Reads Cboe delayed quotes (dashboard download, wide or one-row-a-contract CSV), OptionsDX, a Massive snapshot and a
Deribit snapshot; .gz and .xz are unpacked. Exposure is dollars per 1 % move of spot, under two conventions for what
dealers hold, and a third where customers' signed positions are given (--flow: expiration,type,strike,position,volume).
"""

from __future__ import annotations

import argparse
import datetime as dt
import re
import sys
from pathlib import Path

import msgspec

from services.chain.read import FORMATS
from services.core.calendar import NEW_YORK, NS, Calendar

__all__ = ["EXAMPLE", "add_arguments", "add_parser", "run"]

EXAMPLE = "strikewire chain spx_quotedata.csv --plot plots/"
# The calendar is loaded this far before the quotes, for a date that is a holiday.
_DAYS_BEFORE = 14


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """The `chain` command with its own --json, for a program that has no common options."""
    parser = subparsers.add_parser(
        "chain",
        help="one option chain file worked out",
        description=__doc__,
        epilog=f"example: {EXAMPLE}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="machine output on stdout, nothing else there")
    add_arguments(parser)
    parser.set_defaults(run=run)
    return parser


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What only this command has."""
    parser.add_argument("file", type=Path, metavar="FILE", help="the chain")
    parser.add_argument("--format", choices=FORMATS, help="what the file is (default: recognised by its first lines)")
    parser.add_argument("--rate", type=_rate, metavar="R", help="continuous rate, such as 0.043 (default: from parity)")
    parser.add_argument(
        "--at", type=_moment, metavar="TIME", help="quote time, such as 2025-09-03T16:15 New York (default: the file's)"
    )
    parser.add_argument(
        "--horizon", type=_days, default=45.0, metavar="DAYS", help="expiries that count for exposure (default: 45)"
    )
    parser.add_argument("--spot", type=_price, metavar="USD", help="price of the underlying (default: the file's)")
    parser.add_argument("--underlying", metavar="NAME", help="which one, where a file holds several")
    parser.add_argument(
        "--exercise",
        choices=("auto", "european", "american"),
        default="auto",
        help="auto removes the early-exercise premium from American options beyond 90 days",
    )
    parser.add_argument(
        "--flow", type=Path, metavar="FILE", help="customers' signed positions (CSV): adds the flow dealer convention"
    )
    parser.add_argument("--plot", type=Path, metavar="DIR", help="write SVG pictures there")


def run(options: argparse.Namespace) -> int:
    """0, or a ChainFileError that names the place."""
    from services.chain.analysis import analyse
    from services.chain.flow import read_flow
    from services.chain.read import read_chain

    table = read_chain(options.file, options.format, options.underlying, at_ns=options.at, spot=options.spot)
    days = [expiry.date for expiry in table.expiries]
    first = min(table.quote_date, *days, _date_of(options.at or table.as_of_ns, table.quote_date))
    calendar = Calendar.load(first - dt.timedelta(days=_DAYS_BEFORE), max(*days, table.quote_date))
    analysis = analyse(
        table,
        calendar,
        as_of_ns=options.at,
        rate=options.rate,
        horizon_days=options.horizon,
        early_exercise={"auto": None, "european": False, "american": True}[options.exercise],
        flow=None if options.flow is None else read_flow(options.flow, table),
    )
    written = []
    if options.plot is not None:
        from services.chain.plots import write_plots

        written = write_plots(analysis, options.plot)
    if options.json:
        sys.stdout.write(msgspec.json.encode(analysis.report).decode() + "\n")
        return 0
    from services.chain.tables import print_report

    print_report(analysis.report, written)
    return 0


def _date_of(time_ns: int, otherwise: dt.date) -> dt.date:
    return dt.datetime.fromtimestamp(time_ns // NS, NEW_YORK).date() if time_ns else otherwise


def _rate(text: str) -> float:
    value = _number(text)
    if not -0.1 < value < 1.0:
        raise argparse.ArgumentTypeError(f"{text} is not a rate as a fraction, such as 0.043")
    return value


def _price(text: str) -> float:
    value = _number(text)
    if not 0.0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"{text} is not a price")
    return value


def _days(text: str) -> float:
    value = _number(text)
    if not value > 0.0:
        raise argparse.ArgumentTypeError(f"{text} is not a number of days")
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None


def _moment(text: str) -> int:
    try:
        # "2025-09-03T16:15 New York" is what the help shows.
        moment = dt.datetime.fromisoformat(re.sub(r"\s*(New[ _]York|ET)$", "", text.strip(), flags=re.IGNORECASE))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 2025-09-03T16:15") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=NEW_YORK)
    return int(moment.timestamp()) * NS
