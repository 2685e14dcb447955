"""One bundle over HTTPS into a file: on where an attempt before has stopped, and looked at while it comes."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import shutil
import ssl
import time
from pathlib import Path
from urllib.parse import quote

from provisioning.keeper import bundle_file, manifest
from provisioning.keeper.address import server_of
from provisioning.keeper.centre import Order
from provisioning.keeper.errors import KeeperError
from provisioning.keeper.est import LaterError
from provisioning.keeper.manifest import Manifest
from provisioning.keeper.places import Places
from provisioning.keeper.slots import Machine, Slots, check_way, room_for

LARGEST_BUNDLE = 512 << 20
"""Bytes; one of two Pythons has 50 MB."""
_LOOKED_AT = 256 * 1024
"""Bytes from the beginning, in which a bundle has its manifest."""
_SECONDS = 60.0
"""In which the server must answer, or say more."""
_PIECE = 256 * 1024
_BUSY = (408, 425, 429, 500, 502, 503, 504)
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


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
    partial = there.with_name(f"{there.name}.part")
    seen = False
    host, port, path = _place(order)
    connection = http.client.HTTPSConnection(host, port, timeout=_SECONDS, context=_context(order))
    try:
        have, size, answer = _asked(connection, path, partial, order)
        begun_at = have
        with partial.open("r+b" if have else "wb") as file:
            file.seek(have)
            file.truncate()
            try:
                while have < size:
                    if not seen and have >= _LOOKED_AT:
                        file.flush()
                        _suits(partial, order, places, size - have)
                        seen = True
                    piece = _piece(answer, min(_PIECE, size - have), order)
                    if not piece or time.monotonic() > until:
                        raise LaterError(f"{order.source}: only {have >> 10} of {size >> 10} kB came")
                    have += file.write(piece)
            finally:
                file.flush()
                os.fsync(file.fileno())  # so that a power cut does not take it
    finally:
        connection.close()
    _suits(partial, order, places, 0)
    _as_named(partial, places, in_pieces=begun_at > 0)
    partial.rename(there)
    return there


def _place(order: Order) -> tuple[str, int, str]:
    server = server_of(order.source)
    if server is None:
        raise KeeperError(
            f"update.source: {order.source} is no address of a server: give https://HOST/FOLDER"
        )
    return server.host, server.port, f"{quote(server.path).rstrip('/')}/{order.file_name}"


def _context(order: Order) -> ssl.SSLContext:
    """The system's authorities and the broker's: that nobody can put something else in the place of a bundle
    does not depend on it, but on its signature."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if order.ca:
        context.load_verify_locations(cadata=order.ca)
    return context


def _asked(
    connection: http.client.HTTPSConnection, path: str, partial: Path, order: Order
) -> tuple[int, int, http.client.HTTPResponse]:
    """From which byte on the answer is, how many there are in all, and the answer."""
    have = partial.stat().st_size if partial.exists() else 0
    try:
        # Not urllib: it would follow to wherever it is sent.
        connection.request("GET", path, headers={"Range": f"bytes={have}-"} if have else {})
        answer = connection.getresponse()
    except ssl.SSLCertVerificationError as error:
        raise KeeperError(
            f"{order.source}: its certificate is not trusted: {error.verify_message}; it must be of an"
            " authority that the hub's system trusts, or of the one that signed the broker's"
        ) from error
    except (OSError, http.client.HTTPException) as error:
        raise LaterError(f"{order.source} cannot be reached: {error}") from error
    if answer.status in _BUSY:
        raise LaterError(f"{order.source} answered {answer.status}")
    if answer.status == 416:
        partial.unlink()
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
    try:
        return answer.read(most)
    except (OSError, http.client.HTTPException) as error:
        raise LaterError(f"{order.source}: the connection was lost: {error}") from error


def _extent(answer: http.client.HTTPResponse, have: int) -> tuple[int, int]:
    if answer.status == 206:
        found = _RANGE.fullmatch(answer.getheader("Content-Range", ""))
        if found is None or int(found[1]) != have:
            raise KeeperError("the source answers with another part than it was asked for: serve plain files")
        return have, int(found[2])
    length = answer.getheader("Content-Length", "")
    if not length.isdecimal():
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
    except KeeperError:
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
