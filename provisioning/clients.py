"""The broker's list of clients in an authority's directory, and what may be a certificate's name."""

from __future__ import annotations

import re
from pathlib import Path

from provisioning.broker import acl
from provisioning.errors import ProvisioningError
from provisioning.openssl import read, write

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SITE_AND_HUB = re.compile(r"([A-Za-z0-9][A-Za-z0-9_-]*)\.([A-Za-z0-9][A-Za-z0-9_-]*)")
_NOBODY = (
    "# Who may use the broker, by the name (CN) of the certificate; kept by 'carehub ca', which leaves\n"
    "# what else stands here: hub CN SITE HUB, or ics CN. 'carehub ca access' makes mosquitto's list of it.\n"
)


class Clients:
    """The list in a file. What a person wrote into it stays as it is. Every method raises
    `ProvisioningError`."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def text(self) -> str:
        """As it stands, or as it begins."""
        return read(self._file) if self._file.exists() else _NOBODY

    def all(self) -> list[acl.Client]:
        """Who is in it."""
        return self._of(self.text())

    def rights(self) -> dict[str, str]:
        """What each name may be, in the list's words."""
        return {
            _named_in(line): " ".join(line.partition("#")[0].split()) for line in self.text().splitlines()
        }

    def hub(self, name: str, site_and_hub: tuple[str, str] | None = None) -> acl.Client:
        """As which hub that name is in the list, or may be entered: of that site.id and hub.id, or as it is
        in there already, or as SITE.HUB."""
        check_name(name)
        if site_and_hub is None:
            known = next((each for each in self.all() if each.name == name and each.role == "hub"), None)
            match = _SITE_AND_HUB.fullmatch(name)
            if known is None and match is None:
                raise ProvisioningError(
                    f"{name}: is not SITE.HUB: say of which site and hub it is, for the broker's list"
                    f" ({self._file}: hub {name} SITE HUB)"
                )
            site_and_hub = (known.site, known.hub) if known else (match[1], match[2]) if match else ("", "")
        client = acl.Client("hub", name, *site_and_hub)
        self.with_client(client)
        return client

    def with_client(self, client: acl.Client) -> str:
        """The text with that client, where it is not in there; checked before anything is signed."""
        text = self.text()
        known = next((each for each in self._of(text) if each.name == client.name), None)
        if known is None:
            text += ("" if text.endswith("\n") else "\n") + "  ".join(client).strip() + "\n"
            self._of(text)
        elif known != client:
            raise ProvisioningError(
                f"{client.name}: {self._file} has it as something else: {' '.join(known).strip()}"
            )
        return text

    def without(self, name: str) -> str:
        """The text without that name."""
        return "".join(line for line in self.text().splitlines(keepends=True) if _named_in(line) != name)

    def write(self, text: str) -> None:
        """Put a text in its place, if it is another one."""
        if not self._file.exists() or read(self._file) != text:
            write(self._file, text, 0o644)

    def _of(self, text: str) -> list[acl.Client]:
        try:
            return acl.read(text)
        except ValueError as error:
            raise ProvisioningError(f"{self._file}: {error}") from error


def check_name(name: str) -> None:
    """Raises `ProvisioningError`: it cannot be a certificate's."""
    if not _NAME.fullmatch(name):
        raise ProvisioningError(
            f"{name!r}: is no name of a certificate: 1 to 64 letters, digits, '.', '_' and '-', the first a"
            " letter or a digit"
        )


def _named_in(line: str) -> str:
    """Whom a line of the list is about."""
    words = line.partition("#")[0].split()
    return words[1] if len(words) > 1 else ""
