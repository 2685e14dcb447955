"""`carehub model`: the card and how it does here, the history as CSV, a recalibration whole or not at all."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from hub.assessment.budget import Basis, Threshold
from hub.assessment.expectations import Expectations
from hub.assessment.recalibration import Recalibration
from hub.clock import now, to_microseconds
from hub.shadow.record import AlertBudget
from hub.shadow.thresholds import note
from hub.shadow.watch import look
from hub.trail import Moment
from tests.rigs.house import NAMES, House, cuff, entry, oximeter, write_configuration
from tests.rigs.hub_process import Ended, carehub_here
from tests.rigs.made_up_model import MODEL_NAME, SHA256, made_up_model

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CARD: dict[str, object] = {
    "name": "made-up",
    "version": "1.0",
    "summary": "A risk that a test can foresee.",
    "training": {"data": {"name": "nobody's", "licence": "CC0"}, "people": 3},
    "evaluation": {"held out": {"auroc": 0.7, "low": 0.6, "high": 0.8}},
    "limits": ["Made up.\x1b[31m"],
    "must_not_be_used": ["to lower a NEWS2 alert"],
    "golden": {"vectors": [1, 2, 3]},
    "budget": [{"alerts_per_100_days": 3.0, "threshold": 0.6}],
    "drift": {"pulse_rate": {"edges": [60, 80], "shares": [0.2, 0.4, 0.4], "missing": 0.1}},
}
Run = Callable[..., Ended]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`carehub model`, with the made-up model; `card` is its card."""
    monkeypatch.setattr("hub.cli.model._model", lambda _config: made_up_model())

    def running(*arguments: str, card: dict[str, object] = CARD) -> Ended:
        (tmp_path / "made-up.json").write_text(json.dumps(card))
        model = f'[model]\nfile = "{tmp_path}/made-up.tflite"\n[rhythm]\nmode = "off"\n'
        config = write_configuration(tmp_path, model=model)
        return carehub_here("model", *arguments, "--config", config)

    return running


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path, model=made_up_model(), budget=AlertBudget(0.5))
    yield house
    house.connection.close()


def watched(house: House, card: dict[str, object] = CARD) -> None:
    found, _ = look(house.connection, MODEL_NAME, Expectations.of(card), 3.0, now(), believed=True)
    with house.transaction() as transaction:
        transaction.set_fact("model watch", found.to_json())


# --- show


def test_it_shows_what_the_model_is_and_must_not_be_used_for(run: Run) -> None:
    shown = run("show")
    assert shown.code == 0
    held_out = "held out: auroc 0.7, low 0.6, high 0.8"
    for said in ("made-up 1.0", "nobody's", held_out, "to lower a NEWS2 alert", SHA256):
        assert said in shown.output
    assert "mode: shadow; it raises no alert" in shown.output
    assert "recalibration: none" in shown.output
    assert "\x1b" not in shown.output
    assert "has the hub ever run here?" in shown.output


def test_it_shows_how_the_model_does_in_this_home(run: Run, house: House) -> None:
    house.take(oximeter(85, now() - HOUR, pulse=120))
    watched(house)
    output = run("show").output
    assert "would alert from a risk of 60.0% on, by the model's card" in output
    assert "1 alert(s) would have been raised; NEWS2 raised 1, of which 1 coincided" in output
    assert "pulse rate: not known in 0% of the sets, in training in 10%, too few values" in output


def test_of_a_card_without_them_it_says_that_budget_and_drift_are_off(run: Run, house: House) -> None:
    old = {key: said for key, said in CARD.items() if key not in {"budget", "drift"}}
    watched(house, old)
    output = run("show", card=old).output
    assert "no threshold: the model's card gives none" in output
    assert "its card: it has no alert budget" in output
    assert "its card: it has no training histograms" in output


def test_what_was_found_of_another_model_is_not_shown_as_this_ones(run: Run, house: House) -> None:
    watched(house)
    house.connection.execute("UPDATE fact SET value = replace(value, ?, ?)", (MODEL_NAME.sha256, "0" * 12))
    output = run("show").output
    assert "has not looked at this model yet" in output
    assert "would alert from" not in output


def test_it_shows_all_that_to_machines_but_golden_vectors(run: Run, house: House) -> None:
    watched(house)
    said = json.loads(run("show", "--json").output)
    assert "golden" not in said["card"]
    assert said["card"]["limits"] == CARD["limits"]
    assert said["here"]["watched"]["threshold"]["value"] == 0.6
    assert said["here"]["sha256"] == SHA256


# --- history


def test_the_history_is_exported_with_all_that_a_judge_needs(run: Run, house: House, noon: datetime) -> None:
    house.take(cuff(95, noon, pulse=110))
    house.take(entry(noon + 2 * HOUR), "R-0077")
    house.take(oximeter(97, noon + 3 * HOUR, pulse=60))
    with house.transaction() as transaction:
        moment = Moment(noon + HOUR, house.clock.stamp())
        note(transaction, MODEL_NAME, Threshold(0.5, Basis.CARD, 0, 0, 0), 3.0, moment)
    exported = run("history", "--csv").output
    rows = list(csv.DictReader(io.StringIO(exported)))
    assert [row["time"] for row in rows] == [noon.isoformat(), (noon + 3 * HOUR).isoformat()]
    assert [row["threshold"] for row in rows] == ["", "0.5"], "noted an hour after the first"
    first = rows[0]
    assert (first["resident"], first["would_alert"]) == ("R-0412", "1")
    assert (first["risk"], first["highest_risk"]) == ("0.55", "0.55")
    assert (first["news2"], first["news2_band"], first["clock"]) == ("3", "low", "synchronised")
    assert "temperature" in first["news2_missing"].split()
    assert "systolic_pressure" not in first["missing"].split()
    assert (first["model"], first["version"], first["sha256"]) == ("made-up", "1.0", SHA256[:12])
    assert not any(name in exported for name in NAMES)


def test_without_csv_the_newest_are_listed(run: Run, house: House, noon: datetime) -> None:
    for hours in range(4):
        house.take(oximeter(97, noon + hours * HOUR, pulse=60 + hours))
    output = run("history", "--most", "2").output
    assert "31.5%" in output
    assert "31.0%" in output
    assert "30.5%" not in output


def test_a_hub_that_has_not_run_has_no_history(run: Run) -> None:
    ended = run("history", "--csv")
    assert ended.code == 1
    assert "has the hub ever run here?" in ended.errors


# --- recalibrate


@pytest.fixture
def events(tmp_path: Path, house: House) -> Path:
    """A hundred days of 20 residents: risks told five times as high as they are, and what happened."""
    random, begin = Random(7), now() - 100 * DAY
    house.take(oximeter(97, begin - DAY))  # so that the model is known
    (model,) = house.connection.execute("SELECT number FROM model").fetchone()
    happened = ["resident,time"]
    for number in range(2_000):
        resident, at = f"R-{number % 20}", begin + (number // 20) * DAY
        risk = random.uniform(0.02, 0.9)
        if random.random() < 0.2 * risk:
            happened.append(f"{resident},{(at + HOUR).isoformat()}")
        micros = to_microseconds(at)
        house.connection.execute(
            "INSERT INTO kept_score VALUES (?, ?, ?, ?, 0, ?, ?, 0, 'zero', 0, '7', 80)",
            (resident, micros // 3_600_000_000, model, micros, risk, risk),
        )
    path = tmp_path / "events.csv"
    path.write_text("\n".join(happened))
    return path


def test_a_recalibration_is_written_that_the_hub_takes(run: Run, events: Path, tmp_path: Path) -> None:
    ended = run("recalibrate", "--outcomes", str(events), "--by", "Dr. A")
    assert ended.code == 0, ended.errors
    made = Recalibration.load(tmp_path / "made-up.recalibration.json", SHA256)
    assert made.by == "Dr. A"
    assert made.fitted_on.sets == 2_001
    assert made.intercept < -1, "the risks were told five times too high"
    assert "expected calibration error on residents left out: 0." in ended.output
    assert "The hub takes it within a minute" in ended.output
    assert not list(tmp_path.glob(".made-up*")), "nothing is left beside it"


def test_a_dry_run_writes_nothing(run: Run, events: Path, tmp_path: Path) -> None:
    ended = run("recalibrate", "--outcomes", str(events), "--by", "Dr. A", "--dry-run")
    assert ended.code == 0
    assert "slope" in ended.output
    assert "Nothing was written" in ended.output
    assert not list(tmp_path.glob("*.recalibration.json"))


def test_too_few_events_are_refused_and_what_was_there_stays(run: Run, events: Path, tmp_path: Path) -> None:
    (tmp_path / "made-up.recalibration.json").write_text("what was there")
    events.write_text("\n".join(events.read_text().splitlines()[:6]))
    ended = run("recalibrate", "--outcomes", str(events), "--by", "Dr. A")
    assert ended.code == 1
    assert "5 event(s) with a set before them: at least 20 are needed" in ended.errors
    assert (tmp_path / "made-up.recalibration.json").read_text() == "what was there"


def test_scores_of_another_model_are_not_judged(run: Run, events: Path, house: House) -> None:
    house.connection.execute("UPDATE model SET sha256 = 'another'")
    ended = run("recalibrate", "--outcomes", str(events), "--by", "Dr. A")
    assert ended.code == 1
    assert "0 sets can be judged" in ended.output
    assert "are the names right?" in ended.output


def test_where_it_cannot_be_written_that_is_said(run: Run, events: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "nowhere" / "site.json")
    ended = run("recalibrate", "--outcomes", str(events), "--by", "Dr. A", "--out", out)
    assert ended.code == 1
    assert "cannot be written" in ended.errors
    assert "--out" in ended.errors


def test_a_time_that_is_none_is_refused_by_its_option(run: Run, events: Path) -> None:
    ended = run("recalibrate", "--outcomes", str(events), "--by", "Dr. A", "--since", "May")
    assert ended.code == 2
    assert "--since" in ended.errors
