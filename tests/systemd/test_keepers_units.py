"""The unit that fetches releases: what talks to the network there is nobody, and what is root does not."""

from __future__ import annotations

from provisioning.keeper.centre import ORDER_NAME
from provisioning.keeper.fetch import PACE, REQUEST_NAME
from tests.systemd.test_units import analyzed
from tests.systemd.units import SYSTEMD, seconds, setting, settings

FETCH, WATCH = "keeper/carehub-fetch.service", "keeper/carehub-fetch.path"


def test_its_exposure_is_two_at_the_most() -> None:
    said = analyzed("security", "--offline=yes", "--no-pager", "--threshold=20", SYSTEMD / FETCH)
    assert said.returncode == 0, said.stdout[-300:]


def test_what_talks_to_the_network_has_no_rights_and_sees_nothing_of_the_hubs() -> None:
    assert setting(FETCH, "DynamicUser") == "yes"
    assert setting(FETCH, "CapabilityBoundingSet") == ""
    assert set(setting(FETCH, "InaccessiblePaths").split()) == {"/var/lib/carehub", "/etc/carehub"}
    assert setting(FETCH, "ExecStart") == "/usr/lib/carehub/keeper fetch"
    assert setting(FETCH, "ExecStartPre") == "+/usr/lib/carehub/keeper fetch --take"
    assert setting(FETCH, "ExecStopPost") == "+/usr/lib/carehub/keeper fetch --finish"


def test_it_is_started_by_what_the_hub_leaves_and_by_what_was_interrupted_and_never_without_end() -> None:
    assert settings(WATCH)["PathExists"] == [
        f"/var/lib/carehub/{REQUEST_NAME}",
        f"/var/lib/carehub-keeper/{ORDER_NAME}",
    ]
    assert int(setting(FETCH, "StartLimitBurst")) <= 10
    assert seconds(setting(FETCH, "StartLimitIntervalSec")) >= 600
    assert float(setting(FETCH, "TimeoutStartSec").removesuffix("h")) * 3600 > PACE.gives_up
