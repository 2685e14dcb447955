"""How the hub is, in plain words: what works, what does not, what to do first. Pure.

Whoever reads it cares for residents and mends no computers: each line says what it means for them. What the
hub does not say is not known, and is said to be so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub.doctor.findings import Verdict
from hub.web.words import count_words

Status = Mapping[str, Any]
LEAST_FREE = 200 * 1024 * 1024  # bytes
_WITHOUT_THE_LINK = (
    "Alerts reach nobody outside the home: use the telephone. They still come up here, and on the"
    " beacon if there"
    " is one."
)


@dataclass(frozen=True, slots=True)
class Health:
    """One part of the hub: how it is, and what to do where something is to be done. `since` is when it
    began."""

    part: str
    verdict: Verdict
    words: str
    what_to_do: str = ""
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What is asked beside the daemon. None where it is not known.

    `waiting` counts messages that wait for the NHS, `refused` those that it refused, `alerts_refused` those
    of them that tell of alerts. `free` is in bytes. `damages` says what the card lost. `silent_since`: the
    daemon has not answered from then on.
    """

    waiting: int | None = None
    refused: int = 0
    alerts_refused: int = 0
    free: int | None = None
    clock_set: bool | None = None
    damages: Sequence[str] = ()
    page_trouble: str | None = None
    silent_since: datetime | None = None


def health(status: Status | None, facts: Facts) -> list[Health]:
    """Every part, what is worst first. `status` is None where the daemon does not answer."""
    found = list(_with_status(status, facts)) if status is not None else [_silent(facts)]
    found += _card(status, facts)
    found += _clock(facts)
    if facts.page_trouble is not None:
        words = f"This page does not show everything: {facts.page_trouble}"
        found.append(
            Health("This page", Verdict.FAIL, words, "Look after residents as if there were no page.")
        )
    worst_first = [Verdict.FAIL, Verdict.WARN, Verdict.PASS]
    return sorted(found, key=lambda each: worst_first.index(each.verdict))


def worst(found: Iterable[Health]) -> Verdict:
    """The worst of them."""
    verdicts = {each.verdict for each in found}
    return next((each for each in (Verdict.FAIL, Verdict.WARN) if each in verdicts), Verdict.PASS)


def _silent(facts: Facts) -> Health:
    many = count_words(facts.waiting, "message waits", "messages wait") if facts.waiting else ""
    kept = f" For the NHS {many} on the card." if many else ""
    return Health(
        "The hub",
        Verdict.FAIL,
        f"It does not answer: it may have stopped. Nothing is measured by it, and no new alert comes.{kept}",
        "Observe by hand and write on paper. Call whoever looks after the hub. What is on the card stays.",
        facts.silent_since,
    )


def _with_status(status: Status, facts: Facts) -> Iterable[Health]:
    yield Health("The hub", Verdict.PASS, f"It runs. Version {status.get('version', 'not known')}.")
    yield _link(status, facts)
    if facts.refused:
        yield _refused(facts)
    yield from _radios(status)
    yield _sensors(status)
    yield _model(status)
    yield _beacon(status)


def _link(status: Status, facts: Facts) -> Health:
    broker = status.get("broker")
    if not isinstance(broker, Mapping):
        return Health("The link to the NHS", Verdict.WARN, "The hub does not say how it is.")
    since = _moment(broker.get("since"))
    if broker.get("connected"):
        if broker.get("nobody_listens"):
            words = "It works, but nobody at the other end takes what is sent."
            return Health("The link to the NHS", Verdict.FAIL, f"{words} {_WITHOUT_THE_LINK}", since=since)
        if broker.get("status_refused") is not None:
            words = "The other end refuses what this hub says of itself, and perhaps its alerts, too."
            todo = f"{_WITHOUT_THE_LINK} Call whoever looks after the hub."
            return Health("The link to the NHS", Verdict.FAIL, words, todo, since)
        if any(str(topic).endswith("/ack") for topic in broker.get("unsubscribed") or ()):
            words = (
                "It works one way only: that somebody outside the home has taken an alert does not reach this"
                " hub, and it goes on calling."
            )
            todo = "Acknowledge alerts here, too, and call whoever looks after the hub."
            return Health("The link to the NHS", Verdict.FAIL, words, todo, since)
        wait = f" {count_words(facts.waiting, 'message')} on the way." if facts.waiting else ""
        return Health("The link to the NHS", Verdict.PASS, f"It works.{wait}")
    if facts.waiting is None:
        waits = "How many messages wait is not known."
    elif facts.waiting:
        many = count_words(facts.waiting, "message waits", "messages wait")
        waits = f"Nothing is lost: {many}, and will be sent when it is back."
    else:
        waits = "Nothing is lost: what comes waits on the card until it is back."
    return Health(
        "The link to the NHS",
        Verdict.FAIL,
        f"It is down. {waits}",
        f"{_WITHOUT_THE_LINK} Look whether the router has power. Then call whoever looks after the hub.",
        since,
    )


def _refused(facts: Facts) -> Health:
    words = f"{count_words(facts.refused, 'message')} could not be delivered: the other end refused them."
    if facts.alerts_refused:
        return Health(
            "Refused messages",
            Verdict.FAIL,
            f"{words} {facts.alerts_refused} of them concern an alert that nobody outside has.",
            "Hand over open alerts by telephone, and call whoever looks after the hub.",
        )
    return Health("Refused messages", Verdict.WARN, words, "Call whoever looks after the hub, by day.")


def _radios(status: Status) -> Iterable[Health]:
    for key, part in (("radio", "Bluetooth"), ("usb", "USB")):
        said = status.get(key)
        if said is None:
            yield Health(part, Verdict.PASS, "It is switched off on this hub.")
        elif said.get("usable"):
            yield Health(part, Verdict.PASS, "It works.")
        else:
            yield Health(
                part,
                Verdict.FAIL,
                f"It does not work: {said.get('words', 'the hub does not say why')}. No sensor on it"
                " is read.",
                "Measure with something else, and enter it by hand. The hub tries to mend it by itself.",
            )


def _sensors(status: Status) -> Health:
    sensors = status.get("sensors")
    if not isinstance(sensors, list):
        return Health("Sensors", Verdict.WARN, "The hub does not say how they are.")
    troubled = sum(1 for each in sensors if each.get("trouble"))
    words = f"{count_words(len(sensors), 'sensor')} enrolled."
    if troubled:
        return Health(
            "Sensors", Verdict.WARN, f"{words} {troubled} in trouble.", "Look on the page of the sensors."
        )
    return Health("Sensors", Verdict.PASS, f"{words} None says that it is in trouble.")


def _model(status: Status) -> Health:
    model = status.get("model")
    words = (
        "There is none. Scores and alerts do without it."
        if model is None
        else f"{model}. It is on trial: what it says raises no alert."
    )
    return Health("The risk model", Verdict.PASS, words)


def _beacon(status: Status) -> Health:
    beacon = status.get("beacon")
    if not isinstance(beacon, Mapping):
        return Health("The beacon", Verdict.PASS, "There is none.")
    if beacon.get("trouble"):
        return Health(
            "The beacon",
            Verdict.FAIL,
            f"It does not work: {beacon['trouble']}.",
            "It will not call you. Keep this page open where you can hear it.",
        )
    calls = beacon.get("calls")
    words = "It calls: an alert waits." if calls else "It is quiet: no alert waits."
    return Health("The beacon", Verdict.PASS, f"{words} Try it once a week.")


def _card(status: Status | None, facts: Facts) -> Iterable[Health]:
    trouble = None if status is None else status.get("card", "well")
    if trouble not in {None, "well"}:
        yield Health(
            "The card",
            Verdict.FAIL,
            f"It is {trouble}: nothing new is kept, and residents' pages show what was before. Alerts are"
            " sent all the same, and stand at the top of the home; they cannot be taken here.",
            "Do not switch the hub off: what waits in its memory would be lost. Call whoever looks after it.",
        )
    elif facts.free is None:
        yield Health("The card", Verdict.WARN, "How much room it has is not known.")
    elif facts.free < LEAST_FREE:
        words = f"Only {facts.free // 2**20} MB are free."
        yield Health("The card", Verdict.WARN, words, "Tell whoever looks after the hub, by day.")
    else:
        yield Health("The card", Verdict.PASS, f"It keeps what comes. {facts.free / 1e9:.1f} GB are free.")
    for words in facts.damages:
        yield Health("Damage of the card", Verdict.WARN, words, "Tell whoever looks after the hub, by day.")


def _clock(facts: Facts) -> Iterable[Health]:
    if facts.clock_set is None:
        yield Health("The clock", Verdict.WARN, "Whether it is right is not known.")
    elif facts.clock_set:
        yield Health("The clock", Verdict.PASS, "It is set by a time server.")
    else:
        yield Health(
            "The clock",
            Verdict.WARN,
            "It is not set by a time server, and may be wrong. Compare the time on this page with a watch.",
            "Times are put right by themselves when it is set. Without the internet it may stay so.",
        )


def _moment(text: object) -> datetime | None:
    try:
        return None if not isinstance(text, str) else datetime.fromisoformat(text)
    except ValueError:
        return None
