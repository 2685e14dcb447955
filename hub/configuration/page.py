"""The staff page's table of the configuration: `[page]`."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from hub.configuration.values import Duration, Section

_HOST = r"^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$"


def _address(value: str) -> str:
    try:
        return str(ip_address(value))
    except ValueError as error:
        raise ValueError(
            'give an address of this machine, as "192.168.1.20"; "0.0.0.0" for all of them'
        ) from error


class Page(Section):
    """Where the staff page is served (`carehub page`), and for how long somebody stays signed in.

    Without `certificate_file` and `key_file` the broker's are used. `names` are what the home calls this
    machine on its network, beside its host name: under another name the page answers nobody. Plain http
    (`tls = false`) is for this very machine only.
    """

    address: Annotated[str, AfterValidator(_address)] = "0.0.0.0"
    port: Annotated[int, Field(ge=1, le=65535)] = 8443
    names: tuple[Annotated[str, Field(pattern=_HOST)], ...] = ()
    tls: bool = True
    certificate_file: Path | None = None
    key_file: Path | None = None
    signed_in_for: Annotated[Duration, Field(ge=timedelta(minutes=5), le=timedelta(hours=24))] = timedelta(
        hours=12
    )
    idle: Annotated[Duration, Field(ge=timedelta(minutes=1), le=timedelta(hours=12))] = timedelta(minutes=30)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file and key_file go together: give both or neither")
        if not self.tls and self.certificate_file is not None:
            raise ValueError("tls = false, yet a certificate is given: remove it or set tls = true")
        if not self.tls and not ip_address(self.address).is_loopback:
            raise ValueError(
                "tls = false, and the page is for other machines too: whoever is on the home's network could"
                ' read PINs and residents\' health; set tls = true, or address = "127.0.0.1"'
            )
        return self
