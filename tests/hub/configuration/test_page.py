"""Where the staff page may be served, and for how long somebody stays signed in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from hub.configuration.file import load
from hub.configuration.page import Page
from hub.web.serving import PageError, certificate_of
from tests.rigs.house import write_configuration


def wrong(**said: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        Page(**said)
    return str(caught.value)


def test_without_tls_it_is_for_this_machine_only() -> None:
    """Whoever is on the home's network could read PINs."""
    for address in ("0.0.0.0", "192.168.1.20", "::", "::ffff:10.0.0.1"):
        assert "set tls = true" in wrong(tls=False, address=address)
    for address in ("127.0.0.1", "::1"):
        assert not Page(tls=False, address=address).tls


@pytest.mark.parametrize(
    "said",
    [
        {"address": "hub.local"}, {"port": 0}, {"port": 65536}, {"certificate_file": "x"}, {"key_file": "x"},
        {"tls": False, "address": "127.0.0.1", "certificate_file": "x", "key_file": "y"},
        {"names": ["a b"]}, {"names": ["hub.local:8443"]}, {"names": ["*"]}, {"idle": "10 s"},
        {"signed_in_for": "2 d"}, {"pin": "481620"},
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(said: dict[str, Any]) -> None:
    wrong(**said)


def test_the_certificate_is_the_pages_or_the_brokers(tmp_path: Path) -> None:
    without = load(write_configuration(tmp_path))
    with pytest.raises(PageError, match=r"page\.certificate_file"):
        certificate_of(without)
    own = load(write_configuration(tmp_path, '[page]\ncertificate_file = "a"\nkey_file = "b"\n'))
    assert certificate_of(own) == (Path("a"), Path("b"))
    brokers = own.broker.model_copy(update={"certificate_file": Path("c"), "key_file": Path("d")})
    both = own.model_copy(update={"broker": brokers})
    assert certificate_of(both) == (Path("a"), Path("b"))
    assert certificate_of(without.model_copy(update={"broker": brokers})) == (Path("c"), Path("d"))
    plain = load(write_configuration(tmp_path, '[page]\ntls = false\naddress = "127.0.0.1"\n'))
    assert certificate_of(plain) is None
