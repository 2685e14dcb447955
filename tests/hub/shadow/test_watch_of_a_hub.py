"""The watch over the model of a hub that runs: what is in force, noted, and found again at the next start."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from hub.assessment.deterioration import SHIPPED_CARD, SHIPPED_MODEL, DeteriorationModel
from hub.assessment.recalibration import CalibrationError, FittedOn, Recalibration
from hub.clock import ClockQuality, ClockStamp, stamp
from hub.configuration.file import Config, load
from hub.daemon import running
from hub.intake.rhythms import load_rhythm_model
from hub.shadow.record import AlertBudget
from hub.shadow.thresholds import thresholds
from hub.shadow.watch import (
    ModelWatch,
    forget_watched,
    load_model,
    look,
    watched,
)
from hub.store.errors import NotCommittedError
from hub.store.writer import Writer
from hub.trail import Audited
from tests.rigs.house import House, write_configuration
from tests.rigs.made_up_model import MODEL_NAME, SHA256, made_up_model
from tests.rigs.watched_home import CARD, evenly, expectations, fill

DAY = timedelta(days=1)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path, model=made_up_model())
    yield house
    house.connection.close()


# --- the hub


def watch_of(
    house: House, writer: Writer, tmp_path: Path, budget: float = 3.0, **changed: object
) -> ModelWatch:
    card = tmp_path / "card.json"
    card.write_text(json.dumps(CARD))
    return ModelWatch(house.path, writer, made_up_model(), card, budget)


async def test_before_the_first_look_the_cards_threshold_is_in_force(house: House, tmp_path: Path) -> None:
    async with Writer(house.path) as writer:
        watch = watch_of(house, writer, tmp_path)
        assert watch.in_force.threshold is None
        await writer.write(watch.begin)
    assert watch.in_force.threshold == 0.6


async def test_what_was_found_is_in_force_noted_and_found_again_at_the_next_start(
    house: House, tmp_path: Path, noon: datetime
) -> None:
    fill(house, noon, 28, evenly, risk=lambda number: 0.9 if number % 151 == 0 else 0.1)
    async with Writer(house.path) as writer:
        watch = watch_of(house, writer, tmp_path)
        for _ in range(2):  # the second finds nothing new, and notes nothing
            await watch.turn(noon + 28 * DAY, believed=True)
        assert watch.in_force.threshold == 0.9
        assert watched(house.connection) == watch.last
        assert [each.risk for each in thresholds(house.connection)] == [0.9]
        again = watch_of(house, writer, tmp_path)
        await writer.write(again.begin)
        assert again.in_force.threshold == 0.9
        other = watch_of(house, writer, tmp_path, budget=1.0)
        await writer.write(other.begin)
        assert other.in_force.threshold == 0.8, "another budget: what was found for the last one is not its"
    noted = house.connection.execute(
        "SELECT detail FROM audit WHERE what = ?", (Audited.SHADOW_THRESHOLD.value,)
    ).fetchall()
    assert [json.loads(detail)["risk"] for (detail,) in noted] == [0.9, 0.8]


async def test_what_another_version_kept_is_not_believed(
    house: House, tmp_path: Path, noon: datetime
) -> None:
    async with Writer(house.path) as writer:
        made, _ = look(house.connection, MODEL_NAME, expectations(), 3.0, noon, believed=True)
        wrong = made.to_json().replace('"value":0.6', '"value":"much"')
        for text in ("", "{}", '{"model": 1}', "[]", wrong):
            await writer.write(lambda transaction, text=text: transaction.set_fact("model watch", text))  # type: ignore[misc]  # mypy does not see the default
            assert watched(house.connection) is None
            watch = watch_of(house, writer, tmp_path)
            await writer.write(watch.begin)
            assert watch.in_force.threshold == 0.6


@pytest.mark.parametrize(
    ("threshold", "risk", "said"),
    [(0.5, 0.5, True), (0.5, 0.4999, False), (None, 0.9, None), (0.5, None, None)],
)
def test_would_alert_is_said_of_a_risk_that_reaches_the_threshold(
    threshold: float | None, risk: float | None, said: bool | None
) -> None:
    assert AlertBudget(threshold).would_alert(risk) is said


async def test_a_clock_that_is_not_believed_takes_no_threshold_of_the_home_away(
    house: House, tmp_path: Path, noon: datetime
) -> None:
    """Started again without a network the hub may think that it is years ago."""
    fill(house, noon, 28, evenly, risk=lambda number: 0.9 if number % 151 == 0 else 0.1)
    async with Writer(house.path) as writer:
        watch = watch_of(house, writer, tmp_path)
        await watch.turn(noon + 28 * DAY, believed=True)
        again = watch_of(house, writer, tmp_path)
        await writer.write(again.begin)
        await again.turn(noon - 900 * DAY, believed=False)
        assert again.in_force.threshold == 0.9
        await again.turn(noon + 400 * DAY, believed=True)
        assert again.in_force.threshold == 0.6, "a year on, nothing is known of this home"


async def test_it_looks_once_a_day_and_as_soon_as_the_clock_is_believed(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked, stamps = [], iter(["not yet synchronised"] * 3 + ["synchronised"] * 5)
    ended = asyncio.Event()

    def stamped() -> ClockStamp:
        quality = next(stamps, None)
        if quality is None:
            ended.set()
        return replace(stamp(), quality=ClockQuality(quality or "synchronised"))

    async def turn(_moment: datetime, *, believed: bool) -> bool:
        looked.append(believed)
        return True

    monkeypatch.setattr("hub.shadow.watch._EVERY_SECONDS", 0.0)
    monkeypatch.setattr("hub.shadow.watch.stamp", stamped)
    async with Writer(house.path) as writer:
        watch = watch_of(house, writer, tmp_path)
        monkeypatch.setattr(watch, "turn", turn)
        task = asyncio.create_task(watch.run())
        await asyncio.wait_for(ended.wait(), 20)
        assert looked == [False, True]
        monkeypatch.setattr("hub.shadow.watch.monotonic", lambda: monotonic() + 24 * 3600 + 1)
        async with asyncio.timeout(20):
            while len(looked) < 3:  # there is nothing to wait on but the loop
                await asyncio.sleep(0.01)
        task.cancel()


async def test_a_threshold_that_cannot_be_noted_is_not_in_force(
    house: House, tmp_path: Path, noon: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a record were made by it of which nobody would know by which."""
    fill(house, noon, 28, evenly, risk=lambda number: 0.9 if number % 151 == 0 else 0.1)
    async with Writer(house.path) as writer:
        watch = watch_of(house, writer, tmp_path)
        await writer.write(watch.begin)

        async def full(*_: object) -> None:
            raise NotCommittedError(house.path, "the card is full", "full")

        with monkeypatch.context() as patch:
            patch.setattr(writer, "write", full)
            assert not await watch.turn(noon + 28 * DAY, believed=True)
        assert (watch.in_force.threshold, watch.last) == (0.6, None)
        assert await watch.turn(noon + 28 * DAY, believed=True)
        assert watch.in_force.threshold == 0.9


async def test_a_start_notes_the_threshold_that_is_in_force_before_the_first_look(
    house: House, tmp_path: Path
) -> None:
    async with Writer(house.path) as writer:
        watch = watch_of(house, writer, tmp_path)
        for _ in range(2):
            await writer.write(watch.begin)
    assert [each.risk for each in thresholds(house.connection)] == [0.6]


async def test_of_a_hub_that_runs_no_model_any_more_nothing_is_found(house: House, noon: datetime) -> None:
    found, _ = look(house.connection, MODEL_NAME, expectations(), 3.0, noon, believed=True)
    async with Writer(house.path) as writer:
        await writer.write(lambda transaction: transaction.set_fact("model watch", found.to_json()))
        assert watched(house.connection) == found
        await writer.write(forget_watched)
    assert watched(house.connection) is None


async def test_the_daemon_begins_with_the_watch_and_forgets_what_it_found_where_there_is_no_model(
    tmp_path: Path, noon: datetime
) -> None:
    house = House(tmp_path)
    found, _ = look(house.connection, MODEL_NAME, expectations(), 3.0, noon, believed=True)
    async with running(load(write_configuration(tmp_path, model='[rhythm]\nmode = "off"\n'))):
        assert len(thresholds(house.connection)) == 1
    async with Writer(house.path) as writer:
        await writer.write(lambda transaction: transaction.set_fact("model watch", found.to_json()))
    async with running(load(write_configuration(tmp_path))):
        assert watched(house.connection) is None
    house.connection.close()


# --- its recalibration


def recalibration(sha256: str = SHA256) -> Recalibration:
    error = CalibrationError(before=0.2, after=0.1)
    of = FittedOn(sets=900, events=40)
    at = datetime(2026, 3, 1, tzinfo=UTC)
    return Recalibration(
        model_sha256=sha256, slope=0.5, intercept=-1, fitted_on=of, at=at, by="Dr. A",
        expected_calibration_error=error,
    )  # fmt: skip


def recalibrations(house: House) -> list[dict[str, Any]]:
    rows = house.connection.execute(
        "SELECT detail FROM audit WHERE what = ? ORDER BY sequence", (Audited.RECALIBRATED.value,)
    )
    return [json.loads(detail) for (detail,) in rows]


async def test_a_recalibration_that_is_made_while_the_hub_runs_is_taken_and_noted(
    house: House, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    copied = tmp_path / "model.tflite"
    shutil.copy(SHIPPED_MODEL, copied)
    shutil.copy(SHIPPED_CARD, copied.with_suffix(".json"))
    model = DeteriorationModel.configured(copied)
    beside = copied.with_suffix(".recalibration.json")
    async with Writer(house.path) as writer:
        watch = ModelWatch(house.path, writer, model, copied.with_suffix(".json"), 3.0)
        await writer.write(watch.begin)
        await watch.take_recalibration()
        assert recalibrations(house) == [], "there is none, and never was"
        beside.write_text(recalibration(model.sha256).model_dump_json())
        for _ in range(2):
            await watch.take_recalibration()
        assert model.recalibration is not None
        await writer.write(watch.begin)  # as at the next start
        beside.write_text(recalibration("0" * 64).model_dump_json())
        await watch.take_recalibration()
        beside.unlink()
        await watch.take_recalibration()
        beside.write_text(recalibration(model.sha256).model_dump_json())
        model.recalibrate()
        await writer.write(watch.begin)  # it was made while the hub was off
    made, refused, none, again = recalibrations(house)
    assert again == made
    assert (made["slope"], made["by"], made["fitted_on"]["events"]) == (0.5, "Dr. A", 40)
    assert "is of another model" in refused["refused"]
    assert none == {"model": model.sha256}
    assert "the one of 2026-03-01 is used" in caplog.text
    assert "Dr. A" not in caplog.text


# --- a model that cannot be loaded


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("/nowhere/model.tflite", "No such file"),
        ("/", "names no file"),
        ("n" * 300 + ".tflite", "File name too long"),
        ("a\\u0000b", "Invalid argument"),
    ],
)
def test_whatever_is_named_as_the_model_the_hub_starts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, file: str, said: str
) -> None:
    config = load(write_configuration(tmp_path, model=f'[model]\nfile = "{file}"\n'))
    assert load_model(config) is None
    assert said in caplog.text


@pytest.mark.parametrize("load_any", [load_model, load_rhythm_model])
def test_a_runtime_that_breaks_in_a_way_that_nobody_foresaw_keeps_no_hub_from_starting(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    load_any: Callable[[Config], object],
) -> None:
    """As one does that was made for another version of numpy."""

    def breaks(_: str) -> None:
        raise SystemError("initialization of _pywrap_tensorflow_interpreter_wrapper raised an exception")

    monkeypatch.setattr("hub.assessment.model_file.importlib.import_module", breaks)
    assert load_any(load(write_configuration(tmp_path, model=""))) is None
    assert "cannot be loaded; please report this" in caplog.text
