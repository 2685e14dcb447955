"""How long certificates are good: read from real ones, near their end and beyond it."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from hub.clock import now
from hub.configuration import file as config
from hub.uplink.broker import Broker
from hub.uplink.certificate import (
    FAIL_BEFORE,
    WARN_BEFORE,
    CertificateError,
    certificates,
    end_of,
    ends_of_file,
    warnings,
    watch,
)
from hub.uplink.errors import BrokerError
from tests.rigs.broker import Mosquitto, until
from tests.rigs.certificates import Authority
from tests.rigs.forwarding import settings

BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def named(certificate: Path | None, key: Path | None, ca: Path | None) -> config.Broker:
    return settings("h", 1, tls=True, ca_file=ca, certificate_file=certificate, key_file=key)


@pytest.mark.parametrize(
    "ends",
    [
        datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC),  # UTCTime
        datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC),  # the last that is UTCTime
        datetime(2050, 1, 1, tzinfo=UTC),  # GeneralizedTime
        datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),  # RFC 5280, 4.1.2.5: no well-defined end
    ],
)
def test_the_end_is_what_the_certificate_says(authority: Authority, ends: datetime) -> None:
    certificate, _ = authority.certify("hub", ends=ends)
    assert ends_of_file(certificate) == [ends]


def test_every_authority_of_a_system_is_read_as_another_library_reads_it(authority: Authority) -> None:
    """Certificates of many makers and ages; where a system has none, the test's own."""
    bundle = BUNDLE if BUNDLE.exists() else authority.certificate
    theirs = [known.not_valid_after_utc for known in x509.load_pem_x509_certificates(bundle.read_bytes())]
    assert ends_of_file(bundle) == theirs


@given(st.binary(max_size=200))
def test_bytes_that_are_no_certificate_are_an_error_and_nothing_else(data: bytes) -> None:
    with suppress(ValueError):
        assert end_of(data).tzinfo is UTC


@given(st.data())
def test_a_certificate_that_was_damaged_is_read_or_is_an_error(data: st.DataObject) -> None:
    whole = bytes.fromhex(_WHOLE)
    place = data.draw(st.integers(0, len(whole) - 1))
    damaged = whole[:place] + bytes([data.draw(st.integers(0, 255))]) + whole[place + 1 :]
    for bad in (damaged, whole[:place]):
        with suppress(ValueError):
            assert end_of(bad).tzinfo is UTC


# Both sequences, version 3, serial number 1, an empty signature and issuer, and each kind of time.
_WHOLE = (
    "3030" + "302e" + "a003020102" + "020101" + "3000" + "3000"
    + "3020" + "170d" + b"260101000000Z".hex() + "180f" + b"20500101000000Z".hex()
)  # fmt: skip


def test_the_form_written_by_hand_is_read() -> None:
    assert end_of(bytes.fromhex(_WHOLE)) == datetime(2050, 1, 1, tzinfo=UTC)


def test_what_ends_first_ends_the_hubs_chain_and_what_ends_last_its_authorities(
    tmp_path: Path, authority: Authority
) -> None:
    soon, late = now() + timedelta(days=10, hours=1), now() + timedelta(days=100, hours=1)
    (first, key), (second, _) = authority.certify("a", ends=late), authority.certify("b", ends=soon)
    both = tmp_path / "both.pem"
    both.write_text("a remark\n" + first.read_text() + second.read_text())
    found = certificates(named(both, key, both))
    assert found.own is not None
    assert found.authority is not None
    assert (found.own.days_left(now()), found.authority.days_left(now())) == (10, 100)
    assert found.data(now())["certificate"] == {"ends": found.own.ends.isoformat(), "days_left": 10}


def test_without_files_there_is_nothing_to_say() -> None:
    found = certificates(named(None, None, None))
    assert (found.all, found.problems, warnings(found, now())) == ((), (), [])
    assert found.data(now()) == {"certificate": None, "authority": None}


@pytest.mark.parametrize(
    "content", [None, "rubbish", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"]
)
def test_a_file_that_cannot_be_read_is_named_and_no_fault_of_the_hub(
    tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "hub.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(CertificateError, match=r"hub\.pem"):
        ends_of_file(path)
    found = certificates(named(path, path, path))
    assert found.own is None
    assert len(found.problems) == 2
    assert "hub.pem" in warnings(found, now())[0][1]


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (WARN_BEFORE + timedelta(hours=1), None),
        (WARN_BEFORE - timedelta(hours=1), "in 29 day(s): renew it"),
        (FAIL_BEFORE - timedelta(hours=1), "in 6 day(s): renew it"),
        (timedelta(hours=-1), "not renewed by itself any more; run 'carehub provision'"),
    ],
)
async def test_from_thirty_days_before_its_end_the_log_says_so_once(
    authority: Authority, caplog: pytest.LogCaptureFixture, left: timedelta, said: str | None
) -> None:
    certificate, key = authority.certify("hub", ends=now() + left)
    watching = asyncio.create_task(watch(named(certificate, key, None)))
    with suppress(TimeoutError):
        await until(lambda: caplog.records, 0.3 if said is None else 10)
    watching.cancel()
    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    if said is None:
        assert lines == []
    else:
        (line,) = lines
        assert said in line
        assert str(certificate) in line


async def test_it_looks_each_hour_and_says_it_each_day(
    authority: Authority, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = authority.certify("hub", ends=now() + timedelta(days=5))
    moments = [datetime(2026, 3, 1, tzinfo=UTC) + timedelta(hours=hour) for hour in range(49)]
    monkeypatch.setattr("hub.uplink.certificate.now", lambda: moments.pop(0))
    monkeypatch.setattr("hub.uplink.certificate.WARN_BEFORE", timedelta(days=10_000))
    monkeypatch.setattr("hub.uplink.certificate._LOOK_EVERY", timedelta(0))
    with suppress(IndexError):
        await watch(named(certificate, key, None))
    assert len(caplog.records) == 3


async def test_a_certificate_renewed_on_the_disk_is_used_at_the_next_connection(
    tmp_path: Path, authority: Authority
) -> None:
    certificate, key = authority.certify("broker", address="127.0.0.1")
    own, own_key = authority.certify("hub", ends=now() - timedelta(hours=1))
    lines = [f"certfile {certificate}", f"keyfile {key}", f"cafile {authority.certificate}"]
    with Mosquitto(tmp_path / "broker", [*lines, "require_certificate true"]) as mosquitto:
        broker = Broker(
            settings(
                mosquitto.host, mosquitto.port, tls=True, ca_file=authority.certificate,
                certificate_file=own, key_file=own_key,
            ),
            "hub",
        )  # fmt: skip
        with pytest.raises(BrokerError, match="has expired"):
            async with broker.connect():
                pass
        assert authority.certify("hub") == (own, own_key)
        async with broker.connect():
            pass
