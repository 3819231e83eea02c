"""`strikewire standin --report DIR`: the made-up market's stylised facts on a page."""

from __future__ import annotations

import argparse
from pathlib import Path

from services.commands._output import console, print_json
from services.errors import InputError
from standin.errors import StandInError
from standin.market.scenario import PLAIN, scenario_of
from standin.report.recorded import recorded_of
from standin.report.report import write_report
from standin.stylized_facts.market_stats import measured_stats

__all__ = ["add_reporting_arguments", "report"]


def add_reporting_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the page goes, and what it compares with."""
    parser.add_argument(
        "--report", type=Path, metavar="DIR", help="write a page of the market's stylised facts instead of serving"
    )
    parser.add_argument(
        "--compare", type=Path, metavar="DIR", help="recorded data to put beside them (chains, lean, vix_history ...)"
    )


def report(options: argparse.Namespace) -> int:
    """0 when the page is written."""
    try:
        scenario = scenario_of(options.scenario or PLAIN)
    except LookupError as error:
        raise InputError("--scenario", error.args[0]) from None
    try:
        recorded = None if options.compare is None else recorded_of(options.compare)
    except StandInError as error:
        raise InputError("--compare", str(error)) from None
    try:
        page = write_report(options.report, measured_stats(options.seed, scenario), recorded)
    except StandInError as error:
        raise InputError("--report", str(error)) from None
    if options.json:
        print_json({"page": str(page), "facts": str(page.with_name("facts.json"))})
    else:
        console.print(f"see {page}", soft_wrap=True)
    return 0
