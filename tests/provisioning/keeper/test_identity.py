"""The hub's key and certificate on its machine, with the real openssl and the programme's own authority."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from provisioning.authority import Authority
from provisioning.keeper import certificates
from provisioning.keeper.identity import ensure
from provisioning.keeper.places import Places
from provisioning.keeper.resources import Identity, Outcome
from tests.rigs.claiming import certified

NAME = "rose-house.hub-1"
GROUP = 4711


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    authority = Authority(tmp_path_factory.mktemp("authority") / "ca")
    authority.begin()
    return authority


@pytest.fixture
def places(tmp_path: Path, authority: Authority) -> Places:
    places = Places(tmp_path / "machine")
    places.etc.mkdir(parents=True)
    (places.root / "etc/group").write_text(f"carehub:x:{GROUP if os.geteuid() == 0 else os.getegid()}:\n")
    (places.etc / "ca.crt").write_text(authority.ca_pem)
    return places


@pytest.fixture(autouse=True)
def answers_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """What openssl said once of the same files it is not asked again; what it writes, it writes each time."""
    ask, known = certificates._run, dict[tuple[object, ...], subprocess.CompletedProcess[str]]()

    def run_once(*arguments: str, text: str) -> subprocess.CompletedProcess[str]:
        if "-out" in arguments:
            return ask(*arguments, text=text)
        files = (Path(each) for each in arguments)
        read = (file.read_bytes() if file.is_file() else str(file) for file in files)
        about = (*read, text)
        known[about] = known.get(about) or ask(*arguments, text=text)
        return known[about]

    monkeypatch.setattr(certificates, "_run", run_once)


def run(places: Places, certificate: str = "", *, dry: bool = False, **changes: Any) -> Outcome:
    return ensure(places, Identity(**{"name": NAME, "certificate": certificate, **changes}), dry_run=dry)


def provisioned(places: Places, authority: Authority, name: str = NAME, days: int = 825) -> Outcome:
    """Both runs of an engineer's `provision`."""
    request = run(places, name=name).request
    assert request
    return run(places, authority.sign_hub(request, name, days=days), name=name)


def test_the_hubs_authority_may_be_another_than_the_brokers(
    places: Places, authority: Authority, tmp_path: Path
) -> None:
    brokers = Authority(tmp_path / "ics")
    brokers.begin()
    (places.etc / "ca.crt").write_text(brokers.ca_pem)
    request = run(places).request
    assert run(places, authority.sign_hub(request, NAME)).change == "failed", "nobody said whose it is"
    (places.etc / "authority.crt").write_text(authority.ca_pem)
    assert run(places, authority.sign_hub(request, NAME)).change == "changed"
    assert run(places).change == "none"
    refused = run(places, brokers.sign_hub(run(places, renew_days=1000).request, NAME))
    assert (refused.change, "authority.crt" in refused.detail) == ("failed", True)


def pair_in_force(places: Places) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """It, if the two belong together."""
    current = places.identity / "current"
    certificate = x509.load_pem_x509_certificate((current / "hub.crt").read_bytes())
    key = serialization.load_pem_private_key((current / "hub.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert certificate.public_key() == key.public_key()
    return certificate, key


def everything(places: Places) -> dict[str, bytes]:
    return {
        str(path.relative_to(places.etc)): path.read_bytes()
        for path in sorted(places.etc.rglob("*"))
        if path.is_file()
    }


def test_a_bare_machine_makes_a_key_and_asks_for_its_certificate(places: Places) -> None:
    outcome = run(places)
    assert (outcome.change, outcome.title) == ("changed", f"identity {NAME}")
    request = x509.load_pem_x509_csr(outcome.request.encode())
    assert request.is_signature_valid
    assert request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == NAME
    public = request.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    assert isinstance(public.curve, ec.SECP256R1)
    assert not (places.identity / "current").exists()


def test_a_request_waits_over_runs_and_stays_the_same(places: Places) -> None:
    first = run(places)
    before = everything(places)
    again, dry = run(places), run(places, dry=True)
    assert again.change == dry.change == "none"
    assert first.request == again.request == dry.request
    assert everything(places) == before


def test_a_dry_run_says_what_would_be_and_touches_nothing(places: Places, authority: Authority) -> None:
    before = everything(places)
    assert run(places, dry=True).change == "would change"
    assert everything(places) == before
    certificate = authority.sign_hub(run(places).request, NAME)
    before = everything(places)
    assert run(places, certificate, dry=True).change == "would change"
    assert everything(places) == before


def test_its_certificate_is_taken_up_and_then_nothing_changes(places: Places, authority: Authority) -> None:
    certificate = authority.sign_hub(run(places).request, NAME)
    assert run(places, certificate).change == "changed"
    pair_in_force(places)
    before = everything(places)
    for outcome in (run(places, certificate), run(places), run(places, dry=True)):
        assert outcome.change == "none"
        assert not outcome.request
        assert "good until" in outcome.detail
    assert everything(places) == before


def test_the_hub_may_read_its_key_and_nobody_else(places: Places, authority: Authority) -> None:
    provisioned(places, authority)
    current = places.identity / "current"
    for path, mode in ((current / "hub.key", 0o640), (places.identity, 0o750), (current.resolve(), 0o750)):
        found = path.stat()
        assert stat.S_IMODE(found.st_mode) == mode, path
        if os.geteuid() == 0:
            assert (found.st_uid, found.st_gid) == (0, GROUP), path


def test_what_nears_its_end_asks_for_another_with_a_new_key_and_goes_on_meanwhile(
    places: Places, authority: Authority
) -> None:
    provisioned(places, authority, days=20)
    old, old_key = pair_in_force(places)
    assert run(places, renew_days=10).change == "none"
    request = run(places, renew_days=30).request
    assert request
    assert pair_in_force(places)[0] == old
    assert run(places, authority.sign_hub(request, NAME)).change == "changed"
    new, new_key = pair_in_force(places)
    assert new.not_valid_after_utc > old.not_valid_after_utc
    assert new_key.public_key() != old_key.public_key()


def test_in_another_machine_a_new_key_is_made_whatever_is_there_or_waits(
    places: Places, authority: Authority
) -> None:
    provisioned(places, authority)
    old, waiting = pair_in_force(places)[0], run(places, renew_days=5000).request
    before = everything(places)
    assert run(places, anew="another machine had this name", dry=True).change == "would change"
    assert everything(places) == before
    asked = run(places, anew="another machine had this name")
    assert asked.change == "changed"
    assert asked.request not in ("", waiting)
    assert pair_in_force(places)[0] == old, "until the next is there"
    again = run(places)
    assert (again.change, again.request) == ("none", asked.request), "the line was cut: it is told again"
    assert run(places, authority.sign_hub(asked.request, NAME)).change == "changed"
    assert pair_in_force(places)[0] != old
    assert not run(places).request


def test_another_name_or_another_authority_asks_for_another_certificate(
    places: Places, authority: Authority, tmp_path: Path
) -> None:
    provisioned(places, authority)
    renamed = run(places, name="oak-house.hub-9")
    assert "is for rose-house.hub-1" in renamed.detail
    assert renamed.request
    assert not run(places).request, "as it was: nothing is needed"
    other = Authority(tmp_path / "other")
    other.begin()
    (places.etc / "ca.crt").write_text(other.ca_pem)
    asked = run(places)
    assert "of no authority" in asked.detail
    assert run(places, other.sign_hub(asked.request, NAME)).change == "changed"
    pair_in_force(places)


def test_one_pair_before_the_present_is_kept_and_no_more(places: Places, authority: Authority) -> None:
    for _ in range(4):
        request = run(places, renew_days=5000).request
        run(places, authority.sign_hub(request, NAME))
    assert len([each for each in places.identity.iterdir() if not each.is_symlink()]) == 2
    pair_in_force(places)


def test_the_same_request_signed_again_gives_its_key_a_new_term(places: Places, authority: Authority) -> None:
    request = run(places).request
    run(places, authority.sign_hub(request, NAME, days=20))
    old, key = pair_in_force(places)
    longer = authority.sign_hub(request, NAME, days=400)
    assert run(places, longer).change == "changed"
    new, same_key = pair_in_force(places)
    assert new != old
    assert key.public_key() == same_key.public_key()
    shorter = authority.sign_hub(request, NAME, days=30)
    assert run(places, shorter).change == "none"
    assert pair_in_force(places)[0] == new


# --- what is refused, and leaves the old one in force


@pytest.fixture
def request_beside(places: Places, authority: Authority) -> str:
    """A machine with a pair in force, whose request for the next one waits."""
    provisioned(places, authority)
    return run(places, renew_days=5000).request


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "oak-house.hub-1"}, "is for oak-house.hub-1"),
        ({"ends": timedelta(days=-1)}, "ended on"),
    ],
)
def test_a_certificate_that_is_wrong_is_refused_in_words(
    places: Places, authority: Authority, request_beside: str, changes: dict[str, Any], words: str
) -> None:
    before = everything(places)
    outcome = run(places, certified(authority, request_beside, **changes))
    assert outcome.change == "failed"
    assert words in outcome.detail
    assert "the old one stays" in outcome.detail
    assert everything(places) == before


def test_what_is_of_another_key_or_authority_or_none_at_all_is_refused(
    places: Places, authority: Authority, request_beside: str, tmp_path: Path
) -> None:
    other = Authority(tmp_path / "other")
    other.begin()
    before = everything(places)
    for wrong, words in (
        (other.sign_hub(request_beside, NAME), "of no authority"),
        (authority.client("ics-desk").read_text(), "of no key that waits"),
        ("no certificate", "no certificate in PEM"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "no certificate in PEM"),
    ):
        outcome = run(places, wrong)
        assert outcome.change == "failed"
        assert words in outcome.detail
        assert everything(places) == before
    pair_in_force(places)


def test_a_clock_that_is_not_set_yet_warns_and_refuses_nothing(
    places: Places, authority: Authority, request_beside: str
) -> None:
    early = certified(authority, request_beside, begins=timedelta(days=2))
    outcome = run(places, early)
    assert outcome.change == "changed"
    assert "is the clock set?" in outcome.detail
    pair_in_force(places)


def test_a_damaged_pair_is_seen_and_mended(places: Places, authority: Authority) -> None:
    provisioned(places, authority)
    (places.identity / "current/hub.key").write_bytes(b"\0" * 200)
    outcome = run(places)
    assert outcome.change == "changed"
    assert run(places, authority.sign_hub(outcome.request, NAME)).change == "changed"
    pair_in_force(places)


# --- power cuts

_CHANGES = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "os.chmod", "os.chown"}


def cut_at(places: Places, step: int, certificate: str = "") -> bool:
    """Run it in a process that ends, without another word, before that change; whether it came so far."""
    child = os.fork()
    if child == 0:
        left = [step]

        def cut(event: str, arguments: tuple[Any, ...]) -> None:
            reads = event == "open" and not arguments[2] & (os.O_WRONLY | os.O_RDWR)
            ours = event in _CHANGES and str(places.root) in str(arguments[:2])
            makes = event == "subprocess.Popen" and "-out" in arguments[1]
            if reads or not (ours or makes):
                return
            if left[0] == 0:
                os._exit(9)
            left[0] -= 1

        sys.addaudithook(cut)
        try:
            run(places, certificate)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def test_whenever_the_power_goes_a_whole_pair_is_in_force_and_the_next_run_goes_on(
    places: Places, authority: Authority
) -> None:
    provisioned(places, authority, days=20)
    old, _ = pair_in_force(places)
    kept, steps = places.root.with_name("kept"), 0
    shutil.copytree(places.root, kept, symlinks=True)
    while cut_at(places, steps):
        assert pair_in_force(places)[0] == old
        assert run(places).request
        shutil.rmtree(places.root)
        shutil.copytree(kept, places.root, symlinks=True)
        steps += 1
    assert steps >= 6, "making a key and a request was cut in few places"

    certificate = authority.sign_hub(run(places).request, NAME)
    shutil.rmtree(kept)
    shutil.copytree(places.root, kept, symlinks=True)
    steps = 0
    while cut_at(places, steps, certificate):
        pair_in_force(places)
        again = run(places) if steps % 2 else run(places, certificate)
        assert again.change in ("none", "changed")
        if again.request:
            run(places, certificate)
        assert pair_in_force(places)[0] == x509.load_pem_x509_certificate(certificate.encode())
        shutil.rmtree(places.root)
        shutil.copytree(kept, places.root, symlinks=True)
        steps += 1
    assert steps >= 4, "taking a certificate up was cut in few places"
