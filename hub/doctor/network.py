"""What the doctor finds of the network: an address, a way out, names, the broker's port, its TLS."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import ssl
import struct
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from ipaddress import IPv6Address, ip_address
from time import monotonic

from hub.clock import now
from hub.configuration.file import PLAINTEXT, Config
from hub.doctor.findings import Finding, Verdict
from hub.doctor.looking import WITH_RIGHTS, Subject, forbidden, in_thread
from hub.uplink.certificate import FAIL_BEFORE, WARN_BEFORE, certificates
from hub.uplink.errors import BrokerError
from hub.uplink.tls import in_words, refusal, tls_context

_NAME_SECONDS, _PORT_SECONDS, _TLS_SECONDS = 4.0, 3.0, 5.0
_LEAST_SHARE_SECONDS = 0.2  # for an address, of many; a far broker's answer takes a tenth of a second
_GRACE_SECONDS = 0.5  # each address ends by itself: this one ends what hangs all the same
_REFUSED_AT_LEAST_SECONDS, _REFUSED_TIMES, _REFUSED_WITHIN_SECONDS = 0.5, 4, 2.0
"""How long it is listened for a refusal, which takes the broker about as long as the handshake did: so many
times that. Where it is well there is nothing to hear, and the doctor would wait for nothing."""

_SIOCGIFADDR = 0x8915  # netdevice(7)
_UP, _GATEWAY = 0x1, 0x2  # of a route: route(7), RTF_UP and RTF_GATEWAY


def addresses(subject: Subject) -> list[Finding]:
    """Whether this machine has an address, and a way out of the home's network."""
    found = own_addresses(subject)
    near = not subject.configured or _is_near(subject.config.broker.host)
    wrong = Verdict.WARN if near else Verdict.FAIL
    joined = [f"{name} {', '.join(each)}" for name, each in found.items() if each]
    # A bridge or the like that nobody gave an address is nothing to look at.
    without = [
        name for name, each in found.items() if not each and subject.glob(f"sys/class/net/{name}/device")
    ]
    if not joined:
        words = "this machine has no address" + (f" ({', '.join(without)})" if without else "")
        todo = "look at the cable or the Wi-Fi ('networkctl', 'iw dev'), and at the router"
        return [Finding("network", wrong, words, todo)]
    words = "; ".join(joined + [f"{name} has none" for name in without])
    gateways = default_gateways(subject)
    if not gateways:
        words += "; there is no way out of this network (no default route)"
        return [Finding("network", wrong, words, "see what the router gives, or the static route")]
    return [Finding("network", Verdict.PASS, f"{words}; the way out is {', '.join(gateways)}")]


def _is_near(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def own_addresses(subject: Subject) -> Mapping[str, Sequence[str]]:
    """The addresses of each interface but the loopback; not those of its link alone."""
    found: dict[str, list[str]] = {}
    for _, name in socket.if_nameindex():
        if name == "lo":
            continue
        found[name] = []
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            try:
                said = fcntl.ioctl(asking, _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
                found[name].append(socket.inet_ntoa(said[20:24]))
            except OSError:
                pass  # it has none
    for line in (subject.text("proc/net/if_inet6") or "").splitlines():
        digits, *_, name = line.split()
        address = IPv6Address(int(digits, 16))
        if name in found and not address.is_link_local:
            found[name].append(str(address))
    return found


def default_gateways(subject: Subject) -> list[str]:
    """Where everything goes that is not for this network: IPv4 (proc(5), net/route), and IPv6."""
    found = []
    for line in (subject.text("proc/net/route") or "").splitlines()[1:]:
        (
            name,
            destination,
            gateway,
            flags,
            *_,
        ) = line.split()[:4]
        if destination == "00000000" and int(flags, 16) & _UP:
            address = socket.inet_ntoa(struct.pack("<I", int(gateway, 16)))
            found.append(f"{address} by {name}" if int(flags, 16) & _GATEWAY else name)
    for line in (subject.text("proc/net/ipv6_route") or "").splitlines():
        columns = line.split()
        destination, length, gateway, flags, name = (columns[at] for at in (0, 1, 4, 8, 9))
        if name != "lo" and not int(destination, 16) and length == "00" and int(flags, 16) & _GATEWAY:
            found.append(f"{IPv6Address(int(gateway, 16))} by {name}")
    return found


def name_servers(subject: Subject) -> list[Finding]:
    """Who is asked for names; that they answer, the broker's name shows."""
    lines = (subject.text("etc/resolv.conf") or "").splitlines()
    servers = [line.split()[1] for line in lines if line.startswith("nameserver") and len(line.split()) > 1]
    if servers:
        return [Finding("name servers", Verdict.PASS, ", ".join(servers))]
    verdict, words = Verdict.WARN, "/etc/resolv.conf names none"
    try:
        ip_address(subject.config.broker.host)
    except ValueError:
        if subject.configured and subject.config.broker.host != "localhost":
            verdict, words = Verdict.FAIL, f"{words}, and the broker is known by its name"
    return [Finding("name servers", verdict, words, "see what the router gives, or name one ('resolvectl')")]


async def broker(config: Config, port_seconds: float = _PORT_SECONDS) -> list[Finding]:
    """The way to the broker, step by step, up to TLS; each step no longer than so long.

    `port_seconds` is for all the addresses that its name has: one that swallows every packet (in a home whose
    IPv6 leads nowhere) leaves the others their share.
    """
    host, port = config.broker.host, config.broker.port
    try:
        async with asyncio.timeout(_NAME_SECONDS):
            found = await in_thread(partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM))
    except TimeoutError:
        words = f"{host}: no name server answers within {_NAME_SECONDS:g} s"
        return [Finding("broker's name", Verdict.FAIL, words, "check the home's DNS and its router")]
    except socket.gaierror as error:
        words = f"{host}: no such host ({error.strerror})"
        todo = "check broker.host and the home's DNS"
        return [Finding("broker's name", Verdict.FAIL, words, todo)]
    except UnicodeError:
        words = f"{host}: no name that a host can have"
        return [Finding("broker's name", Verdict.FAIL, words, "check broker.host")]
    places = list(dict.fromkeys(str(each[4][0]) for each in found))
    findings = [Finding("broker's name", Verdict.PASS, f"{host} is {places[0]}")]
    try:
        async with asyncio.timeout(port_seconds + _GRACE_SECONDS):
            connection, place = await in_thread(partial(_connected, places, port, port_seconds))
    except OSError as error:  # TimeoutError is one
        why = f"no answer within {port_seconds:g} s" if isinstance(error, TimeoutError) else error.strerror
        words = f"{host}:{port}: {why or error}"
        todo = "check broker.port and the home's firewall"
        return [*findings, Finding("broker's port", Verdict.FAIL, words, todo)]
    words = f"{host}:{port} answers"
    if place != places[0]:
        words += f" at {place}, and not at {places[0]}: the hub tries each in turn"
    findings.append(Finding("broker's port", Verdict.PASS, words))
    with connection:
        if not config.broker.tls:
            return [*findings, _no_tls(config)]
        try:
            async with asyncio.timeout(_TLS_SECONDS):
                return [*findings, await in_thread(partial(_tls, config, connection, place))]
        except TimeoutError:
            words = f"what answers at {host}:{port} does not agree on TLS within {_TLS_SECONDS:g} s"
            return [*findings, Finding("TLS", Verdict.FAIL, words, "check broker.port")]


def _connected(places: Sequence[str], port: int, seconds: float) -> tuple[socket.socket, str]:
    """A connection to the first that takes one, and which that is: a socket that was reset does not tell.

    Each has its share of what time is left. Raises OSError.
    """
    failed: OSError = OSError("no address")
    until = monotonic() + seconds
    for left, place in zip(range(len(places), 0, -1), places, strict=True):
        share = max(_LEAST_SHARE_SECONDS, (until - monotonic()) / left)
        try:
            connection = socket.create_connection((place, port), timeout=share)
        except OSError as error:
            failed = error
        else:
            connection.settimeout(_TLS_SECONDS + _GRACE_SECONDS)  # of all that follows
            return connection, place
    raise failed


def _no_tls(config: Config) -> Finding:
    if config.broker.readable_on_the_way:
        verdict = Verdict.WARN if config.site.test_data else Verdict.FAIL
        return Finding("TLS", verdict, PLAINTEXT)
    return Finding("TLS", Verdict.WARN, "off by configuration: nothing is encrypted")


def _tls(config: Config, connection: socket.socket, place: str) -> Finding:
    broker = config.broker
    if broker.key_file is not None and forbidden(broker.key_file):
        return Finding("TLS", Verdict.WARN, f"{broker.key_file} may not be read by this user", WITH_RIGHTS)
    try:
        context = tls_context(broker)
    except BrokerError as error:
        return Finding("TLS", Verdict.FAIL, f"broker.{error}")
    began = monotonic()
    try:
        with context.wrap_socket(connection, server_hostname=broker.host) as secured:
            certificate = secured.getpeercert() or {}
            version = secured.version()
        took = monotonic() - began
        patience = min(_REFUSED_WITHIN_SECONDS, max(_REFUSED_AT_LEAST_SECONDS, _REFUSED_TIMES * took))
        if (refused := refusal(broker, patience, place)) is not None:
            return Finding("TLS", Verdict.FAIL, refused)
    except ssl.SSLError as error:
        return Finding("TLS", Verdict.FAIL, in_words(error))
    except OSError as error:
        return Finding("TLS", Verdict.FAIL, error.strerror or str(error))
    expires = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
    words = f"{version}; the broker's certificate ends on {expires:%Y-%m-%d}"
    if expires - now() > WARN_BEFORE:
        return Finding("TLS", Verdict.PASS, words)
    return Finding("TLS", Verdict.WARN, words, "tell whoever keeps the broker to renew it")


def own_certificates(config: Config) -> list[Finding]:
    """How long the hub's own, and its authority's, are still good."""
    found = certificates(config.broker)
    findings = []
    files = [config.broker.certificate_file, config.broker.ca_file]
    unseen = [path for path in files if path is not None and forbidden(path)]
    if unseen:
        words = f"{', '.join(map(str, unseen))} may not be read by this user"
        findings.append(Finding("certificates", Verdict.WARN, words, WITH_RIGHTS))
    else:
        findings += [Finding("certificates", Verdict.FAIL, words) for words in found.problems]
    moment = now()
    for expiry in found.all:
        left = expiry.ends - moment
        verdict = Verdict.PASS if left > WARN_BEFORE else Verdict.WARN if left > FAIL_BEFORE else Verdict.FAIL
        words, _, todo = expiry.words(moment).removeprefix(expiry.what).lstrip().partition(": ")
        findings.append(Finding(expiry.what, verdict, words, todo))
    return findings
