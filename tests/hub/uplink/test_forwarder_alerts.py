"""What the forwarder owes an alert: never to drop it, nor to take it for delivered while nobody gets it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from hub.store.outbox import MADE_AT_ONCE, OutboxRow
from hub.uplink.forwarder import HELD_MOST
from hub.uplink.link import NOBODY_LISTENS
from tests.rigs.broker import Ics, Mosquitto, until
from tests.rigs.forwarding import DiskFullError, Hub, MemoryOutbox, event, forwarding, idle_forwarder

HOURS = timedelta(hours=1)


def ids(ics: Ics, channel: str) -> list[str]:
    return [message.user_properties["id"] for message in ics.on(channel)]


async def reconnected(hub: Hub, since: datetime) -> None:
    await until(lambda: hub.forwarder.status().connected and hub.forwarder.status().since > since)


async def test_an_alert_that_nobody_gets_stays_until_somebody_is_subscribed(
    mosquitto: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    async with forwarding(mosquitto) as hub:
        hub.outbox.add("alert", event("alert"))
        await until(lambda: hub.forwarder.status().nobody_listens)
        hub.outbox.add("reading", *[event(f"id-{number}") for number in range(300)])
        await until(lambda: list(hub.outbox.rows) == [1])  # the backlog goes on
        await until(lambda: hub.forwarder._sent >= 310)  # it is tried again
        assert NOBODY_LISTENS in hub.forwarder.status().in_words
        assert list(hub.outbox.rows) == [1]
        assert "alert" not in {row.channel for row in hub.delivered}
        with Ics(mosquitto) as ics:
            await hub.empty()
            await until(lambda: ids(ics, "alert") == ["alert"])
        assert hub.delivered[-1].channel == "alert"
        assert not hub.forwarder.status().nobody_listens
        assert NOBODY_LISTENS not in hub.forwarder.status().in_words
    assert caplog.text.count(NOBODY_LISTENS) == 1


async def test_a_subscriber_who_is_away_and_has_a_session_gets_the_alert_when_back(
    mosquitto: Mosquitto,
) -> None:
    with Ics(mosquitto):
        pass
    async with forwarding(mosquitto) as hub:
        hub.outbox.add("alert", event("alert"))
        await hub.empty()
        assert not hub.forwarder.status().nobody_listens
    with Ics(mosquitto) as back:
        await until(lambda: ids(back, "alert") == ["alert"])


async def test_alerts_that_nobody_gets_rest_hold_no_other_up_and_go_as_soon_as_one_is_heard(
    mosquitto: Mosquitto,
) -> None:
    async with forwarding(mosquitto, reconnect_least=HOURS, reconnect_most=HOURS) as hub:
        hub.outbox.add("alert", event("first"))
        await until(lambda: hub.forwarder.status().nobody_listens)
        hub.outbox.add("alert", event("second"))
        await until(lambda: hub.forwarder._answered == 2)
        hub.outbox.add("reading", *[event(f"id-{number}") for number in range(300)])
        await until(lambda: list(hub.outbox.rows) == [1, 2])
        assert hub.forwarder._sent == 302, "both rest, for hours"
        with Ics(mosquitto) as ics:
            hub.outbox.add("alert", event("third"))
            await hub.empty()
            await until(lambda: sorted(ids(ics, "alert")) == ["first", "second", "third"])


async def test_alerts_that_nobody_gets_are_tried_at_each_new_connection(
    mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with forwarding(mosquitto, reconnect_least=HOURS, reconnect_most=HOURS) as hub:
        hub.outbox.add("alert", event("alert"))
        await until(lambda: hub.forwarder.status().nobody_listens)
        before = hub.forwarder.status().since
        monkeypatch.setattr("random.uniform", lambda _least, _most: 0.02)  # until the next connection
        await asyncio.to_thread(mosquitto.restart)
        await reconnected(hub, since=before)
        await until(lambda: hub.forwarder._answered == 1)
        assert list(hub.outbox.rows) == [1]


async def test_more_alerts_that_nobody_gets_than_rows_may_rest_keep_no_reading_from_going(
    mosquitto: Mosquitto,
) -> None:
    async with forwarding(mosquitto, reconnect_least=HOURS, reconnect_most=HOURS) as hub:
        hub.outbox.add("alert", *[event(f"id-{number}") for number in range(HELD_MOST + 1)])
        await until(lambda: hub.forwarder._answered == HELD_MOST + 1)
        hub.outbox.add("reading", event("reading"))
        await until(lambda: [row.channel for row in hub.delivered] == ["reading"])
        assert len(hub.outbox.rows) == HELD_MOST + 1


async def test_an_alert_that_a_broker_refused_for_ever_is_delivered_once_the_broker_is_mended(
    tmp_path: Path,
) -> None:
    with Mosquitto(tmp_path, ["message_size_limit 500"]) as mosquitto, Ics(mosquitto) as ics:
        async with forwarding(mosquitto) as hub:
            hub.outbox.add("alert", event("alert", padding=1000))
            hub.outbox.add("reading", event("reading", padding=1000))
            await until(lambda: list(hub.outbox.aside) == [1, 2])
            await asyncio.to_thread(mosquitto.restart)
            await until(lambda: hub.outbox.reclaimed == 1)
            await until(lambda: sorted(hub.outbox.aside) == [1, 2])  # it is as it was
            configuration = tmp_path / "mosquitto.conf"
            configuration.write_text(configuration.read_text().replace("message_size_limit 500", ""))
            await asyncio.to_thread(mosquitto.restart)
            await until(lambda: ids(ics, "alert") == ["alert"])
            await hub.empty()
            assert [row.sequence for row in hub.delivered] == [1]
            assert list(hub.outbox.aside) == [2], "only of alerts is nothing ever given up"
            assert hub.outbox.reclaimed == 2, "once for each connection"


async def test_an_alert_that_was_set_aside_by_a_hub_before_is_tried_by_this_one(mosquitto: Mosquitto) -> None:
    outbox = MemoryOutbox()
    outbox.add("alert", event("alert"))
    await outbox.set_aside(1, "too large")
    outbox.broken = True
    with Ics(mosquitto) as ics:
        async with forwarding(mosquitto, outbox) as hub:
            await until(lambda: "disk is full" in (hub.forwarder.status().last_error or ""))
            outbox.broken = False
            await until(lambda: ids(ics, "alert") == ["alert"])
            await hub.empty()


async def test_a_broker_that_hangs_up_at_what_it_refuses_is_not_sent_it_at_each_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("random.uniform", lambda _least, _most: 0.02)  # until the next connection
    with Mosquitto(tmp_path, ["message_size_limit 500"]) as mosquitto, Ics(mosquitto):
        async with forwarding(mosquitto, reconnect_most=HOURS) as hub:
            hub.outbox.add("alert", event("alert", padding=1000))
            await until(lambda: list(hub.outbox.aside) == [1])
            for _ in range(2):
                before = hub.forwarder.status().since
                await asyncio.to_thread(mosquitto.restart)
                await reconnected(hub, since=before)
                hub.outbox.add("alert", event("small"))
                await hub.empty()
                await until(lambda: list(hub.outbox.aside) == [1])
            assert hub.outbox.reclaimed == 1, "at the first of the two"


async def test_a_new_alert_does_not_wait_for_the_back_off_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("random.uniform", lambda _least, _most: 3600.0)
    mosquitto = Mosquitto(tmp_path)
    async with forwarding(mosquitto) as hub:
        await until(lambda: "refused" in hub.forwarder.status().in_words)
        with mosquitto, Ics(mosquitto) as ics:
            hub.outbox.add("reading", event("reading"))
            await asyncio.sleep(0.2)  # time for a reading to hurry it, which it must not
            assert not hub.forwarder.status().connected
            hub.outbox.add("alert", event("alert"))
            await until(lambda: ids(ics, "alert") == ["alert"])


async def test_each_alert_hurries_one_attempt_and_only_one() -> None:
    outbox = MemoryOutbox()
    forwarder = idle_forwarder(0.001, 3600, outbox)
    outbox.add("alert", event("first"))
    await forwarder._pause(3600)
    outbox.add("reading", event("reading"))
    assert await lasts(forwarder._pause(3600)), "the first has had its attempt, and a reading has none"
    outbox.add("alert", event("second"))
    await forwarder._pause(3600)


async def test_an_alert_hurries_no_attempt_below_five_times_the_least_delay() -> None:
    outbox = MemoryOutbox()
    outbox.add("alert", event("alert"))
    assert await lasts(idle_forwarder(3600, 10 * 3600, outbox)._pause(8 * 3600))
    await idle_forwarder(3600, 10 * 3600, outbox)._pause(0.01)  # nor does it prolong a short pause


async def test_an_outbox_that_cannot_be_read_ends_no_pause_and_breaks_nothing() -> None:
    class Unreadable(MemoryOutbox):
        async def waiting(
            self, limit: int, besides: Collection[int], made: int = MADE_AT_ONCE
        ) -> Sequence[OutboxRow]:
            raise DiskFullError("the card cannot be read")

    forwarder = idle_forwarder(0.001, 3600, Unreadable())
    assert await lasts(forwarder._pause(3600))
    assert forwarder.status().last_error == "the outbox cannot be read: the card cannot be read"


async def lasts(pause: Coroutine[object, object, None]) -> bool:
    """Whether it has not ended after a while."""
    task = asyncio.ensure_future(pause)
    await asyncio.wait([task], timeout=0.1)
    try:
        return not task.done()
    finally:
        task.cancel()
