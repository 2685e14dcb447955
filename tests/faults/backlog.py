"""A long outage's backlog: alerts overtake it, and it drains about as fast as a bare client sends."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from time import monotonic

from paho.mqtt.client import MQTTMessage

from tests.aims import DRAINS, OVERTAKES, Aim
from tests.faults import bare
from tests.faults.account import Account
from tests.faults.feeding import hand_over
from tests.faults.hub import Hub
from tests.faults.patience import wait
from tests.faults.report import Row, Verdict, judged
from tests.faults.stage import Run, Stage, stage
from tests.faults.subscriber import Subscriber
from tests.faults.system import RAISED, READING
from tests.faults.ward import Payload, Ward

_FLOOD_SECONDS = 3600.0
_RECONNECT_SECONDS = 60.0
_SLOW_ROUNDS = 8
_OWN_EVENTS = 8  # an alert's own messages between two alerts are fewer
_ALERT_PAUSE_SECONDS = 0.25
_MOST_ALERTS = 400
_ALERT_TOPICS = "careport/v1/+/+/alert"
_AIM_SECONDS = 1.0
_AIM_SHARE = 0.6


def scenarios(run: Run) -> Iterator[Row]:
    """The backlog, the alert behind it, and the rate at which it drains.

    One subscriber hears everything. Another, as an ICS should, has a session for the alerts alone, so that
    none waits in the broker's queue behind what the first is slow to read.
    """
    events = run.scale.backlog_events
    ward = Ward(ill=_MOST_ALERTS, alert_every=1_000_000)
    with stage(run, Hub, ward, observations=False, receive_maximum=bare.WINDOW) as parts:
        alerts = Subscriber(parts.broker.port, parts.system, Account(), topics=_ALERT_TOPICS, name="alerts")
        with alerts:
            parts.system.start()
            parts.subscriber.wait_for_more(0, _RECONNECT_SECONDS)  # its status: it is connected
            parts.broker.stop()
            flooded = _flood(parts, events)
            backlog = parts.account.confirmed()
            before = parts.subscriber.count
            parts.broker.start()
            parts.subscriber.wait_for_more(before + 1, _RECONNECT_SECONDS)
            began = monotonic()
            fed = _raise_alerts(parts)
            judgement = parts.subscriber.wait_for_all(_RECONNECT_SECONDS)
            ended = _last_arrival(parts, backlog)
            own, shared = _delays(alerts, fed), _delays(parts.subscriber, fed)
            sample = parts.subscriber.sample
        parts.system.stop()
        assert sample is not None
        count = sum(began <= moment <= ended for moment in parts.subscriber.times)
        raw = _bare_rate(parts, count, sample)
    rate = count / (ended - began)
    waited = fed[0][0] + own[0] >= ended
    yield judged(
        Hub.name,
        f"{events:,} readings of backlog when the link returns",
        judgement,
        f"committed at {flooded:,.0f}/s; drained in {ended - began:.1f} s",
        broken="an alert waited until the backlog had drained" if waited else "",
    )
    yield _aim(
        OVERTAKES,
        f"an alert raised behind {events:,} readings",
        f"at the subscriber in {own[0] * 1000:.0f} ms, the slowest of {len(own)} in {max(own) * 1000:.0f}; "
        f"at one that hears everything {shared[0] * 1000:.0f} and {max(shared) * 1000:.0f} ms",
        met=own[0] <= _AIM_SECONDS,
    )
    yield _aim(
        DRAINS,
        f"the backlog of {events:,} drains",
        f"{rate:,.0f} messages/s; bare paho, window {bare.WINDOW}, as many of the same size {raw:,.0f}/s: "
        f"{rate / raw:.0%}",
        met=rate >= _AIM_SHARE * raw,
    )


def _aim(aim: Aim, scenario: str, remarks: str, *, met: bool) -> Row:
    verdict = Verdict.MET if met else Verdict.MISSED
    return Row(Hub.name, scenario, "", "", "", remarks, verdict, aim)


def _flood(parts: Stage, events: int) -> float:
    """Feed until so many are confirmed; how many a second they were."""
    began = monotonic()
    with parts.feeding(rate=1_000_000, lanes=60):
        enough = wait(lambda: parts.account.confirmed_count >= events, _FLOOD_SECONDS, pause=0.05)
    if not enough:
        raise RuntimeError(f"only {parts.account.confirmed_count} were confirmed in {_FLOOD_SECONDS:g} s")
    return parts.account.confirmed_count / (monotonic() - began)


def _raise_alerts(parts: Stage) -> list[tuple[float, Payload]]:
    """Raise an alert every quarter of a second until nothing but they arrives."""
    fed: list[tuple[float, Payload]] = []
    slow = 0
    while slow < _SLOW_ROUNDS and len(fed) < _MOST_ALERTS - 1:
        before = parts.subscriber.count
        batch = parts.ward.alert()
        parts.account.offer(batch)
        fed.append((monotonic(), batch[0]))
        hand_over(parts.system, parts.account, batch)
        time.sleep(_ALERT_PAUSE_SECONDS)
        slow = 0 if parts.subscriber.count - before > _OWN_EVENTS else slow + 1
    return fed


def _last_arrival(parts: Stage, backlog: Mapping[int, Payload]) -> float:
    """When the last of the backlog's readings arrived. Raises `RuntimeError` where one never did."""
    moments = [parts.subscriber.moment(READING, payload.names) for payload in backlog.values()]
    arrived = [moment for moment in moments if moment is not None]
    if len(arrived) < len(moments):
        raise RuntimeError(f"{len(moments) - len(arrived)} readings of the backlog never arrived")
    return max(arrived)


def _delays(subscriber: Subscriber, fed: Sequence[tuple[float, Payload]]) -> list[float]:
    """Seconds from handing over to arrival; of an alert that never arrived, for ever."""
    moments = [(moment, subscriber.moment(RAISED, payload.names)) for moment, payload in fed]
    return [float("inf") if arrived is None else arrived - moment for moment, arrived in moments]


def _bare_rate(parts: Stage, count: int, sample: MQTTMessage) -> float:
    """Messages a second to the same subscriber from paho alone, in a process of its own."""
    properties = getattr(sample.properties, "UserProperty", ())
    size = len(sample.payload) + sum(5 + len(name) + len(value) for name, value in properties)
    before = parts.subscriber.count
    arguments = [str(parts.broker.port), str(count), str(size)]
    process = subprocess.Popen([sys.executable, "-m", "tests.faults.bare", *arguments])
    parts.subscriber.wait_for_more(before, _RECONNECT_SECONDS)
    began = monotonic()
    if not wait(lambda: parts.subscriber.count >= before + count, _FLOOD_SECONDS):
        raise RuntimeError("the bare client's messages did not all arrive")
    process.wait()
    return count / (parts.subscriber.times[-1] - began)
