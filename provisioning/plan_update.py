"""What a machine is to have so that its centre may bring another release: nothing unless the site says so."""

from __future__ import annotations

import json
from collections.abc import Iterator

from provisioning.keeper.centre import ORDER_NAME
from provisioning.keeper.fetch import SOURCE_NAME
from provisioning.keeper.places import USER
from provisioning.keeper.resources import Absent, File, Resource, Unit
from provisioning.site_file import Site

_SOURCE = f"/etc/carehub/{SOURCE_NAME}"
_ORDER = f"/var/lib/carehub-keeper/{ORDER_NAME}"
_UNITS = ("carehub-fetch.path", "carehub-fetch.timer")


def updates(site: Site, ca_pem: str) -> Iterator[Resource]:
    """From where the keeper fetches what the centre names: the site's word, of which a message has no say.

    `ca_pem` is who signed the broker's certificate; the source's may be of the same.
    """
    source = site.config.update.source
    if site.config.update.from_centre and source is not None:
        said = {"source": source, "ca": ca_pem if site.config.broker.tls else ""}
        yield File(_SOURCE, json.dumps(said, indent=2) + "\n", "0640", group=USER)
        for unit in _UNITS:
            yield Unit(unit, "running")
    else:
        yield Absent(_SOURCE)
        # What is being fetched too: it would be installed hours later.
        for unit in (*_UNITS, "carehub-fetch.service"):
            yield Unit(unit, "stopped")
        yield Absent(_ORDER)  # the last of these has ended it, unless systemd had given it up
