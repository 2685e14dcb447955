"""One bundle over HTTPS into a file: on where an attempt before has stopped, and looked at while it comes."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import shutil
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote, urlsplit

from provisioning.keeper import bundle_file, certificates, manifest, wall_clock
from provisioning.keeper.address import server_of
from provisioning.keeper.centre import Order
from provisioning.keeper.errors import KeeperError, LaterError
from provisioning.keeper.manifest import Manifest
from provisioning.keeper.places import Places
from provisioning.keeper.slots import Machine, Slots, check_way, room_for

LARGEST_BUNDLE = 512 << 20
"""Bytes; one of two Pythons has 50 MB."""
_LOOKED_AT = 256 * 1024
"""Bytes from the beginning, in which a bundle has its manifest."""
_SECONDS = 60.0
"""In which the server must say something; until when it must have said all, `until` says."""
_PIECE = 256 * 1024
_BUSY = (408, 425, 429, 500, 502, 503, 504)
# No longer numbers: Python reads none of thousands of digits.
_RANGE = re.compile(r"bytes ([0-9]{1,15})-[0-9]{1,15}/([0-9]{1,15})")
_LENGTH = re.compile(r"[0-9]{1,15}")


def download(order: Order, places: Places, until: float) -> Path:
    """The order's bundle, whole, in the cache: its manifest and this machine's payload are as named.

    Whether it is signed is asked by whoever installs it, as root.

    Args:
        until: a monotonic second.

    Raises:
        LaterError: not now; what came stays, and the next call goes on with it.
        KeeperError: it is not what was named, not for this machine, or there is no room for it.
        OSError: the card takes nothing.
    """
    there = places.cache / order.file_name
    if there.exists():
        return there
    part = partial(places, order)
    seen = False
    with _connected(order, until) as connection:
        have, size, answer = _asked(connection, part, order)
        begun_at = have
        with part.open("r+b" if have else "wb") as file:
            file.seek(have)
            file.truncate()
            try:
                while have < size:
                    if not seen and have >= _LOOKED_AT:
                        file.flush()
                        _suits(part, order, places, size - have)
                        seen = True
                    piece = _piece(answer, min(_PIECE, size - have), order)
                    have += file.write(piece)
                    if not piece or (have < size and time.monotonic() > until):
                        raise LaterError(f"{order.source}: only {have >> 10} of {size >> 10} kB came")
            finally:
                file.flush()
                os.fsync(file.fileno())  # so that a power cut does not take it
    _suits(part, order, places, 0)
    _as_named(part, places, in_pieces=begun_at > 0)
    part.rename(there)
    return there


def partial(places: Places, order: Order) -> Path:
    """What has come of the order's bundle so far."""
    return places.cache / f"{order.file_name}.part"


@contextmanager
def _connected(order: Order, until: float) -> Iterator[http.client.HTTPSConnection]:
    """The connection to the source, which is shut when the time is up, whatever then comes: a server that
    says a byte now and then is never silent."""
    server = server_of(order.source)
    if server is None:
        raise KeeperError(
            f"update.source: {order.source} is no address of a server: give https://HOST/FOLDER"
        )
    connection = http.client.HTTPSConnection(
        server.host, server.port, timeout=_SECONDS, context=_context(order)
    )
    try:
        _connect(connection, order)
        time_is_up = threading.Timer(max(0.0, until - time.monotonic()), _shut, (connection.sock,))
        time_is_up.daemon = True
        time_is_up.start()
        try:
            yield connection
        finally:
            time_is_up.cancel()
    finally:
        connection.close()


def _connect(connection: http.client.HTTPSConnection, order: Order) -> None:
    try:
        connection.connect()
    except ssl.SSLCertVerificationError as error:
        words = f"{order.source}: its certificate is not trusted: {error.verify_message}"
        if wall_clock.may_be_why(error):
            raise LaterError(f"{words}, by this machine's clock, which is not set yet") from error
        raise KeeperError(
            f"{words}; it must be of an authority that the hub's system trusts, or of the one that signed the"
            " broker's"
        ) from error
    except OSError as error:
        raise LaterError(f"{order.source} cannot be reached: {error}") from error


def _shut(connected: socket.socket) -> None:
    """Whoever reads from it is told that it has ended. Not by TLS, which is being read from meanwhile."""
    with suppress(OSError):
        socket.socket.shutdown(connected, socket.SHUT_RDWR)


def _context(order: Order) -> ssl.SSLContext:
    """The system's authorities and the broker's: that nobody can put something else in the place of a bundle
    does not depend on it, but on its signature. Raises `KeeperError`."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if authorities := "".join(certificates.within(order.ca)):
        try:
            context.load_verify_locations(cadata=authorities)
        except (ssl.SSLError, TypeError, ValueError) as error:
            raise KeeperError(
                f"the broker's authority cannot be read ({error}): see broker.ca_file in the site's file"
            ) from error
    return context


def _asked(
    connection: http.client.HTTPSConnection, partial: Path, order: Order
) -> tuple[int, int, http.client.HTTPResponse]:
    """From which byte on the answer is, how many there are in all, and the answer."""
    have = partial.stat().st_size if partial.exists() else 0
    folder = quote(urlsplit(order.source).path).rstrip("/")
    try:
        # Not urllib: it would follow to wherever it is sent.
        connection.request(
            "GET", f"{folder}/{order.file_name}", headers={"Range": f"bytes={have}-"} if have else {}
        )
        answer = connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        raise LaterError(f"{order.source} cannot be reached: {error}") from error
    if answer.status in _BUSY:
        raise LaterError(f"{order.source} answered {answer.status}")
    if answer.status == 416:
        partial.unlink(missing_ok=True)
        raise LaterError(f"{order.source} has less than was fetched before: it is fetched anew")
    if answer.status not in (200, 206):
        raise KeeperError(
            f"{order.source} answered {answer.status} for {order.file_name}: the release has to lie there"
            " under that name"
        )
    have, size = _extent(answer, have)
    if not have < size <= LARGEST_BUNDLE:
        raise KeeperError(f"{order.source} has {order.file_name} with {size} bytes: that is no bundle")
    _room(partial.parent, size - have)
    return have, size, answer


def _piece(answer: http.client.HTTPResponse, most: int, order: Order) -> bytes:
    """What has come, though it be little: what is lost with the connection is not what came before."""
    try:
        return answer.read1(most)
    except (OSError, http.client.HTTPException) as error:
        raise LaterError(f"{order.source}: the connection was lost: {error}") from error


def _extent(answer: http.client.HTTPResponse, have: int) -> tuple[int, int]:
    if answer.status == 206:
        found = _RANGE.fullmatch(answer.getheader("Content-Range", ""))
        if found is None or int(found[1]) != have:
            raise KeeperError("the source answers with another part than it was asked for: serve plain files")
        return have, int(found[2])
    length = answer.getheader("Content-Length", "")
    if not _LENGTH.fullmatch(length):
        raise KeeperError(
            "the source does not say how large the bundle is (Content-Length): serve plain files"
        )
    return 0, int(length)


def _suits(partial: Path, order: Order, places: Places, coming: int) -> None:
    """What can be known from its beginning, before all of it has come. Raises `KeeperError`."""
    try:
        release = _named(partial, order)
        slots = Slots(places)
        payload = slots.payload_for(release)
        current = slots.current()
        if current is not None:
            check_way(current.manifest, release, older=False)
        _room(partial.parent, coming + room_for(payload))
    except Exception:
        partial.unlink()
        raise


def _named(partial: Path, order: Order) -> Manifest:
    text = bundle_file.manifest_text(partial)
    if hashlib.sha256(text).hexdigest() != order.manifest_sha256:
        raise KeeperError(f"{order.source} has another release under the name {order.file_name}")
    release = manifest.from_json(text.decode(errors="replace"))
    if (release.version, release.build) != (order.version, order.build):
        raise KeeperError(
            f"{order.file_name} is release {release.name}, and the centre calls it {order.name}"
        )
    return release


def _as_named(partial: Path, places: Places, *, in_pieces: bool) -> None:
    """The payload is as the manifest has it. What came in pieces may not fit, and is fetched anew."""
    try:
        bundle_file.check_payload(partial, Machine.below(places.root).python)
    except KeeperError as error:
        partial.unlink()
        if not in_pieces:
            raise
        raise LaterError(f"what was fetched in pieces is spoilt, and is fetched anew ({error})") from error


def _room(directory: Path, needed: int) -> None:
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise KeeperError(
            f"too little room on the card: {needed >> 20} MB are needed and {free >> 20} are free. Make room"
            " (journalctl --vacuum-size=50M, apt-get clean), or use a larger card"
        )
