"""All that the doctor looks at, in the order in which it is told: from causes to what they cause.

Everything is looked at at once, each within its time, so that what hangs (a name server, a broker, the hub)
costs seconds. What fails in an unforeseen way is a finding itself, and the rest goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from hub.config import Config
from hub.doctor import (
    bluetooth,
    clock,
    daemon,
    database,
    disk,
    machine,
    models,
    network,
    page,
    permissions,
    services,
    usb,
    versions,
)
from hub.doctor.authorisation import PART as AUTHORISATION
from hub.doctor.authorisation import authorisation
from hub.doctor.daemon import Asked
from hub.doctor.looking import Subject, in_thread
from hub.findings import Finding, Verdict

_SECONDS = 14.0
"""For each part, with what it waits for; all are looked at at the same time."""

Looking = Coroutine[Any, Any, Sequence[Finding]]


@dataclass(frozen=True, slots=True)
class Check:
    """A group of parts that are looked at together; `part` is for where that fails."""

    part: str
    look: Callable[[], Looking]


async def examine(config: Config, file: Path | None = None, root: Path = Path("/")) -> list[Finding]:
    """Look at every part. Raises nothing for a part that is broken: that is a finding.

    `file` is where the configuration was read from; `root` is the machine's.
    """
    subject = Subject(config, file, root)
    hub = asyncio.ensure_future(daemon.asked(config))
    try:
        found = await asyncio.gather(*(_bounded(check) for check in _checks(subject, hub)))
    finally:
        hub.cancel()
    return [finding for findings in found for finding in findings]


async def _bounded(check: Check, seconds: float = _SECONDS) -> Sequence[Finding]:
    try:
        async with asyncio.timeout(seconds):
            return await check.look()
    except TimeoutError:
        words = f"could not be looked at within {seconds:g} s"
        return [Finding(check.part, Verdict.FAIL, words, "something on this machine hangs: see 'dmesg'")]
    except Exception as error:  # noqa: BLE001  # the other parts must be told all the same
        # Not what the error says: its text could quote what is in a row.
        words = f"could not be looked at ({type(error).__name__})"
        return [Finding(check.part, Verdict.WARN, words, "please report this, with what is around it")]


def _checks(subject: Subject, hub: Awaitable[Asked]) -> Iterator[Check]:
    config = subject.config
    for part, look in (
        ("version", versions.version),
        ("slots", versions.slots),
        ("update", versions.last_update),
        ("machine", machine.machine),
        ("power", machine.power),
        ("temperature", machine.temperature),
        ("memory", machine.memory),
        ("load", machine.load),
        ("disk", disk.disk),
        ("card health", disk.card_health),
        ("permissions", permissions.permissions),
    ):
        yield Check(part, partial(in_thread, partial(look, subject)))
    yield Check("database", partial(in_thread, partial(database.database, config)))
    yield Check("services", partial(in_thread, partial(services.services, subject)))
    yield Check("firewall", partial(in_thread, partial(services.firewall, subject)))
    yield Check("daemon", partial(_of_hub, hub, daemon.daemon))
    yield Check("clock", partial(in_thread, partial(clock.clock, config)))
    yield Check("time server", partial(in_thread, partial(clock.time_server, subject)))
    yield Check("sensors", partial(_of_hub, hub, lambda said: bluetooth.sensors(config, said.status)))
    yield Check("model", partial(in_thread, partial(models.model, config)))
    yield Check("model's inputs", partial(in_thread, partial(models.inputs, config)))
    yield Check("rhythm model", partial(in_thread, partial(models.rhythm_model, config)))
    yield Check("Bluetooth", partial(_radio, hub, config))
    yield Check("USB", partial(_of_hub, hub, lambda said: usb.usb(config, said.status)))
    yield Check("network", partial(in_thread, partial(network.addresses, subject)))
    yield Check("name servers", partial(in_thread, partial(network.name_servers, subject)))
    yield Check("broker's name", partial(network.broker, config))
    yield Check("certificates", partial(in_thread, partial(network.own_certificates, config)))
    yield Check(AUTHORISATION, partial(_authorisation, hub, config))
    yield Check("page", partial(in_thread, partial(page.page, config)))


async def _of_hub(hub: Awaitable[Asked], look: Callable[[Asked], list[Finding]]) -> list[Finding]:
    said = await asyncio.shield(hub)
    return await in_thread(partial(look, said))


async def _radio(hub: Awaitable[Asked], config: Config) -> list[Finding]:
    return await bluetooth.radio(config, (await asyncio.shield(hub)).status)


async def _authorisation(hub: Awaitable[Asked], config: Config) -> list[Finding]:
    return await authorisation(config, await asyncio.shield(hub))
