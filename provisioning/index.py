"""What an authority gave, as `openssl ca` notes it in its directory: the file `index`.

`broker/authority.sh` keeps a copy of it, `index.kept`, which is on the disk before `openssl` changes it, and
puts that back where the index has lost what is in there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from provisioning.errors import ProvisioningError
from provisioning.openssl import read


@dataclass(frozen=True, slots=True)
class Certificate:
    """One that the authority gave. `client` is its name's line in the list of clients, empty where it has
    none; `ends` is aware."""

    name: str
    client: str
    serial: str
    ends: datetime
    revoked: bool

    def state(self, at: datetime) -> str:
        """For people."""
        if self.revoked:
            return "revoked"
        return "ended" if self.ends <= at else f"good for {(self.ends - at) // timedelta(days=1)} days"


class Index:
    """The one of an authority's directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._file, self._kept = directory / "index", directory / "index.kept"

    def is_damaged(self) -> bool:
        """Whether it has lost lines, or was emptied. Raises `ProvisioningError`."""
        rows = self._rows()
        if self._kept.exists():
            least = len(read(self._kept).splitlines())
        else:
            least = 1 if any((self._directory / "issued").glob("*.pem")) else 0
        return len(rows) < least or any(len(row) != 6 for row in rows)

    def certificates(self, clients: Mapping[str, str]) -> list[Certificate]:
        """The oldest first, with their lines in the list of clients. Raises `ProvisioningError`: it is
        damaged."""
        if self.is_damaged():
            raise ProvisioningError(
                f"{self._file} has lost what was certified, as by a cut of the power: 'carehub ca revocations"
                f" {self._directory}' puts it back, or says what else to do"
            )
        found = []
        for state, ends, _, serial, _, subject in self._rows():
            name = subject.removeprefix("/CN=")
            found.append(Certificate(name, clients.get(name, ""), serial, _index_time(ends), state == "R"))
        return found

    def _rows(self) -> list[list[str]]:
        return [line.split("\t") for line in read(self._file).splitlines()] if self._file.exists() else []


def _index_time(text: str) -> datetime:
    """As `openssl ca` writes it: two digits of the year up to 2049, four from then on."""
    form = "%y%m%d%H%M%SZ" if len(text) == len("YYMMDDHHMMSSZ") else "%Y%m%d%H%M%SZ"
    return datetime.strptime(text, form).replace(tzinfo=UTC)
