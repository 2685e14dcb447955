"""`carehub score`: anyone's table comes back with what the hub makes of it."""

from __future__ import annotations

import csv
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hub.assessment.deterioration import SHIPPED_CARD, SHIPPED_MODEL
from hub.assessment.news2 import PARAMETERS, Band, OxygenScale
from hub.readings import Breathing, Consciousness, Value, Vital
from tests.hub.assessment.oracles import CLINCALC_BAND, VITALSCORE_RISK, by_clincalc, by_vitalscore
from tests.rigs.hub_process import Ended, carehub_here

HEADER = "patient,HR,O2Sat,Temp,SBP,DBP,Resp,FiO2,consciousness,Age,Gender"
ADDED = "news2,news2_missing,news2_band,risk,risk_reasons"
WELL = "R-1,70,97,37.0,120,60,16,0.21,A,80,0"
WORSE = "R-1,118,91,38.7,96,52,26,0.4,V,80,0"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "ward.csv"
    path.write_text(f"{HEADER}\n{WELL}\n{WORSE}\n")
    return path


def score(table: Path, *arguments: str | Path) -> Ended:
    return carehub_here("score", "--csv", table, "--out", table.with_name("out.csv"), *arguments)


def scored(table: Path, *arguments: str | Path) -> list[dict[str, str]]:
    ended = score(table, *arguments)
    assert (ended.code, ended.output) == (0, ""), ended.errors
    with table.with_name("out.csv").open(newline="") as out:
        return list(csv.DictReader(out))


def test_each_row_comes_back_with_its_scores_behind_it(table: Path) -> None:
    well, worse = scored(table)
    assert (well["news2"], well["news2_missing"], well["news2_band"]) == ("0", "", "zero")
    assert (worse["news2"], worse["news2_missing"], worse["news2_band"]) == ("16", "", "high")
    assert 0 <= float(well["risk"]) < float(worse["risk"]) <= 1
    assert " than " in worse["risk_reasons"]
    assert list(well) == [*HEADER.split(","), *ADDED.split(",")]


def test_all_that_was_there_is_as_it_was_to_the_byte(tmp_path: Path) -> None:
    rows = [
        b'\xef\xbb\xbf"patient",  HR ,"no,te",HR2\r\n',
        b'R-1, 70 ,"said ""fine""\r\nthen slept",\r\n',
        b"\r\n",
        b'"R-1",,caf\xe9 \x00,x',
    ]
    (tmp_path / "odd.csv").write_bytes(b"".join(rows))
    assert score(tmp_path / "odd.csv").code == 0
    out = (tmp_path / "out.csv").read_bytes()
    bare = [row.removesuffix(b"\r\n") for row in rows]
    assert out.startswith(bare[0] + b"," + ADDED.encode() + b"\r\n" + bare[1] + b",0,respiration_rate ")
    assert b"\r\n\r\n" + bare[3] + b",0," in out
    assert not out.endswith(b"\n")
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8-sig", errors="surrogateescape") as read:
        found = list(csv.DictReader(read))
    assert [row["news2"] for row in found] == ["0", "0"]
    assert found[0]["no,te"] == 'said "fine"\r\nthen slept'


WELL_VALUES: dict[Vital, Value] = {
    Vital.RESPIRATION_RATE: 16.0,
    Vital.OXYGEN_SATURATION: 97.0,
    Vital.SUPPLEMENTAL_OXYGEN: Breathing.AIR,
    Vital.SYSTOLIC_PRESSURE: 120.0,
    Vital.PULSE_RATE: 70.0,
    Vital.CONSCIOUSNESS: Consciousness.ALERT,
    Vital.TEMPERATURE: 37.0,
}
SEVEN = {
    "HR": (Vital.PULSE_RATE, [str(each) for each in range(30, 141)]),
    "O2Sat": (Vital.OXYGEN_SATURATION, [str(each) for each in range(80, 101)]),
    "Temp": (Vital.TEMPERATURE, [f"{each / 10}" for each in range(340, 401)]),
    "SBP": (Vital.SYSTOLIC_PRESSURE, [str(each) for each in range(80, 231)]),
    "Resp": (Vital.RESPIRATION_RATE, [str(each) for each in range(5, 31)]),
    "FiO2": (Vital.SUPPLEMENTAL_OXYGEN, ["0.21", "0.35", "-50", "1", "4000"]),
    "consciousness": (Vital.CONSCIOUSNESS, [*"ACVPUacvpu", "alert", "new confusion", "15", "14", "11", "3"]),
}
ON_AIR = {"0.21", "-50"}
ALERT = {"A", "a", "alert", "15"}


def of_the_oracle(vital: Vital, text: str) -> Value:
    """What a cell means, said once more."""
    if vital is Vital.SUPPLEMENTAL_OXYGEN:
        return Breathing.AIR if text in ON_AIR else Breathing.OXYGEN
    if vital is Vital.CONSCIOUSNESS:
        return Consciousness.ALERT if text in ALERT else Consciousness.PAIN
    return float(text)


def test_news2_is_that_of_two_independent_implementations_over_a_random_table(tmp_path: Path) -> None:
    """A parameter that is missing has no points: to an oracle, which needs all, a value that scores 0."""
    chance = random.Random(20260301)
    given: list[dict[str, str]] = []
    for _ in range(1500):
        row = {"patient": "x", "spo2_scale": chance.choice(["", "1", "2"])}
        complete = chance.random() < 0.4
        row |= {
            name: chance.choice(texts) if complete or chance.random() < 0.8 else ""
            for name, (_, texts) in SEVEN.items()
        }
        given.append(row)
    with (tmp_path / "random.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(given[0]))
        writer.writeheader()
        writer.writerows(given)
    missing_seen, bands_seen = 0, set()
    for row, found in zip(given, scored(tmp_path / "random.csv", "--no-reasons"), strict=True):
        scale = OxygenScale(int(row["spo2_scale"] or 1))
        values = {vital: of_the_oracle(vital, row[name]) for name, (vital, _) in SEVEN.items() if row[name]}
        unknown = (
            scale is OxygenScale.SCALE_2 and row["FiO2"] == "" and float(row["O2Sat"] or 0) > 92
        )  # 0 on air and up to 3 on oxygen
        if unknown:
            del values[Vital.OXYGEN_SATURATION]
        missing = [vital.value for vital in PARAMETERS if vital not in values]
        assert found["news2_missing"].split() == missing, row
        whole = WELL_VALUES | values
        if scale is OxygenScale.SCALE_2 and Vital.OXYGEN_SATURATION not in values:
            whole[Vital.OXYGEN_SATURATION] = 90.0
        points, risk = by_vitalscore(whole, scale)
        same_points, band = by_clincalc(whole, scale)
        assert points == same_points
        assert int(found["news2"]) == sum(points), row
        assert (VITALSCORE_RISK[Band(found["news2_band"])], CLINCALC_BAND[Band(found["news2_band"])]) == (
            risk,
            band,
        )
        missing_seen += bool(missing)
        bands_seen.add(found["news2_band"])
    assert missing_seen > 500
    assert bands_seen == {band.value for band in Band}


def test_the_same_table_gives_the_same_bytes(table: Path) -> None:
    assert score(table).code == 0
    first = table.with_name("out.csv").read_bytes()
    assert score(table).code == 0
    assert table.with_name("out.csv").read_bytes() == first


def test_it_reads_standard_input_and_writes_standard_output() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "hub", "score", "--csv", "-", "--out", "-"],
        input=f"{HEADER}\r\n{WORSE}\r\n".encode(), capture_output=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith(f"{HEADER},{ADDED}\r\n{WORSE},16,,high,0.".encode())
    assert b"carehub: 1 rows scored, of 1 patients, with " in ended.stderr


def test_what_is_not_believed_is_counted_and_the_first_is_shown(table: Path) -> None:
    table.write_text(f"{HEADER}\n{WELL}\nR-1,8O,97,98.6,120,60,16,,A,80,0\nR-1,??,97,37,120,60,16,,A,80,0\n")
    ended = score(table)
    assert ended.code == 0
    assert (
        'HR: not understood, and counts as not measured: 2 times, first in row 2 (line 3): "8O"'
        in ended.errors
    )
    assert (
        "Temp: outside what is physically plausible, and counts as not measured: in row 2 (line 3)"
        in ended.errors
    )
    assert "pulse_rate" in table.with_name("out.csv").read_text().splitlines()[2].split(",")[12].split()


def test_a_cell_cannot_make_the_terminal_do_anything(table: Path) -> None:
    table.write_text(f"{HEADER}\nR-1,\x1b[2J{'9' * 200},97,37,120,60,16,,A,80,0\n")
    errors = score(table).errors
    assert "\x1b" not in errors
    assert '"?[2J9999' in errors
    assert "9" * 50 not in errors


def test_under_strict_the_first_cell_that_is_not_understood_ends_it_and_nothing_is_written(
    table: Path,
) -> None:
    table.write_text(f"{HEADER}\n{WELL}\nR-1,8O,97,98.6,120,60,16,,A,80,0\n")
    ended = score(table, "--strict")
    assert (ended.code, ended.output) == (2, "")
    assert 'row 2 (line 3): HR: "8O" is not understood' in ended.errors
    assert not table.with_name("out.csv").exists()
    table.write_text(f"{HEADER}\n{WELL}\n")
    assert score(table, "--strict").code == 0


def test_a_row_that_cannot_be_read_leaves_what_was_there_before(table: Path) -> None:
    table.with_name("out.csv").write_text("before")
    table.write_text(f"{HEADER}\n{WELL}\nR-1,70\n")
    ended = score(table)
    assert ended.code == 1
    assert "row 2 (line 3) has 2 cells, the header 11" in ended.errors
    assert table.with_name("out.csv").read_text() == "before"
    assert sorted(path.name for path in table.parent.iterdir()) == ["out.csv", "ward.csv"]


def test_missing_columns_are_said_once_and_a_missing_patient_ends_it(table: Path) -> None:
    table.write_text("patient,HR\nR-1,70\nR-1,71\n")
    ended = score(table)
    assert ended.code == 0
    assert ended.errors.count("no column Temp: temperature counts as not measured throughout") == 1
    assert "Gender" not in ended.errors
    table.write_text("HR\n70\n")
    ended = score(table)
    assert ended.code == 1
    assert "no column patient" in ended.errors


def test_a_table_that_has_a_column_of_such_a_name_already_is_refused(table: Path) -> None:
    table.write_text("patient,risk\nR-1,high\n")
    ended = score(table)
    assert ended.code == 1
    assert "has a column risk already" in ended.errors


@pytest.mark.parametrize("name", ["ward.csv", "link.csv"])
def test_a_table_is_not_written_over_itself(table: Path, name: str) -> None:
    before = table.read_bytes()
    table.with_name("link.csv").symlink_to(table)
    ended = carehub_here("score", "--csv", table, "--out", table.with_name(name))
    assert ended.code == 2
    assert "--out is the same file as --csv" in ended.errors
    assert table.read_bytes() == before


def test_another_model_is_taken_with_the_card_beside_it(table: Path) -> None:
    shutil.copy(SHIPPED_MODEL, table.with_name("mine.tflite"))
    shutil.copy(SHIPPED_CARD, table.with_name("mine.json"))
    own = scored(table)
    assert scored(table, "--model", table.with_name("mine.tflite")) == own


def test_with_a_model_that_is_refused_news2_is_written_and_the_end_is_1(table: Path) -> None:
    with_model = scored(table)
    content = bytearray(SHIPPED_MODEL.read_bytes())
    content[-100] ^= 1
    table.with_name("tampered.tflite").write_bytes(content)
    shutil.copy(SHIPPED_CARD, table.with_name("tampered.json"))
    ended = score(table, "--model", table.with_name("tampered.tflite"))
    assert ended.code == 1
    assert "carehub: scored with NEWS2 alone" in ended.errors
    assert ended.errors.count("is not the model that") == 1
    with table.with_name("out.csv").open(newline="") as out:
        found = list(csv.DictReader(out))
    assert found == [row | {"risk": "", "risk_reasons": ""} for row in with_model]


def test_a_model_that_is_not_there_is_the_users_mistake(table: Path) -> None:
    ended = score(table, "--model", table.with_name("mine.tflite"))
    assert ended.code == 2
    assert "mine.tflite' does not exist" in ended.errors
    assert not table.with_name("out.csv").exists()


def test_a_table_that_is_not_there_is_named(tmp_path: Path) -> None:
    ended = score(tmp_path / "no.csv")
    assert (ended.code, ended.errors) == (
        1,
        f"carehub: {tmp_path / 'no.csv'}: cannot be read: No such file or directory\n",
    )
