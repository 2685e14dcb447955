"""What the doctor finds of the hub itself: whether the daemon runs and gets on, and what it says."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from hub import __version__
from hub.configuration.file import Config
from hub.control.control_socket import ControlError, ask
from hub.doctor.findings import LINK, Finding, Verdict
from hub.doctor.looking import WITH_RIGHTS, Status, in_thread

_ANSWERS_WITHIN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Asked:
    """What the daemon answered, or why it did not. `not_yours`: this user may not ask it. `silent`: it is
    there, and does not answer."""

    status: Status = field(default_factory=dict)
    trouble: str | None = None
    not_yours: bool = False
    silent: bool = False


async def asked(config: Config, seconds: float = _ANSWERS_WITHIN_SECONDS) -> Asked:
    """Ask the daemon how it is; raises nothing where it does not answer."""
    try:
        async with asyncio.timeout(seconds):
            return Asked(await in_thread(partial(ask, config.hub.control_socket, "status")))
    except TimeoutError:
        words = f"the hub runs and does not answer within {seconds:g} s"
        return Asked(trouble=words, silent=True)
    except ControlError as error:
        return Asked(trouble=str(error), not_yours=isinstance(error.__cause__, PermissionError))


def daemon(said: Asked) -> list[Finding]:
    """The daemon, and what it says of its own parts."""
    if said.not_yours:
        words = "whether it runs may not be asked by this user"
        return [Finding("daemon", Verdict.WARN, words, WITH_RIGHTS)]
    if said.trouble is not None:
        verb = "restart" if said.silent else "start"
        todo = f"see 'journalctl -u carehub'; 'systemctl {verb} carehub', or by hand 'carehub run'"
        return [Finding("daemon", Verdict.FAIL, said.trouble.partition(": start it with")[0], todo)]
    status = said.status
    return [
        _running(str(status["version"])),
        *_progress(status.get("progress")),
        _link(status["broker"]),
        *_card(status),
        *_beacon(status),
    ]


def _running(version: str) -> Finding:
    if version != __version__:
        words = f"runs, version {version}, and {__version__} is installed"
        return Finding("daemon", Verdict.WARN, words, "start it anew: 'systemctl restart carehub'")
    return Finding("daemon", Verdict.PASS, f"runs, version {version}")


def _link(broker: Mapping[str, object]) -> Finding:
    """The link, as the hub knows it; its words say each trouble."""
    words, unsubscribed = str(broker["words"]), broker.get("unsubscribed")
    if not broker["connected"]:
        return Finding(LINK, Verdict.FAIL, words)
    if isinstance(unsubscribed, Mapping) and unsubscribed:
        if any(topic.endswith("/ack") for topic in unsubscribed):
            words += "; what is acknowledged there does not arrive, and alerts climb their ladders to the end"
        todo = "have the broker's access list ('carehub ca access') let this hub read its ack and update"
        return Finding(LINK, Verdict.FAIL, words, todo)
    if broker.get("status_refused") is not None:
        todo = "have the broker list this hub ('carehub ca access'); its name there is the certificate's"
        return Finding(LINK, Verdict.FAIL, words, todo)
    return Finding(LINK, Verdict.FAIL if broker.get("nobody_listens") else Verdict.PASS, words)


def _progress(said: Mapping[str, object] | None) -> list[Finding]:
    """Whether every stage gets on, as the daemon itself watches it; nothing where it does not say."""
    if said is None:
        return []
    stages = said.get("stages")
    named = stages if isinstance(stages, Mapping) else {}
    stuck = [f"{name}: {each['words']}" for name, each in named.items() if not each["well"]]
    if stuck:
        return [
            Finding(
                "progress",
                Verdict.FAIL,
                "; ".join(stuck),
                "what hangs has systemd start the hub anew, and the hub itself what failed; if it stays so,"
                " see 'journalctl -u carehub'",
            )
        ]
    return [Finding("progress", Verdict.PASS, f"{len(named)} stage(s) get on")]


def _card(status: Status) -> list[Finding]:
    """Of the card what the daemon says: it is the one that writes."""
    trouble = status.get("card", "well")
    if trouble == "well":
        return []
    words = (
        f"{trouble}: nothing is stored; readings wait in memory, and alerts are told that cannot be"
        " acknowledged"
    )
    return [
        Finding("card", Verdict.FAIL, words, "make room, or replace the card; a restart loses what waits")
    ]


def _beacon(status: Status) -> list[Finding]:
    """Nothing where the hub has none."""
    beacon = status.get("beacon")
    if beacon is None:
        return []
    if beacon["trouble"] is not None:
        return [Finding("beacon", Verdict.FAIL, str(beacon["trouble"]))]
    return [Finding("beacon", Verdict.PASS, "can be switched; see with your own eyes whether it shines")]
