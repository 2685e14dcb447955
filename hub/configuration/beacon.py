"""What the configuration says of the local beacon: a lamp or a sounder that calls while an alert waits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from hub.configuration.values import Section

_LONGEST = 64


def _hexadecimal(value: str) -> str:
    try:
        given = bytes.fromhex(value)
    except ValueError as error:
        raise ValueError('give bytes as pairs of hexadecimal digits, as "A0 01 01 A2"') from error
    if not 0 < len(given) <= _LONGEST:
        raise ValueError(f"give at least one byte and at most {_LONGEST}")
    return given.hex(" ").upper()


Bytes = Annotated[str, AfterValidator(_hexadecimal)]
"""As pairs of hexadecimal digits, with or without blanks between them."""


class Beacon(Section):
    """A local output that is on while an alert waits for somebody; see `hub/alerts/beacon.py`.

    "gpio" is a pin of the machine, by its number on `chip` (`gpioinfo` lists them; on a Raspberry Pi GPIO
    17 is 17): `active_low` where it is on while the pin is low. "file" writes `on` and `off` to `write_to`:
    a relay on USB (its serial line, or hidraw), a lamp of the kernel's (`/sys/class/leds/.../brightness`),
    or a plain file. The defaults are "1" and "0" with an end of line.
    """

    output: Literal["none", "gpio", "file"] = "none"
    chip: Path = Path("/dev/gpiochip0")
    pin: Annotated[int, Field(ge=0, le=1023)] | None = None
    active_low: bool = False
    write_to: Path | None = None
    on: Bytes = "31 0A"
    off: Bytes = "30 0A"

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.output == "gpio") != (self.pin is not None):
            raise ValueError('output = "gpio" and pin go together: give both or neither')
        if (self.output == "file") != (self.write_to is not None):
            raise ValueError('output = "file" and write_to go together: give both or neither')
        return self
