"""Where mutations begin: what was captured, and a payload of each characteristic written by hand."""

from __future__ import annotations

import json
from pathlib import Path

_CAPTURES = Path(__file__).parents[1] / "drivers" / "captures.jsonl"

_BY_HAND = (
    # 2A35: flags, 128/80/96 mmHg, 2026-03-01 12:00:00, 72 /min, user 1, status
    "1e 8000 5000 6000 ea07 03 01 0c 00 00 4800 01 0000",
    # the same in kPa, 17.1/10.7/12.8, with every status bit
    "1f abf0 6bf0 80f0 ea07 03 01 0c 00 00 4800 01 3f00",
    # 2A1C: flags, 98.6 degF, time, ear
    "07 da0300ff ea07 03 01 0c 00 00 03",
    # 2A5E: flags, 96 %, 72 /min, time, measurement status, device status, amplitude index
    "0f 6000 4800 ea07 03 01 0c 00 00 0001 000000 2df0",
    # 2A5F: flags, normal, fast and slow pair, measurement status, device status, amplitude index
    "1f 6000 4800 5d00 5800 6100 4600 2001 000000 2df0",
    # 2A37: flags, 72 /min in two bytes, contact, energy, three intervals
    "1f 4800 6400 5003 5203 4e03",
    # 2A9D: flags, 70.00 kg, time, user 1, body mass index 23.1, 1.740 m
    "0e b036 ea07 03 01 0c 00 00 01 e700 cc06",
    # 2A18: flags, sequence number, time, offset, 104 mg/dL, capillary whole blood of a finger, status
    "1b 0400 ea07 03 01 0c 00 00 3c00 68b0 11 0000",
    # the same, 5.8 mmol/L in mol/L, without offset or status
    "06 0400 ea07 03 01 0c 00 00 3ac0 11",
    # 2A34: flags, sequence number, extended flags, carbohydrate, meal, tester and health, exercise,
    # medication, HbA1c
    "df 0400 00 01 1ed0 03 51 0807 32 01 05d0 41f0",
    # Nonin's own: length, status, 3.0 V, amplitude index, counter, 97 %, 72 /min, all big-endian
    "0a 14 1e 0190 003c 61 0048",
    # Viatom's numeric frame: AA 55, oximeter, length, type, 96 %, 62 /min, amplitude index, status, battery;
    # published by tomek-szczesny/viatom_pc60fw, with its CRC
    "aa55 0f 08 01 60 3e00 50 00 c0 08",
    # BTHome: not encrypted, version 2; packet 9, 25.06 degC, battery well, door open, motion, button pressed
    "40 0009 02ca09 1500 1a01 2101 3a01",
    # a second of Nonin's serial formats 2 and 7: two packets at 97 % and 72 /min, one with an artefact
    "02 00 00 00 48 61 01 20 00 00 48 61",
    # of its format 8: 94 %, 135 /min
    "01 81 07 5e 20",
    # of its format 13: 2026-03-01 14:05:59, SmartPoint, 72 /min, 97 %, checksum
    "0002 000d 000e 20 26 03 01 14 05 59 00 0200 0048 00 61 67 03",
    # BTHome: bits 0 and 2, encrypted
    "45 0009 02ca09",
    # A second of a Contec: 50 frames say strength 6, 68 /min, 97 %, then 10 say 96 %
    "32 064461 0a 064460",
    # A minute of a Contec's memory, cut short: 2026-02-27 22:10:00, the beginning, each second; 95 %,
    # 60 /min, no finger, 94 %, 61 /min
    "141a021b160a00 000000 01 5f3c 0000 5e3d",
    # A OneTouch's record: answer, 2026-03-01 12:00:00, 111 mg/dL; serial number C176SA0O0
    "0506 402aa469 6f000000 433137365341304f30",
)


def corpus() -> tuple[bytes, ...]:
    """Every payload that mutations begin with, the same for every decoder: what one of them takes, another
    must refuse."""
    captured = (json.loads(line)["payload_hex"] for line in _CAPTURES.read_text().splitlines())
    return tuple(dict.fromkeys(bytes.fromhex(payload) for payload in (*_BY_HAND, *captured)))
