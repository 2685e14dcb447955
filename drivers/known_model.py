"""What is known of a model of a device: how it is recognised, what reads it, what that was tested against.

Evidence is what was run, and nothing else: virtual sensors, and payloads that people published, most of them
captured from the device. None was ever tried by us on the device itself.
"""

from __future__ import annotations

from dataclasses import dataclass

VIRTUAL_KEYBOARD = "usb.VirtualUsb"
"""What plays a reader of wristbands."""


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model, or several that cannot be told apart.

    `drivers` are the names of those that may read it, the likeliest first; none where nothing here does.
    `names` are regular expressions for the beginning of the name that it advertises; none where its name is
    not known, or may be any. `services` are what it advertises that tells of it, as in `GattDriver.service`.

    Evidence: `payloads` are the ids of its published payloads in `tests/drivers/captures.jsonl`, each decoded
    by a test, and `payloads_are` says more of them; `virtual` is the sensor of `drivers/virtual/profiles.py`
    that plays it, or with its module ("contec.Cms50") another of `drivers/virtual/`. `remark` is what an
    engineer must know before one is bought or enrolled.
    """

    maker: str
    model: str
    drivers: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    payloads: tuple[str, ...] = ()
    payloads_are: str = ""
    virtual: str | None = None
    remark: str = ""
    usb: tuple[str, ...] = ()
    usb_names: tuple[str, ...] = ()
    in_many: bool = False

    @property
    def title(self) -> str:
        """Maker and model."""
        return f"{self.maker} {self.model}".strip()

    @property
    def evidence(self) -> str:
        """In words, what its driver was tested against."""
        said = []
        if self.virtual:
            said.append("a virtual keyboard" if self.virtual == VIRTUAL_KEYBOARD else "a virtual sensor")
        if self.payloads:
            count = (
                "1 published payload"
                if len(self.payloads) == 1
                else f"{len(self.payloads)} published payloads"
            )
            said.append(f"{count} ({self.payloads_are})" if self.payloads_are else count)
        return ", ".join(said) or "nothing"
