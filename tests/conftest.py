"""What every test may rely on: where the real data lies, and how a missing service is reported.

A test that needs something a machine may lack says so by a marker, and is skipped with a sentence that names what is
missing. With REQUIRE_SERVICES=1, as in CI, a missing *service* is a failure instead: a suite that skips its integration
tests in silence has not been run. Real data is never required, because it is not part of the repository.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.warehouse import empty_database, warehouse_client, warehouse_engine

__all__ = ["empty_database", "warehouse_client", "warehouse_engine"]  # fixtures that any test may ask for

ROOT = Path(__file__).resolve().parents[1]
REALDATA_ENV = "STRIKEWIRE_REALDATA"
REQUIRE_ENV = "REQUIRE_SERVICES"

# Examples derive from the test's own name, so a run repeats itself; two shared cores make deadlines lie.
settings.register_profile("strikewire", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("strikewire")


def realdata_folder() -> Path:
    """The folder of real market data: STRIKEWIRE_REALDATA, or `shared/data` beside the checkout."""
    named = os.environ.get(REALDATA_ENV)
    return Path(named) if named else ROOT.parent / "shared" / "data"


def services_required() -> bool:
    """Whether a missing Kafka, Redis or warehouse is a failure here."""
    return os.environ.get(REQUIRE_ENV, "") not in ("", "0")


@pytest.fixture(scope="session")
def realdata() -> Path:
    """The folder of real market data; the test is skipped where there is none."""
    folder = realdata_folder()
    if not folder.is_dir():
        pytest.skip(f"no real market data in {folder} ({REALDATA_ENV} names another folder)")
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that use the `realdata` fixture carry its marker, so that `-m 'not realdata'` leaves them out."""
    for item in items:
        if "realdata" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.realdata)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where services are required, a `services` test that was skipped has failed."""
    report = yield
    if report.skipped and services_required() and item.get_closest_marker("services"):
        reason = call.excinfo.value if call.excinfo is not None else "no reason given"
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped although {REQUIRE_ENV}=1: {reason}"
    return report
