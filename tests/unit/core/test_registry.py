"""A file in a folder is a rule in the program; what does not fit is refused by name."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from services.core.contract import Detector, Parameters
from services.core.registry import RegistryError, build, discover

DETECTOR = """
from services.core.contract import Detector, Parameters

class {cls}(Detector):
    name, version, triggers = "{name}", "1", frozenset()

    class Parameters(Parameters, frozen=True, kw_only=True):
        premium_usd: float = 25_000.0
        legs_max: int = 1

    def open_session(self, day, session): ...
    def detect(self, trigger, moment, views): return ()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An importable package without a file yet."""
    package = tmp_path / "some_rules"
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    yield package
    for name in [name for name in sys.modules if name.split(".")[0] == "some_rules"]:
        del sys.modules[name]


def write(folder: Path, file: str, *, cls: str = "Rule", name: str | None = None, extra: str = "") -> None:
    (folder / f"{file}.py").write_text(DETECTOR.format(cls=cls, name=name or file) + extra)


def found(folder: Path) -> dict[str, type[Detector]]:
    package: ModuleType = importlib.import_module(folder.name)
    return discover(package, Detector)  # type: ignore[type-abstract]


class TestDiscover:
    def test_every_file_is_found_in_the_order_of_names(self, folder: Path) -> None:
        for file in ("zebra", "ant", "mole"):
            write(folder, file)
        assert list(found(folder)) == ["ant", "mole", "zebra"]

    def test_files_with_an_underscore_are_helpers(self, folder: Path) -> None:
        write(folder, "ant")
        (folder / "_shared.py").write_text("NOTHING = 1")
        assert list(found(folder)) == ["ant"]

    def test_an_imported_class_is_not_the_files_own(self, folder: Path) -> None:
        write(folder, "ant")
        write(folder, "bee", cls="Bee", extra="from some_rules.ant import Rule\n")
        assert list(found(folder)) == ["ant", "bee"]

    def test_a_file_without_a_rule_is_an_error(self, folder: Path) -> None:
        (folder / "empty.py").write_text("")
        with pytest.raises(
            RegistryError, match=r"some_rules.empty: holds \[\]; it must hold one Detector whose name is"
        ):
            found(folder)

    def test_a_file_with_two_rules_is_an_error(self, folder: Path) -> None:
        write(folder, "ant", extra=DETECTOR.format(cls="Second", name="second"))
        with pytest.raises(RegistryError, match=r"some_rules.ant: holds \['Rule', 'Second'\]"):
            found(folder)

    def test_a_rule_is_named_as_its_file(self, folder: Path) -> None:
        write(folder, "ant", name="aunt")
        with pytest.raises(RegistryError, match="whose name is 'ant'"):
            found(folder)


def built(folder: Path, settings: dict[str, Any]) -> list[Detector]:
    return build("detectors", found(folder), settings)


class TestBuild:
    @pytest.fixture(autouse=True)
    def two_rules(self, folder: Path) -> None:
        write(folder, "ant")
        write(folder, "bee")

    def test_without_settings_everything_is_on_with_its_defaults(self, folder: Path) -> None:
        ant, bee = built(folder, {})
        assert (ant.name, bee.name) == ("ant", "bee")
        assert ant.parameters.premium_usd == 25_000.0

    def test_a_rule_is_tuned_by_its_table(self, folder: Path) -> None:
        ant, bee = built(folder, {"ant": {"premium_usd": 1_000}})
        assert (ant.parameters.premium_usd, bee.parameters.premium_usd) == (1_000.0, 25_000.0)

    def test_a_rule_is_switched_off(self, folder: Path) -> None:
        assert [rule.name for rule in built(folder, {"ant": {"enabled": False}})] == ["bee"]

    @pytest.mark.parametrize(
        ("settings", "sentence"),
        [
            ({"wasp": {}}, "detectors.wasp: there is no such detector; known: ant, bee"),
            ({"ant": {"premium": 1}}, "detectors.ant: Object contains unknown field `premium`"),
            ({"ant": {"premium_usd": "much"}}, r"detectors.ant: Expected `float`, got `str` - at `\$.premium_usd`"),
            ({"ant": {"enabled": "no"}}, "detectors.ant.enabled: true or false, not 'no'"),
            ({"ant": {"enabled": False, "premium": 1}}, "detectors.ant: Object contains unknown field `premium`"),
            ({"ant": 3}, "detectors.ant: a table of parameters, not 3"),
        ],
    )
    def test_what_does_not_fit_is_named(self, folder: Path, settings: dict[str, Any], sentence: str) -> None:
        with pytest.raises(RegistryError, match=f"^{sentence}$"):
            built(folder, settings)

    def test_settings_are_not_changed(self, folder: Path) -> None:
        settings = {"ant": {"enabled": True, "legs_max": 2}}
        built(folder, settings)
        assert settings == {"ant": {"enabled": True, "legs_max": 2}}


def test_parameters_are_frozen() -> None:
    class Some(Parameters, frozen=True, kw_only=True):
        premium_usd: float = 1.0

    with pytest.raises(AttributeError, match="immutable"):
        Some().premium_usd = 2.0  # type: ignore[misc]
