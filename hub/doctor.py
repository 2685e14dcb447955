"""What is well with this hub, what is not, and what to do about it: one finding for each part."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sqlite3
import ssl
from datetime import UTC, datetime, timedelta

from hub import __version__, doctor_bluetooth, doctor_usb
from hub.clock import look_at_kernel, now
from hub.config import PLAINTEXT, Config
from hub.control import ControlError, ask
from hub.doctor_bluetooth import Status
from hub.errors import CareportError
from hub.findings import Finding, Verdict
from hub.model_watch import watched
from hub.store import audit
from hub.store.damage import damages
from hub.store.database import FILE_NAME, open_for_reading
from hub.store.delivery import set_aside_of
from hub.store.queries import outbox_size
from hub.store.retention import removed
from hub.trail import Audited
from hub.uplink.certificate import FAIL_BEFORE, WARN_BEFORE, certificates
from hub.uplink.contract import Channel
from hub.uplink.errors import BrokerError
from hub.uplink.tls import in_words, refusal, tls_context

_BUILT = datetime(2026, 1, 1, tzinfo=UTC)
_LEAST_FREE = 200 * 1024 * 1024  # bytes
_PATIENCE = 5.0  # seconds
_QUIET = timedelta(days=1)


async def examine(config: Config) -> list[Finding]:
    """Look at every part. Raises nothing for a part that is broken: that is a finding."""
    status: Status = {}
    findings = [Finding("version", Verdict.PASS, f"carehub {__version__}")]
    try:
        status = await asyncio.to_thread(ask, config.hub.control_socket, "status")
    except ControlError as error:
        findings.append(Finding("daemon", Verdict.FAIL, str(error)))
    else:
        findings += _daemon(status)
    for check in (_clock, _disk, _database):
        findings += await asyncio.to_thread(check, config)
    findings += await asyncio.to_thread(doctor_bluetooth.sensors, config, status)
    for check in (_model, _watched, _rhythm_model, _certificates):
        findings += await asyncio.to_thread(check, config)
    findings += await doctor_bluetooth.radio(config, status)
    findings += doctor_usb.usb(config, status)
    findings += await asyncio.to_thread(_broker, config)
    return findings


def _daemon(status: Status) -> list[Finding]:
    broker = status["broker"]
    well = broker["connected"] and not broker.get("nobody_listens")
    link = Finding("link to the ICS", Verdict.PASS if well else Verdict.FAIL, str(broker["words"]))
    return [
        Finding("daemon", Verdict.PASS, f"runs, version {status['version']}"),
        link,
        *_card(status),
        *_beacon(status),
    ]


def _card(status: Status) -> list[Finding]:
    """Of the card what the daemon says: it is the one that writes."""
    trouble = status.get("card", "well")
    if trouble == "well":
        return []
    words = (
        f"{trouble}: nothing is stored; readings wait in memory, and alerts are told that cannot be"
        " acknowledged. Make room, or replace the card; a restart loses what waits"
    )
    return [Finding("card", Verdict.FAIL, words)]


def _beacon(status: Status) -> list[Finding]:
    """Nothing where the hub has none."""
    beacon = status.get("beacon")
    if beacon is None:
        return []
    if beacon["trouble"] is not None:
        return [Finding("beacon", Verdict.FAIL, str(beacon["trouble"]))]
    return [Finding("beacon", Verdict.PASS, "can be switched; see with your own eyes whether it shines")]


def _clock(config: Config) -> list[Finding]:
    moment = now()
    if moment < _BUILT:
        words = f"says {moment:%Y-%m-%d}, which was before this hub was made: check time synchronisation"
        return [Finding("clock", Verdict.FAIL, words)]
    if not look_at_kernel(once=True).synchronised:
        words = f"{moment:%Y-%m-%d %H:%M:%S} UTC, but it is not synchronised: check 'timedatectl'"
        return [Finding("clock", Verdict.WARN, words)]
    return [
        Finding("clock", Verdict.PASS, f"{moment:%Y-%m-%d %H:%M:%S} UTC, sensors in {config.site.timezone}")
    ]


def _disk(config: Config) -> list[Finding]:
    directory = config.hub.data_directory
    if not directory.is_dir():
        words = f"{directory} is not there: make it, owned by the hub's user"
        return [Finding("disk", Verdict.FAIL, words)]
    if not os.access(directory, os.W_OK):
        words = f"{directory} cannot be written by this user, or the card has become read-only"
        return [Finding("disk", Verdict.WARN, words)]
    free = shutil.disk_usage(directory).free
    verdict = Verdict.PASS if free >= _LEAST_FREE else Verdict.FAIL
    advice = "" if verdict is Verdict.PASS else ": make room, or readings cannot be kept"
    return [Finding("disk", verdict, f"{free // 2**20} MiB free under {directory}{advice}")]


def _database(config: Config) -> list[Finding]:
    path = config.hub.data_directory / FILE_NAME
    try:
        connection = open_for_reading(path)
    except CareportError as error:
        return [Finding("database", Verdict.FAIL, str(error))]
    try:
        waiting, aside = outbox_size(connection)
        alerts_aside = set_aside_of(connection, Channel.ALERT)
        damaged = damages(connection)
        retention = _retention(connection)
    except sqlite3.Error as error:
        return [Finding("database", Verdict.FAIL, f"{path}: cannot be read: {error}")]
    finally:
        connection.close()
    files = (path, path.with_name(f"{path.name}-wal"))
    size = sum(file.stat().st_size for file in files if file.exists()) // 1024
    findings = [
        Finding("database", Verdict.PASS, f"{size} KiB at {path}; {waiting} event(s) wait for the broker"),
        *retention,
    ]
    for damage in damaged:
        # Until a person has looked, and taken the damaged file away.
        seen = not path.with_name(damage.file).exists()
        verdict = Verdict.FAIL if damage.alerts_may_be_lost else Verdict.WARN
        words = damage.words
        if not seen:
            words += f". Take {damage.file} away when that is done: then this passes"
        findings.append(Finding("damaged database", Verdict.PASS if seen else verdict, words))
    if aside:
        words = f"{aside} event(s) were refused by the broker and set aside: see table outbox_aside for why"
        verdict = Verdict.WARN
        if alerts_aside:
            verdict = Verdict.FAIL
            words = (
                f"{words}; {alerts_aside} of them tell of an ALERT, and the ICS does not have them: tell the"
                " ICS, and have the broker mended; they are sent again when the hub next connects to it"
            )
        findings.append(Finding("refused events", verdict, words))
    return findings


def _retention(connection: sqlite3.Connection) -> list[Finding]:
    """What left the card. What went for want of room went before its age."""
    counts = removed(connection)
    if not counts:
        return []
    words = "removed so far: " + ", ".join(f"{number} {what}" for what, number in sorted(counts.items()))
    verdict = Verdict.PASS
    ran = audit.newest(connection, Audited.RETENTION)
    if ran is not None:
        words += f"; last on {ran.at:%Y-%m-%d %H:%M} UTC because of their {ran.detail.get('reason')}"
        if ran.detail.get("reason") == "size" and now() - ran.at < _QUIET:
            verdict = Verdict.WARN
            words += ": there is no room for what [store] says to keep: make room, or raise store.largest"
    return [Finding("retention", verdict, words)]


def _model(config: Config) -> list[Finding]:
    from hub.assessment.deterioration import DeteriorationModel, ModelError

    if config.model.mode == "off":
        return [Finding("model", Verdict.PASS, "off by configuration")]
    try:
        model = DeteriorationModel.configured(config.model.file, config.model.recalibration)
    except ModelError as error:
        return [Finding("model", Verdict.FAIL, str(error))]
    words = f"{model.name} {model.version}, SHA-256 {model.sha256[:12]}, golden vectors met, shadow"
    if model.refused is not None:
        told = f"{words}; its own risks are told, not recalibrated: {model.refused}"
        return [Finding("model", Verdict.WARN, told)]
    if (site := model.recalibration) is None:
        return [Finding("model", Verdict.PASS, f"{words}, not recalibrated")]
    fitted_on = f"{site.fitted_on.events} events among {site.fitted_on.sets} sets"
    return [Finding("model", Verdict.PASS, f"{words}, recalibrated {site.at:%Y-%m-%d} on {fitted_on}")]


def _watched(config: Config) -> list[Finding]:
    """What the hub found of its model: that a home differs from intensive care is no fault of anything."""
    if config.model.mode == "off":
        return []
    try:
        connection = open_for_reading(config.hub.data_directory / FILE_NAME)
    except CareportError:
        return []  # said already
    try:
        found = watched(connection)
    except sqlite3.Error:
        return []
    finally:
        connection.close()
    if found is None:
        return []
    inputs = found.inputs_words
    if found.changed:
        inputs += ": see 'carehub model show', and look for a new or a faulty sensor, or for new residents"
    return [
        Finding("alert budget", Verdict.PASS, f"{found.threshold_words}; a shadow, it raises none"),
        Finding("model's inputs", Verdict.WARN if found.changed else Verdict.PASS, inputs),
    ]


def _rhythm_model(config: Config) -> list[Finding]:
    from hub.assessment.model_file import HASH_PREFIX, ModelError
    from hub.assessment.rhythm import RhythmModel

    if config.rhythm.mode == "off":
        return [Finding("rhythm model", Verdict.PASS, "off by configuration")]
    try:
        model = RhythmModel.configured(config.rhythm.file)
    except ModelError as error:
        return [Finding("rhythm model", Verdict.FAIL, str(error))]
    said = f"{model.name} {model.version}, SHA-256 {model.sha256[:HASH_PREFIX]}"
    return [Finding("rhythm model", Verdict.PASS, f"{said}, golden vectors met, shadow")]


def _broker(config: Config) -> list[Finding]:
    host, port = config.broker.host, config.broker.port
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        words = f"{host}: no such host ({error.strerror}): check broker.host and the home's DNS"
        return [Finding("broker's name", Verdict.FAIL, words)]
    except UnicodeError:
        return [
            Finding("broker's name", Verdict.FAIL, f"{host}: no name that a host can have: check broker.host")
        ]
    findings = [Finding("broker's name", Verdict.PASS, f"{host} is {addresses[0][4][0]}")]
    try:
        with socket.create_connection((host, port), timeout=_PATIENCE) as connection:
            findings.append(Finding("broker's port", Verdict.PASS, f"{host}:{port} answers"))
            if config.broker.tls:
                findings.append(_tls(config, connection))
            else:
                findings.append(_no_tls(config))
    except OSError as error:
        words = f"{host}:{port}: {error.strerror or error}: check broker.port and the home's firewall"
        findings.append(Finding("broker's port", Verdict.FAIL, words))
    return findings


def _no_tls(config: Config) -> Finding:
    if config.broker.readable_on_the_way:
        verdict = Verdict.WARN if config.site.test_data else Verdict.FAIL
        return Finding("TLS", verdict, PLAINTEXT)
    return Finding("TLS", Verdict.WARN, "off by configuration: nothing is encrypted")


def _certificates(config: Config) -> list[Finding]:
    found = certificates(config.broker)
    findings = [Finding("certificates", Verdict.FAIL, words) for words in found.problems]
    moment = now()
    for expiry in found.all:
        left = expiry.ends - moment
        verdict = Verdict.PASS if left > WARN_BEFORE else Verdict.WARN if left > FAIL_BEFORE else Verdict.FAIL
        words = expiry.words(moment).removeprefix(expiry.what).lstrip()
        findings.append(Finding(expiry.what, verdict, words))
    return findings


def _tls(config: Config, connection: socket.socket) -> Finding:
    broker = config.broker
    try:
        context = tls_context(broker)
    except BrokerError as error:
        return Finding("TLS", Verdict.FAIL, f"broker.{error}")
    try:
        with context.wrap_socket(connection, server_hostname=broker.host) as secured:
            certificate = secured.getpeercert() or {}
            version = secured.version()
        if (refused := refusal(broker)) is not None:
            return Finding("TLS", Verdict.FAIL, refused)
    except ssl.SSLError as error:
        return Finding("TLS", Verdict.FAIL, in_words(error))
    except OSError as error:
        return Finding("TLS", Verdict.FAIL, error.strerror or str(error))
    expires = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
    left = expires - now()
    verdict = Verdict.PASS if left > WARN_BEFORE else Verdict.WARN
    return Finding("TLS", verdict, f"{version}; the broker's certificate ends on {expires:%Y-%m-%d}")
