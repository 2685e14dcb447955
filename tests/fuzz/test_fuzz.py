"""The fuzzer finds what is planted, and nothing in the drivers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random

import pytest

from drivers.catalogue import DRIVERS, GATT_DRIVERS
from drivers.driver import Decoded, DecodeError
from drivers.nonin_3230 import OXIMETRY_MEASUREMENT
from drivers.viatom_pc60fw import NORDIC_UART_RECEIVED
from drivers.wristband_reader import KeyboardDriver
from hub.readings import DeviceTime, Flag, Measurement, Quality, Vital
from tests.fuzz.corpus import corpus
from tests.fuzz.framers import MOST_HELD, fuzz_framer, size_of
from tests.fuzz.guided import can_guide
from tests.fuzz.invariant import BrokenInvariantError, checker, what_is_wrong
from tests.fuzz.payloads import random_payloads
from tests.fuzz.repairs import REPAIRS
from tests.fuzz.run import blind_run, mutations

ROOT = Path(__file__).parents[2]
ENOUGH = 3_000

WITHOUT_A_VALUE = "aa55 0f 08 01 {} 50 00 c0 08"  # a numeric frame of Viatom's, whose CRC is to be repaired

cuff = DRIVERS["blood_pressure"].characteristics["2a35"]


def fuzz(
    decode: Callable[[bytes], Decoded], driver: str = "blood_pressure", characteristic: str = "2a35"
) -> int:
    random = Random(1)
    check = checker(driver, characteristic, decode)
    mutated = mutations(check, random, REPAIRS.get((driver, characteristic)))
    return blind_run(check, random_payloads(random), ENOUGH) + blind_run(check, mutated, ENOUGH)


def reads_past_the_end(payload: bytes) -> Decoded:
    decoded = cuff(payload)
    if decoded.user_id == 255 or payload[0] & 0xE0:
        _ = payload[len(payload)]
    return decoded


def refuses_in_other_words(payload: bytes) -> Decoded:
    try:
        return cuff(payload)
    except DecodeError as error:
        raise DecodeError(error.reason, b"") from error


def takes_not_a_number_for_one(payload: bytes) -> Decoded:
    decoded = cuff(payload)
    if payload[1:3] == b"\xff\x07":
        systolic = Measurement(Vital.SYSTOLIC_PRESSURE, 204.7)
        return decoded._replace(measurements=(systolic, *decoded.measurements[1:]))
    return decoded


def takes_the_impossible_for_good(payload: bytes) -> Decoded:
    decoded = cuff(payload)
    good = (
        Measurement(one.vital, one.value, one.absent, Quality.GOOD, one.site) for one in decoded.measurements
    )
    return decoded._replace(measurements=tuple(good))


def gives_nothing(payload: bytes) -> Decoded:
    return None  # type: ignore[return-value]  # that it is caught is the point


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (reads_past_the_end, "raises IndexError"),
        (refuses_in_other_words, "does not carry"),
        (takes_not_a_number_for_one, "special value of systolic_pressure became 204.7"),
        (takes_the_impossible_for_good, "taken for plausible"),
        (gives_nothing, "gives a NoneType"),
    ],
)
def test_a_broken_decoder_is_caught_and_its_payload_told(
    broken: Callable[[bytes], Decoded], said: str
) -> None:
    with pytest.raises(BrokenInvariantError, match=said) as error:
        fuzz(broken)
    with pytest.raises(BrokenInvariantError, match=said):
        checker("blood_pressure", "2a35", broken)(error.value.payload)


@pytest.mark.parametrize(
    ("driver", "characteristic", "payload"),
    [
        ("blood_pressure", "2a35", "04 8000 5000 6000 ff07"),
        ("blood_pressure", "2a35", "06 8000 5000 6000 ea0703010c0000 0108"),
        ("beurer_bm85", "2a35", "56 7100 4900 0000 ea07080b143800 07ff 01 0000"),
        ("pulse_oximeter", "2a5e", "00 6000 fef7"),
        ("pulse_oximeter", "2a5f", "00 0208 4800"),
        ("thermometer", "2a1c", "00 ffff7fff"),
        ("heart_rate", "2a37", "00 00"),
        ("heart_rate", "2a37", "01 0000"),
        ("weight_scale", "2a9d", "00 ffff"),
        ("glucose", "2a18", "02 2900 e4070515 0a1e2d ffff 11"),
        ("glucose", "2a18", "03 2900 e4070515 0a1e2d 0000 ff07 11"),
        ("glucose", "2a18", "0a 2900 e4070515 0a1e2d 6fb0 11 4000"),
        ("glucose_and_ketone", "2a18", "00 2900 e4070515 0a1e2d"),
        ("nonin_3230", OXIMETRY_MEASUREMENT, "0a 14 1e 0190 003c 7f 0048"),
        ("nonin_3230", OXIMETRY_MEASUREMENT, "0a 14 1e 0190 003c 61 01ff"),
        ("viatom_pc60fw", NORDIC_UART_RECEIVED, WITHOUT_A_VALUE.format("00 3e00")),
        ("viatom_pc60fw", NORDIC_UART_RECEIVED, WITHOUT_A_VALUE.format("60 0000")),
        ("onetouch_ultra_easy", "record", "0506 402aa469 13000000 433137365341304f30"),
        ("onetouch_ultra_easy", "record", "0506 402aa469 ffff0000 433137365341304f30"),
    ],
)
def test_each_special_value_is_known_to_the_fuzzer(driver: str, characteristic: str, payload: str) -> None:
    """A decoder that makes a number of everything is caught by each of them."""
    vitals = [vital for vital in Vital if vital.unit]

    def makes_numbers(_: bytes) -> Decoded:
        unusable = (Measurement(vital, 100.0, None, Quality.UNUSABLE) for vital in vitals)
        return Decoded(tuple(unusable), frozenset({Flag.IMPLAUSIBLE}))

    with pytest.raises(BrokenInvariantError, match="special value"):
        checker(driver, characteristic, makes_numbers)(bytes.fromhex(payload))
    whole = REPAIRS.get((driver, characteristic), bytes)(bytes.fromhex(payload))
    assert checker(driver, characteristic, DRIVERS[driver].characteristics[characteristic])(whole)


def with_value(value: object, vital: Vital = Vital.PULSE_RATE) -> Decoded:
    measurement = Measurement(Vital.PULSE_RATE, 70.0)
    object.__setattr__(measurement, "value", value)  # past its own check
    object.__setattr__(measurement, "vital", vital)
    return Decoded((measurement,))


@pytest.mark.parametrize(
    "said",
    [
        with_value(float("nan")),
        with_value(float("inf")),
        with_value(70),
        with_value(True),
        with_value(70.0, Vital.DOOR),
        with_value(None),
        with_value(9.0),
        Decoded([]),  # type: ignore[arg-type]  # that these are caught is the point
        Decoded((), {Flag.FASTING}),  # type: ignore[arg-type]
        Decoded((), frozenset({"fasting"})),  # type: ignore[arg-type]
        Decoded((), device_time=DeviceTime(2026, 13, 1, 0, 0, 0)),
        Decoded((), sequence_number=-1),
        Decoded((), user_id=1.0),  # type: ignore[arg-type]
        Decoded((), beat_intervals=(float("inf"),)),
        Decoded((), beat_intervals=(-1.0,)),
        Decoded((), beat_intervals=(1,)),
        ((), frozenset(), None, None, None, ()),
        None,
    ],
)
def test_what_no_decoder_may_say_is_known(said: object) -> None:
    assert what_is_wrong(said) is not None


def test_what_a_decoder_may_say_is_let_through() -> None:
    assert what_is_wrong(Decoded((Measurement(Vital.PULSE_RATE, 70.0),), beat_intervals=(1.0,))) is None


@pytest.mark.parametrize(
    ("driver", "characteristic"),
    [(name, each) for name, entry in DRIVERS.items() for each in entry.characteristics],
)
def test_no_decoder_of_the_catalogue_breaks_an_invariant(driver: str, characteristic: str) -> None:
    taken = fuzz(DRIVERS[driver].characteristics[characteristic], driver, characteristic)
    if isinstance(DRIVERS[driver], KeyboardDriver):
        assert not taken, "what is typed is nobody's reading"
    else:
        assert taken, "nothing that was tried was decoded: the corpus has no payload of it"


class Swallower:
    """A framer that keeps all that it is given."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, notification: bytes) -> Iterable[bytes]:
        self._held += notification
        return []


class Fragile:
    """A framer that trusts a length."""

    def feed(self, notification: bytes) -> Iterable[bytes]:
        return [notification[: notification[0]]] if notification[1] else []


@pytest.mark.parametrize(("broken", "said"), [(Swallower, "holds"), (Fragile, "raises IndexError")])
def test_a_broken_framer_is_caught(broken: type[Swallower] | type[Fragile], said: str) -> None:
    check = checker("blood_pressure", "2a35", cuff)
    with pytest.raises(BrokenInvariantError, match=said):
        fuzz_framer(broken, check, ENOUGH, Random(1))


@pytest.mark.parametrize("driver", [name for name, entry in GATT_DRIVERS.items() if entry.framer is not None])
def test_no_framer_of_the_catalogue_raises_or_grows(driver: str) -> None:
    entry = GATT_DRIVERS[driver]
    assert entry.framer is not None
    for characteristic, decode in entry.characteristics.items():
        given, _ = fuzz_framer(entry.framer, checker(driver, characteristic, decode), ENOUGH, Random(1))
        assert given, "no whole frame was among what it was fed"


def test_the_size_of_a_thing_counts_what_it_holds() -> None:
    held = Swallower()
    held.feed(bytes(MOST_HELD))
    assert size_of(held) > MOST_HELD > size_of(Swallower())


def test_the_corpus_has_what_was_captured_and_what_was_written() -> None:
    captures = (ROOT / "tests/drivers/captures.jsonl").read_text().splitlines()
    captured = {bytes.fromhex(json.loads(line)["payload_hex"]) for line in captures}
    assert captured < set(corpus())


def test_one_command_fuzzes_and_goes_on_where_it_ended(tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"
    command = [
        sys.executable,
        "-m",
        "tests.fuzz",
        "thermometer",
        "--payloads",
        "900",
        "--record",
        str(record),
    ]

    def run() -> str:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    first = run()
    assert "thermometer 2a1c: 900 payloads: " in first
    assert ("300 guided" if can_guide() else "nothing guided") in first
    lines = record.read_text().splitlines()
    assert [json.loads(line)["outcome"]["characteristic"] for line in lines] == ["2a1c", "2a1e"]
    run()
    assert record.read_text().splitlines() == lines, "what was done is not done again"


def test_an_unknown_driver_is_told_the_known_ones() -> None:
    command = [sys.executable, "-m", "tests.fuzz", "spirometer"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "spirometer" in ended.stdout
    assert "thermometer" in ended.stdout
