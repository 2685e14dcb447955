"""Power cuts: what was confirmed is on the card, whatever else is not."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from hub.store.errors import StoreError
from tests.aims import POWER
from tests.faults.account import Judgement
from tests.faults.card import Card, card
from tests.faults.hub import Hub, stored
from tests.faults.report import Row, Verdict, judged
from tests.faults.rigged_hub import JOURNAL, SYNCHRONOUS
from tests.faults.stage import Run, Stage, stage
from tests.faults.ward import Ward

_CARD_MEGABYTES = 256
_QUIET_SECONDS = 30.0
_COMPARED = (("WAL", "FULL"), ("WAL", "EXTRA"), ("DELETE", "FULL"), ("DELETE", "EXTRA"))


@dataclass
class Outcome:
    """What the power cuts did."""

    rounds: int = 0
    lossy: int = 0  # rounds with a loss
    most: int = 0  # readings lost in the worst of them
    readings: int = 0
    alerts: int = 0
    damaged: list[str] = field(default_factory=list)
    seconds: float = 0.0


def scenarios(run: Run) -> Iterator[Row]:
    """The hub as it is; the control that must lose; and the settings it might have had."""
    rounds = run.scale.power_rounds
    outcome, judgement, waits = _cuts(run, "as it is", rounds, {})
    each = f"{outcome.seconds / max(1, outcome.rounds):.1f} s a round; {_speed(waits)}"
    broken = _broken(outcome)
    yield judged(Hub.name, f"{rounds} power cuts", judgement, each, broken=broken, aim=POWER)

    control, _, waits = _cuts(run, "control", run.scale.control_rounds, {SYNCHRONOUS: "NORMAL"})
    yield Row(
        system="hub, rigged",
        scenario=f"the same, synchronous=NORMAL: must lose ({control.rounds} cuts)",
        confirmed="",
        lost=f"{control.readings} ({control.alerts})",
        duplicates="",
        remarks=_losses(control) + f"; {_speed(waits)}",
        verdict=Verdict.KEPT if control.lossy else Verdict.BROKEN,
        aim=POWER,
    )
    for journal, synchronous in _COMPARED:
        settings = {JOURNAL: journal, SYNCHRONOUS: synchronous}
        compared, _, waits = _cuts(run, f"{journal} {synchronous}", run.scale.comparison_rounds, settings)
        yield Row(
            system="hub, rigged",
            scenario=f"the same, {journal} and {synchronous} ({compared.rounds} cuts)",
            confirmed="",
            lost=f"{compared.readings} ({compared.alerts})",
            duplicates="",
            remarks=f"{_losses(compared)}; {_speed(waits)}",
            verdict=Verdict.TOLD,
        )


def _cuts(
    run: Run, title: str, rounds: int, environment: Mapping[str, str]
) -> tuple[Outcome, Judgement, Sequence[float]]:
    """So many cuts of one hub's life, half of them with the broker away; then all must arrive."""
    dice = run.dice(f"power {title}")
    outcome = Outcome()
    directory = Path(tempfile.mkdtemp(dir=run.directory))
    with (
        card(directory, _CARD_MEGABYTES) as its_card,
        stage(run, Hub, Ward(ill=600), data=its_card.path / "data", environment=environment) as parts,
    ):
        hub = parts.system
        assert isinstance(hub, Hub)
        hub.start()
        began = monotonic()
        for number in range(rounds):
            away = number % 2 == 0
            if away:
                parts.broker.stop()
            with parts.feeding(rate=2000, lanes=20):
                time.sleep(dice.uniform(0.3, 1.2))
                with parts.account.power_goes():
                    its_card.cut()
                    hub.kill()
            its_card.unmount()
            its_card.mount()
            _examine(parts, hub, its_card, outcome)
            if away:
                parts.broker.start()
            hub.start()
        outcome.seconds = monotonic() - began
        # What a control has lost will never arrive: there is nothing to wait for.
        judgement = parts.subscriber.wait_for_all(0.0 if outcome.lossy else _QUIET_SECONDS)
        parts.system.kill()
    return outcome, judgement, parts.account.waits


def _examine(parts: Stage, hub: Hub, its_card: Card, outcome: Outcome) -> None:
    """Look at a copy of the database, so that the hub itself finds it as the cut left it."""
    outcome.rounds += 1
    copy = parts.directory / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(its_card.path / "data", copy)
    database = copy / hub.database.name
    connection = sqlite3.connect(database)
    try:
        (answer,) = connection.execute("PRAGMA integrity_check").fetchone()
    except sqlite3.Error as error:
        answer = str(error)
    finally:
        connection.close()
    if answer != "ok":
        outcome.damaged.append(str(answer))
    try:
        readings, alerts = stored(database)
    except StoreError:  # not even the tables are there
        readings, alerts = set(), set()
    confirmed = parts.account.confirmed().values()
    lost = sum(payload.names[0] not in readings for payload in confirmed)
    lost_alerts = sum(payload.alerts and payload.names[0] not in alerts for payload in confirmed)
    new_readings, new_alerts = lost - outcome.readings, lost_alerts - outcome.alerts
    if new_readings or new_alerts:
        outcome.lossy += 1
        outcome.most = max(outcome.most, new_readings)
    outcome.readings, outcome.alerts = lost, lost_alerts


def _broken(outcome: Outcome) -> str:
    said = [f"damaged: {', '.join(outcome.damaged)}"] if outcome.damaged else []
    if outcome.lossy:
        said.append(f"not on the card: {_losses(outcome)}")
    return "; ".join(said)


def _losses(outcome: Outcome) -> str:
    damaged = f", damaged in {len(outcome.damaged)}" if outcome.damaged else ""
    if not outcome.lossy:
        return f"no loss in {outcome.rounds} rounds{damaged}"
    return f"lost in {outcome.lossy} of {outcome.rounds} rounds, up to {outcome.most} readings{damaged}"


def _speed(waits: Sequence[float]) -> str:
    """How long a batch of readings waited for its commit."""
    if not waits:
        return "nothing confirmed"
    ordered = sorted(waits)
    median, high = ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    return f"a batch confirmed in {median * 1000:.0f} ms, p99 {high * 1000:.0f} ms"
