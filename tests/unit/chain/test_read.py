"""Every chain format as its vendor writes it, in a few lines, and what a broken one says."""

import datetime as dt
import gzip
import json
import lzma

import numpy as np
import pytest

from services.chain.files import number_of
from services.chain.read import FORMATS, read_chain
from services.chain.table import ChainFileError, Expiry
from services.core.calendar import ny_ns

DASHBOARD = """
S&P 500 INDEX,Last: 6448.26,Change:  32.7202
"Date: September 3, 2025 at 4:15 PM EDT",Bid: 6446.3,Ask: 6448.9,Size: 1*1,"Volume: 0"
Expiration Date,Calls,Last Sale,Net,Bid,Ask,Volume,IV,Delta,Gamma,Open Interest,Strike,Puts,Last Sale,Net,Bid,Ask,Volume,IV,Delta,Gamma,Open Interest
Thu Sep 04 2025,SPXW250904C06450000,9.5,0,9.1,9.4,1200,0.101,0.49,0.009,350,6450.00,SPXW250904P06450000,11,0,10.9,11.2,900,0.102,-0.51,0.009,410
Fri Sep 19 2025,SPX250919C06450000,70,0,69.8,70.6,12,0.118,0.5,0.002,9000,6450.00,SPX250919P06450000,60,0,59.9,60.5,30,0.119,-0.5,0.002,8000
"""  # noqa: E501

WIDE = """Date,ExpDate,Strike,CallBid,CallAsk,CallPrice,CallVolume,CallOI,PutBid,PutAsk,PutPrice,PutVolume,PutOI
2025-09-03,2025-09-04,6450,9.1,9.4,9.5,1200,350,10.9,11.2,11,900,410
2025-09-03,2025-09-05,6450,19.1,19.4,19.5,120,35,20.9,21.2,21,90,41
"""

DAILY = """underlying,underlying_last,exchange,optionroot,type,expiration,quotedate,strike,last,net,bid,ask,volume,openinterest,impliedvol,delta,gamma
SPX,2919.04,CBOE,SPXW190426C02920000,call,04/26/2019,04/25/2019,2920.0,5.0,0.0,5.1,5.4,10,20,0.09,0.5,0.01
SPX,2919.04,CBOE,SPX190517P02920000,put,05/17/2019,04/25/2019,2920.0,30.0,0.0,31.1,31.4,1,2,0.11,-0.5,0.004
"""  # noqa: E501

OPTIONSDX = """[QUOTE_UNIXTIME], [QUOTE_READTIME], [QUOTE_DATE], [QUOTE_TIME_HOURS], [UNDERLYING_LAST], [EXPIRE_DATE], [C_IV], [C_BID], [C_ASK], [STRIKE], [P_BID], [P_ASK], [P_IV]
1693940400, 2023-09-05 15:00, 2023-09-05, 15.0, 4490.0, 2023-09-08, 0.11, 20.0, 20.4, 4500.0, 25.0, 25.4, 0.12
1693944000, 2023-09-05 16:00, 2023-09-05, 16.0, 4496.8, 2023-09-08, 0.11, 22.0, 22.4, 4500.0, 24.0, 24.4,
"""  # noqa: E501

DERIBIT = """timestamp,instrument_name,option_type,strike,expiry_datetime,bid_price,ask_price,mark_price,futures_price,index_price,implied_volatility,delta,open_interest,volume,currency
2025-12-30T17:31:15.944181+00:00,BTC-16JAN26-82000-C,call,82000.0,2026-01-16T08:00:00+00:00,0.084,0.088,0.0855,88728.9,88530.2,0.4323,0.81644,0.3,0.0,BTC
2025-12-30T17:31:15.944181+00:00,BTC-16JAN26-82000-P,put,82000.0,2026-01-16T08:00:00+00:00,0.01,0.012,0.011,88728.9,88530.2,0.4323,-0.18,0.3,0.0,BTC
2025-12-30T17:31:15.944181+00:00,ETH-16JAN26-3000-C,call,3000.0,2026-01-16T08:00:00+00:00,0.04,0.05,0.045,2980.0,2978.2,0.55,0.5,1.0,0.0,ETH
"""  # noqa: E501


def massive_entry(**changes):
    entry = {
        "details": {
            "contract_type": "call",
            "exercise_style": "american",
            "expiration_date": "2023-06-16",
            "shares_per_contract": 100,
            "strike_price": 150,
            "ticker": "O:AAPL230616C00150000",
        },
        "last_quote": {"bid": 28.9, "ask": 29.25, "last_updated": 1651254260800059648},
        "open_interest": 8133,
        "implied_volatility": 0.357,
        "greeks": {"delta": 0.64},
        "underlying_asset": {"price": 159.96, "ticker": "AAPL"},
    }
    return entry | changes


@pytest.fixture
def chain(tmp_path):
    def write(text, name="chain.csv", **options):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return read_chain(path, **options)

    return write


def test_cboe_dashboard(chain):
    table = chain(DASHBOARD)
    assert table.format == "cboe-dashboard"
    assert (table.underlying, table.spot, table.european) == ("SPX", 6448.26, True)
    assert table.as_of_ns == ny_ns(dt.date(2025, 9, 3), 16, 15)
    assert table.expiries == (Expiry(dt.date(2025, 9, 4), False), Expiry(dt.date(2025, 9, 19), True))
    assert table.right.tolist() == [1, -1, 1, -1]
    assert table.bid.tolist() == [9.1, 10.9, 69.8, 59.9]
    assert table.open_interest.tolist() == [350, 410, 9000, 8000]
    assert table.stated_iv.tolist() == [0.101, 0.102, 0.118, 0.119]


def test_cboe_wide_has_a_date_and_no_spot(chain):
    table = chain(WIDE, "spxw.csv")
    assert table.format == "cboe-wide"
    assert table.underlying == "SPX"
    assert np.isnan(table.spot)
    assert table.as_of_ns == 0
    assert table.quote_date == dt.date(2025, 9, 3)
    assert len(table) == 4
    assert not any(expiry.am_settled for expiry in table.expiries)


def test_cboe_daily_knows_am_settlement_from_the_root(chain):
    table = chain(DAILY)
    assert table.format == "cboe-daily"
    assert [expiry.am_settled for expiry in table.expiries] == [False, True]
    assert table.volume.tolist() == [10.0, 1.0]


def test_optionsdx_takes_the_last_quote_time(chain):
    table = chain(OPTIONSDX, "spx_eod_202309.txt")
    assert table.format == "optionsdx"
    assert (table.underlying, table.spot) == ("SPX", 4496.8)
    assert table.as_of_ns == 1693944000 * 10**9
    assert table.bid.tolist() == [22.0, 24.0]
    assert np.isnan(table.stated_iv[1])


def test_massive_snapshot(chain):
    put = massive_entry(details=massive_entry()["details"] | {"contract_type": "put"}, implied_volatility=None)
    table = chain(json.dumps({"results": [massive_entry(), put, {"ticker": "AAPL", "type": "stocks"}]}), "aapl.json")
    assert table.format == "massive"
    assert (table.underlying, table.spot, table.european) == ("AAPL", 159.96, False)
    assert table.as_of_ns == 1651254260800059648
    assert table.right.tolist() == [1, -1]
    assert np.isnan(table.stated_iv[1])


def test_deribit_takes_the_commoner_coin_or_the_one_asked_for(chain):
    table = chain(DERIBIT)
    assert (table.format, table.underlying, table.coin_priced) == ("deribit", "BTC", True)
    assert len(table) == 2
    assert "ETH" in table.notes[0]
    assert chain(DERIBIT, underlying="ETH").spot == 2978.2
    with pytest.raises(ChainFileError, match="BTC, ETH, not SOL"):
        chain(DERIBIT, underlying="SOL")


def test_packed_files_and_byte_order_marks(tmp_path):
    for name, pack in (("a.csv.gz", gzip.compress), ("a.csv.xz", lzma.compress)):
        path = tmp_path / name
        path.write_bytes(pack(("\ufeff" + DAILY).encode()))
        assert len(read_chain(path)) == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (WIDE.replace("2025-09-05,6450", "2025-09-05,cheap"), ["line 3", "'Strike'", "'cheap' is not a number"]),
        (WIDE.replace("19.1", "inf"), ["line 3", "'CallBid'", "infinite"]),
        (WIDE.replace("2025-09-05", "soon"), ["line 3", "'ExpDate'", "'soon' is not a date"]),
        (WIDE.replace("2025-09-03,2025-09-05", "2025-09-04,2025-09-05"), ["line 3", "'Date'", "one day's chain"]),
        (WIDE.replace(",90,41", ""), ["line 3", "'PutVolume'", "ends after 11 of 13"]),
        (WIDE.replace("2025-09-05,6450", "2025-09-05,-5"), ["line 3", "'Strike'", "not a strike"]),
        (WIDE.replace(",", "|"), ["line 1", "none of the known chain formats"]),
        (DAILY.replace("put", "pig"), ["line 3", "'type'", "neither call nor put"]),
        (DAILY.replace("SPX190517P02920000", "SPX"), ["line 3", "'optionroot'", "not an option symbol"]),
        (DASHBOARD.replace("Date:", "Day:"), ["no 'Date:' in", "--at"]),
        (DASHBOARD.replace(",410", ""), ["line 5", "21 of 22"]),
        (OPTIONSDX.replace("1693940400", ""), ["line 2", "[QUOTE_UNIXTIME]", "is empty"]),
        (DERIBIT.replace("+00:00,BTC-16JAN26-82000-P", ",BTC-16JAN26-82000-P"), ["line 3", "'timestamp'", "time zone"]),
        (WIDE.replace("Strike", "Strk"), ["line 1", "looks like cboe-wide, but lacks the column Strike"]),
        (
            DERIBIT.replace("strike", "K").replace("delta", "d"),
            ["line 1", "looks like deribit", "column delta, strike"],
        ),
        (DASHBOARD.replace("Strike", "Strk"), ["line 4", "'Strike'", "'Strk' in place 12 of the header"]),
        (WIDE + "9" * 200_000, ["line 4", "not comma-separated text"]),
        (DASHBOARD + "9" * 200_000, ["line 7", "not comma-separated text"]),
        (WIDE.splitlines()[0], ["no option contracts"]),
        ("", ["is empty"]),
        ("hello\nworld\n", ["none of the known chain formats"]),
        ('{"results": 5}', ["'results'"]),
        ('{"results": [', ["line 1", "not JSON"]),
        ('{"results": [\n{"open_interest": NaN}]}', ["line 2", "NaN is no number there"]),
        ('{"results":' + 100_000 * "[", ["not JSON"]),
    ],
)
def test_an_error_names_file_line_and_column(chain, text, says):
    with pytest.raises(ChainFileError) as raised:
        chain(text, "broken.csv")
    for part in ["broken.csv", *says]:
        assert part in str(raised.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"details": {"contract_type": "call"}}, ["no option contracts", "no expiry or strike 1"]),
        ({"details": "call"}, ["results[0].details", "'call' is no object"]),
        ({"open_interest": "many"}, ["results[0].open_interest", "'many' is not a number"]),
        ({"last_quote": {}}, ["last_quote.last_updated"]),
        ({"open_interest": 10**400}, ["results[0].open_interest", "too large"]),
        (
            {"details": massive_entry()["details"] | {"strike_price": -150}},
            ["no option contracts", "no expiry or strike 1"],
        ),
    ],
)
def test_a_broken_snapshot_names_the_key(chain, change, says):
    with pytest.raises(ChainFileError) as raised:
        chain(json.dumps({"results": [massive_entry(**change)]}), "snap.json")
    for part in ["snap.json", *says]:
        assert part in str(raised.value)


def test_a_missing_file_and_a_folder_are_told(tmp_path):
    with pytest.raises(ChainFileError, match="no such file"):
        read_chain(tmp_path / "nowhere.csv")
    with pytest.raises(ChainFileError, match="is a folder"):
        read_chain(tmp_path)


def test_bytes_that_are_no_text_are_told(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(bytes(range(256)) * 8)
    with pytest.raises(ChainFileError, match=r"a\.csv, line \d: is not text"):
        read_chain(path)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "cp1252"])
def test_text_is_read_in_the_encodings_of_spreadsheets(tmp_path, encoding):
    path = tmp_path / "spx.csv"
    path.write_bytes(WIDE.encode(encoding))
    assert len(read_chain(path)) > 0


@pytest.mark.parametrize("name", FORMATS)
def test_an_empty_file_is_empty_in_every_format(chain, name):
    with pytest.raises(ChainFileError, match="is empty"):
        chain(" \n", format_name=name)


def test_damaged_archives_are_told(tmp_path):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(b"not gzip")
    with pytest.raises(ChainFileError, match="cannot be unpacked"):
        read_chain(path)


def refusal(chain, text):
    """What reading said, or nothing when it read."""
    try:
        chain(text, "cut.csv")
    except ChainFileError as error:
        return str(error)
    return None


def test_mutilated_files_are_read_or_refused_but_never_crash(chain):
    rng = np.random.default_rng(3)
    refusals = []
    for sample in (DASHBOARD, WIDE, DAILY, OPTIONSDX, DERIBIT):
        for _ in range(60):
            letters = list(sample)
            for place in rng.integers(0, len(letters), 4):
                letters[place] = str(rng.choice(list(',;"\n x-0.')))
            refusals.append(refusal(chain, "".join(letters)))
    said = [text for text in refusals if text is not None]
    assert 0 < len(said) < len(refusals)
    assert all("cut.csv" in text for text in said)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("6,448.26", 6448.26),
        ("6448,26", 6448.26),
        ("0,45", 0.45),
        ("0,450", 0.45),
        ("1.234,5", 1234.5),
        ("12,500", 12500.0),
        ("-1,250,000", -1250000.0),
        ("1,2,3", None),
    ],
)
def test_commas_are_not_deleted_wherever_they_stand(text, value):
    assert number_of(text) == value


def test_decimal_commas_in_quotes_make_the_files_numbers(tmp_path):
    path = tmp_path / "spx.csv"
    path.write_text("\n".join(_european(line) for line in WIDE.splitlines()))
    table, plain = read_chain(path), tmp_path / "spx_plain.csv"
    plain.write_text(WIDE)
    assert table.bid.tolist() == read_chain(plain).bid.tolist()


def _european(line):
    return ",".join(f'"{cell.replace(".", ",")}"' for cell in line.split(","))
