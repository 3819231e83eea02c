"""Opens the warehouse: the embedded engine (chdb) under a data directory, or a server by ClickHouse's HTTP interface.

One process owns an embedded warehouse. chdb answers a second one with an empty error, so a lock file beside it says who
the owner is. chdb also keeps to one path per process and must not be forked after opening.
"""

from __future__ import annotations

import functools
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from services.errors import ConfigError, InputError, StoreBusyError, StoreError, StoreUnreachableError
from services.history.migrations import migrate
from services.runtime.config import WarehouseConfig, refuse_missing_file, split_address
from services.runtime.locks import owned
from services.runtime.secrets import secret

__all__ = ["WAREHOUSE_DIR", "open_embedded", "open_remote", "open_warehouse"]

PASSWORD_VARIABLE = "STRIKEWIRE_WAREHOUSE_PASSWORD"
# A connection that is not there after this is away; the sink then waits and tries again.
CONNECT_S = 5
# An insert of 100,000 rows takes a tenth of a second; a window of a replay less. Ten minutes end what is stuck.
ANSWER_S = 600

WAREHOUSE_DIR = "warehouse"
LOCK_FILE = "lock"


@contextmanager
def open_embedded(data_dir: Path, *, create: bool, database: str = "strikewire") -> Iterator[Any]:
    """A clickhouse-connect client on the embedded engine, its schema brought up to date.

    With `create=False` a directory without a warehouse is an InputError and nothing is made. Raises StoreBusyError when
    another process owns it.
    """
    path = data_dir / WAREHOUSE_DIR
    if not create and not path.is_dir():
        problem = "there is no such directory" if not data_dir.is_dir() else "nothing was recorded there yet"
        raise InputError(data_dir, f"{problem}; `strikewire demo` or `strikewire up` records history")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(data_dir, f"cannot be used as data directory: {error.strerror}") from None
    with owned(data_dir / LOCK_FILE, functools.partial(StoreBusyError, data_dir)):
        client = _connect(path)
        try:
            client.command(f"CREATE DATABASE IF NOT EXISTS {database}")
            client.command(f"USE {database}")
            migrate(client)
            yield client
        finally:
            client.close()


@contextmanager
def open_warehouse(data_dir: Path, config: WarehouseConfig, *, create: bool = False) -> Iterator[Any]:
    """The warehouse a program was told to use: the server at `config.url`, else the embedded engine in `data_dir`."""
    if not config.url:
        with open_embedded(data_dir, create=create, database=config.database) as client:
            yield client
        return
    client = open_remote(config)
    try:
        yield client
    finally:
        client.close()


def open_remote(config: WarehouseConfig, *, apply_schema: bool = True) -> Any:
    """A clickhouse-connect client on a server, its schema brought up to date.

    Raises ConfigError, StoreUnreachableError, and StoreError for what another try will not change.
    """
    import clickhouse_connect
    from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError

    for noisy in ("urllib3.connectionpool", "clickhouse_connect"):
        # Each failed try as a page of URL; whoever asked says what failed, in a sentence.
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    url = split_address("warehouse.url", config.url)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise ConfigError("warehouse.url", f"{_without_password(config.url)!r} is not http://HOST:PORT or https://")
    if url.password:
        raise ConfigError("warehouse.url", f"a password belongs in {PASSWORD_VARIABLE}, not in an address")
    if config.ca_file and url.scheme != "https":
        raise ConfigError("warehouse.ca_file", "is for TLS, and warehouse.url begins with http://, not https://")
    refuse_missing_file("warehouse.ca_file", config.ca_file)
    address = f"{url.scheme}://{url.hostname}:{url.port or (8443 if url.scheme == 'https' else 8123)}"
    settings: dict[str, Any] = {
        "host": url.hostname,
        "port": url.port or 0,
        "interface": url.scheme,
        "username": url.username or config.user,
        "password": secret(PASSWORD_VARIABLE),
        "connect_timeout": CONNECT_S,
        "send_receive_timeout": ANSWER_S,
        # On one machine the copy is cheaper than the compression.
        "compress": url.hostname not in ("127.0.0.1", "localhost", "::1"),
        # No state is kept between statements, so statements may run beside each other.
        "autogenerate_session_id": False,
    }
    if config.ca_file:
        settings["ca_cert"] = config.ca_file
    try:
        if apply_schema:
            with clickhouse_connect.get_client(**settings) as first:
                first.command(f"CREATE DATABASE IF NOT EXISTS {config.database}")
        client = clickhouse_connect.get_client(database=config.database, **settings)
        if apply_schema:
            migrate(client)
    except ClickHouseError as error:
        # A certificate that is not trusted stops the connection too, and will stop the next one.
        comes_perhaps = isinstance(error, OperationalError) and "certificate" not in str(error)
        kind = StoreUnreachableError if comes_perhaps else StoreError
        raise kind(f"{address}: {_first_sentence(str(error))}") from None
    return client


def _first_sentence(problem: str) -> str:
    """The part of an engine's message a person can act on, on one line."""
    text = " ".join(problem.split())
    refused = re.search(r"\[Errno -?\d+\] [A-Za-z ]+", text)  # behind pages of URLs and classes
    if refused is not None:
        return f"no warehouse answers there: {refused[0]}"
    return text if len(text) <= 300 else text[:300] + "..."


def _without_password(url: str) -> str:
    """A URL as it may be shown."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"


def _connect(path: Path) -> Any:
    try:
        import clickhouse_connect

        return clickhouse_connect.get_client(interface="chdb", path=str(path))
    except ImportError as error:
        raise StoreError(
            f"the embedded engine is missing ({error.name}): chdb has wheels for Linux (glibc) and macOS only"
        ) from None
    except Exception as error:  # chdb raises bare exceptions, some without a message
        raise StoreError(f"{path}: the embedded engine does not open: {str(error) or type(error).__name__}") from error
