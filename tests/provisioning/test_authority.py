"""provisioning/broker/authority.sh: the certificates that an administrator makes with it."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SCRIPT = Path(__file__).parents[2] / "provisioning" / "broker" / "authority.sh"


def script(directory: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPT, directory, *arguments], capture_output=True, text=True, check=False, timeout=30
    )


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    directory = tmp_path / "authority"
    assert script(directory, "begin").returncode == 0
    return directory


def read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def common_name(certificate: x509.Certificate) -> object:
    return certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value


def test_keys_are_for_their_owner_only_and_certificates_verify_strictly(authority: Path) -> None:
    assert script(authority, "broker", "mqtt.ics.example", "192.0.2.7", "2001:db8::7").returncode == 0
    assert script(authority, "client", "rose-house.hub-1").returncode == 0
    for key in authority.glob("*.key"):
        assert key.stat().st_mode & 0o077 == 0, key
    names = ("mqtt.ics.example", "rose-house.hub-1")
    verify = ["openssl", "verify", "-x509_strict", "-CAfile", "ca.crt", *(f"{name}.crt" for name in names)]
    subprocess.run(verify, cwd=authority, check=True, capture_output=True)
    broker = read(authority / "mqtt.ics.example.crt")
    told = broker.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert told.get_values_for_type(x509.DNSName) == ["mqtt.ics.example"]
    assert [str(address) for address in told.get_values_for_type(x509.IPAddress)] == [
        "192.0.2.7",
        "2001:db8::7",
    ]


def test_what_a_certificate_is_for_is_said_in_it(authority: Path) -> None:
    script(authority, "broker", "mqtt.ics.example")
    script(authority, "client", "hub")
    for name, purpose in (
        ("mqtt.ics.example", ExtendedKeyUsageOID.SERVER_AUTH),
        ("hub", ExtendedKeyUsageOID.CLIENT_AUTH),
    ):
        extensions = read(authority / f"{name}.crt").extensions
        assert list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [purpose]
        assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_a_hub_sends_its_request_and_the_authority_alone_says_who_it_is(
    tmp_path: Path, authority: Path
) -> None:
    """What a request claims of its name and its rights is not believed."""
    there = tmp_path / "hub"
    assert script(there, "request", "ics-desk").returncode == 0
    assert script(authority, "sign", there / "ics-desk.csr", "rose-house.hub-1").returncode == 0
    assert common_name(read(authority / "rose-house.hub-1.crt")) == "rose-house.hub-1"
    assert not (authority / "rose-house.hub-1.key").exists(), "no key has travelled"


def test_what_is_made_by_a_clock_that_is_ahead_is_valid_where_it_is_not(authority: Path) -> None:
    """Of a list of the revoked that is not valid yet mosquitto keeps everybody out."""
    script(authority, "client", "hub")
    certificate = read(authority / "hub.crt")
    revoked = x509.load_pem_x509_crl((authority / "revoked.crl").read_bytes())
    now, hours = datetime.now(UTC), timedelta(hours=1)
    for begins, ends, before, days in (
        (certificate.not_valid_before_utc, certificate.not_valid_after_utc, 1 * hours, 825),
        (revoked.last_update_utc, revoked.next_update_utc, 24 * hours, 3650),
    ):
        assert ends is not None
        assert abs(now - begins - before) < timedelta(minutes=2)
        assert abs(ends - now - timedelta(days=days)) < timedelta(minutes=2)
    verify = ["openssl", "verify", "-x509_strict", "-crl_check", "-CAfile", "ca.crt", "-CRLfile"]
    subprocess.run([*verify, "revoked.crl", "hub.crt"], cwd=authority, check=True, capture_output=True)


def test_what_is_revoked_is_on_the_list_and_stays_when_the_list_is_made_anew(authority: Path) -> None:
    script(authority, "client", "lost")
    assert script(authority, "revoke", "lost").returncode == 0
    assert script(authority, "revocations").returncode == 0
    revoked = x509.load_pem_x509_crl((authority / "revoked.crl").read_bytes())
    serial = read(authority / "lost.crt").serial_number
    assert revoked.get_revoked_certificate_by_serial_number(serial) is not None
    assert len(list(revoked)) == 1


@pytest.mark.parametrize("name", ["", "a/b", "a b", "#", "-x", "a\nb", "x" * 65])
def test_a_name_that_is_none_is_refused(authority: Path, name: str) -> None:
    ended = script(authority, "client", name)
    assert ended.returncode == 1
    assert "authority.sh" in ended.stderr
    assert list(authority.glob("*.csr")) == []


@pytest.mark.parametrize("act", ["client", "broker"])
def test_nobody_gets_the_name_of_the_authoritys_own_files(authority: Path, act: str) -> None:
    before = {name: (authority / name).read_bytes() for name in ("ca.key", "ca.crt")}
    ended = script(authority, act, "ca")
    assert ended.returncode == 1
    assert "the authority's own name" in ended.stderr
    assert {name: (authority / name).read_bytes() for name in before} == before


def test_an_authority_is_never_made_over_another(authority: Path) -> None:
    before = (authority / "ca.crt").read_bytes()
    ended = script(authority, "begin")
    assert ended.returncode == 1
    assert "already" in ended.stderr
    assert (authority / "ca.crt").read_bytes() == before
