"""A bundle as the engineer's side has it."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

from provisioning.bundle.packing import pack_bundle
from provisioning.errors import ProvisioningError
from provisioning.keeper.bundle_file import opened
from provisioning.keeper.errors import KeeperError
from provisioning.keeper.manifest import MANIFEST, SIGNATURE, Manifest


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that was read. `signed_by` is what ssh-keygen said of its signature; `pythons` are those whose
    payloads are in this file. `manifest_sha256` names the release to a centre, and is the beginning of
    the name under which hubs fetch it."""

    path: Path
    manifest: Manifest
    signed_by: str
    pythons: tuple[str, ...]
    manifest_sha256: str

    def slim(self, python: str, into: Path) -> Path:
        """What one machine needs, as a bundle of its own in the directory `into`: the same manifest and
        signature, and that Python's payload alone.

        Raises:
            ProvisioningError: the bundle lacks it, or is damaged.
        """
        out = into / f"{self.manifest.version}-{self.manifest.build}-python{python}.bundle"
        try:
            # Verified when it was read; the machine verifies it again, by its own list.
            with (
                opened(self.path, None) as bundle,
                tempfile.NamedTemporaryFile(prefix="carehub-", dir=into) as payload,
            ):
                bundle.copy(python, payload)
                payload.flush()
                small = {MANIFEST: bundle.manifest_text, SIGNATURE: bundle.signature}
                pack_bundle(out, small, {bundle.payload(python).file: Path(payload.name)}, 0)
        except KeeperError as error:
            raise ProvisioningError(str(error)) from error
        except OSError as error:
            raise ProvisioningError(f"{out} cannot be written: {error.strerror}") from error
        return out


def read(path: Path, signers: Path | None) -> Bundle:
    """The bundle, if one of `signers` signed it (see `provisioning.keeper.bundle_file.opened`).

    Raises:
        ProvisioningError: it is none, or is not signed so.
    """
    try:
        with opened(path, signers) as bundle:
            pythons = tuple(each for each in sorted(bundle.manifest.payloads) if bundle.has(each))
            digest = hashlib.sha256(bundle.manifest_text).hexdigest()
            return Bundle(path, bundle.manifest, bundle.signed_by, pythons, digest)
    except KeeperError as error:
        raise ProvisioningError(str(error)) from error
