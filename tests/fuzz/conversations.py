"""Serial conversations under noise: any bytes in any pieces, at the pace of their line, and of their sensor.

What must hold: nothing raises; what is given is decoded or refused as of any payload; little is held; no
frame is believed whose checksum is wrong; and when good frames come again, at most one of them is lost. Where
frames have no checksum, noise has some that look good: how many readings come of that is counted and told.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from random import Random

from drivers.serial_line import Conversation, Heard, SerialDriver
from tests.fuzz.corpus import corpus
from tests.fuzz.framers import size_of
from tests.fuzz.invariant import BrokenInvariantError, Check, checker
from tests.fuzz.lines import LINES, Line
from tests.fuzz.payloads import mutated_payloads

_BLOCK = 16 * 1024  # bytes that are looked at together
_SHOWN = 40  # bytes of what was heard, where something is wrong: the seed brings the rest back
_OVERLAP = 512  # bytes: more than any frame
_LONGEST_PIECE = 120  # bytes
_ASKED_EVERY = 0.02  # seconds, while a sensor and a hub talk
_TALK = 30.0  # seconds
_GOOD = 20.0  # seconds of good frames, after which a hub must have found its way back
_NOISE_BEFORE = 3_000  # bytes, at the most
_ONE_TRIAL_IN = 20_000  # bytes

Timed = tuple[float, bytes]
"""Bytes, and the seconds since the beginning at which they came."""


@dataclass(slots=True)
class LineOutcome:
    """What the conversations of one driver went through. `noise` are random bytes, `damaged` those of good
    streams that were changed. `payloads` came of `noise`, `usable` those of them with a value that would be
    scored, in so many `seconds_heard`. `worst` is the most frames lost after noise."""

    driver: str
    noise: int = 0
    damaged: int = 0
    frames: int = 0
    payloads: int = 0
    usable: int = 0
    seconds_heard: float = 0.0
    trials: int = 0
    worst: int = 0
    checksum: bool = False
    seconds: float = 0.0


def fuzz_line(entry: SerialDriver, octets: int, seed: int) -> LineOutcome:
    """Fuzz the conversations of one driver with so many random bytes, and half as many of damaged streams.

    Raises `BrokenInvariantError`.
    """
    begun = time.monotonic()
    lines = LINES[entry.name]
    outcome = LineOutcome(entry.name, checksum=all(line.right for line in lines))
    for number, line in enumerate(lines):
        random = Random(f"{seed} {entry.name} {number}")
        share = octets // len(lines)
        talk = talked(entry, line, _TALK)
        stream = b"".join(said for _, said in talk)
        # As fast as the line is, as of a sensor at another baud rate; and as fast as the sensor is.
        for pace in (entry.settings.baud / 10, len(stream) / _TALK):
            player = Player(entry, line, pace)
            player.play(random_blocks(random, share // 2))
            outcome.noise += player.octets
            outcome.frames += player.frames
            outcome.payloads += player.payloads
            outcome.usable += player.usable
            outcome.seconds_heard += player.at
        for blocks in (mutated_blocks, damaged_blocks):
            player = Player(entry, line, entry.settings.baud / 10)
            player.play(blocks(random, stream, share // 4))
            outcome.damaged += player.octets
        trials = max(3, share // _ONE_TRIAL_IN)
        outcome.worst = max(outcome.worst, worst_of(entry, line, talk, trials, random))
        outcome.trials += trials
    outcome.seconds = round(time.monotonic() - begun, 1)
    return outcome


@dataclass
class Player:
    """One conversation over one endless line of so many bytes a second, and what came of it."""

    entry: SerialDriver
    line: Line
    pace: float
    at: float = 0.0
    octets: int = 0
    payloads: int = 0
    usable: int = 0
    random: Random = field(default_factory=lambda: Random(0))

    def __post_init__(self) -> None:
        self._checks: dict[str, Check] = {
            name: checker(self.entry.name, name, decode)
            for name, decode in self.entry.characteristics.items()
        }
        self._conversation = self.entry.converse()
        self._tell(b"", partial(self._conversation.begin, self.at, None))

    @property
    def frames(self) -> int:
        """How many frames it has believed."""
        return self._conversation.frames

    def play(self, blocks: Iterator[bytes]) -> None:
        """Feed it these, in pieces, and check it after each block. Raises `BrokenInvariantError`."""
        before = b""
        for block in blocks:
            frames, payloads = self.frames, self.payloads
            for piece in pieces(self.random, block):
                self.feed(piece)
            if self.line.right is not None:
                right = self.line.right(before + block)
                if self.frames - frames > right:
                    raise BrokenInvariantError(
                        f"{self.frames - frames} frames are believed of a block that has {right}",
                        block[-_SHOWN:],
                    )
                if not right and self.payloads > payloads:
                    raise BrokenInvariantError("a payload came of frames that are all wrong", block[-_SHOWN:])
            held = size_of(self._conversation)
            if held > self.line.most_held:
                raise BrokenInvariantError(f"the conversation holds {held} bytes", block[-_SHOWN:])
            before = block[-_OVERLAP:]

    def feed(self, piece: bytes) -> None:
        """These bytes come, in the time that they take."""
        self.octets += len(piece)
        self.at += len(piece) / self.pace
        self._tell(piece, partial(self._conversation.hear, piece, self.at))
        self._tell(piece, partial(self._conversation.wait, self.at))

    def _tell(self, piece: bytes, what: Callable[[], Heard]) -> None:
        try:
            payloads = what().payloads
        except Exception as error:
            raise BrokenInvariantError(
                f"the conversation raises {type(error).__name__}: {error}", piece
            ) from error
        for characteristic, payload in payloads:
            self.payloads += 1
            if self._checks[characteristic](payload):
                decoded = self.entry.characteristics[characteristic](payload)
                self.usable += any(measurement.usable for measurement in decoded.measurements)


# --- what is heard


def random_blocks(random: Random, octets: int) -> Iterator[bytes]:
    """Any bytes, so many of them."""
    for at in range(0, octets, _BLOCK):
        yield random.randbytes(min(_BLOCK, octets - at))


def mutated_blocks(random: Random, stream: bytes, octets: int) -> Iterator[bytes]:
    """Parts of a good stream, and what was captured of sensors, each changed in one to four ways."""
    cuts = [*(stream[at : at + 200] for at in range(0, len(stream), 97)), *corpus()]
    parts = mutated_payloads(random, cuts)
    while octets > 0:
        block = b"".join(islice(parts, 80))
        octets -= len(block)
        yield block


def damaged_blocks(random: Random, stream: bytes, octets: int) -> Iterator[bytes]:
    """A good stream with one of every three bytes changed, so that no frame of it is whole."""
    repeated = stream * (1 + _BLOCK // len(stream))
    while octets > 0:
        start = random.randrange(len(stream))
        block = bytearray(repeated[start : start + _BLOCK])
        for at in range(0, len(block) - 2, 3):
            block[at + random.randrange(3)] ^= random.randrange(1, 256)
        octets -= len(block)
        yield bytes(block)


def pieces(random: Random, block: bytes) -> Iterator[bytes]:
    """A block as it is read: in pieces of any length."""
    at = 0
    while at < len(block):
        size = random.choice((1, random.randrange(1, 12), random.randrange(1, _LONGEST_PIECE)))
        yield block[at : at + size]
        at += size


# --- finding the way back


def talked(entry: SerialDriver, line: Line, seconds: float) -> list[Timed]:
    """What a sensor says in so many seconds to a hub that talks with it."""
    conversation, sensor = entry.converse(), line.emulator()
    said: list[Timed] = []
    write, at = conversation.begin(0.0, None).write, 0.0
    while at < seconds:
        octets = sensor.hear(write, at) + sensor.due(at)
        if octets:
            said.append((at, octets))
        write = conversation.hear(octets, at).write + conversation.wait(at).write
        at += _ASKED_EVERY
    return said


def worst_of(entry: SerialDriver, line: Line, talk: list[Timed], trials: int, random: Random) -> int:
    """Of what is good, after noise, the most frames that were lost.

    Raises:
        BrokenInvariantError: more than may be, or what is read then is something else.
    """
    # What streams is heard as it streams, behind all answers; else everything that was said is.
    good = [each for each in talk if each[0] >= _TALK - _GOOD] if entry.streaming else talk
    if not good:
        good = talk  # a sensor that has said all
    whole = _heard_after(entry, b"", good)
    if not whole.frames:
        raise BrokenInvariantError("no frame is heard of a good stream", b"")
    worst = 0
    for _ in range(trials):
        noise = random.randbytes(random.randrange(_NOISE_BEFORE))
        noisy = _heard_after(entry, noise, good)
        lost = whole.frames - noisy.frames
        worst = max(worst, lost)
        if lost > line.lost_at_most:
            raise BrokenInvariantError(
                f"{lost} frames of {whole.frames} are lost after noise", noise[-_SHOWN:]
            )
        if entry.streaming and noisy.last != whole.last:
            raise BrokenInvariantError(f"{noisy.last} is read after noise for {whole.last}", noise[-_SHOWN:])
    return worst


@dataclass
class _After:
    frames: int
    last: tuple[object, ...]


def _heard_after(entry: SerialDriver, noise: bytes, good: list[Timed]) -> _After:
    """How many frames are heard of a good stream that comes right after noise, and what they measure last."""
    conversation: Conversation = entry.converse()
    baud = entry.settings.baud
    conversation.begin(0.0, None)
    at = 0.0
    for piece in pieces(Random(len(noise)), noise):
        at += len(piece) * 10 / baud
        conversation.hear(piece, at)
        conversation.wait(at)
    before = conversation.frames
    last: tuple[object, ...] = ()
    begun = good[0][0]
    for came, octets in good:
        for heard in (conversation.hear(octets, at + came - begun), conversation.wait(at + came - begun)):
            for characteristic, payload in heard.payloads:
                last = entry.characteristics[characteristic](payload).measurements
    return _After(conversation.frames - before, last)
