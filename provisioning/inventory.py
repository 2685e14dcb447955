"""The inventory of many hubs: FLEET.toml, which names each machine and its site's file."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError

from hub.config import ConfigError
from hub.config_values import Identifier, Section, wrong
from provisioning.errors import ProvisioningError


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
    """A machine of the fleet: `name` is SITE.HUB of its site's file, where it has no other; `bundle` the
    release for it, `signers` whose releases it takes; `certificate` is from an external authority; `port`,
    `identity` (a private key's file) and `ssh_options` are ssh's. Every file is there."""

    name: str
    target: str
    site: Path
    bundle: Path | None = None
    signers: Path | None = None
    certificate: Path | None = None
    port: int | None = None
    identity: Path | None = None
    ssh_options: tuple[str, ...] = ()


def load(path: Path) -> list[Hub]:
    """The hubs of a fleet, as the file has them.

    Raises:
        ConfigError: the file cannot be read, is no TOML, or keys are wrong; every wrong one is named.
    """
    try:
        with path.open("rb") as file:
            fleet = _Fleet.model_validate(tomllib.load(file))
    except OSError as error:
        raise ConfigError(path, [f"cannot be read: {error.strerror}"]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(path, [f"is not TOML: {error}"]) from error
    except ValidationError as error:
        raise ConfigError(path, [wrong(problem) for problem in error.errors()]) from error
    problems: list[str] = []
    hubs = [_hub(path.parent, fleet.defaults, each, at, problems) for at, each in enumerate(fleet.hubs)]
    for at, hub in enumerate(hubs):
        for other in hubs[:at]:
            if hub.name == other.name:
                problems.append(f"hubs[{at}].site: {hub.name} is in the fleet twice")
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
        found = where / value.expanduser()
        if not found.is_file():
            problems.append(f"hubs[{at}].{key}: {found} is not there")
        return found

    site = where / given.site.expanduser()
    return Hub(
        given.name or _name(site, f"hubs[{at}].site", problems),
        given.target,
        site,
        file("bundle", given.bundle or defaults.bundle),
        file("signers", given.signers or defaults.signers),
        file("certificate", given.certificate),
        given.port or defaults.port,
        file("identity", given.identity or defaults.identity),
        (*given.ssh_options, *defaults.ssh_options),
    )


def _name(site: Path, key: str, problems: list[str]) -> str:
    """SITE.HUB of a site's file; the rest of it is looked at when it is used."""
    try:
        with site.open("rb") as file:
            document = tomllib.load(file)
        return f"{document['site']['id']}.{document['hub']['id']}"
    except OSError as error:
        problems.append(f"{key}: {site} cannot be read: {error.strerror}")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(f"{key}: {site} is not TOML: {error}")
    except (KeyError, TypeError):
        problems.append(f"{key}: {site} has no site.id or no hub.id")
    return key  # its own: what is wrong with the file is told once
