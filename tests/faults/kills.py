"""kill -9, outages and black holes: what was confirmed arrives, and nothing is counted twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from time import monotonic

from tests.aims import KILLS
from tests.faults.patience import wait
from tests.faults.report import Row, judged
from tests.faults.stage import Run, Stage, stage
from tests.faults.system import Make
from tests.faults.thingsboard import ThingsBoard
from tests.faults.ward import Ward

_QUIET_SECONDS = 30.0  # nothing arrived for so long: what is missing is lost
_PEERS_QUIET_SECONDS = 10.0
_PROMISES_QUIET_SECONDS = 3.0
_BACKLOG = 3000
_ONLINE = 300
_RECONNECT_SECONDS = 60.0


def scenarios(run: Run, name: str, make: Make, *, peer: bool = False) -> Iterator[Row]:
    """A line for each scenario of kills and broken links; `name` is the system's.

    A peer knows no alerts, has few devices (ThingsBoard's gateway greets them one after the other at each
    start, and takes next to nothing meanwhile), and is spared the black holes.
    """
    each: list[tuple[str, Callable[[Run, Stage], str], bool]] = [
        (f"kill -9 online, {run.scale.kill_rounds} times", kills_online, False),
        (f"kill -9 in an outage, {run.scale.kill_rounds} times", kills_in_an_outage, False),
        (f"kill -9 at boot, broker down, {run.scale.kill_rounds} times", kills_at_boot, False),
        (f"kill -9 while the backlog drains, {run.scale.kill_rounds} times", kills_while_draining, False),
        (f"{run.scale.outage_seconds:g} s outage", outage, False),
        (f"{run.scale.outage_seconds:g} s black hole, broker stopped (SIGSTOP)", broker_frozen, False),
        (f"{run.scale.outage_seconds:g} s black hole, packets dropped", packets_dropped, True),
        ("12 s of it: the hub gives up, the broker not yet", packets_dropped_briefly, True),
    ]
    for title, play, proxied in each[:5] if peer else each:
        ward = Ward(ill=0, well=10) if peer else Ward(ill=400)
        with stage(run, make, ward, proxied=proxied) as parts:
            remarks = play(run, parts)
            judgement = parts.subscriber.wait_for_all(_PEERS_QUIET_SECONDS if peer else _QUIET_SECONDS)
            died = "" if parts.system.alive else "the process ended by itself"
            if isinstance(parts.system, ThingsBoard):
                parts.subscriber.wait_for_quiet(_PROMISES_QUIET_SECONDS)
                promises = parts.system.broken_promises(parts.account.has_arrived)
                remarks = "; ".join(filter(None, [remarks, promises]))
        yield judged(name, title, judgement, remarks, broken=died, aim=KILLS)


def kills_online(run: Run, parts: Stage) -> str:
    """At load, with the broker there, once what is fed arrives."""
    dice = run.dice("kills online")
    parts.system.start()
    with parts.feeding(even=True):
        for _ in range(run.scale.kill_rounds):
            _wait_until_online(parts)
            time.sleep(dice.uniform(0.3, 1.5))
            parts.system.kill()
            parts.system.start()
        _wait_until_online(parts)
    return ""


def kills_in_an_outage(run: Run, parts: Stage) -> str:
    """At load, after the broker went away; it comes back after the next start."""
    dice = run.dice("kills in an outage")
    parts.system.start()
    with parts.feeding(even=True):
        for _ in range(run.scale.kill_rounds):
            _wait_until_online(parts)
            parts.broker.stop()
            time.sleep(dice.uniform(0.3, 1.5))
            parts.system.kill()
            parts.system.start()
            time.sleep(0.5)
            parts.broker.start()
        _wait_until_online(parts)
    return ""


def _wait_until_online(parts: Stage) -> None:
    """Wait, while it is fed, until it confirms and what it sends arrives. Raises `RuntimeError` if not."""
    enough = parts.account.confirmed_count + _ONLINE
    _wait_for_an_arrival(parts)
    if not wait(lambda: parts.account.confirmed_count >= enough, _RECONNECT_SECONDS):
        raise RuntimeError(f"it did not confirm {_ONLINE} more readings within {_RECONNECT_SECONDS:g} s")


def _wait_for_an_arrival(parts: Stage) -> None:
    """Wait until something arrives that had not arrived before. Raises `RuntimeError` if nothing does."""
    before = parts.subscriber.listen()
    if not wait(lambda: parts.subscriber.listen() > before, _RECONNECT_SECONDS, pause=0.001):
        raise RuntimeError(f"nothing more arrived within {_RECONNECT_SECONDS:g} s")


def kills_at_boot(run: Run, parts: Stage) -> str:
    """The broker was never there since the boot; some kills come before the hub takes readings at all."""
    dice = run.dice("kills at boot")
    parts.broker.stop()
    with parts.feeding(even=True):
        for _ in range(run.scale.kill_rounds):
            parts.system.start()
            time.sleep(dice.uniform(0.0, 1.0))
            parts.system.kill()
        parts.system.start()
        time.sleep(0.5)
    parts.broker.start()
    _wait_for_an_arrival(parts)
    return ""


def kills_while_draining(run: Run, parts: Stage) -> str:
    """Each time a backlog is made, the broker comes back, and the kill falls into the draining."""
    dice = run.dice("kills while draining")
    parts.system.start()
    hit = 0
    for _ in range(run.scale.kill_rounds):
        with parts.feeding():
            _wait_until_online(parts)
        parts.broker.stop()
        with parts.feeding(rate=5000, lanes=20):
            parts.account.wait_for_more(_BACKLOG, 120)
        parts.subscriber.listen()
        parts.broker.start()
        _wait_for_an_arrival(parts)
        time.sleep(dice.uniform(0.0, 0.15))
        parts.system.kill()
        parts.subscriber.listen()
        hit += any(parts.account.missing())
        parts.system.start()
        parts.subscriber.wait_for_all(_QUIET_SECONDS)
    return f"{hit} kills fell into the draining"


def outage(run: Run, parts: Stage) -> str:
    """The broker is stopped and started again, at load."""
    parts.system.start()
    with parts.feeding(rate=300):
        _wait_until_online(parts)
        parts.broker.stop()
        time.sleep(run.scale.outage_seconds)
        parts.broker.start()
        return _first_after(parts, parts.subscriber.count)


def broker_frozen(run: Run, parts: Stage) -> str:
    """The broker's process is stopped: connections stay open, and the kernel even takes new ones."""
    parts.system.start()
    with parts.feeding(rate=300):
        _wait_until_online(parts)
        parts.broker.freeze()
        try:
            time.sleep(run.scale.outage_seconds)
            before = parts.subscriber.count
        finally:
            parts.broker.thaw()
        return _first_after(parts, before)


def packets_dropped(run: Run, parts: Stage) -> str:
    """Between the system and the broker nothing gets through; then what was sent meanwhile does."""
    return _silence(parts, run.scale.outage_seconds)


def packets_dropped_briefly(_run: Run, parts: Stage) -> str:
    """Less than one and a half times `keepalive`: the broker gets what the hub has given up, and it again."""
    return _silence(parts, 12.0)


def _silence(parts: Stage, seconds: float) -> str:
    assert parts.proxy is not None
    parts.system.start()
    with parts.feeding(rate=300):
        _wait_until_online(parts)
        parts.proxy.silence()
        time.sleep(seconds)
        before = parts.subscriber.count
        parts.proxy.heal()
        return _first_after(parts, before)


def _first_after(parts: Stage, before: int) -> str:
    """Wait for the first message after an outage, and say how long it took."""
    began = monotonic()
    heard = parts.subscriber.wait_for_more(before + 1, _RECONNECT_SECONDS)
    return f"goes on {monotonic() - began:.1f} s after" if heard else "nothing came any more"
