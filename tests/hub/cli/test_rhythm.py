"""`carehub rhythm`: anyone's beats come back with what the hub makes of them."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hub.assessment.rhythm import SHIPPED_CARD, SHIPPED_MODEL
from tests.rigs.hub_process import Ended, carehub_here


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "beats.csv"
    path.write_text("patient,rr_ms,note\n" + "".join(f"R-1,{800 + number % 3},x\n" for number in range(90)))
    return path


def rhythm(table: Path, *arguments: str | Path) -> Ended:
    return carehub_here("rhythm", "--csv", table, "--out", table.with_name("out.csv"), *arguments)


def found(table: Path) -> list[dict[str, str]]:
    with table.with_name("out.csv").open(newline="") as out:
        return list(csv.DictReader(out))


def test_a_row_is_written_for_each_window_or_each_day(table: Path) -> None:
    ended = rhythm(table)
    assert (ended.code, ended.output) == (0, "")
    assert "carehub: 90 rows read, of 1 patients" in ended.errors
    assert [row["first_beat"] for row in found(table)] == ["1", "46"]
    assert rhythm(table, "--by", "day").code == 0
    assert [row["day"] for row in found(table)] == ["1"]


def test_the_same_table_gives_the_same_bytes(table: Path) -> None:
    assert rhythm(table).code == 0
    first = table.with_name("out.csv").read_bytes()
    assert rhythm(table).code == 0
    assert table.with_name("out.csv").read_bytes() == first


def test_it_reads_standard_input_and_writes_standard_output(table: Path) -> None:
    assert rhythm(table).code == 0
    ended = subprocess.run(
        [sys.executable, "-m", "hub", "rhythm", "--csv", "-", "--out", "-"],
        input=table.read_bytes(), capture_output=True, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (0, table.with_name("out.csv").read_bytes())


def test_under_strict_the_first_cell_that_is_not_understood_ends_it(table: Path) -> None:
    table.write_text("patient,rr_ms\nR-1,8OO\n")
    ended = rhythm(table, "--strict")
    assert ended.code == 2
    assert 'row 1 (line 2): rr_ms: "8OO" is not understood' in ended.errors
    assert not table.with_name("out.csv").exists()


def test_a_table_is_not_written_over_itself(table: Path) -> None:
    before = table.read_bytes()
    assert carehub_here("rhythm", "--csv", table, "--out", table).code == 2
    assert table.read_bytes() == before


def test_a_table_without_intervals_is_refused(table: Path) -> None:
    table.write_text("patient,RR_ms\n")
    ended = rhythm(table)
    assert ended.code == 1
    assert 'has no column rr_ms (but "RR_ms": names are read as written)' in ended.errors


def test_with_a_model_that_is_refused_windows_are_written_and_the_end_is_1(table: Path) -> None:
    assert rhythm(table).code == 0
    with_model = found(table)
    content = bytearray(SHIPPED_MODEL.read_bytes())
    content[-50] ^= 1
    table.with_name("tampered.tflite").write_bytes(content)
    shutil.copy(SHIPPED_CARD, table.with_name("tampered.json"))
    ended = rhythm(table, "--model", table.with_name("tampered.tflite"))
    assert ended.code == 1
    assert "carehub: no probability and no finding" in ended.errors
    assert found(table) == [row | {"af_probability": "", "finding": ""} for row in with_model]
