"""Whose is a sensor's reading? The resident's of whom that is as certain as can be; else nobody's, unguessed.

What is nobody's is kept, scores nothing and alerts nobody, until a person says whose it is. What is wrongly
somebody's can hide one resident's fall and call help to another. So each doubt makes a reading nobody's.

**A personal sensor's** readings are its resident's: of one that numbers people, those of the enrolled number;
of one that was handed on, what it measured since and the hub received since. In a home of one person every
enrolled sensor is theirs. Who is not watched (in hospital, moved, died, without consent) owns nothing, and of
one who is back what was measured and received since (`hub/residents/register.py`).

**A shared sensor's** readings are of the resident who had the round of its kit (`hub/attribution/rounds.py`)
when the hub received them, if they were also *measured* in it. For whoever measures: **scan first, then
measure.**

- Received: between the scan and the end of the round by the clock that nobody sets, and not before the scan
  by the wall clock either, since what waited before a busy hub was stamped late.
- A sensor that tells **no time** may tell late: a cuff looks for the hub for up to a minute after it has
  measured. So what comes within `rounds.settle` of the scan is nobody's, whether another round was before or
  not: somebody may have been measured without a scan. Taken for granted: a sensor that keeps what it could
  not tell gives it a time.
- A sensor that tells **a time** may tell what it has kept. By its clock it must have measured after the scan,
  and ten seconds later than that, which such a clock may stray that the hub sets at each link. Only how long
  before the receipt that was counts. A clock that is slow, or tells minutes only, makes what was measured
  soon after the scan nobody's. One that is fast would put what was kept from the resident before into this
  round. It gives itself away, as what it measures comes from the future: that is nobody's, and so is all that
  this sensor tells in the hour after, unless it was ahead by more than `sensor_clock.agrees_within` (such a
  clock was lost, and is set at that link). A sensor on USB whose clock was read, and was ahead, has given
  itself away too, however far it was: what it then tells of its memory is by the clock of before. So a clock
  that merely agrees with the hub's, to within minutes, is not enough: rounds are shorter. What is numbered
  as a record, or is by a clock that is not set, must tell such a time too. None is believed while the hub's
  own clock is not synchronised.
- What a sensor says to be **from its memory** is nobody's, whatever the time: of some the clock cannot be
  read, and a memory by a clock that was ahead looks like a measurement of now.
- It is **never given to a former round** by the sensor's time: by a clock that is slow, a reading of this
  resident would be one of a former.
- **A stream** is of whose finger is in the sensor. One that began before the scan, or of which it is not
  known when it began, is of the finger that was in it before: nobody's until it was out.
- What a sensor says of a **numbered** person (a cuff's "user 1") is nobody's: the number is somebody's, and
  nobody knows whose. Enrolled with `user = "any"` its numbers are passed over; with a number, others wait.
- What is of the room, and what could not be decoded, is nobody's.

A restart of the hub ends every round, and what comes then waits for a scan.
"""

from __future__ import annotations

from datetime import timedelta

from drivers.bluetooth.device_information import DeviceInformation
from hub.attribution.rounds import Round, Rounds
from hub.clock import ClockQuality, ClockStamp
from hub.configuration.file import Resident
from hub.readings import Flag, Reading
from hub.residents.register import Register
from hub.timekeeping.timing import ClockRule, told_age, told_before

_STRAYS = timedelta(seconds=10)
_FAST_FOR = timedelta(hours=1)
_WAITS = timedelta(hours=1)  # for a card that is full; no more, as a clock may have been set back since
_NONE = timedelta(0)


class Attribution:
    """Says whose a reading is: by who is enrolled, and by the rounds."""

    def __init__(self, register: Register, rounds: Rounds, rule: ClockRule, settle: timedelta) -> None:
        """`settle` is for how long after a scan what tells no time may be of before it."""
        self._register = register
        self._rounds = rounds
        self._rule = rule
        self._settle = settle
        self._fast: dict[str, timedelta] = {}  # when, since boot, a sensor's clock was last seen to be ahead

    def learned(self, device: str, said: DeviceInformation, stamp: ClockStamp) -> None:
        """A sensor's clock was read before it was set: what it has kept until then is by that clock."""
        if said.clock_ahead is not None and said.clock_ahead > _STRAYS:
            self._fast[device] = stamp.since_boot

    def owner(self, reading: Reading, stamp: ClockStamp, began: ClockStamp | None = None) -> Resident | None:
        """Whose it is; None where that is not certain.

        Args:
            stamp: when the hub received it.
            began: of a stream, when the first usable sample was received of the run that this one is in; the
                sensor was out since before it. None: not known.
        """
        device = reading.raw.device
        since = self._register.theirs_since(device)
        if since is not None and (
            _NONE < since - reading.raw.received_at <= _WAITS or told_before(reading, since, self._rule)
        ):
            return None  # of whom it served before, though it is stored only now
        owner = self._register.owner_of(device, reading.user_id)
        if owner is not None:
            return owner
        sensor = self._register.shared(device, reading.user_id)
        if sensor is None or reading.of_the_room or reading.problem is not None:
            return None
        if since is not None and reading.raw.received_at < since:
            return None  # received before it was enrolled as it is now, perhaps of another kit
        age = told_age(reading, self._rule)
        if age is not None and (
            stamp.quality is not ClockQuality.SYNCHRONISED or self._is_fast(device, age, stamp)
        ):
            age = None
        found = self._rounds.at(sensor.kit, stamp)
        if found is None or not self._measured_in(found, reading, stamp, began, age):
            return None
        return self._register.find_watched(found.resident)

    def _measured_in(
        self,
        found: Round,
        reading: Reading,
        stamp: ClockStamp,
        began: ClockStamp | None,
        age: timedelta | None,
    ) -> bool:
        """`age` is how old it is by the sensor's clock; None where that proves nothing."""
        opened = found.opened
        into = min(stamp.since_boot - opened.stamp.since_boot, reading.raw.received_at - opened.at)
        if into < _NONE:
            return False
        if Flag.FROM_MEMORY in reading.flags:
            return False
        if reading.streaming:
            return began is not None and found.has(began)
        if _tells_no_time(reading):
            return into >= self._settle
        return age is not None and age + _STRAYS <= into

    def _is_fast(self, device: str, age: timedelta, stamp: ClockStamp) -> bool:
        """Whether a sensor's clock is ahead, by this reading or by one of the hour before."""
        if age >= -_STRAYS:
            when = self._fast.get(device)
            return when is not None and abs(stamp.since_boot - when) <= _FAST_FOR
        if age >= -self._rule.agrees_within:
            self._fast[device] = stamp.since_boot
        return True


def _tells_no_time(reading: Reading) -> bool:
    """Whether it says nothing of when, so that its sensor told it as soon as it could."""
    kept = reading.sequence_number is not None or Flag.CLOCK_NOT_SET in reading.flags
    return reading.device_time is None and not kept
