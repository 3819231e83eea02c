"""The served warehouse as any ClickHouse client sees it: the unchanged client, the raw protocol, refusals, kills."""

from __future__ import annotations

import http.client
import json
import signal as signals
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import clickhouse_connect
import numpy as np
import pyarrow as pa
import pytest
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError

from schemas.decisions import canonical
from schemas.frames import Lane
from services.errors import ConfigError, StoreError
from services.history.engine import open_remote
from services.history.warehouse import Warehouse
from services.runtime.config import WarehouseConfig
from services.sinks.clickhouse import Epoch, WarehouseWriter
from tests.support.decisions import alert, signal
from tests.support.logs_small import START_NS, LogBuilder
from tests.support.services import ServiceProcess

pytestmark = pytest.mark.services


@pytest.fixture
def url(served: ServiceProcess) -> str:
    return str(served.ready["url"])


def post(url: str, body: bytes, path: str = "/", **headers: str) -> tuple[int, bytes, dict[str, str]]:
    host = url.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=20)
    try:
        connection.request("POST", path, body, {key.replace("_", "-"): value for key, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read(), dict(answer.getheaders())
    finally:
        connection.close()


def ask(url: str, method: str, sql: str, settings: str = "") -> tuple[int, bytes, dict[str, str]]:
    """A statement in the URL."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=20)
    try:
        connection.request(method, f"/?query={quote(sql)}{settings}")
        answer = connection.getresponse()
        return answer.status, answer.read(), dict(answer.getheaders())
    finally:
        connection.close()


def test_history_written_and_read_over_http_is_the_same(client: Any):
    writer, reader = WarehouseWriter(client), Warehouse(client)
    builder = LogBuilder()
    frames = [*builder.opening(), builder.frame(Lane.TRADES, 700, price_usd=np.nan), builder.frame(Lane.TICKS, 3)]
    epoch = Epoch(1, START_NS, "test", 0, 1, "{}", "d", "strikewire")
    writer.open_epoch(epoch)
    assert writer.write_frames(frames) == 703
    writer.write_decisions([(0, signal()), (1, alert())])
    assert reader.epochs() == [epoch]
    assert reader.last_received_ns() == frames[-1].header.received_ns
    ((rows, _),) = reader.lane_rows(Lane.TRADES, 0, 1, 0, 1000)
    for name, wrote, read in zip(rows._fields, frames[3].rows, rows, strict=True):
        np.testing.assert_array_equal(wrote, read, err_msg=name)
    assert [document for _, _, document in reader.decisions(0)] == [canonical(signal()), canonical(alert())]


def test_a_repeated_token_adds_nothing_and_a_new_one_does(client: Any):
    rows = pa.table({"received_ns": pa.array([START_NS]).cast(pa.timestamp("ns", "UTC")), "data": [b"x"]})
    for token in ("a", "a", "b", "a"):
        client.insert_arrow("dead_letters", rows, settings={"insert_deduplication_token": token, "async_insert": 0})
    assert Warehouse(client).count("dead_letters") == 2


@pytest.mark.parametrize("compress", ["lz4", "gzip", True, False])
def test_every_compression_the_client_may_ask_for(url: str, compress: Any):
    with clickhouse_connect.get_client(**address(url), compress=compress) as plain:
        plain.command("CREATE TABLE IF NOT EXISTS c (i Int64, s String) ENGINE = MergeTree ORDER BY i")
        plain.command("TRUNCATE TABLE c")
        plain.insert("c", [[n, "x" * 50] for n in range(20_000)], column_names=["i", "s"])
        plain.raw_insert("c", ["i", "s"], iter([b"1,a\n", b"2,b\n"]), fmt="CSV")
        assert len(plain.query("SELECT i, s FROM c").result_rows) == 20_002
        assert plain.query_arrow("SELECT i FROM c").num_rows == 20_002


def test_parameters_are_values_and_never_text_of_the_statement(client: Any):
    nasty = "it's; DROP TABLE alerts -- \\ \n\t {x:String}"
    row = client.query(
        "SELECT {a:String}, {b:UInt64}, {c:Array(Int8)}", parameters={"a": nasty, "b": 2**63, "c": [1, -1]}
    )
    assert row.result_rows == [(nasty, 2**63, [1, -1])]


def test_settings_hold_for_one_statement(client: Any):
    asked = "SELECT getSetting('max_block_size')"
    before = client.query(asked).result_rows
    assert client.query(asked, settings={"max_block_size": 77}).result_rows == [(77,)]
    for _ in range(8):  # whichever handle it meets
        assert client.query(asked).result_rows == before


def test_big_results_come_in_blocks(client: Any):
    rows = 0
    with client.query_column_block_stream("SELECT number, number * 2 FROM numbers(3000000)") as stream:
        for block in stream:
            rows += len(block[0])
    assert rows == 3_000_000


def test_errors_keep_their_code_also_when_they_come_late(client: Any):
    with pytest.raises(DatabaseError) as early:
        client.query("SELECT nothing FROM alerts")
    assert early.value.code == 47
    with pytest.raises(ClickHouseError, match="throwIf") as late:
        list(client.query("SELECT throwIf(number = 3000000) FROM numbers(5000000)").result_rows)
    assert late.value.code == 395
    assert client.query("SELECT 1").result_rows == [(1,)]


def test_a_reader_who_leaves_in_the_middle_gives_its_handle_back(url: str, client: Any):
    for _ in range(8):  # twice as many as there are handles
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=20)
        connection.request("POST", "/", b"SELECT number FROM numbers(100000000) FORMAT Native")
        connection.getresponse().read(1000)
        connection.close()
    assert client.query("SELECT 1").result_rows == [(1,)]


def test_statements_run_beside_each_other(client: Any, url: str):
    slow = threading.Thread(target=post, args=(url, b"SELECT sleep(2)"))
    slow.start()
    time.sleep(0.3)
    began = time.monotonic()
    assert client.query("SELECT 1").result_rows == [(1,)]
    assert time.monotonic() - began < 1.5
    slow.join()


def test_the_raw_protocol_answers_as_clickhouse_does(url: str):
    status, body, headers = post(url, b"SELECT 1 AS one FORMAT JSON")
    assert (status, json.loads(body)["data"]) == (200, [{"one": 1}])
    assert headers["X-ClickHouse-Format"] == "JSON"
    assert "read_rows" in json.loads(headers["X-ClickHouse-Summary"])
    status, body, headers = post(url, b"SELEC 1")
    assert status == 500
    assert headers["X-ClickHouse-Exception-Code"] == "62"
    assert body.startswith(b"Code: 62. DB::Exception: Syntax error")


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        ("/", b"", {}, 400),
        ("/?a%20b=1", b"SELECT 1", {}, 400),
        ("/", b"SELECT 1", {"Content_Encoding": "br"}, 400),
        ("/", b"not lz4 at all", {"Content_Encoding": "lz4"}, 400),
        ("/", b"not gzip at all", {"Content_Encoding": "gzip"}, 400),
        ("/", b"\xff\xfe", {}, 400),
        ("/nowhere", b"SELECT 1", {}, 404),
        ("/?no_such_setting=1", b"SELECT 1", {}, 500),
        ("/?database=nobody", b"SELECT 1", {}, 500),
    ],
)
def test_nonsense_is_refused_and_the_next_one_served(
    url: str, path: str, body: bytes, headers: dict[str, str], status: int
):
    assert post(url, body, path, **headers)[0] == status
    assert post(url, b"SELECT 1")[:2] == (200, b"1\n")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("CREATE DATABASE x", "164"),
        ("SHOW DATABASES; CREATE DATABASE x", "62"),
        ("SELECT 1; CREATE DATABASE x FORMAT JSON", "62"),
        ("WITH 1 AS a INSERT INTO kept SELECT a FORMAT JSON", "164"),
        ("SELECT 1 SETTINGS readonly = 0", "164"),
        ("SELECT 1 INTO OUTFILE '{file}'", "358"),
        ("SELECT 1 INTO OUTFILE '{file}' FORMAT Native", "358"),
        ("SET readonly = 1", "164"),
    ],
)
def test_only_a_post_changes_anything(url: str, tmp_path: Path, method: str, sql: str, code: str):
    file = tmp_path / "out"
    post(url, b"CREATE TABLE IF NOT EXISTS kept (a UInt8) ENGINE = MergeTree ORDER BY a")
    for also in ("", "&readonly=0", "&allow_ddl=1&max_threads=2"):
        status, _, headers = ask(url, method, sql.format(file=file), also)
        assert (status >= 400, headers.get("X-ClickHouse-Exception-Code")) == (True, code)
        assert post(url, b"SELECT count() FROM system.databases WHERE name = 'x'")[1] == b"0\n"
        assert post(url, b"SELECT count() FROM kept")[1] == b"0\n"
        assert not file.exists()


def test_a_get_reads(url: str):
    assert ask(url, "GET", "SELECT 1")[:2] == (200, b"1\n")
    assert ask(url, "GET", "SELECT ';' AS a FORMAT JSONEachRow; -- done")[:2] == (200, b'{"a":";"}\n')
    for readonly in (0, 1, 2):
        settings = f"&readonly={readonly}&max_block_size=77"
        assert ask(url, "GET", "SELECT getSetting('max_block_size')", settings)[:2] == (200, b"77\n")
        assert ask(url, "GET", "EXISTS TABLE system.one", settings)[:2] == (200, b"1\n")


def test_one_request_is_one_statement(url: str, tmp_path: Path):
    status, body, headers = post(url, b"CREATE DATABASE first; CREATE DATABASE second")
    assert (status, headers["X-ClickHouse-Exception-Code"]) == (400, "62")
    assert b"Multi-statements are not allowed" in body
    assert post(url, b"SELECT count() FROM system.databases WHERE name IN ('first', 'second')")[1] == b"0\n"
    assert post(url, f"SELECT 1 INTO OUTFILE '{tmp_path / 'out'}'".encode())[0] == 400
    assert not (tmp_path / "out").exists()


def test_rows_may_hold_any_character(url: str):
    post(url, b"CREATE TABLE texts (s String) ENGINE = MergeTree ORDER BY s")
    assert post(url, b'INSERT INTO texts -- these\n FORMAT CSV\n"a;b"\n; DROP TABLE texts\n\'\n')[0] == 200
    assert post(url, b"INSERT INTO texts VALUES ('c; d'), (';');")[0] == 200
    assert post(url, b"INSERT INTO texts FORMAT Values ('e; f')")[0] == 200
    assert post(url, b"('g;')", "/?query=INSERT%20INTO%20texts%20VALUES")[0] == 200
    assert post(url, b"SELECT s FROM texts ORDER BY s FORMAT CSV")[1].decode().splitlines() == [
        '"\'"', '";"', '"; DROP TABLE texts"', '"a;b"', '"c; d"', '"e; f"', '"g;"'
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "sql"),
    [
        ("/", b"SET readonly = 1"),
        ("/", b"SET allow_ddl = 0"),
        ("/", b"SET max_block_size = 77"),
        ("/?readonly=1", b"SELECT 1"),
        ("/?allow_ddl=0&readonly=2", b"SELECT 1"),
        ("/", b"/* */ USE system"),
        ("/", b"CREATE TEMPORARY TABLE mine (a UInt8)"),
    ],
)
def test_nothing_stays_for_the_next_statement(url: str, client: Any, path: str, sql: bytes):
    asked = b"SELECT getSetting('readonly'), getSetting('max_block_size'), getSetting('allow_ddl'), currentDatabase()"
    before = post(url, asked)[1]
    assert post(url, sql, path)[0] == 200
    for _ in range(8):  # whichever handle it meets
        assert post(url, asked)[1] == before
    assert post(url, b"SELECT * FROM mine")[2]["X-ClickHouse-Exception-Code"] == "60"
    assert WarehouseWriter(client).write_frames([LogBuilder().frame(Lane.TICKS, 3)]) == 3


def test_beyond_loopback_it_wants_a_password(tmp_path: Path):
    process = ServiceProcess(
        "warehouse", "--port", 0, "--bind", "0.0.0.0", "--data-dir", tmp_path, log=tmp_path / "log"
    )
    with pytest.raises(AssertionError, match="ended with 2"):
        process.start()
    assert "only loopback may go without a password" in (tmp_path / "log").read_text()


def test_a_password_is_asked_for_and_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    secret_file = tmp_path / "password"
    secret_file.write_text("s3cret-word\n")
    environment = {"STRIKEWIRE_WAREHOUSE_PASSWORD_FILE": str(secret_file)}
    with ServiceProcess(
        "warehouse", "--port", 0, "--data-dir", tmp_path / "d", log=tmp_path / "log", environment=environment
    ) as process:
        url = process.ready["url"]
        assert post(url, b"SELECT 1")[0] == 403
        assert post(url, b"SELECT 1", X_ClickHouse_User="default", X_ClickHouse_Key="wrong")[0] == 403
        assert post(url, b"SELECT 1", X_ClickHouse_User="default", X_ClickHouse_Key="s3cret-word")[0] == 200
        with pytest.raises(StoreError, match="Authentication failed") as refused:
            open_remote(WarehouseConfig(url=url))
        monkeypatch.setenv("STRIKEWIRE_WAREHOUSE_PASSWORD_FILE", str(secret_file))
        with open_remote(WarehouseConfig(url=url)) as client:
            assert client.query("SELECT 1").result_rows == [(1,)]
        assert process.stop() == 0
        shown = (tmp_path / "log").read_text() + json.dumps(process.ready) + str(refused.value)
        assert "s3cret-word" not in shown


def test_every_acknowledged_row_survives_kill_9(tmp_path: Path):
    acknowledged = 0
    for life in range(3):
        with ServiceProcess("warehouse", "--port", 0, "--data-dir", tmp_path, log=tmp_path / "log") as process:
            client = open_remote(WarehouseConfig(url=process.ready["url"]))
            assert Warehouse(client).events() >= acknowledged
            builder = LogBuilder(epoch=life + 1)
            timer = threading.Timer(0.7, process.kill)
            timer.start()
            with pytest.raises(Exception):  # noqa: B017, PT011, PT012 (whatever a dying server makes of a request)
                while True:
                    acknowledged += WarehouseWriter(client).write_frames([builder.frame(Lane.TICKS, 500)])
            timer.join()
    assert acknowledged > 0


@pytest.mark.parametrize(("number", "status"), [(signals.SIGTERM, 0), (signals.SIGINT, 130)])
def test_it_ends_when_asked_to(tmp_path: Path, number: int, status: int):
    with ServiceProcess("warehouse", "--port", 0, "--data-dir", tmp_path, log=tmp_path / "log") as process:
        assert process.stop(number) == status


def test_an_address_that_is_none_is_named():
    with pytest.raises(ConfigError, match=r"warehouse.url: 'ftp://host'"):
        open_remote(WarehouseConfig(url="ftp://someone:word@host"))
    with pytest.raises(ConfigError, match="a password belongs in") as told:
        open_remote(WarehouseConfig(url="http://someone:word@host"))
    assert "word@" not in str(told.value)
    with pytest.raises(StoreError, match=r"127\.0\.0\.1:9"):
        open_remote(WarehouseConfig(url="http://127.0.0.1:9"))


def address(url: str) -> dict[str, Any]:
    host, _, port = url.removeprefix("http://").partition(":")
    return {"host": host, "port": int(port), "database": "strikewire", "autogenerate_session_id": False}
