"""What a machine is to have so that its centre may bring another release: nothing unless the site says so."""

from __future__ import annotations

import json
from collections.abc import Iterator

from provisioning.keeper.fetch import SOURCE_NAME
from provisioning.keeper.places import USER
from provisioning.keeper.resources import Absent, File, Resource, Unit
from provisioning.site_file import Site

_SOURCE = f"/etc/carehub/{SOURCE_NAME}"
_UNIT = "carehub-fetch.path"


def updates(site: Site, ca_pem: str) -> Iterator[Resource]:
    """From where the keeper fetches what the centre names: the site's word, of which a message has no say.

    `ca_pem` is who signed the broker's certificate; the source's may be of the same.
    """
    source = site.config.update.source
    if site.config.update.from_centre and source is not None:
        said = {"source": source, "ca": ca_pem if site.config.broker.tls else ""}
        yield File(_SOURCE, json.dumps(said, indent=2) + "\n", "0640", group=USER)
        yield Unit(_UNIT, "running")
    else:
        yield Absent(_SOURCE)
        yield Unit(_UNIT, "stopped")
