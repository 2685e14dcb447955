"""The folder of a card's boot partition, made of a site's file: what its first boot takes in.

It stands alone: where the site's own authority signs here, the hub's key and certificate (`pair`) and the
page's are made now, and carried on the card; the first boot removes them from there.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import tomlkit
from tomlkit.items import AbstractTable

from provisioning.authority import Authority
from provisioning.boot_folder import CERTIFICATE, KEY, REQUEST, SITE
from provisioning.errors import ProvisioningError
from provisioning.keeper import certificates
from provisioning.keeper.errors import KeeperError
from provisioning.site_file import Site

_CA, _AUTHORITY_CA = "ca.crt", "authority.crt"
_PAGE_CERTIFICATE, _PAGE_KEY = "page.crt", "page.key"


def of(site: Site) -> dict[str, bytes]:
    """The folder's files, by name, but for `pair`: nothing new is entered into an authority's lists but a
    page's certificate, which is the same the next time.

    Raises:
        ProvisioningError: its authority does not sign.
    """
    document = tomlkit.parse(site.path.read_text(encoding="utf-8-sig"))
    carried = site.carried
    files: dict[str, str] = {}
    authority = _own_authority(site)
    ca_pem = carried.broker_ca or (authority.ca_pem if authority else "")

    def beside(table: AbstractTable, key: str, name: str, content: str) -> None:
        if content:
            table[key] = name
            files[name] = content

    broker = document["broker"]
    assert isinstance(broker, AbstractTable)  # checked when it was loaded
    beside(broker, "ca_file", _CA, ca_pem)
    beside(broker, "password_file", "broker.password", carried.broker_password)
    if carried.wifi_password:
        wifi = document["machine"]["network"]["wifi"]  # a password is given there
        assert isinstance(wifi, AbstractTable)
        beside(wifi, "password_file", "wifi.password", carried.wifi_password)
    page_certificate, page_key = carried.page_certificate, carried.page_key
    if authority is not None and site.machine.page.from_authority:
        certificate = authority.page(site.page_names)
        page_certificate, page_key = certificate.read_text(), certificate.with_suffix(".key").read_text()
        own = document["machine"]["page"]  # from_authority is given there
        del own["from_authority"], own["names"]
    if page_certificate:
        page = document.setdefault("page", tomlkit.table())
        assert isinstance(page, AbstractTable)
        beside(page, "certificate_file", _PAGE_CERTIFICATE, page_certificate)
        beside(page, "key_file", _PAGE_KEY, page_key)
        if site.config.page.names:
            page["names"] = list(site.config.page.names)  # with those that were of the machine's page
    signs = tomlkit.table()
    signs["external"] = True
    signs_too = authority.ca_pem if authority else carried.authority_ca
    beside(signs, "ca_file", _AUTHORITY_CA, "" if signs_too == ca_pem else signs_too)
    beside(signs, "release_signers", "release_signers", carried.release_signers)
    document["authority"] = signs
    files[SITE] = tomlkit.dumps(document)
    return {name: content.encode() for name, content in files.items()}


def pair(site: Site) -> dict[str, bytes]:
    """The hub's key and certificate, by file name, where the site's own authority signs here; each time new
    ones, and entered into its list.

    Raises:
        ProvisioningError: it does not sign.
    """
    authority = _own_authority(site)
    if authority is None or not site.config.broker.tls:
        return {}
    with TemporaryDirectory(prefix="carehub-key-") as name:
        made = Path(name)
        try:
            certificates.make(made, site.name)
        except KeeperError as error:
            raise ProvisioningError(str(error)) from error
        request, key = (made / REQUEST).read_text(), (made / KEY).read_text()
    signed = authority.sign_hub(request, site.name, (site.config.site.id, site.config.hub.id))
    return {KEY: key.encode(), CERTIFICATE: signed.encode()}


def _own_authority(site: Site) -> Authority | None:
    directory = site.authority_directory
    return None if directory is None else Authority(directory)
