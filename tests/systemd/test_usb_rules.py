"""The rules that give the hub its devices; `udevadm verify` needs systemd 254."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from drivers.devices_on_usb import MODELS_ON_USB

SYSTEMD = Path(__file__).parent.parent.parent / "systemd"
RULES = [
    line
    for line in (SYSTEMD / "udev/70-carehub-usb.rules").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]
PAIR = re.compile(r'([A-Z]+)(?:\{([A-Za-z_]+)\})?(==|!=|\+=|-=|:=|=)"([^"]*)"')


def pairs(rule: str) -> list[tuple[str, str, str, str]]:
    """Key, attribute, operator and value, in the order in which they are written."""
    parts = [PAIR.fullmatch(part.strip()) for part in re.split(r",\s*(?=[A-Z]+[{=!+:-])", rule)]
    assert all(parts), f"no rule: {rule}"
    return [
        (key, attribute or "", operator, value)
        for key, attribute, operator, value in (p.groups() for p in parts if p)
    ]


def is_given(vendor: str, product: str) -> bool:
    """Whether an input device with these numbers is marked as a reader."""
    for rule in map(pairs, RULES):
        if ("ENV", "CAREHUB_READER", "=", "1") in rule:
            wanted = {attribute: value.split("|") for key, attribute, _, value in rule if key == "ATTRS"}
            if vendor in wanted["idVendor"] and product in wanted.get("idProduct", [product]):
                return True
    return False


@pytest.mark.parametrize("rule", RULES)
def test_each_line_is_a_rule(rule: str) -> None:
    assert pairs(rule)


def test_every_goto_has_its_label() -> None:
    written = [pair for rule in RULES for pair in pairs(rule)]
    labels = {value for key, _, _, value in written if key == "LABEL"}
    assert {value for key, _, _, value in written if key == "GOTO"} == labels


READERS = [numbers for model in MODELS_ON_USB if "wristband_reader" in model.drivers for numbers in model.usb]


@pytest.mark.parametrize("numbers", READERS)
def test_the_readers_that_the_hub_knows_are_given_to_it(numbers: str) -> None:
    vendor, product = numbers.split(":")
    assert is_given(vendor, product or "0001")


# Logitech, Microsoft, Dell, Lenovo, HP, Apple, Raspberry Pi, Cherry, Holtek, SiGma Micro, QEMU
@pytest.mark.parametrize(
    "vendor", ["046d", "045e", "413c", "17ef", "03f0", "05ac", "2e8a", "046a", "04d9", "1c4f", "0627"]
)
def test_keyboards_that_people_type_passwords_on_are_not(vendor: str) -> None:
    assert not is_given(vendor, "0001")


PINS = 'SUBSYSTEM=="gpio", KERNEL=="gpiochip[0-9]*", GROUP="gpio", MODE="0660"'
"""As in Raspberry Pi OS, whose rule comes later."""


def test_nothing_is_given_to_everybody_and_but_for_pins_to_no_other_group() -> None:
    modes = {
        (key, value)
        for rule in RULES
        for key, _, _, value in pairs(rule)
        if key in ("MODE", "GROUP", "OWNER") and rule != PINS
    }
    assert modes == {("MODE", "0660"), ("GROUP", "carehub")}
    assert RULES.count(PINS) == 1


def test_what_is_given_is_not_taken_away_by_a_rule_that_comes_later() -> None:
    """Raspberry Pi OS has one for input devices in 99-com.rules."""
    operators = {
        op for rule in RULES for key, _, op, _ in pairs(rule) if key in ("MODE", "GROUP") and rule != PINS
    }
    assert operators == {":="}


def test_of_what_is_spoken_to_over_hidraw_nothing_is_given_that_the_engineer_has_not_named() -> None:
    given = [rule for rule in RULES if '"hidraw"' in rule]
    assert given == ['SUBSYSTEM=="hidraw", ENV{CAREHUB_BEACON}=="1", GROUP:="carehub", MODE:="0660"']


def test_of_a_lamp_of_the_kernels_the_hub_may_write_its_brightness_and_nothing_else() -> None:
    (rule,) = [rule for rule in RULES if '"leds"' in rule]
    run = [value for key, _, operator, value in pairs(rule) if (key, operator) == ("RUN", "+=")]
    assert run == ["/usr/bin/chgrp carehub /sys%p/brightness", "/usr/bin/chmod g+w /sys%p/brightness"]


def test_an_input_device_is_given_only_as_a_reader() -> None:
    given = next(n for n, rule in enumerate(RULES) if 'KERNEL=="event' in rule)
    assert RULES[given - 1] == 'ENV{CAREHUB_READER}!="1", GOTO="carehub_usb_end"'
    assert sum('KERNEL=="event' in rule for rule in RULES) == 1
