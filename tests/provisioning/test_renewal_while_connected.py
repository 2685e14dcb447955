"""A hub's certificate is renewed while it is connected: over a real mosquitto with mutual TLS."""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from hub.uplink.broker import Broker
from hub.uplink.errors import BrokerError
from provisioning.authority import Authority
from provisioning.keeper.identity import ensure
from provisioning.keeper.places import Places
from provisioning.keeper.resources import Identity
from tests.rigs.forwarding import event
from tests.rigs.recommended_broker import HUB, OWN, AuthorityScript, ClientFiles, RecommendedBroker


@pytest.fixture
def places(tmp_path: Path) -> Places:
    places = Places(tmp_path / "machine")
    places.etc.mkdir(parents=True)
    (places.root / "etc/group").write_text(f"carehub:x:{os.getegid()}:\n")
    return places


async def test_a_renewed_certificate_is_used_at_the_next_connection_and_no_connection_is_dropped_for_it(
    tmp_path: Path, places: Places
) -> None:
    script = AuthorityScript(tmp_path / "authority")
    authority = Authority(script.directory)
    (places.etc / "ca.crt").write_text(authority.ca_pem)
    request = ensure(places, Identity(HUB), dry_run=False).request
    ensure(places, Identity(HUB, certificate=authority.sign_hub(request, HUB)), dry_run=False)
    current = places.identity / "current"
    files = ClientFiles(places.etc / "ca.crt", current / "hub.crt", current / "hub.key")
    old = ClientFiles(files.ca, current.resolve() / "hub.crt", current.resolve() / "hub.key")
    with RecommendedBroker(tmp_path / "broker", script) as broker:
        # The loop stands still while openssl works; by five seconds of keepalive it would be hung up on.
        hub = Broker(files.settings(broker.port, keepalive=timedelta(minutes=5)), HUB)
        async with hub.connect() as connection:
            await connection.publish(f"{OWN}/status", event(1))
            renewal = Identity(HUB, renew_days=5000)
            request = ensure(places, renewal, dry_run=False).request
            authority.revoke(HUB)  # so that only a connection with the new one can succeed
            renewed = Identity(HUB, certificate=authority.sign_hub(request, HUB))
            assert ensure(places, renewed, dry_run=False).change == "changed"
            await connection.publish(f"{OWN}/status", event(2))
        broker.reload()
        with pytest.raises(BrokerError):
            async with Broker(old.settings(broker.port), HUB).connect() as refused:
                await refused.publish(f"{OWN}/status", event(3))
        async with hub.connect() as connection:
            await connection.publish(f"{OWN}/status", event(4))


async def test_a_hub_may_publish_as_soon_as_it_is_certified_where_the_authority_publishes(
    tmp_path: Path, places: Places
) -> None:
    """By the program that brings the access list to the broker, as the broker's README has it."""
    name = "elm-house.hub-1"
    script = AuthorityScript(tmp_path / "authority")
    authority = Authority(script.directory)
    (places.etc / "ca.crt").write_text(authority.ca_pem)
    current = places.identity / "current"
    files = ClientFiles(places.etc / "ca.crt", current / "hub.crt", current / "hub.key")
    with RecommendedBroker(tmp_path / "broker", script) as broker:
        assert broker._process is not None
        publish = script.directory / "publish"
        acl = Path(__file__).parents[2] / "provisioning/broker/acl.py"
        publish.write_text(
            f"#!/bin/sh -e\n{sys.executable} {acl} clients > {broker.access}\n"
            f"kill -HUP {broker._process.pid}\n"
        )
        publish.chmod(0o700)
        request = ensure(places, Identity(name), dry_run=False).request
        certificate = authority.sign_hub(request, name)
        ensure(places, Identity(name, certificate=certificate), dry_run=False)
        async with Broker(files.settings(broker.port), name).connect() as connection:
            await connection.publish("careport/v1/elm-house/hub-1/status", event(1))
            with pytest.raises(BrokerError):
                await connection.publish(f"{OWN}/status", event(2))
