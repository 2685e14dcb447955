"""Which PINs are taken, and how they are kept."""

from __future__ import annotations

import random

import pytest
from argon2 import extract_parameters

from hub.web.pins import Hashes, trouble_of
from tests.rigs.staff_page import CHEAP, PINS


@pytest.mark.parametrize(
    "pin",
    ["", "12345", "1234567", "12345a", "٣٤٥٦٧٨", " 48162", "000000", "123456", "654321", "890123", "135791",
     "121212", "123123", "122221", "112211", "311265", "651231", "051938", "159753"],
)  # fmt: skip
def test_what_is_easy_to_guess_is_not_taken(pin: str) -> None:
    assert trouble_of(pin) is not None


@pytest.mark.parametrize("pin", [*PINS.values(), "609418", "493027"])
def test_others_are_taken(pin: str) -> None:
    assert trouble_of(pin) is None


def test_nine_of_ten_are_taken() -> None:
    chosen = random.Random(7)
    taken = sum(trouble_of(f"{chosen.randrange(10**6):06d}") is None for _ in range(5000))
    assert taken > 4500


def test_a_pin_fits_its_own_hash_and_no_other() -> None:
    kept = CHEAP.of("609418")
    assert "609418" not in kept
    assert CHEAP.fits(kept, "609418")
    assert not CHEAP.fits(kept, "609419")
    assert not CHEAP.fits("no hash", "609418")
    assert CHEAP.of("609418") != kept, "each has a salt of its own"


def test_nobodys_pin_fits_nothing() -> None:
    assert not CHEAP.fits(None, "")
    assert not CHEAP.fits(None, "609418")


def test_the_usual_parameters_are_no_weaker_than_owasp_asks_for() -> None:
    said = extract_parameters(Hashes()._nobodys)
    assert (said.type.name, said.memory_cost >= 12 * 1024, said.time_cost >= 3) == ("ID", True, True)


def test_a_hash_that_the_card_has_spoilt_fits_no_pin() -> None:
    for kept in (
        "",
        "x",
        CHEAP.of("481620").replace("argon2id", "argon2\xeed"),
        "$argon2id$v=19$m=8,t=1,p=1$\xe9$x",
    ):
        assert not CHEAP.fits(kept, "481620")
