"""The page, of people who do not exist: whole, well-formed, and honest about what is missing."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from models.train.measures.bootstrap import Estimate
from models.train.measures.discrimination import TimeMatched
from models.train.report.__main__ import main
from models.train.report.aims import below_or_above
from models.train.report.findings import Findings, Group, measured
from models.train.report.page_deterioration import not_for_everybody
from models.train.report.predictions import Deaths, Onsets
from tests.models.train.report import made_up

SECTIONS = [
    *("what", "must-not", "not-known", "aims", "discrimination", "alerts", "lead-time", "calibration"),
    *("decision", "subgroups", "missing", "death", "rhythm", "tried", "measured"),
]
SETS = len(made_up.deterioration()["risk"])
SVG = "{http://www.w3.org/2000/svg}"


def write(folder: Path, cards: tuple[str, ...] = ("deterioration", "rhythm")) -> list[str]:
    """Predictions and cards into a folder; what to call `main` with."""
    made_up.write(folder)
    for name in cards:
        (folder / f"{name}.json").write_text(json.dumps(made_up.card(name)))
    page = str(folder / "sub" / "report.html")
    return ["--predictions", str(folder), "--cards", str(folder), "--into", page, "--rounds", "12"]


def read(folder: Path) -> str:
    return (folder / "sub" / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("report")
    assert main(write(folder)) == 0
    return read(folder)


@pytest.fixture(scope="module")
def found() -> Findings:
    arrays = made_up.deterioration(100)
    onsets = Onsets(**{field.name: arrays[field.name] for field in dataclasses.fields(Onsets)})
    deaths = Deaths(**{field.name: arrays[f"death_{field.name}"] for field in dataclasses.fields(Deaths)})
    return measured(onsets, deaths, rounds=2)


@pytest.fixture(scope="module")
def page(written: str) -> ElementTree.Element:
    """As an XML parser reads it, which forgives nothing."""
    return ElementTree.fromstring(written)


def words(element: ElementTree.Element) -> str:
    return " ".join(" ".join(element.itertext()).split())


def section(page: ElementTree.Element, name: str) -> ElementTree.Element:
    return next(one for one in page.iter("section") if one.get("id") == name)


def test_what_it_is_and_must_not_be_used_for_comes_before_every_figure(page: ElementTree.Element) -> None:
    assert [one.get("id") for one in page.iter("section")] == SECTIONS
    assert "raise no alert" in words(section(page, "what"))
    assert "for anything but a test" in words(section(page, "must-not"))
    assert "nobody has measured it" in words(section(page, "not-known"))


def test_every_link_of_the_contents_leads_somewhere_and_no_name_is_there_twice(
    page: ElementTree.Element,
) -> None:
    names = [one.get("id") for one in page.iter() if one.get("id")]
    assert len(names) == len(set(names))
    assert [link.get("href") for link in page.iter("a")] == [f"#{name}" for name in SECTIONS]


def test_every_plot_is_told_in_words_and_has_its_table(page: ElementTree.Element) -> None:
    names = {one.get("id"): one for one in page.iter() if one.get("id")}
    plots = [div for div in page.iter("div") if div.find("figure") is not None]
    assert len(plots) == 10
    for div in plots:
        plot = next(div.iter(f"{SVG}svg"))
        title, description = (names[name] for name in plot.attrib["aria-labelledby"].split())
        assert plot.get("role") == "img"
        assert (title.tag, description.tag) == (f"{SVG}title", f"{SVG}desc")
        assert len(words(title)) > 10
        assert len(words(description)) > 30
        assert div.find("figure/figcaption") is not None
        assert div.find("div/table") is not None


def test_every_table_has_a_caption_named_columns_and_whole_rows(page: ElementTree.Element) -> None:
    tables = list(page.iter("table"))
    assert len(tables) > 15
    for table in tables:
        columns = table.findall("thead/tr/th")
        assert words(table).strip()
        assert table.find("caption") is not None
        assert all(words(column) and column.get("scope") == "col" for column in columns)
        for row in table.findall("tbody/tr"):
            assert len(row) == len(columns)
            assert (row[0].tag, row[0].get("scope")) == ("th", "row")


def test_nothing_is_printed_that_is_no_number(written: str, page: ElementTree.Element) -> None:
    assert not re.search(r"\b(nan|inf|None|Estimate|array)\b", words(page))
    assert not re.search(r"[^#\w](nan|-?inf)\b", written.split("</style>")[1], re.IGNORECASE)
    assert "\N{MINUS SIGN}0.0 " not in words(page)


def test_it_is_one_file_that_asks_for_nothing_else(written: str) -> None:
    rest = written.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert "://" not in rest
    assert not re.search(r"<(script|link|img|iframe|object)\b|url\((?!#)|@import", rest)


def test_what_a_card_says_is_text_and_no_markup(written: str, page: ElementTree.Element) -> None:
    assert "<coin>" not in written
    assert "a <coin>" in words(section(page, "tried"))
    assert "it knows nothing & says so" in words(section(page, "tried"))


def test_news2_that_knows_only_the_charted_oxygen_is_told_too(page: ElementTree.Element) -> None:
    told = words(section(page, "discrimination"))
    assert "better in intensive care (0.612 (0.600 to 0.630))" in told
    assert "The model has 0.051 (\N{MINUS SIGN}0.020 to 0.100) more than that." in told


def test_the_ways_among_which_the_teacher_was_chosen_are_told(page: ElementTree.Element) -> None:
    rows = [[words(cell) for cell in row] for row in section(page, "tried").iter("tr")]
    assert ["few <trees>", "0.650", "1 of 3"] in rows
    assert ["many", "0.670", "2 of 3"] in rows


def test_the_same_predictions_give_the_same_bytes(written: str, tmp_path: Path) -> None:
    main(write(tmp_path))
    assert read(tmp_path) == written


def test_the_figures_are_those_of_the_measures(page: ElementTree.Element) -> None:
    arrays = made_up.deterioration()
    measured = TimeMatched(arrays["risk"], arrays["label"], arrays["block"]).auroc(
        np.ones(len(arrays["risk"]))
    )
    table = next(section(page, "discrimination").iter("table"))
    assert words(table.findall("tbody/tr")[0]).startswith(f"the model {measured:.3f} (")


def test_the_aims_are_held_to_what_was_measured(page: ElementTree.Element) -> None:
    rows = {words(row[0]): [words(cell) for cell in row] for row in section(page, "aims").iter("tr")}
    missing = rows["With any two inputs missing"]
    assert missing[2:4] == ["1 of 2 pairs", "missed"]
    assert missing[4] == "Worse without: temperature and respiration rate."
    assert rows["The same in a hospital that was kept aside"][2:4] == ["not known", "not measured here"]
    assert rows["Size of the file, deterioration"][2:4] == ["12,345 bytes", "reached"]
    verdicts = [row[3] for row in rows.values() if row[3] != "verdict"]
    counted = f"{verdicts.count('reached')} were reached, {verdicts.count('missed')} missed"
    assert counted in words(section(page, "aims"))


def test_a_pair_of_inputs_in_which_news2_is_better_is_told_so_beside_its_colour(
    page: ElementTree.Element,
) -> None:
    cells = {words(cell): cell.get("class") for cell in section(page, "missing").iter("td")}
    assert cells["0.610 / 0.550"] == "reached"
    assert cells["0.600 / 0.620, worse"] == "missed"


def test_how_fast_both_models_are_stands_beside_its_aim(page: ElementTree.Element) -> None:
    rows = {words(row[0]): [words(cell) for cell in row] for row in section(page, "aims").iter("tr")}
    for name in ("deterioration", "rhythm"):
        row = rows[f"One inference with its features, on one core, {name}"]
        assert row[2:4] == ["120 microseconds", "reached"]


def test_who_is_found_at_which_rate_and_with_a_worse_sensor_is_told(page: ElementTree.Element) -> None:
    rows = {words(row[0]): [words(cell) for cell in row] for row in section(page, "rhythm").iter("tr")}
    assert rows["below 60"][1:] == ["24", "41.7", "700", "0.3"]
    assert rows["60 and over"][1:] == ["0", "not known", "3", "0.0"]
    assert rows["every beat twice"][1:] == ["0.912", "12.3", "45.6", "0.79"]


def test_what_recordings_without_an_answer_do_to_the_figure_is_said(page: ElementTree.Element) -> None:
    rows = {words(row[0]): [words(cell) for cell in row] for row in section(page, "rhythm").iter("tr")}
    told = rows["network, recordings with beats enough for an answer"][1]
    aims = {words(row[0]): words(row) for row in section(page, "aims").iter("tr")}
    (aim,) = (row for name, row in aims.items() if name.startswith("Atrial fibrillation against"))
    untold = int(np.isnan(made_up.rhythm()["probability"]).sum())
    assert f"{untold} recordings had too few beats for an answer" in aim
    assert f"of the others {told}" in aim


def test_a_group_for_which_no_gain_was_shown_is_named_and_no_other(found: Findings) -> None:
    def group(name: str, gain: Estimate, more: Estimate) -> Group:
        return Group(name, found.groups[0].counts, {"gain": gain, "found gain": more})

    sure, unsure = Estimate(0.1, 0.05, 0.2), Estimate(0.04, -0.01, 0.08)
    of = dataclasses.replace(found, groups=[group("young", sure, sure), group("old", unsure, sure)])
    (said,) = not_for_everybody(of)
    assert said == (
        "That the model orders better (AUROC) than NEWS2 was not shown among: "
        "old (gain 0.040 (\N{MINUS SIGN}0.010 to 0.080))."
    )
    unknown = Estimate(0.3, float("nan"), float("nan"))
    of = dataclasses.replace(found, groups=[group("young", sure, unsure), group("few", sure, unknown)])
    (said,) = not_for_everybody(of)
    assert said.startswith("That the model finds more of 100 onsets")
    assert "young (gain" in said
    assert "few (gain 0.3 (too few for an interval))" in said
    of = dataclasses.replace(found, groups=[group("young", sure, sure)])
    assert not_for_everybody(of) == [
        "In each group by age and sex the whole interval of the gain over NEWS2 is above 0."
    ]


def test_for_whom_no_gain_was_shown_stands_in_short_and_with_the_groups(page: ElementTree.Element) -> None:
    for name in ("what", "subgroups"):
        assert re.search(r"was not shown among: |the whole interval of the gain", words(section(page, name)))


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (Estimate(0.73, 0.71, 0.75), "may be chance"),
        (Estimate(0.71, 0.69, 0.73), "to miss it may be chance"),
        (Estimate(0.73, 0.72, 0.75), ""),
        (Estimate(0.70, 0.68, 0.71), ""),
    ],
)
def test_an_aim_within_the_interval_is_remarked_whether_reached_or_missed(one: Estimate, said: str) -> None:
    assert bool(said) == bool(below_or_above(one, 0.72))
    assert said in below_or_above(one, 0.72)


def test_without_a_rhythm_model_the_page_is_there_and_says_so(tmp_path: Path) -> None:
    assert main(write(tmp_path, ("deterioration",))) == 0
    page = ElementTree.fromstring(read(tmp_path))
    assert "There is no rhythm model" in words(section(page, "rhythm"))
    aims = words(section(page, "aims"))
    assert (
        "Atrial fibrillation against everything else, by recording (2017 data): AUROC at least 0.97 not known"
        in aims
    )


def test_a_card_that_says_nothing_is_told_as_not_known(tmp_path: Path) -> None:
    arguments = write(tmp_path, ("deterioration",))
    (tmp_path / "deterioration.json").write_text("{}")
    assert main(arguments) == 0
    page = ElementTree.fromstring(read(tmp_path))
    assert "do not use it at all" in words(section(page, "must-not"))
    assert "not measured yet" in words(section(page, "missing"))
    assert "lists nothing" in words(section(page, "tried"))
    rows = {words(row[0]): [words(cell) for cell in row] for row in section(page, "aims").iter("tr")}
    assert rows["Size of the file, deterioration"][2:4] == ["not known", "not measured here"]


def refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What is said; the page must not be there."""
    arguments = ["--predictions", str(folder), "--cards", str(folder), "--into", str(folder / "page.html")]
    assert main(arguments) == 1
    assert not (folder / "page.html").exists()
    return capsys.readouterr().err


def test_without_predictions_it_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "deterioration.npz is not there: train the model first" in refused(tmp_path, capsys)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"risk": None}, "the array risk is missing"),
        ({"risk": np.full(3, 0.5)}, "not as many sets in every array"),
        ({"risk": np.full(SETS, np.nan)}, "risk holds what is no probability"),
        ({"label": np.ones(SETS)}, "label must hold both 0 and 1"),
        ({"hours_to_onset": np.zeros(SETS)}, "hours_to_onset must be above 0"),
        ({"death_died": np.ones(400)}, "death_died must hold both 0 and 1"),
    ],
)
def test_predictions_that_cannot_be_are_refused(
    change: dict[str, Any], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path)
    arrays = made_up.deterioration()
    for name, value in change.items():
        if value is None:
            del arrays[name]
        else:
            arrays[name] = value
    np.savez_compressed(tmp_path / "deterioration.npz", **arrays)
    assert said in refused(tmp_path, capsys)


def test_a_damaged_file_is_refused_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path)
    whole = (tmp_path / "rhythm.npz").read_bytes()
    (tmp_path / "rhythm.npz").write_bytes(whole[: len(whole) // 2])
    assert "rhythm.npz cannot be read as predictions" in refused(tmp_path, capsys)
    made_up.write(tmp_path)
    (tmp_path / "deterioration.json").write_text("{")
    assert "deterioration.json cannot be read as a card" in refused(tmp_path, capsys)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"window_record": np.array([300])}, "not as many windows"),
        ({"label": np.array(["N"] * 300)}, "label must hold both A and N"),
        ({"window_record": np.full(450, 300)}, "names a recording that is not there"),
    ],
)
def test_predictions_of_rhythm_that_cannot_be_are_refused(
    change: dict[str, Any], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path)
    np.savez_compressed(tmp_path / "rhythm.npz", **(made_up.rhythm() | change))
    assert said in refused(tmp_path, capsys)
