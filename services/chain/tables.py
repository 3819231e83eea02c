"""The report for people: rich tables on stdout."""

from __future__ import annotations

from pathlib import Path

from rich.box import Box
from rich.console import Console
from rich.table import Table

from services.chain.report import ChainReport, ExpiryReport, ExposureReport

__all__ = ["print_report"]

_DASH = "-"
# One letter a failed check, explained under the table.
_LETTERS = {
    "butterfly": "b = butterfly arbitrage in the fit",
    "calendar": "c = variance falls from the expiry before",
    "quotes": "q = quotes bend the wrong way",
    "wide_fit": "w = fit misses the quotes by more than their half spread",
}
# A rule under the head and nothing else, so that twelve columns fit eighty characters.
_RULED = Box("    \n    \n -- \n    \n    \n    \n    \n    \n")
# A pipe has no width of its own; this holds every column.
_PIPE_WIDTH = 110


def print_report(report: ChainReport, written: list[Path], console: Console | None = None) -> None:
    """Head, expiries, indices, exposure, what was left out."""
    out = console or Console(highlight=False)
    if not out.is_terminal:
        out = Console(highlight=False, width=_PIPE_WIDTH)
    how = report.as_of_method.replace("_", " ")
    out.print(
        f"[bold]{report.underlying}[/bold] {_price(report.spot)} ({report.spot_method.replace('_', ' ')})"
        f"  as of {report.as_of} ({how})  rate {100 * report.rate:.2f} % ({report.rate_method})"
        f"  {report.contracts:,} contracts  [dim]{report.format}[/dim]",
        soft_wrap=True,
    )
    out.print(_expiries(report.expiries))
    seen = [text for name, text in _LETTERS.items() if any(one.checks[name] for one in report.expiries)]
    if seen:
        out.print(f"[dim]{'; '.join(seen)}[/dim]")
    indices = "  ".join(
        f"{name.upper()} {value:.2f}" for name, value in report.variance_index.items() if value is not None
    )
    out.print(f"30-day vol {_percent(report.cm30)}   {indices}")
    if report.exposure:
        out.print(_exposure(report))
    elif report.exposure_absent:
        out.print(f"no dealer exposure: it {next(iter(report.exposure_absent.values()))}")
    for name, needs in report.exposure_absent.items() if report.exposure else ():
        out.print(f"[dim]{name} convention left out: {needs}[/dim]")
    if report.rejected:
        listed = ", ".join(f"{reason.replace('_', ' ')} {count:,}" for reason, count in report.rejected.items())
        out.print(f"[dim]left out: {listed}[/dim]")
    for note in report.notes:
        out.print(f"[yellow]note:[/yellow] {note}")
    for path in written:
        out.print(f"wrote {path}")


def _expiries(expiries: list[ExpiryReport]) -> Table:
    table = Table(box=_RULED, padding=(0, 1, 0, 0), pad_edge=False, title="vols in per cent", title_justify="left")
    table.add_column("expiry", no_wrap=True)
    for name in ("days", "forward", "ATM", "RR25", "BF25", "strip", "quotes", "max pain"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("flags", overflow="fold")
    for one in expiries:
        table.add_row(
            one.expiry if one.settlement == "pm" else f"{one.expiry} am",
            f"{365.0 * one.years:.2f}",
            _price(one.forward),
            _percent(one.atm_iv),
            _percent(one.rr25),
            _percent(one.bf25),
            _percent(one.model_free_vol),
            str(one.quotes),
            _price(one.max_pain),
            _flags(one),
        )
    return table


def _flags(one: ExpiryReport) -> str:
    failed = "".join(_LETTERS[name][0] for name, bad in one.checks.items() if bad)
    return failed if one.curve == "svi" else f"{failed} {one.curve}".strip()


def _exposure(report: ChainReport) -> Table:
    title = f"dealer exposure, expiries within {report.horizon_days:g} days"
    table = Table(box=_RULED, padding=(0, 2, 0, 0), pad_edge=False, title=title, title_justify="left")
    table.add_column("")
    for name in report.exposure:
        table.add_column(name, justify="right")
    rows: tuple[tuple[str, str], ...] = (
        ("net gamma, $ per 1 %", "net_gex"),
        ("gross gamma, $ per 1 %", "gross_gex"),
        ("net vanna, $ delta per vol point", "net_vex"),
        ("net charm, $ delta per day", "net_cex"),
        ("net delta, $", "net_dex"),
    )
    for label, key in rows:
        table.add_row(label, *(_dollars(getattr(one, key)) for one in report.exposure.values()))
    for label, key in (("call wall", "call_wall"), ("put wall", "put_wall"), ("largest strike", "largest_strike")):
        table.add_row(label, *(_price(getattr(one, key)) for one in report.exposure.values()))
    table.add_row("zero gamma", *(_roots(one) for one in report.exposure.values()))
    table.add_row("max pain", *(_price(one.max_pain) for one in report.exposure.values()))
    table.add_row(
        "gone at next expiry", *(f"{100 * one.share_expiring_first:.0f} %" for one in report.exposure.values())
    )
    return table


def _roots(one: ExposureReport) -> str:
    return ", ".join(f"{root:,.2f}" for root in one.zero_gamma) or "none"


def _percent(value: float | None) -> str:
    return _DASH if value is None else f"{100.0 * value:.2f}"


def _price(value: float | None) -> str:
    return _DASH if value is None else f"{value:,.2f}".removesuffix(".00")


def _dollars(value: float) -> str:
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "K")):
        if abs(value) >= size:
            return f"{value / size:,.2f} {letter}"
    return f"{value:,.0f}"
