"""The inventory of many hubs: FLEET.toml, which names each machine and its site's file."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError

from hub.configuration.file import ConfigError
from hub.configuration.values import Identifier, Section, wrong
from provisioning.errors import ProvisioningError
from provisioning.named_files import file_named, read_toml


def _target(value: str) -> str:
    if value.startswith("-") or not value.isprintable() or any(letter.isspace() for letter in value):
        raise ValueError('give what ssh takes: "pi@10.0.0.7", a host\'s name, or one of ~/.ssh/config')
    return value


Target = Annotated[str, Field(min_length=1), AfterValidator(_target)]
Port = Annotated[int, Field(ge=1, le=65535)]


class _Common(Section):
    bundle: Path | None = None
    signers: Path | None = None
    port: Port | None = None
    identity: Path | None = None
    ssh_options: tuple[str, ...] = ()


class _Hub(_Common):
    target: Target
    site: Path
    name: Identifier | None = None
    certificate: Path | None = None


class _Fleet(Section):
    defaults: _Common = _Common()
    hubs: Annotated[list[_Hub], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Hub:
    """A machine of the fleet: `certified_as` is SITE.HUB of its site's file, and `name` the same where it has
    no other; `bundle` the release for it, `signers` whose releases it takes; `certificate` is from an
    external authority; `port`, `identity` (a private key's file) and `ssh_options` are ssh's. Every file is
    there."""

    name: str
    target: str
    site: Path
    bundle: Path | None = None
    signers: Path | None = None
    certificate: Path | None = None
    port: int | None = None
    identity: Path | None = None
    ssh_options: tuple[str, ...] = ()
    certified_as: str = ""


def load(path: Path) -> list[Hub]:
    """The hubs of a fleet, as the file has them.

    Raises:
        ConfigError: the file cannot be read, is no TOML, or keys are wrong; every wrong one is named.
    """
    _, document = read_toml(path)
    try:
        fleet = _Fleet.model_validate(document)
    except ValidationError as error:
        raise ConfigError(path, [wrong(problem) for problem in error.errors()]) from error
    problems: list[str] = []
    hubs = [_hub(path.parent, fleet.defaults, each, at, problems) for at, each in enumerate(fleet.hubs)]
    for at, hub in enumerate(hubs):
        for other in hubs[:at]:
            if hub.certified_as == other.certified_as:
                problems.append(f"hubs[{at}].site: {hub.certified_as} is in the fleet twice")
            elif hub.name == other.name:
                problems.append(f"hubs[{at}].name: {hub.name} is in the fleet twice")
            if (hub.target, hub.port) == (other.target, other.port):
                problems.append(f"hubs[{at}].target: {hub.target} is in the fleet twice")
    if problems:
        raise ConfigError(path, problems)
    return hubs


def chosen(hubs: Sequence[Hub], names: Collection[str]) -> list[Hub]:
    """Those of these names, or all where none is given.

    Raises:
        ProvisioningError: the fleet has none of that name.
    """
    unknown = sorted(set(names) - {hub.name for hub in hubs})
    if unknown:
        raise ProvisioningError(
            f"{', '.join(unknown)}: not in the fleet, which has {', '.join(hub.name for hub in hubs)}"
        )
    return [hub for hub in hubs if not names or hub.name in names]


def _hub(where: Path, defaults: _Common, given: _Hub, at: int, problems: list[str]) -> Hub:
    def file(key: str, value: Path | None) -> Path | None:
        if value is None:
            return None
        try:
            found = file_named(where, value)
        except ValueError as error:
            problems.append(f"hubs[{at}].{key}: {error}")
            return None
        if not found.is_file():
            problems.append(f"hubs[{at}].{key}: {found} is not there")
        return found

    site, certified_as = _site(where, given.site, f"hubs[{at}].site", problems)
    return Hub(
        given.name or certified_as,
        given.target,
        site,
        file("bundle", given.bundle or defaults.bundle),
        file("signers", given.signers or defaults.signers),
        file("certificate", given.certificate),
        given.port or defaults.port,
        file("identity", given.identity or defaults.identity),
        (*given.ssh_options, *defaults.ssh_options),
        certified_as,
    )


def _site(where: Path, named: Path, key: str, problems: list[str]) -> tuple[Path, str]:
    """A site's file, and SITE.HUB of it; the rest of it is looked at when it is used."""
    site = named
    try:
        site = file_named(where, named)
        _, document = read_toml(site)
        return site, f"{document['site']['id']}.{document['hub']['id']}"
    except ConfigError as error:
        problems += [f"{key}: {site} {each}" for each in error.problems]
    except (KeyError, TypeError):
        problems.append(f"{key}: {site} has no site.id or no hub.id")
    except ValueError as error:
        problems.append(f"{key}: {error}")
    return site, key  # its own name: what is wrong with the file is told once
