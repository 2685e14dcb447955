"""A fixed address that would silence a home at its next start is found before it is written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from provisioning.errors import ProvisioningError
from provisioning.home_network import unlike_now
from provisioning.site_file import load
from tests.provisioning.test_provision import IN_ANOTHER, SEEN, wired
from tests.rigs.site import write_site


def test_a_hub_at_work_gets_no_address_of_a_network_that_it_is_not_in(tmp_path: Path) -> None:
    site = load(write_site(tmp_path, wired()))
    at_work = replace(SEEN, hub="rose-house.hub-1", **IN_ANOTHER)
    with pytest.raises(ProvisioningError) as refused:
        unlike_now(site, at_work, "pi@hub")
    for words in ("192.168.1.20/24", "192.168.0.20", "nothing was changed", "unlike_now = true"):
        assert words in str(refused.value)
    other = load(write_site(tmp_path, wired(gateway="192.168.1.254")))
    with pytest.raises(ProvisioningError, match=r"gateway 192\.168\.1\.254, and today it is 192\.168\.1\.1"):
        unlike_now(other, replace(SEEN, hub="rose-house.hub-1"), "pi@hub")
    # Meant; set up at the office, before it is a hub and again after; as it is now; nothing known of it.
    meant = load(write_site(tmp_path, wired(", unlike_now = true")))
    for file, seen in (
        (meant, at_work), (site, replace(at_work, hub="")),
        (site, replace(at_work, wired="192.168.1.20/24,192.168.1.1")),
    ):  # fmt: skip
        (said,) = unlike_now(file, seen, "pi@hub")
        assert "is not in that network today: it has 192.168.0.20, 10.8.0.5; it holds from" in said
    assert unlike_now(site, replace(SEEN, hub="rose-house.hub-1"), "pi@hub") == []
    unknown = replace(at_work, connection="", addresses=["169.254.3.4/16", "fd00::2/64"], gateways=[])
    assert unlike_now(site, unknown, "pi@hub") == []
    assert unlike_now(load(write_site(tmp_path)), at_work, "pi@hub") == []
