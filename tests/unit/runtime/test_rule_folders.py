"""Rules of the user's own: found in their folder, refused in one sentence, the same file then as now."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import msgspec
import pytest

from services.core.calendar import Calendar
from services.errors import RuleFileError
from services.replay.runner import rules_document
from services.runtime.config import Config, OwnRulesConfig, RulesConfig
from services.runtime.rule_folders import own_rules, recorded_files
from services.wiring import build_pipeline, context_types, detector_types, resolved_rules, rules_digest

DETECTOR = '''
"""A detector of one's own."""
from collections.abc import Sequence
from strikewire import Detector, Finding, Parameters

class {name_class}(Detector):
    """Never says anything."""

    name = "{name}"
    version = "1"
    triggers = frozenset({{"flow.block"}})
    Parameters = Parameters

    def open_session(self, day, session):
        pass

    def detect(self, trigger, moment, views) -> Sequence[Finding]:
        return ()
'''


def write(folder: Path, name: str = "quiet", text: str | None = None) -> OwnRulesConfig:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(DETECTOR.format(name=name, name_class="Quiet") if text is None else text)
    return OwnRulesConfig(folders=(str(folder),))


def refused(config: OwnRulesConfig) -> str:
    with pytest.raises(RuleFileError) as caught:
        detector_types(config)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_folders_rules_stand_among_ours_by_their_names(tmp_path: Path) -> None:
    config = write(tmp_path / "mine")
    (tmp_path / "mine" / "_helpers.py").write_text("raise SystemError('a helper is no rule')")
    types = detector_types(config)
    assert list(types) == sorted(types)
    assert set(types) - set(detector_types()) == {"quiet"}
    assert context_types(config) == context_types()
    rules = RulesConfig(own=config, detectors={"quiet": {"enabled": True}})
    pipeline = build_pipeline(rules, Calendar.load(dt.date(2025, 12, 1), dt.date(2025, 12, 5)), 0)
    assert "quiet" in [detector.name for detector in pipeline.detectors]


def test_rules_of_a_folder_find_each_other_and_keep_their_class(tmp_path: Path) -> None:
    config = write(tmp_path / "mine")
    second = "from .quiet import Quiet\n" + DETECTOR.format(name="second", name_class="Second")
    write(tmp_path / "mine", "second", second)
    types = detector_types(config)
    assert detector_types(config) == types
    assert types["second"].__module__.rpartition(".")[0] == types["quiet"].__module__.rpartition(".")[0]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("def", "cannot be loaded: SyntaxError"),
        ("import not_there", "cannot be loaded: ModuleNotFoundError: No module named 'not_there'"),
        ("1 / 0", "cannot be loaded: ZeroDivisionError"),
        ("", "holds 0 contexts and detectors; a file holds one"),
        (DETECTOR.format(name="other", name_class="Quiet"), "a rule has its file's name, 'quiet'"),
        (DETECTOR.format(name="quiet", name_class="Quiet").replace('version = "1"', ""), "Quiet has no version"),
        (DETECTOR.format(name="quiet", name_class="Quiet") * 2, ""),
    ],
)
def test_a_broken_file_is_refused_in_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    config = write(tmp_path / "mine", text=text)
    if not sentence:  # the second class takes the place of the first: one is left
        assert "quiet" in detector_types(config)
        return
    assert sentence in refused(config)
    assert refused(config).startswith(str(tmp_path / "mine" / "quiet.py"))


def test_a_name_of_ours_a_name_twice_and_no_folder_are_refused(tmp_path: Path) -> None:
    ours = DETECTOR.format(name="unusual_activity", name_class="Mine")
    assert "has a rule named 'unusual_activity' already" in refused(write(tmp_path / "mine", "unusual_activity", ours))
    both = OwnRulesConfig(folders=(*write(tmp_path / "a").folders, *write(tmp_path / "b").folders))
    assert "a rule named 'quiet' stands in" in refused(both)
    assert "is no folder" in refused(OwnRulesConfig(folders=(str(tmp_path / "nowhere"),)))


def test_a_record_names_the_files_and_takes_no_other(tmp_path: Path) -> None:
    config = write(tmp_path / "mine")
    rules = RulesConfig(own=config)
    document = msgspec.json.decode(rules_document(rules))
    assert document["rules"]["files"]["detectors.quiet"]["version"] == "1"
    recorded = msgspec.convert(document, RulesConfig)
    assert rules_digest(recorded) == rules_digest(rules)

    write(tmp_path / "mine", "later")
    (tmp_path / "mine" / "later.py").write_text("1 / 0")
    assert [rule.name for rule in own_rules(recorded.own)] == ["quiet"]
    (tmp_path / "mine" / "later.py").unlink()

    path = tmp_path / "mine" / "quiet.py"
    text = path.read_text()
    path.write_text(text + "\n# another\n")
    assert "has changed since detectors.quiet was recorded with it" in refused(recorded.own)
    assert rules_digest(rules) != rules_digest(RulesConfig())
    path.write_text(text)
    assert own_rules(recorded.own)
    path.unlink()
    assert "is not there; detectors.quiet was recorded with it" in refused(recorded.own)


def test_a_helper_that_changes_is_a_change_of_every_rule_beside_it(tmp_path: Path) -> None:
    config = write(tmp_path / "mine")
    before = recorded_files(config)
    (tmp_path / "mine" / "_helpers.py").write_text("X = 1\n")
    assert recorded_files(config) != before


def test_without_rules_of_ones_own_nothing_is_recorded_of_them() -> None:
    assert "rules" not in resolved_rules(RulesConfig())
    assert "rules" not in msgspec.json.decode(rules_document(Config().rules()))
