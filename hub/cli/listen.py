"""`carehub listen`: a reference subscriber, the ICS's side of the wire."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic
from urllib.parse import urlsplit

import click

from hub.cli.event_words import CALLING, event_lines
from hub.clock import now
from hub.configuration.file import Broker as BrokerSettings
from hub.errors import CareportError
from hub.uplink.broker import Broker
from hub.uplink.cloudevents import Event, EventError, from_message
from hub.uplink.connection import Connection
from hub.uplink.contract import Channel, Identity, acknowledgement_event, event_type
from hub.uplink.heard import (
    HeardError,
    alert_heard,
)
from hub.uplink.unkept import COMMITTED

_SOURCE = "uk.careport.listen"
_REMEMBERED = 100_000  # events
_SUSPICIOUS = 3  # connections that ended
_RIVAL = "the connection ends again and again: has another subscriber the same name (--client-id, or its CN)?"
_SITE = re.compile(r"\+|[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@click.command(short_help="Subscribe to hubs' alerts, as an ICS does.")
@click.argument("broker")
@click.option("--site", default="+", help="Only this site's hubs; all unless given.")
@click.option(
    "--ca", "ca_file", type=click.Path(path_type=Path), help="The CA that signed the broker's certificate."
)
@click.option(
    "--certificate",
    "certificate_file",
    type=click.Path(path_type=Path),
    help="This subscriber's certificate.",
)
@click.option("--key", "key_file", type=click.Path(path_type=Path), help="The key of --certificate.")
@click.option("--username", help="The name to log in with, if the broker asks for one.")
@click.option("--password-file", type=click.Path(path_type=Path), help="The file with the password to it.")
@click.option(
    "--client-id",
    default=f"carehub-listen-{socket.gethostname()}",
    help="This subscriber's name at the broker, which keeps messages for it for a day. "
    "Two subscribers must not share one.",
)
@click.option(
    "--everything",
    is_flag=True,
    help="Observations, readings, summaries, amendments, answers and status too, not only alerts.",
)
@click.option(
    "--ack", "acknowledge", is_flag=True, help="Acknowledge each alert that is raised or escalated."
)
@click.option("--by", default="the ICS", show_default=True, help="Who acknowledges.")
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON object a line: when it was received, and the event."
)
def command(
    broker: str,
    site: str,
    everything: bool,
    acknowledge: bool,
    by: str,
    as_json: bool,
    client_id: str,
    ca_file: Path | None,
    certificate_file: Path | None,
    key_file: Path | None,
    username: str | None,
    password_file: Path | None,
) -> None:
    """Subscribe to hubs' alerts at BROKER (mqtts://host:8883, or mqtt:// for one without TLS) and print them.

    Reconnects for ever; ends with Ctrl-C. With --ack it answers each alert with an acknowledgement, which
    the hub records.

    \b
    Example:
      carehub listen mqtts://mqtt.ics.example:8883 --ca ca.crt --username desk --password-file secret
    """
    settings = _settings(
        broker,
        ca_file=ca_file,
        certificate_file=certificate_file,
        key_file=key_file,
        username=username,
        password_file=password_file,
    )
    if not _SITE.fullmatch(site):
        raise click.UsageError(f"--site: {site!r} is no site's id")
    show = Once(_show_json if as_json else _show)
    channel = "#" if everything else Channel.ALERT.value
    listener = Broker(settings, client_id, subscription=f"careport/v1/{site}/+/{channel}")
    with suppress(KeyboardInterrupt):
        asyncio.run(_listen(listener, show, by if acknowledge else None))


def _settings(address: str, **credentials: Path | str | None) -> BrokerSettings:
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:  # no number, or none that a port can have
        parts, port = urlsplit(""), None
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or parts.path.strip("/") or parts.username:
        allowed = "give the broker as mqtts://host:port, or mqtt://host:port without TLS"
        raise click.BadParameter(f"{address}: {allowed}", param_hint="BROKER")
    tls = parts.scheme == "mqtts"
    if not tls and any(credentials[key] for key in ("ca_file", "certificate_file", "key_file")):
        raise click.UsageError("--ca, --certificate and --key are for mqtts://")
    if (credentials["certificate_file"] is None) != (credentials["key_file"] is None):
        raise click.UsageError("--certificate and --key go together")
    return BrokerSettings.model_validate(
        {"host": parts.hostname, "port": port or (8883 if tls else 1883), "tls": tls, **credentials}
    )


class Once:
    """Shows each event once: QoS 1 delivers at least once, and the id tells a repeat.

    An alert that was told uncommitted is shown again when it is told committed: now it escalates.
    """

    def __init__(self, show: Callable[[Event], None]) -> None:
        self._show = show
        self._shown: dict[tuple[str, ...], None] = {}

    def __call__(self, event: Event) -> None:
        """Show the event, unless it is a repeat of one of the last `_REMEMBERED`."""
        name = (event.source, event.id, event.extensions.get(COMMITTED, ""))
        if name in self._shown:
            return
        self._show(event)
        self._shown[name] = None
        if len(self._shown) > _REMEMBERED:
            del self._shown[next(iter(self._shown))]


async def _listen(broker: Broker, show: Callable[[Event], None], by: str | None) -> None:
    told = told_end = ""
    endings = 0
    while True:
        try:
            async with broker.connect() as connection:
                told = ""
                click.echo(f"connected to {broker.address}", err=True)
                await _receive(connection, show, by)
                ended = await connection.lost
                endings += 1
                if ended != told_end:
                    told_end = ended
                    click.echo(f"carehub: the connection ended: {ended}; connecting again", err=True)
                if endings == _SUSPICIOUS:
                    click.echo(f"carehub: {_RIVAL}", err=True)
        except CareportError as error:
            if str(error) != told:
                told = str(error)
                click.echo(f"carehub: {error}; trying again each second", err=True)
        await asyncio.sleep(1)


async def _receive(connection: Connection, show: Callable[[Event], None], by: str | None) -> None:
    async for delivery in connection.deliveries():
        try:
            event = from_message(delivery.message)
            if event.type != event_type(Channel.ACKNOWLEDGEMENT):
                show(event)
            if by is not None and event.type in CALLING:
                await _acknowledge(connection, event, by)
        except EventError as error:
            click.echo(f"carehub: a message that is no event was passed over: {error}", err=True)
        except (HeardError, LookupError, TypeError, ValueError, AttributeError):
            # Anybody may publish to a broker; what is no hub's event must not end the listening.
            click.echo("carehub: an event that is not as a hub sends it was passed over", err=True)
        connection.acknowledge(delivery)


async def _acknowledge(connection: Connection, event: Event, by: str) -> None:
    heard = alert_heard(event)
    hub = Identity(heard.site, heard.hub, heard.test_data)
    answer = acknowledgement_event(_SOURCE, heard.alert, by, now())
    await connection.publish(hub.topic(Channel.ACKNOWLEDGEMENT), answer)


def _show_json(event: Event) -> None:
    line = {
        "received_at": now().isoformat(),
        "monotonic": monotonic(),
        "event": {**event.attributes(), "data": event.data},
    }
    click.echo(json.dumps(line))


def _show(event: Event) -> None:
    for line in event_lines(event):
        click.echo(line)
