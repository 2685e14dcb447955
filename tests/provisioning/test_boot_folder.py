"""What lies on the card goes onto the machine, whenever the power goes, and does not come back."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from hub.configuration.file import ConfigError
from provisioning import first_boot, site_file
from provisioning.authority import Authority
from provisioning.boot_folder import README, REQUEST, SITE, STATUS, Card, Kept, left_of
from provisioning.errors import ProvisioningError
from provisioning.first_boot import forget, take_in
from provisioning.keeper import claim
from provisioning.keeper.places import Places
from provisioning.keeper.resources import Absent, File, Identity, Resource
from provisioning.site_file import Site
from tests.provisioning.test_first_boot_claim import SITE as ONE_SITE

_CUT = 77
_PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
_PASSWORD = "correct horse battery"
_WIFI = '[machine.network]\nwifi = { ssid = "Rose House", password_file = "secrets/wifi" }\n'
_HUB_TOML, _WIFI_FILE = "etc/carehub/hub.toml", "etc/wifi"
_NAMES = {SITE, "ca.crt", "secrets/wifi"}


def put(folder: Path, site: str = ONE_SITE + _WIFI) -> Path:
    (folder / "secrets").mkdir(parents=True, exist_ok=True)
    for name, text in (
        (SITE, site),
        ("ca.crt", _PEM),
        ("secrets/wifi", _PASSWORD),
        (README, "what goes here"),
    ):
        (folder / name).write_text(text)
    return folder


def on_the_card(folder: Path) -> set[str]:
    return {str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file()} - {README, STATUS}


@pytest.fixture(autouse=True)
def _two_files_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What else a machine is to have needs a machine: tests/machine and tests/image."""

    def wanted(_self: object, site: Site, _certificate: str) -> list[Resource]:
        return [File(f"/{_WIFI_FILE}", site.carried.wifi_password), File(f"/{_HUB_TOML}", site.hub_toml)]

    monkeypatch.setattr(first_boot._TakingIn, "_wanted", wanted)


def wants(monkeypatch: pytest.MonkeyPatch, *resources: Resource) -> None:
    monkeypatch.setattr(first_boot._TakingIn, "_wanted", lambda *_: list(resources))


@pytest.fixture(name="machine")
def _machine(tmp_path: Path) -> Places:
    places = Places(tmp_path / "machine")
    places.etc.mkdir(parents=True)
    (places.root / "etc/group").write_text(f"carehub:x:{os.getegid()}:\n")
    return places


@pytest.fixture(name="card")
def _card(tmp_path: Path) -> Path:
    return put(tmp_path / "card")


def cut_after(steps: int, work: Callable[[], object]) -> bool:
    """Do it in a process that ends, without any tidying up, at its so-manieth step; whether it did."""
    child = os.fork()
    if child == 0:
        left = steps

        def counts() -> None:
            nonlocal left
            if left == 0:
                os._exit(_CUT)
            left -= 1

        def counted(function: Callable[..., Any]) -> Callable[..., Any]:
            def step(*arguments: Any, **named: Any) -> Any:
                counts()
                return function(*arguments, **named)

            return step

        def opened(*arguments: Any, **named: Any) -> Any:
            found = opens(*arguments, **named)
            if arguments[1] not in ("r", "rb"):
                counts()  # after it, when it may be shorter
            return found

        for name in ("rename", "fsync", "mkdir", "unlink", "rmdir"):
            setattr(os, name, counted(getattr(os, name)))
        opens, io.open = io.open, opened
        try:
            work()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == _CUT


def loads_once() -> Callable[[Path], Site]:
    """The same files give the same, without reading them as slowly each time."""
    known: dict[str, Site] = {}

    def load(path: Path) -> Site:
        each = sorted(path.parent.rglob("*"))
        content = repr([(file.name, file.read_bytes()) for file in each if file.is_file()])
        if content not in known:
            known[content] = site_file.load(path)
        return known[content]

    return load


def test_wherever_it_is_cut_the_next_start_ends_as_if_it_had_not_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first_boot, "load", loads_once())
    steps = 0
    whole = {name: (put(tmp_path / "whole") / name).stat().st_size for name in _NAMES}
    while True:
        places, folder = Places(tmp_path / f"machine-{steps}"), put(tmp_path / f"card-{steps}")
        was_cut = cut_after(steps, partial(take_in, folder, places, lambda _words: None))
        for name in on_the_card(folder):
            length = (folder / name).stat().st_size
            assert length == whole[name], f"cut after {steps}: {name} lies elsewhere on the card too"
        if was_cut:
            assert (
                on_the_card(folder) or Kept(places).directory.exists() or (places.root / _HUB_TOML).exists()
            )
            again = Kept(places).directory.exists() or (folder / SITE).exists()
            assert not again or take_in(folder, places, lambda _words: None).done, f"cut after {steps}"
        assert not on_the_card(folder), f"cut after {steps}"
        assert not Kept(places).directory.exists()
        assert 'id = "rose-house"' in (places.root / _HUB_TOML).read_text()
        assert (places.root / _WIFI_FILE).read_text() == _PASSWORD
        if not was_cut:
            break
        steps += 1
    assert steps > 40


def test_what_is_private_is_overwritten_where_it_lies(card: Path, machine: Places, tmp_path: Path) -> None:
    for name in _NAMES:
        os.link(card / name, tmp_path / Path(name).name)
    assert take_in(card, machine, print).done
    for name in _NAMES:
        assert not (tmp_path / Path(name).name).read_bytes().strip(b"\0"), name


def test_the_secrets_are_off_the_card_though_something_fails_and_the_next_start_goes_on(
    card: Path, machine: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    (machine.root / "srv").mkdir()
    with monkeypatch.context() as patched:
        wants(patched, Absent("/srv"))
        found = take_in(card, machine, print)
    assert not found.done
    assert "absent /srv" in (card / STATUS).read_text()
    assert not on_the_card(card)
    kept = Kept(machine).directory
    assert kept.stat().st_mode & 0o777 == 0o700
    assert {each.stat().st_mode & 0o777 for each in kept.rglob("*") if each.is_file()} == {0o600}
    assert take_in(card, machine, print).done
    assert (machine.root / _WIFI_FILE).read_text() == _PASSWORD


def test_a_wrong_file_stays_on_the_card_for_whoever_puts_it_right(card: Path, machine: Places) -> None:
    (card / SITE).write_text(ONE_SITE + _WIFI.replace("secrets/wifi", "../wifi"))
    (card.parent / "wifi").write_text(_PASSWORD)
    with pytest.raises(ConfigError, match=r"first-boot.*cannot be read"):
        take_in(card, machine, print)
    assert on_the_card(card) == _NAMES
    assert not Kept(machine).directory.exists()


def test_a_file_of_windows_is_read(card: Path, machine: Places) -> None:
    (card / SITE).write_bytes((ONE_SITE + _WIFI).replace("\n", "\r\n").encode("utf-8-sig"))
    (card / "secrets/wifi").write_bytes(f"{_PASSWORD}\r\n".encode("utf-8-sig"))
    assert take_in(card, machine, print).done
    assert (machine.root / _WIFI_FILE).read_text() == _PASSWORD


def test_what_an_engineer_has_set_up_is_not_overruled_by_the_card(
    card: Path, machine: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    wants(monkeypatch, Identity("rose-house.hub-1"))
    assert REQUEST in take_in(card, machine, print).words
    forget(card, machine)
    assert not on_the_card(card)
    assert not Kept(machine).directory.exists()
    assert "carehub provision" in (card / STATUS).read_text()
    with pytest.raises(ProvisioningError, match=r"site\.toml"):
        take_in(card, machine, print)


def test_not_even_where_the_card_cannot_be_emptied(
    card: Path, machine: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Card, "_writable", _refused)
        with pytest.raises(ProvisioningError, match="cannot be emptied"):
            forget(card, machine)
        with pytest.raises(ProvisioningError, match="cannot be emptied"):
            take_in(card, machine, print)
    assert on_the_card(card) == _NAMES
    assert take_in(card, machine, print).done
    assert not (machine.root / _HUB_TOML).exists()
    assert not on_the_card(card)


def test_a_card_that_cannot_be_emptied_keeps_no_home_without_its_hub(
    card: Path, machine: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Card, "_writable", _refused)
        found = take_in(card, machine, print)
    assert not found.done
    assert "cannot be emptied" in found.words
    assert (machine.root / _HUB_TOML).exists()
    (machine.root / _HUB_TOML).write_text("of the engineer")
    assert take_in(card, machine, print).done
    assert (machine.root / _HUB_TOML).read_text() == "of the engineer"


def test_what_is_put_there_later_is_taken_in(card: Path, machine: Places) -> None:
    assert take_in(card, machine, print).done
    put(card, ONE_SITE.replace("rose-house", "oak-house") + _WIFI)
    assert take_in(card, machine, print).done
    assert 'id = "oak-house"' in (machine.root / _HUB_TOML).read_text()


def test_a_certificate_is_put_beside_what_waits_for_it(
    card: Path, machine: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        wants(patched, Identity("rose-house.hub-1"))
        take_in(card, machine, print)
        asked = (card / REQUEST).read_text()
        (card / "hub.crt").write_text(_PEM)
        take_in(card, machine, print)
    assert asked.startswith("-----BEGIN CERTIFICATE REQUEST")
    assert on_the_card(card) == {REQUEST}
    assert set(Kept(machine).files()) == {*_NAMES, "hub.crt"}
    assert take_in(card, machine, print).done
    assert not on_the_card(card)


def test_while_it_waits_the_card_says_why_and_an_engineer_may_end_it(
    card: Path, machine: Places, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    wants(monkeypatch, Identity("rose-house.hub-1"))
    authority.claims.make("rose-house.hub-1", "https://127.0.0.1:9", card)
    said: list[str] = []

    def provisioned(_seconds: float) -> None:
        said.append((card / STATUS).read_text())
        forget(card, machine)

    monkeypatch.setattr(claim, "redeem", partial(claim.redeem, sleep=provisioned))
    assert take_in(card, machine, print).done
    assert "127.0.0.1:9" in said[0]
    assert "not done yet" in said[0]
    assert "carehub provision" in (card / STATUS).read_text()


def test_what_a_cut_has_left_of_a_file_is_told_from_a_new_one() -> None:
    assert left_of(b"abc", b"abc")
    assert left_of(b"\0b\0", b"abc")
    assert left_of(b"", b"abc")
    assert not left_of(b"abd", b"abc")
    assert not left_of(b"abcd", b"abc")
    assert not left_of(b"abc", None)


def _refused(_card: Card) -> object:
    raise ProvisioningError("the card cannot be emptied: it is read-only")
