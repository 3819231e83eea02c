"""`strikewire chain` from argument to exit status."""

import argparse
import json
import xml.etree.ElementTree as ElementTree

import pytest

from services import cli
from services.chain.svg import Bars, Chart, Line, Mark, ticks
from services.commands import chain as command
from tests.unit.chain.test_read import DASHBOARD, WIDE


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "chain.csv"
    path.write_text(DASHBOARD)
    return path


def test_json_has_the_promised_keys(file, capsys):
    assert cli.main(["chain", str(file), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {"spot", "as_of", "expiries", "cm30", "variance_index", "exposure", "contracts", "rejected"} <= set(document)
    promised = {"expiry", "years", "forward", "discount", "atm_iv", "rr25", "bf25", "svi", "checks"}
    assert all(promised <= set(one) for one in document["expiries"])
    assert set(document["variance_index"]) == {"vix9d", "vix", "vix3m", "vix6m"}
    figures = {"net_gex", "call_wall", "put_wall", "zero_gamma", "max_pain"}
    assert all(figures <= set(document["exposure"][name]) for name in ("naive", "all_short"))
    assert document["as_of"] == "2025-09-03T16:15:00-04:00"


def test_tables_are_printed_for_people(file, capsys):
    assert cli.main(["chain", str(file)]) == 0
    printed = capsys.readouterr().out
    for word in ("SPX", "2025-09-19 am", "zero gamma", "call wall", "max pain"):
        assert word in printed


def test_a_broken_file_is_status_two_and_one_sentence(tmp_path, capsys):
    path = tmp_path / "broken.csv"
    path.write_text(WIDE.replace(",", "|"))
    assert cli.main(["chain", str(path)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "broken.csv, line 1" in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize("wrong", [["--rate", "4%"], ["--rate", "4.3"], ["--at", "noon"], ["--horizon", "-1"]])
def test_wrong_arguments_are_status_two(file, wrong):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["chain", str(file), *wrong])
    assert stopped.value.code == 2


def test_plots_are_well_formed_pictures(file, tmp_path):
    folder = tmp_path / "plots"
    assert cli.main(["chain", str(file), "--json", "--plot", str(folder)]) == 0
    pictures = sorted(folder.iterdir())
    assert [path.name for path in pictures] == [
        "exposure_by_strike.svg", "gamma_profile.svg", "smile.svg", "term_structure.svg",
    ]  # fmt: skip
    for path in pictures:
        assert ElementTree.parse(path).getroot().tag.endswith("svg")


def test_plots_into_a_file_are_refused(file, tmp_path, capsys):
    blocked = tmp_path / "blocked"
    blocked.write_text("")
    assert cli.main(["chain", str(file), "--plot", str(blocked)]) == 2
    assert "blocked" in capsys.readouterr().err


def test_the_parser_can_stand_alone(file, capsys):
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    options = parser.parse_args(["chain", str(file), "--json", "--rate", "0.04"])
    assert options.run(options) == 0
    assert json.loads(capsys.readouterr().out)["rate"] == 0.04


def test_a_chart_leaves_out_what_it_cannot_draw_and_escapes_names():
    chart = Chart(
        "a < b",
        "x",
        "y",
        lines=[Line("l&l", [0.0, 1.0, 2.0], [1.0, float("nan"), 3.0])],
        bars=[Bars("b", [0.0, 1.0], [2.0, -1.0])],
        marks=[Mark("spot", 1.0), Mark("nowhere", float("nan"))],
    )
    text = chart.render()
    root = ElementTree.fromstring(text)
    assert "nan" not in text
    assert any(element.text == "a < b" for element in root.iter())


def test_names_of_marks_cover_neither_each_other_nor_the_edge():
    marks = [Mark("put wall 6,400", 6400.0), Mark("spot 6,448", 6410.0), Mark("call wall 7,000", 7000.0)]
    root = ElementTree.fromstring(Chart("t", "x", "y", [Line("l", [6000.0, 7000.0], [0.0, 1.0])], marks=marks).render())
    placed = {element.text: element for element in root.iter() if element.text in {mark.label for mark in marks}}
    rows = [float(placed[mark.label].get("y")) for mark in marks]
    assert rows[0] < rows[1]
    assert float(placed["call wall 7,000"].get("x")) < 960 - 7 * len("call wall 7,000")


def test_dots_without_a_label_take_the_colour_of_their_line():
    pairs = [Line("a", [0.0, 1.0], [1.0, 2.0]), Line("", [0.5], [1.0], dots=True)]
    pairs += [Line("b", [0.0, 1.0], [2.0, 3.0]), Line("", [0.5], [2.0], dots=True)]
    root = ElementTree.fromstring(Chart("t", "x", "y", pairs).render())
    curves = [element.get("stroke") for element in root.iter() if element.tag.endswith("polyline")]
    assert [element.get("fill") for element in root.iter() if element.tag.endswith("circle")] == curves


def test_an_axis_may_name_its_own_ticks():
    chart = Chart("t", "x", "y", [Line("l", [1.0, 5.0], [0.0, 1.0])], x_ticks=[(2.0, "4 days"), (50.0, "beyond")])
    texts = [element.text for element in ElementTree.fromstring(chart.render()).iter()]
    assert "4 days" in texts
    assert "beyond" not in texts


def test_a_chart_without_data_says_so():
    assert "no data" in Chart("t", "x", "y").render()


def test_ticks_are_round_and_inside():
    for low, high in ((0.0, 1.0), (-3.7, 12.1), (6448.0, 6449.0), (-2e9, 5e9), (0.1003, 0.1009)):
        found = ticks(low, high)
        assert 3 <= len(found) <= 12
        assert all(low - 1e-9 <= value <= high + 1e-9 for value in found)
