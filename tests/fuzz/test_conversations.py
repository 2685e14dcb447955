"""The fuzzer of serial conversations finds what is planted, and nothing in the drivers."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from drivers import onetouch_link
from drivers.catalogue import DRIVERS
from drivers.contec_cms50 import Cms50Conversation
from drivers.onetouch_ultra_easy import MeterConversation
from drivers.serial_line import Conversation, Heard, SerialDriver
from tests.fuzz.conversations import damaged_blocks, fuzz_line, mutated_blocks, talked
from tests.fuzz.framers import size_of
from tests.fuzz.invariant import BrokenInvariantError
from tests.fuzz.lines import LINES

ENOUGH = 60_000
SERIAL = [name for name, entry in DRIVERS.items() if isinstance(entry, SerialDriver)]


def serial_driver(name: str, converse: Callable[[], Conversation] | None = None) -> SerialDriver:
    entry = DRIVERS[name]
    assert isinstance(entry, SerialDriver)
    return entry if converse is None else replace(entry, converse=converse)


def test_each_serial_driver_has_its_line() -> None:
    assert set(SERIAL) == LINES.keys()


@pytest.mark.parametrize("name", SERIAL)
def test_no_conversation_of_the_catalogue_breaks_an_invariant(name: str) -> None:
    outcome = fuzz_line(serial_driver(name), ENOUGH, 1)
    assert outcome.noise > ENOUGH - 2 * len(LINES[name])
    assert outcome.damaged > ENOUGH // 4
    assert outcome.usable == 0, "a reading was made of noise"


@pytest.mark.parametrize("name", SERIAL)
def test_what_streams_are_damaged_was_heard_of_a_sensor_that_is_read(name: str) -> None:
    for line in LINES[name]:
        talk = talked(serial_driver(name), line, 30.0)
        stream = b"".join(said for _, said in talk)
        for blocks in (mutated_blocks, damaged_blocks):
            assert sum(map(len, blocks(Random(1), stream, ENOUGH))) >= ENOUGH
        if line.right is not None:
            assert line.right(stream)
            assert sum(map(line.right, damaged_blocks(Random(1), stream, ENOUGH))) == 0


class Fragile(MeterConversation):
    """Trusts that what begins like a packet is one."""

    def hear(self, octets: bytes, at: float) -> Heard:
        return super().hear(octets, at + (1 / octets[octets.index(2) + 1] if b"\x02" in octets[:-1] else 0.0))


class Swallower(MeterConversation):
    """Keeps all that it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.swallowed: list[bytes] = []

    def hear(self, octets: bytes, at: float) -> Heard:
        self.swallowed.append(octets)
        return super().hear(octets, at)


class Offended(Cms50Conversation):
    """Hears nothing for a second once it has heard what it did not understand."""

    def __init__(self) -> None:
        super().__init__()
        self.deaf_until = 0.0

    def hear(self, octets: bytes, at: float) -> Heard:
        passed_over = self.passed_over
        if at < self.deaf_until:
            return Heard()
        heard = super().hear(octets, at)
        if self.passed_over > passed_over:
            self.deaf_until = at + 1.0
        return heard


class Misled(Cms50Conversation):
    """Once it has heard noise, reads a saturation of one percent more."""

    def hear(self, octets: bytes, at: float) -> Heard:
        heard = super().hear(octets, at)
        return heard._replace(payloads=tuple(map(_one_more, heard.payloads))) if self.passed_over else heard


def _one_more(told: tuple[str, bytes]) -> tuple[str, bytes]:
    characteristic, payload = told
    return characteristic, payload[:3] + bytes([min(payload[3] + 1, 255)]) + payload[4:]


@pytest.mark.parametrize(
    ("name", "broken", "said"),
    [
        ("onetouch_ultra_easy", Fragile, "raises ZeroDivisionError"),
        ("onetouch_ultra_easy", Swallower, "holds"),
        ("contec_cms50", Offended, "are lost after noise"),
        ("contec_cms50", Misled, "is read after noise for"),
    ],
)
def test_a_broken_conversation_is_caught(name: str, broken: Callable[[], Conversation], said: str) -> None:
    with pytest.raises(BrokenInvariantError, match=said):
        fuzz_line(serial_driver(name, broken), 10 * ENOUGH, 1)


def test_a_checksum_that_is_not_looked_at_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onetouch_link, "_is_whole", lambda packet: packet[-3] == 3)
    with pytest.raises(BrokenInvariantError, match="frames are believed of a block that has"):
        fuzz_line(serial_driver("onetouch_ultra_easy"), ENOUGH, 1)


def test_the_size_of_a_conversation_counts_what_its_questions_hold() -> None:
    def asking() -> object:
        held = bytearray(10_000)
        yield held[:1]

    question = asking()
    next(question)  # type: ignore[call-overload]  # it is a generator, of which the function says nothing
    assert size_of([question]) > 10_000


def test_one_command_fuzzes_the_decoders_of_a_serial_driver_and_its_conversation() -> None:
    command = [sys.executable, "-m", "tests.fuzz", "onetouch_ultra_easy", "--payloads", "3000"]
    said = subprocess.run(
        command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    ).stdout
    assert "onetouch_ultra_easy record: 3,000 payloads: " in said
    assert "onetouch_ultra_easy, its conversation: 3,000 random bytes" in said
    assert "nothing broke an invariant" in said
