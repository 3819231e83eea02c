"""Files as people have them: right, or one true sentence. What is right stands in the folder's README."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from services.chain.analysis import ChainAnalysis, analyse
from services.chain.read import read_chain
from services.chain.report import ChainReport
from services.chain.table import ChainFileError
from services.core.calendar import Calendar, ny_ns


@pytest.fixture(scope="module")
def folder(realdata: Path) -> Path:
    return realdata / "awkward"


def analysed(path: Path, as_of_ns: int | None = None) -> ChainAnalysis:
    table = read_chain(path, at_ns=as_of_ns)
    days = [table.quote_date, *(expiry.date for expiry in table.expiries)]
    return analyse(table, Calendar.load(min(days) - dt.timedelta(days=14), max(days)), as_of_ns=as_of_ns)


def report_of(path: Path, as_of_ns: int | None = None) -> ChainReport:
    return analysed(path, as_of_ns).report


def test_adjusted_contracts_make_no_forward_and_no_wall(folder: Path) -> None:
    report = report_of(folder / "cboe_adjusted_root.csv")
    assert report.rejected["adjusted_deliverable"] == 36
    assert report.expiries[0].forward == pytest.approx(40.0, abs=0.1)
    assert report.exposure["naive"].put_wall == 40.0
    report = report_of(folder / "massive_adjusted.json")
    assert (report.contracts, report.rejected["adjusted_deliverable"]) == (36, 10)


def test_a_row_that_comes_twice_is_one_contract(folder: Path) -> None:
    report = report_of(folder / "massive_row_twice.json")
    assert (report.contracts, report.rejected["repeated"]) == (36, 5)
    assert report.exposure["naive"].net_gex == pytest.approx(0.0, abs=1.0)


@pytest.mark.parametrize("name", ["massive_pages.json", "massive_pages_by_line.json"])
def test_pages_in_a_list_or_one_a_line_are_one_chain(folder: Path, name: str) -> None:
    assert report_of(folder / name).contracts == 36


def test_a_page_that_names_a_next_one_is_not_the_chain(folder: Path) -> None:
    assert any("unfinished" in note for note in report_of(folder / "massive_first_page_only.json").notes)


def test_strikes_without_any_quote_do_not_end_the_strip(folder: Path) -> None:
    report = report_of(folder / "cboe_unquoted_strikes.csv")
    assert report.variance_index["vix"] == pytest.approx(30.76, abs=0.01)


def test_an_expiry_without_quotes_counts_with_its_stated_vols_and_says_so(folder: Path) -> None:
    report = report_of(folder / "massive_expiry_without_quotes.json")
    assert report.exposure["naive"].gross_gex == pytest.approx(26.0e6, rel=0.02)
    assert any("the vol the file states" in note for note in report.notes)


def test_open_interest_that_is_not_given_makes_no_exposure(folder: Path) -> None:
    report = report_of(folder / "massive_open_interest_missing.json")
    assert report.exposure == {}
    assert "open interest" in report.exposure_absent["naive"]
    assert report.expiries[0].open_interest is None


def test_vix_weeklies_settle_in_the_morning(folder: Path) -> None:
    first = report_of(folder / "massive_vixw_day_before.json").expiries[0]
    assert 365.0 * first.years == pytest.approx(0.75, abs=1e-6)
    assert first.atm_iv == pytest.approx(1.10, abs=0.01)
    assert report_of(folder / "massive_vixw_after_settlement.json").expiries[0].expiry == "2025-09-24"


def test_stamps_in_milliseconds_are_read_and_one_stray_stamp_dates_nothing(folder: Path) -> None:
    assert report_of(folder / "massive_quote_times_in_ms.json").as_of == "2025-09-03T15:30:00-04:00"
    report = report_of(folder / "massive_one_quote_time_ahead.json")
    assert (report.as_of, report.contracts) == ("2025-09-03T15:30:00-04:00", 54)
    assert report.rejected["quote_time_apart"] == 1


@pytest.mark.parametrize(
    "name",
    [
        "massive_whole_chain.json",
        "massive_underlying_empty_in_one_row.json",
        "massive_null_fields.json",
        "massive_contract_type_other.json",
    ],
)
def test_one_odd_cell_does_not_refuse_the_chain(folder: Path, name: str) -> None:
    report = report_of(folder / name)
    assert report.contracts == 54
    assert report.exposure["naive"].gross_gex == pytest.approx(1.48e6, rel=0.02)
    assert report.exposure["naive"].max_pain == 100.0


def test_a_sunday_download_is_as_of_the_end_of_fridays_session_and_says_so(folder: Path) -> None:
    report = report_of(folder / "cboe_weekend.csv")
    assert (report.as_of, report.as_of_method) == ("2023-08-25T16:15:00-04:00", "session_end")
    assert report.expiries[0].expiry == "2023-08-28"
    assert report.expiries[0].atm_iv == pytest.approx(0.15, abs=0.003)
    assert any("clock set back" in note for note in report.notes)


@pytest.mark.parametrize("name", ["cboe_spanish_date.csv", "cboe_german_date.csv"])
def test_a_date_in_another_language_is_read(folder: Path, name: str) -> None:
    assert report_of(folder / name).as_of == "2023-08-25T16:15:00-04:00"
    given = report_of(folder / name, ny_ns(dt.date(2023, 8, 25), 15, 35))
    assert (given.as_of, len(given.expiries)) == ("2023-08-25T15:35:00-04:00", 4)


@pytest.mark.parametrize("name", ["cboe_utf16.csv", "cboe_semicolon_comma.csv"])
def test_what_a_spreadsheet_in_europe_saved_is_read(folder: Path, name: str) -> None:
    report = report_of(folder / name)
    assert report.spot == 4400.0
    later = report.expiries[1:]  # the first has 25 minutes left and three strikes
    assert [one.atm_iv for one in later] == pytest.approx([0.15] * 3, abs=0.01)


@pytest.mark.parametrize("name", ["cboe_dashboard_every_cell_quoted.csv", "cboe_delayed_quotes_api.json"])
def test_one_chain_reads_the_same_saved_by_a_spreadsheet_or_from_the_api(folder: Path, name: str) -> None:
    report = report_of(folder / name)
    assert (report.spot, report.as_of) == (100.0, "2025-09-03T15:30:00-04:00")
    assert report.expiries[0].atm_iv == pytest.approx(0.25, abs=0.01)


def test_an_unreadable_date_is_quoted_and_at_is_enough(folder: Path, tmp_path: Path) -> None:
    text = (folder / "cboe_weekend.csv").read_text().replace("August 27, 2023 at 1:35 PM GMT-4", "27 elokuuta 2023")
    path = tmp_path / "spx.csv"
    path.write_text(text)
    with pytest.raises(ChainFileError, match=r"27 elokuuta 2023.*--at"):
        read_chain(path)
    assert report_of(path, ny_ns(dt.date(2023, 8, 25), 15, 35)).spot == 4400.0
