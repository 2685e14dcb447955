"""Whether the broker lets this hub publish: by a real publish of its retained status.

Where the daemon runs, it publishes, on the connection that it has. Where it surely does not, and is not about
to, the doctor does it in its name; a second client of the hub's name would else throw the hub itself off the
broker. The doctor says how the hub ended, and leaves what is retained alone: whoever has to see that a home
is without its hub still does.
"""

from __future__ import annotations

import asyncio
import fcntl
import sqlite3
from functools import partial
from typing import Literal

from hub import __version__
from hub.clock import now
from hub.configuration.file import Config
from hub.control.control_socket import ControlError, ask
from hub.doctor.daemon import Asked
from hub.doctor.findings import Finding, Verdict
from hub.doctor.looking import WITH_RIGHTS, in_thread
from hub.errors import CareportError
from hub.store import audit
from hub.store.audit import AuditError
from hub.store.database import FILE_NAME, open_for_reading
from hub.store.lock import LOCK_NAME
from hub.trail import Audited
from hub.uplink.broker import Broker
from hub.uplink.contract import Channel, Identity, status_event
from hub.uplink.errors import BrokerError
from hub.uplink.proving import Answer, Proof, prove

PART = "broker authorisation"
_ANSWERS_WITHIN_SECONDS = 8.0


async def authorisation(config: Config, said: Asked, is_starting: bool = False) -> list[Finding]:
    """Publish, and say what the broker answered; `is_starting`: systemd is about to start the hub, or to end
    it."""
    if said.not_yours:
        return [Finding(PART, Verdict.WARN, "the hub may not be asked to publish by this user", WITH_RIGHTS)]
    try:
        async with asyncio.timeout(_ANSWERS_WITHIN_SECONDS):
            if said.status:
                return [await _by_daemon(config)]
            return [await _alone(config, is_starting)]
    except TimeoutError:
        words = f"nothing was answered within {_ANSWERS_WITHIN_SECONDS:g} s"
        return [Finding(PART, Verdict.FAIL, words, "see what is said of the way to the broker")]


async def _by_daemon(config: Config) -> Finding:
    try:
        answer = await in_thread(partial(ask, config.hub.control_socket, "prove"))
    except ControlError as error:
        return Finding(PART, Verdict.WARN, f"the hub could not be asked to publish: {error}")
    return of_proof(Proof.of(answer), "the hub published its status")


async def _alone(config: Config, is_starting: bool) -> Finding:
    if is_starting:
        words = "not tried: systemd is about to start the hub, or to end it"
        return Finding(PART, Verdict.WARN, words, "ask again in a minute")
    try:
        runs = await in_thread(partial(hub_runs, config))
    except PermissionError:
        return Finding(PART, Verdict.WARN, "whether the hub runs may not be seen by this user", WITH_RIGHTS)
    if runs:
        words = "not tried: a hub runs on this data directory, and does not answer"
        return Finding(PART, Verdict.WARN, words, "start it anew: 'systemctl restart carehub'")
    if runs is None:
        words = "not tried: no hub has run here yet, and one of this name may run elsewhere"
        return Finding(PART, Verdict.WARN, words, "start the hub: 'systemctl start carehub'")
    try:
        # In a thread with a loop of its own: what hangs in there keeps nobody from ending.
        proof = await in_thread(lambda: asyncio.run(prove_alone(config)))
    except BrokerError as error:
        return Finding(PART, Verdict.FAIL, f"the hub does not run, and the doctor cannot connect: {error}")
    return of_proof(proof, "the hub does not run; the doctor published in its name that it does not")


def hub_runs(config: Config) -> bool | None:
    """Whether any hub holds the data directory (`hub/store/lock.py`); None where none has ever run there, as
    on an engineer's machine that has the configuration of a hub elsewhere. Looks, and takes nothing.

    Raises:
        PermissionError: this user may not see it.
    """
    try:
        with (config.hub.data_directory / LOCK_NAME).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except (FileNotFoundError, NotADirectoryError):
        return None
    return False


async def prove_alone(config: Config) -> Proof:
    """Connect as the hub does and publish, not retained, how it ended.

    Raises:
        BrokerError: there is no connection.
    """
    identity = Identity(config.site.id, config.hub.id, config.site.test_data)
    client = Broker(config.broker, f"carehub-{identity.site}-{identity.hub}")
    said = status_event(identity, how_it_ended(config), now(), {"version": __version__})
    async with client.connect() as connection:
        return await prove(connection, identity.topic(Channel.STATUS), said, retain=False)


def how_it_ended(config: Config) -> Literal["offline", "lost"]:
    """ "offline" where it was stopped, as its trail has it; "lost" otherwise, and where that is not known."""
    try:
        connection = open_for_reading(config.hub.data_directory / FILE_NAME)
    except CareportError:
        return "lost"
    try:
        started, stopped = (audit.newest(connection, each) for each in (Audited.STARTED, Audited.STOPPED))
    except (sqlite3.Error, AuditError):
        return "lost"
    finally:
        connection.close()
    in_order = started is not None and stopped is not None and started.sequence < stopped.sequence
    return "offline" if in_order else "lost"


def of_proof(proof: Proof, done: str) -> Finding:
    """What the broker's answer means."""
    match proof.answer:
        case Answer.ACCEPTED:
            return Finding(PART, Verdict.PASS, f"{done}, and the broker took it on {proof.topic}")
        case Answer.SENT:
            words = (
                f"{done} on {proof.topic}; over MQTT 3.1.1 a broker cannot say that it refuses, and may have"
                " thrown it away"
            )
            return Finding(PART, Verdict.WARN, words, "see at the ICS that it came, or have MQTT 5 allowed")
        case Answer.REFUSED:
            words = f"the broker does not let the hub publish on {proof.topic}: {proof.reason}"
            todo = "have it list this hub: provisioning/broker/acl.py; its name there is the certificate's"
            return Finding(PART, Verdict.FAIL, words, todo)
        case Answer.NONE:
            words = f"{done} on {proof.topic}: {proof.reason} of the broker"
            return Finding(PART, Verdict.FAIL, words, "have the broker looked after: it hangs, or is busy")
        case Answer.NOT_CONNECTED:
            words = f"the hub is not connected to the broker: {proof.reason}"
            return Finding(PART, Verdict.FAIL, words, "see what is said of the way to the broker")
