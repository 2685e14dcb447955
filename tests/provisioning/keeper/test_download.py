"""What the centre names is brought over real HTTPS, whatever network, power and server do; and what goes
wrong ends in words, and in time."""

from __future__ import annotations

import tarfile
import threading
import time
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from hub.clock import now
from provisioning.keeper import wall_clock
from provisioning.keeper.fetch import Pace, fetch, finish, take
from tests.rigs.certificates import Authority
from tests.rigs.fetching import AT_ONCE, BRIEFLY, Started, allow, ask, brought, large, last, left
from tests.rigs.release_source import ReleaseSource
from tests.rigs.releases import Machine


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sha256": "0" * 64}, "answered 404"),
        ({"version": "9"}, "the centre calls it 9 (two)"),
    ],
)
def test_another_release_than_was_named_is_not_handed_on(
    allowed: Machine, source: ReleaseSource, changes: dict[str, str], words: str
) -> None:
    named = {"sha256": source.serve(allowed.bundle(version="1.1", build="two")), **changes}
    ask(allowed, **named)
    assert brought(allowed).requests == []
    assert last(allowed).outcome == "not fetched"
    assert words in last(allowed).words
    assert left(allowed) == set()


def test_what_lies_under_another_name_is_found_out_before_all_of_it_came(
    allowed: Machine, source: ReleaseSource
) -> None:
    source.serve(large(allowed), "1" * 64)
    source.ends_after = [300_000]  # the rest never comes
    ask(allowed, "1" * 64)
    brought(allowed)
    assert "another release under the name" in last(allowed).words
    assert len(source.asked) == 1


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ({"version": "0.9"}, "is older than"),
        ({"architecture": "riscv64"}, "is for riscv64"),
        ({"readable_from": 99}, "cannot be taken back"),
        ({"size": 1 << 50}, "too little room"),
    ],
)
def test_what_could_not_be_installed_is_not_handed_on(
    allowed: Machine, source: ReleaseSource, made: dict[str, Any], words: str
) -> None:
    allowed.with_hub()
    made = {"version": "1.1", "build": "two", **made}
    ask(allowed, source.serve(allowed.bundle(**made)), version=made["version"])
    assert brought(allowed).requests == []
    assert words in last(allowed).words


def test_an_outage_is_waited_for_and_what_came_before_it_is_not_fetched_again(
    allowed: Machine, source: ReleaseSource
) -> None:
    bundle = large(allowed)
    sha256 = source.serve(bundle)
    source.answers, source.ends_after = [503], [100_000, 350_000]
    ask(allowed, sha256)
    (request,) = brought(allowed).requests
    assert Path(request.bundle).read_bytes() == bundle.read_bytes()
    assert [each for _, each in source.asked] == [None, None, "bytes=100000-", "bytes=450000-"]


def test_a_power_cut_while_it_is_fetched_loses_nothing(allowed: Machine, source: ReleaseSource) -> None:
    bundle = large(allowed)
    source.ends_after = [200_000]
    ask(allowed, source.serve(bundle))
    take(allowed.places, print)
    with pytest.raises(KeyboardInterrupt):
        fetch(allowed.places, _cut, AT_ONCE)
    finish(allowed.places, print, Started(allowed))
    assert left(allowed) == {"order.json"}, "at the next start it goes on"
    (request,) = brought(allowed).requests
    assert Path(request.bundle).read_bytes() == bundle.read_bytes()
    assert source.asked[-1][1] == "bytes=200000-"
    assert left(allowed) == set()


def _cut(_words: str) -> None:
    raise KeyboardInterrupt


def test_pieces_that_do_not_fit_together_are_fetched_anew(
    allowed: Machine, source: ReleaseSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no program is needed for it: ssh-keygen runs for no user that exists only while the unit does."""
    bundle = large(allowed)
    spoilt = allowed.places.cache / f"{source.serve(bundle)}.bundle.part"
    content = bytearray(bundle.read_bytes())
    payload = content.index(b"\x1f\x8b")
    content[payload + 20] ^= 1
    spoilt.write_bytes(content[:300_000])
    ask(allowed, source.serve(bundle))
    monkeypatch.setenv("PATH", "")
    (request,) = brought(allowed).requests
    assert Path(request.bundle).read_bytes() == bundle.read_bytes()
    assert [each for _, each in source.asked] == ["bytes=300000-", None]


def test_what_cannot_be_reached_is_given_up_in_the_end(allowed: Machine, source: ReleaseSource) -> None:
    allow(allowed, "https://127.0.0.1:9/careport", source.ca)
    ask(allowed, "0" * 64)
    assert brought(allowed, BRIEFLY).requests == []
    assert "cannot be reached" in last(allowed).words
    assert left(allowed) == set()


def test_a_server_that_nobody_vouches_for_is_not_believed(allowed: Machine, source: ReleaseSource) -> None:
    allow(allowed, source.address, "")
    ask(allowed, source.serve(allowed.bundle(version="1.1", build="two")))
    assert brought(allowed).requests == []
    assert "its certificate is not trusted" in last(allowed).words
    assert source.asked == []


def test_a_redirection_is_not_followed(allowed: Machine, source: ReleaseSource) -> None:
    source.answers = [301]
    ask(allowed, "0" * 64)
    brought(allowed)
    assert "answered 301" in last(allowed).words


def test_a_line_that_falls_silent_again_and_again_gets_on_all_the_same(
    allowed: Machine, source: ReleaseSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("provisioning.keeper.download._SECONDS", 2.0)
    bundle, left_alone = large(allowed), threading.Event()

    def falls_silent(to: BaseHTTPRequestHandler) -> None:
        content = bundle.read_bytes()
        to.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content) + content[:100_000])
        left_alone.wait(60)

    source.instead = [falls_silent]
    ask(allowed, source.serve(bundle))
    (request,) = brought(allowed).requests
    left_alone.set()
    assert Path(request.bundle).read_bytes() == bundle.read_bytes()
    assert source.asked[-1][1] is not None, "what came before is not fetched again"


# --- servers that mean ill, and words of people that are none


def _member(size: int) -> bytes:
    """The beginning of a bundle, of which the first file has so many bytes, as its header says."""
    entry = tarfile.TarInfo("manifest.json")
    entry.size = size
    return entry.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize("size", [1 << 62, 1 << 63, 1 << 80])
def test_a_file_that_is_larger_than_any_ends_in_words_and_nothing_of_it_is_kept(
    allowed: Machine, source: ReleaseSource, size: int
) -> None:
    (source.directory / f"{'2' * 64}.bundle").write_bytes(_member(size) + bytes(300_000))
    ask(allowed, "2" * 64)
    assert brought(allowed).requests == []
    assert "is no bundle" in last(allowed).words
    assert left(allowed) == set()
    assert [each.name for each in allowed.places.cache.iterdir()] == ["said.json"]


@pytest.mark.parametrize("headers", ["Content-Length: " + "9" * 5000, "Content-Length: \u00b2", "X: x"])
def test_an_answer_that_says_no_length_ends_in_words(
    allowed: Machine, source: ReleaseSource, headers: str
) -> None:
    source.instead = [lambda to: _said(to, f"HTTP/1.1 200 OK\r\n{headers}\r\n\r\n")]
    ask(allowed, "2" * 64)
    assert brought(allowed).requests == []
    assert "does not say how large" in last(allowed).words
    assert left(allowed) == set()


def _said(to: BaseHTTPRequestHandler, text: str) -> None:
    to.wfile.write(text.encode("latin-1"))


def test_what_nobody_foresaw_ends_in_words_too(
    allowed: Machine, source: ReleaseSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise RecursionError("too deep")

    monkeypatch.setattr("provisioning.keeper.download._suits", fails)
    ask(allowed, source.serve(allowed.bundle(version="1.1", build="two")))
    assert brought(allowed).requests == []
    assert last(allowed).words == "it could not be fetched (RecursionError: too deep)"
    assert left(allowed) == set()
    assert [each.name for each in allowed.places.cache.iterdir()] == ["said.json"]


@pytest.mark.parametrize(
    "begins", ["HTTP/1.1 200 OK\r\nX: ", "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n"]
)
def test_a_server_that_says_a_byte_now_and_then_is_given_up_in_time(
    allowed: Machine, source: ReleaseSource, begins: str
) -> None:
    def drips(to: BaseHTTPRequestHandler) -> None:
        _said(to, begins)
        try:
            for _ in range(1200):  # a minute
                _said(to, "x")
                time.sleep(0.05)
        except OSError:
            pass  # it was left

    source.instead = [drips]
    ask(allowed, "2" * 64)
    began = time.monotonic()
    assert brought(allowed, Pace(least=0.01, most=0.02, gives_up=0.3)).requests == []
    assert time.monotonic() - began < 20
    assert last(allowed).outcome == "not fetched"


@pytest.mark.parametrize("host", ["releases..ics.example", f"{'a' * 70}.example"])
def test_a_host_that_can_have_no_such_name_ends_in_words(
    allowed: Machine, source: ReleaseSource, host: str
) -> None:
    allow(allowed, f"https://{host}/careport", source.ca)
    ask(allowed, "2" * 64)
    assert brought(allowed).requests == []
    assert "is no address of a server" in last(allowed).words


def test_what_people_wrote_around_the_brokers_authority_is_no_hindrance(
    allowed: Machine, source: ReleaseSource
) -> None:
    allow(allowed, source.address, f"# Beh\u00f6rde\n{source.ca}")
    ask(allowed, source.serve(allowed.bundle(version="1.1", build="two")))
    assert len(brought(allowed).requests) == 1


def test_an_authority_that_is_spoilt_ends_in_words(allowed: Machine, source: ReleaseSource) -> None:
    allow(allowed, source.address, source.ca.replace("MI", "\u00b5", 1))
    ask(allowed, "2" * 64)
    brought(allowed)
    assert "see broker.ca_file" in last(allowed).words


def test_a_certificate_of_another_time_is_waited_for_while_the_clock_is_not_set(
    allowed: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    pair = authority.certify("source", address="127.0.0.1", ends=now() - timedelta(hours=1))
    with ReleaseSource(tmp_path / "ended", pair=pair) as ended:
        allow(allowed, ended.address, authority.certificate.read_text())
        for name, clock_is_set in (("0", False), ("1", True)):
            path = tmp_path if clock_is_set else tmp_path / "not yet"
            monkeypatch.setattr(wall_clock, "_TIMESYNCD_HAS_SET_IT", path)
            ask(allowed, "2" * 64, name=name * 36)
            brought(allowed, BRIEFLY)
            assert "certificate has expired" in last(allowed).words
            assert ("not set yet; it was tried for" in last(allowed).words) != clock_is_set
