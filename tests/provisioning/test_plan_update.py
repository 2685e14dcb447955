"""A machine fetches what the centre names only where the site's file says so."""

from __future__ import annotations

import json
from pathlib import Path

from provisioning.keeper.resources import Absent, File, Resource, Unit
from provisioning.plan import desired
from provisioning.plan_update import updates
from provisioning.site_file import load
from tests.rigs.site import CERTIFICATE, HUB, SIGNERS, manifest, write_site

SOURCE = "https://releases.ics.example/careport"


def planned(directory: Path, more: str = "") -> list[Resource]:
    site = load(write_site(directory, hub=HUB + more))
    assert all(
        each in desired(site, CERTIFICATE, manifest(), "3.11", SIGNERS) for each in updates(site, CERTIFICATE)
    )
    return list(updates(site, CERTIFICATE))


def test_a_site_that_says_so_has_it_watched_for_and_fetched_from_there_alone(tmp_path: Path) -> None:
    source, *units = planned(tmp_path, f'\n[update]\nfrom_centre = true\nsource = "{SOURCE}/"\n')
    assert isinstance(source, File)
    assert (source.path, source.mode, source.owner, source.group) == (
        "/etc/carehub/update_source.json", "0640", "root", "carehub",
    )  # fmt: skip
    assert json.loads(source.content) == {"source": SOURCE, "ca": CERTIFICATE}
    assert units == [Unit("carehub-fetch.path", "running"), Unit("carehub-fetch.timer", "running")]


def test_a_site_that_does_not_or_not_any_more_has_nothing_fetched(tmp_path: Path) -> None:
    for more in ("", f'\n[update]\nsource = "{SOURCE}"\n'):
        assert planned(tmp_path, more) == [
            Absent("/etc/carehub/update_source.json"),
            Unit("carehub-fetch.path", "stopped"),
            Unit("carehub-fetch.timer", "stopped"),
            Unit("carehub-fetch.service", "stopped"),
            Absent("/var/lib/carehub-keeper/order.json"),
        ]
