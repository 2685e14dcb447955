"""All that the doctor looks at, in the order in which it is told: from causes to what they cause.

Everything is looked at at once, each within its time, so that what hangs (a name server, a broker, the hub)
costs seconds. What fails in an unforeseen way is a finding itself, and the rest goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from hub.configuration.file import Config, ConfigError
from hub.doctor import (
    clock,
    configuration,
    daemon,
    disk,
    machine,
    network,
    page,
    permissions,
    services,
    versions,
)
from hub.doctor.daemon import Asked
from hub.doctor.findings import Finding, Verdict
from hub.doctor.looking import Status, Subject, in_thread

_SECONDS = 14.0
"""For each part, with what it waits for; all are looked at at the same time."""

Found = Sequence[Finding]
Looking = Coroutine[Any, Any, Found]
Units = Mapping[str, services.Unit] | None


@dataclass(frozen=True, slots=True)
class Check:
    """A group of parts that are looked at together; `part` is for where that fails. Where the configuration
    cannot be used, only what does not `need` it is looked at."""

    part: str
    look: Callable[[], Looking]
    needs: bool = False


async def examine(
    config: Config | ConfigError,
    file: Path | None = None,
    root: Path = Path("/"),
    *,
    publish: bool = True,
) -> list[Finding]:
    """Look at every part. Raises nothing for a part that is broken: that is a finding.

    Args:
        config: the hub's, or why it cannot be used: then what needs none of it is looked at.
        file: where it was read from.
        root: the machine's.
        publish: whether the broker is asked by a real publish; else nothing is found of that.
    """
    problem = config if isinstance(config, ConfigError) else None
    usable = config if isinstance(config, Config) else configuration.usual()
    subject = Subject(usable, file, root, configured=problem is None)
    asked = _Asked(
        hub=asyncio.ensure_future(daemon.asked(usable)),
        units=asyncio.ensure_future(in_thread(services.units)),
        insides=asyncio.ensure_future(in_thread(_take_in)),
    )
    checks = [*_of_machine(subject, problem), *_of_hub(subject, asked, publish=publish)]
    try:
        found = await asyncio.gather(
            *(_bounded(check) for check in checks if subject.configured or not check.needs)
        )
    finally:
        asked.let_go()
    return [finding for findings in found for finding in findings]


async def _bounded(check: Check, seconds: float = _SECONDS) -> Found:
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


@dataclass(frozen=True, slots=True)
class _Asked:
    """What several parts wait for: what the hub says, what systemd says, and that the modules are there which
    bring half of the hub along."""

    hub: asyncio.Future[Asked]
    units: asyncio.Future[Units]
    insides: asyncio.Future[None]

    def let_go(self) -> None:
        for each in (self.hub, self.units, self.insides):
            each.cancel()

    async def of_hub(self, look: Callable[[Asked], Found]) -> Found:
        said = await asyncio.shield(self.hub)
        return await self.inside(partial(look, said))

    async def of_units(self, look: Callable[[Units], Found]) -> Found:
        said = await asyncio.shield(self.units)
        return await in_thread(partial(look, said))

    async def inside(self, look: Callable[[], Found]) -> Found:
        await asyncio.shield(self.insides)
        return await in_thread(look)


def _of_machine(subject: Subject, problem: ConfigError | None) -> Iterator[Check]:
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
        ("configuration", partial(configuration.configuration, problem=problem)),
        ("permissions", permissions.permissions),
    ):
        yield Check(part, partial(in_thread, partial(look, subject)))


def _of_hub(subject: Subject, asked: _Asked, *, publish: bool) -> Iterator[Check]:
    config = subject.config
    yield Check("database", partial(asked.inside, partial(_database, config)))
    yield Check("services", partial(asked.of_units, partial(services.services, subject)))
    yield Check("firewall", partial(in_thread, partial(services.firewall, subject)))
    yield Check("daemon", partial(_daemon, asked))
    yield Check("clock", partial(in_thread, partial(clock.clock, subject)))
    yield Check("time server", partial(asked.of_units, partial(clock.time_server, subject)))
    yield Check("sensors", partial(asked.of_hub, lambda said: _sensors(config, said.status)), needs=True)
    yield Check("models", partial(asked.inside, partial(_models, config)), needs=True)
    yield Check("Bluetooth", partial(_radio, asked, config))
    yield Check("USB", partial(asked.of_hub, lambda said: _usb(config, said.status)))
    yield Check("network", partial(in_thread, partial(network.addresses, subject)))
    yield Check("name servers", partial(in_thread, partial(network.name_servers, subject)))
    yield Check("broker's name", partial(network.broker, config), needs=True)
    yield Check("certificates", partial(in_thread, partial(network.own_certificates, config)), needs=True)
    if publish:
        yield Check("broker authorisation", partial(_authorisation, asked, config), needs=True)
    yield Check("page", partial(asked.of_units, lambda units: page.page(config, units)), needs=True)


async def _daemon(asked: _Asked) -> Found:
    return daemon.daemon(await asyncio.shield(asked.hub))


def _take_in() -> None:
    """Half of the hub, a second and more on a Pi: in one thread, while others wait for the network."""
    import hub.doctor.authorisation
    import hub.doctor.bluetooth
    import hub.doctor.database
    import hub.doctor.models
    import hub.doctor.usb  # noqa: F401


def _database(config: Config) -> Found:
    from hub.doctor.database import database

    return database(config)


def _sensors(config: Config, status: Status) -> Found:
    from hub.doctor.bluetooth import sensors

    return sensors(config, status)


def _models(config: Config) -> Found:
    from hub.doctor.models import inputs, model, rhythm_model

    return [*model(config), *inputs(config), *rhythm_model(config)]


async def _radio(asked: _Asked, config: Config) -> Found:
    said = await asyncio.shield(asked.hub)
    await asyncio.shield(asked.insides)
    from hub.doctor.bluetooth import radio

    return await radio(config, said.status)


def _usb(config: Config, status: Status) -> Found:
    from hub.doctor.usb import usb

    return usb(config, status)


async def _authorisation(asked: _Asked, config: Config) -> Found:
    said, units = await asyncio.shield(asked.hub), await asyncio.shield(asked.units)
    await asyncio.shield(asked.insides)
    from hub.doctor.authorisation import authorisation

    return await authorisation(config, said, services.is_starting(units))
