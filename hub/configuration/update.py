"""The table of the configuration that says whether the centre may bring another release: `[update]`."""

from __future__ import annotations

from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from hub.configuration.values import Section


def _source(value: str) -> str:
    try:
        parts = urlsplit(value)
        more = parts.username or parts.password or parts.query or parts.fragment
        if (
            parts.scheme == "https"
            and parts.hostname
            and parts.port != 0
            and not more
            and value.isprintable()
        ):
            parts.hostname.encode("idna")  # as it is when it is looked up: UnicodeError, a ValueError
            return value.rstrip("/")
    except ValueError:
        pass
    raise ValueError(
        'give the folder that releases are fetched from, as "https://releases.ics.example/careport"'
    )


class Update(Section):
    """Updates by a command from the centre: off unless the site says so.

    The centre names a release by the SHA-256 of its manifest. `source` is from where this site has it:
    `source`/SHA256.bundle is fetched, and installed only if it is signed by who may sign this hub's releases.
    """

    from_centre: bool = False
    source: Annotated[str, AfterValidator(_source), Field(max_length=500)] | None = None

    @model_validator(mode="after")
    def _from_somewhere(self) -> Self:
        if self.from_centre and self.source is None:
            raise ValueError("from_centre = true, yet nothing says where releases are fetched: give source")
        return self
