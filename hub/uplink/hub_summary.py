"""The event of a hub's period: plain JSON (`hub/uplink/plain.py`), since it is about no person's health."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from hub.telling.summary import AlertsSummary, DeviceSummary, HubSummary, ResidentSummary
from hub.uplink.cloudevents import Event
from hub.uplink.contract import Channel, Identity, SummaryOf, event_type
from hub.uplink.feed import resident_summary_event
from hub.uplink.fhir.resources import Place
from hub.uplink.fhir.summary import summary_id
from hub.uplink.link import LinkStatus
from hub.uplink.plain import (
    AlertsSaid,
    DeviceSaid,
    HubSummaryData,
    InputsSaid,
    LinkSaid,
    OutboxSaid,
    PeriodSaid,
    ReadingsSaid,
    ResidentsSaid,
    Said,
    ShadowSaid,
)

MOST_DEVICES = 200
"""In one event: it must stay below 64 KiB. Those that were not heard, or not understood, come first."""

MOST_PSEUDONYMS = 200
_SECOND = timedelta(seconds=1)


def summary_events(
    identity: Identity, hub: HubSummary, residents: Sequence[ResidentSummary], link: LinkStatus
) -> list[Event]:
    """The events of a period: the hub's first, then each resident's."""
    return [
        hub_summary_event(identity, hub, link),
        *(resident_summary_event(identity, resident) for resident in residents),
    ]


def hub_summary_event(identity: Identity, summary: HubSummary, link: LinkStatus) -> Event:
    """A hub's period, and how the hub is now. Its id follows from the hub and the period."""
    listed = summary.devices
    if len(listed) > MOST_DEVICES:
        listed = tuple(sorted(listed, key=_wants_attention, reverse=True)[:MOST_DEVICES])
    said = HubSummaryData(
        site=identity.site,
        hub=identity.hub,
        test_data=identity.test_data,
        period=PeriodSaid(since=summary.period.since, until=summary.period.until),
        readings=ReadingsSaid(
            received=summary.readings, unassigned=summary.unassigned, not_decoded=summary.not_decoded
        ),
        devices=[_device(device) for device in listed],
        devices_not_listed=len(summary.devices) - len(listed),
        alerts=_alerts(summary.alerts),
        residents=ResidentsSaid(
            count=summary.residents,
            unobserved=list(summary.unobserved[:MOST_PSEUDONYMS]),
            not_listed=max(0, len(summary.unobserved) - MOST_PSEUDONYMS),
        ),
        removed=dict(summary.state.removed),
        trail=summary.state.trail,
        outbox=OutboxSaid(waiting=summary.state.waiting, set_aside=summary.state.set_aside),
        link=LinkSaid(connected=link.connected, since=link.since, nobody_listens=link.nobody_listens),
        clock=summary.state.clock,
        **_of_model(summary),
    )
    place = Place(identity.site, identity.hub, identity.test_data)
    return Event(
        id=str(summary_id(place, summary.period)),
        source=identity.source,
        type=event_type(Channel.SUMMARY, SummaryOf.HUB),
        time=summary.period.until,
        data=said.data(),
        extensions={"testdata": str(identity.test_data).lower()},
    )


def _of_model(summary: HubSummary) -> dict[str, Said]:
    """What there is to tell of the model."""
    said: dict[str, Said] = {}
    if (shadow := summary.shadow) is not None:
        said["shadow"] = ShadowSaid(
            scored=shadow.scored,
            would_alert=shadow.would_alert,
            news2_alerts=shadow.news2,
            coincided=shadow.coincided,
        )
    if summary.state.inputs_differ is not None:
        said["inputs"] = InputsSaid(
            differ=list(summary.state.inputs_differ), changed=list(summary.state.inputs_changed)
        )
    return said


def _wants_attention(device: DeviceSummary) -> tuple[bool, int]:
    return not device.readings, device.not_decoded


def _device(device: DeviceSummary) -> DeviceSaid:
    return DeviceSaid(
        address=device.device,
        driver=device.driver,
        readings=device.readings,
        not_decoded=device.not_decoded,
        last_heard=device.last_heard,
        battery=device.battery,
    )


def _alerts(alerts: AlertsSummary) -> AlertsSaid:
    median, longest = alerts.median_wait, alerts.longest_wait
    return AlertsSaid(
        raised=alerts.raised,
        acknowledged=alerts.acknowledged,
        never_acknowledged=alerts.never_acknowledged,
        escalated=alerts.escalated,
        resolved=alerts.resolved,
        waiting=alerts.waiting,
        median_wait_seconds=None if median is None else median / _SECOND,
        longest_wait_seconds=None if longest is None else longest / _SECOND,
    )
