"""Imports go down only, every outside library has one home, pure rooms know only what they are given.

The plan is `house.py`; a failure prints one sentence a breach.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Set
from pathlib import Path

import pytest

from tests.architecture.checker import breaches, imports_of, room_of, sources, used_libraries, within
from tests.architecture.house import (
    FLOORS,
    HOMES,
    NOT_IMPORTED,
    PURE_EXCEPTIONS,
    ROOMS,
    STANDIN_KNOWS,
    STRANGERS,
)

ROOT = Path(__file__).resolve().parents[2]

# Where the name one installs is not the name one imports.
IMPORT_NAMES = {"faust-streaming": "faust", "mode-streaming": "mode"}


@pytest.fixture(scope="module")
def house() -> dict[str, str]:
    return sources(ROOT)


def test_the_house_stands_as_planned(house: dict[str, str]) -> None:
    found = breaches(house)
    assert not found, "\n" + "\n".join(found)


def test_every_room_of_the_plan_exists(house: dict[str, str]) -> None:
    gone = [room for room in ROOMS if not any(within(module, room) for module in house)]
    assert not gone, f"rooms of the plan that are no more: {', '.join(gone)}"


def files_as_rooms(rooms: Iterable[str], folders: Set[str]) -> list[str]:
    """Rooms that are a file inside a folder which has a room already."""
    return [room for room in rooms if room not in folders and not re.fullmatch(r"services\.\w+", room)]


def test_a_folder_is_pure_or_it_is_not(house: dict[str, str]) -> None:
    """No file is a room of its own inside a folder, so that a path says whether its code is pure."""
    folders = {module.rpartition(".")[0] for module in house} | {"schemas", "services", "standin", "strikewire"}
    found = files_as_rooms(ROOMS, folders)
    assert not found, f"files that are rooms of their own, name their folders: {', '.join(found)}"
    assert files_as_rooms(["services.gateway.shell.sockets", "services.cli", "services.core"], folders) == [
        "services.gateway.shell.sockets"
    ]


def test_every_exception_is_still_needed(house: dict[str, str]) -> None:
    for (module, what), why in PURE_EXCEPTIONS.items():
        assert module in house, f"{module} is no more"
        assert what in house[module], f"{module} no longer uses {what} ({why})"


def test_every_runtime_requirement_is_imported_or_explained(house: dict[str, str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {line.split(">")[0].split("=")[0] for line in project["dependencies"]}
    used = used_libraries(house)
    imported = {name for name in wanted if IMPORT_NAMES.get(name, name.replace("-", "_")) in used}
    unused = sorted(wanted - imported - set(NOT_IMPORTED))
    assert not unused, f"required by pyproject.toml but imported nowhere: {', '.join(unused)}"
    stale = sorted(set(NOT_IMPORTED) & imported)
    assert not stale, f"NOT_IMPORTED lists what is imported by now: {', '.join(stale)}"


def test_every_library_that_is_imported_is_required(house: dict[str, str]) -> None:
    """What only comes along with another requirement may go with its next release."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    required = {re.split(r"[<>=]", line)[0] for line in project["dependencies"]}
    named = {IMPORT_NAMES.get(name, name.replace("-", "_")) for name in required}
    assert not used_libraries(house) - named, "imported, and required by nobody in pyproject.toml"


def test_libraries_whose_insides_are_touched_are_pinned() -> None:
    """The Faust app replaces private methods of both (services/agents/app.py); another release may have others."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = {line.partition("==")[0] for line in project["dependencies"] if "==" in line}
    assert {"aiokafka", "faust-streaming"} <= pinned


def test_every_home_is_lived_in(house: dict[str, str]) -> None:
    empty = [
        f"{library} in {home}"
        for library, homes in HOMES.items()
        for home in homes
        if not any(within(module, home) and library in used_libraries({module: house[module]}) for module in house)
    ]
    assert not empty, f"homes where a library no longer lives: {', '.join(empty)}"


def test_whatever_the_standin_may_know_it_uses(house: dict[str, str]) -> None:
    imports = [pair for module, text in house.items() for pair in imports_of(module, text)]
    stale = [
        f"{who} of {whom}"
        for who, whom in STANDIN_KNOWS
        if not any(within(module, who) and within(target, whom) for module, target in imports)
    ]
    assert not stale, f"STANDIN_KNOWS lists what is imported no more: {', '.join(stale)}"


# --- the checker itself: planted breaches are caught, each by its sentence --------------------------------------------

PLANTED = [
    ("services.detectors.iv_crush", "import redis", "services.detectors.iv_crush imports redis; that room is pure"),
    ("services.contexts.iv", "import time", "services.contexts.iv imports time; that room is pure"),
    ("services.quant.bars", "from os import environ", "services.quant.bars imports os; that room is pure"),
    ("schemas.frames", "import requests", "schemas.frames imports requests; that room is pure"),
    (
        "services.core.pipeline",
        "import datetime as dt\ndef f():\n    return dt.datetime.now()",
        "services.core.pipeline calls dt.datetime.now; that room is pure",
    ),
    (
        "standin.market.seeded",
        "import numpy as np\nx = np.random.default_rng()",
        "standin.market.seeded calls np.random.default_rng; that room is pure",
    ),
    ("services.scanner", "open('x')", "services.scanner calls open; that room is pure"),
    ("services.scanner", "def f():\n  import numba", "services.scanner imports numba; that room is pure"),
    (
        "services.core.pipeline",
        "from services.history import warehouse",
        "services.core.pipeline imports services.history.warehouse; machine may not reach up to stores and tools,"
        " imports go down only",
    ),
    (
        "services.history.warehouse",
        "from services.embedded import Embedded",
        "services.history.warehouse imports services.embedded.Embedded; stores and tools may not reach up to programs,"
        " imports go down only",
    ),
    (
        "services.contexts.flow",
        "from services.detectors.sweep_confirmation import SweepConfirmation",
        "services.contexts.flow imports services.detectors.sweep_confirmation.SweepConfirmation;"
        " a context knows nobody who judges by it",
    ),
    (
        "services.gateway.shell.sockets",
        "from standin.server.server import StandIn",
        "services.gateway.shell.sockets imports standin.server.server.StandIn;"
        " they know each other by the vendor's protocol only",
    ),
    (
        "standin.history.generator",
        "from services.gateway.sequencing.writer import Writer",
        "standin.history.generator imports services.gateway.sequencing.writer.Writer;"
        " they know each other by the vendor's protocol only",
    ),
    (
        "standin.history.generator",
        "from services.settings.gateway import GatewaySettings",
        "standin.history.generator imports services.settings.gateway.GatewaySettings;"
        " the stand-in knows the product by the wire and the schemas only",
    ),
    (
        "standin.market.seeded",
        "from services.core import partitioner",
        "standin.market.seeded imports services.core.partitioner;"
        " the stand-in knows the product by the wire and the schemas only",
    ),
    (
        "standin.server.server",
        "from services.chain.svg import Chart",
        "standin.server.server imports services.chain.svg.Chart;"
        " the stand-in knows the product by the wire and the schemas only",
    ),
    (
        "services.embedded",
        "from standin.server.server import StandIn",
        "services.embedded imports standin.server.server.StandIn; only services.commands opens a stand-in",
    ),
    (
        "services.embedded",
        "import chdb",
        "services.embedded imports chdb; its one home is services.history",
    ),
    ("services.embedded", "import torch", "services.embedded imports torch; no home is listed for that library"),
    (
        "services.embedded",
        "from . import config",
        "services.embedded imports .config; name the module in full, so that its floor can be seen",
    ),
    (
        "services.newcomer",
        "",
        "services.newcomer has no room; tests/architecture/house.py should say on which floor it stands",
    ),
]


@pytest.mark.parametrize(("module", "text", "sentence"), PLANTED, ids=[f"{m}: {t[:40]!r}" for m, t, _ in PLANTED])
def test_a_planted_breach_is_told_in_a_sentence(module: str, text: str, sentence: str) -> None:
    assert sentence in breaches({module: text})


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("services.contexts.flow", "from services.quant.black import price\nfrom schemas.frames import Frame"),
        ("services.core.calendar", "def load():\n    import exchange_calendars"),
        (
            "services.core.calendar",
            "import datetime as dt\nday = dt.date(2014, 6, 6)\nstamp = dt.datetime.fromtimestamp(1)",
        ),
        (
            "standin.market.seeded",
            "import numpy as np\ndef f(dice: np.random.Generator): return dice.random()",
        ),
        ("standin.market.seeded", "import numpy as np\ndice = np.random.Generator(np.random.PCG64(7))"),
        ("services.detectors.iv_crush", "from services.contexts.flow import FlowView"),
        ("standin.market.seeded", "from services.core import calendar\nfrom services.core.calendar import Calendar"),
        ("standin.report.charts", "from services.chain.svg import Chart"),
        ("services.commands.demo", "from standin.server.server import StandIn"),
        ("services.commands.demo", "import time, os\nfrom services.embedded import Embedded\nprint(time.time())"),
    ],
)
def test_what_is_allowed_is_not_a_breach(module: str, text: str) -> None:
    assert breaches({module: text}) == []


def test_sources_are_found_by_their_module_names(tmp_path: Path) -> None:
    for file in ("schemas/__init__.py", "services/__init__.py", "services/core/__init__.py", "services/core/clock.py"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("import time" if file.endswith("clock.py") else "")
    assert list(sources(tmp_path)) == ["schemas", "services", "services.core", "services.core.clock"]
    assert breaches(sources(tmp_path)) == ["services.core.clock imports time; that room is pure"]


def test_the_plan_speaks_of_floors_that_exist() -> None:
    assert all(0 <= room.floor < len(FLOORS) for room in ROOMS.values())
    assert not any(room.pure for name, room in ROOMS.items() if FLOORS[room.floor] in ("programs", "commands"))
    for who, whom, why in STRANGERS:
        assert room_of(who)
        assert room_of(whom)
        assert why
