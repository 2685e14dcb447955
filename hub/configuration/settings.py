"""The effective configuration, flat: what the trail keeps of it, and the hash by which an alert names it.

`{"alerts.resolve_after": "1800.0 s", "residents.R-0412.oxygen_scale": 1, ...}`, defaults included.

A text is shown only where its key is listed here as harmless; of any other there is a digest, which tells
that it was changed and not what it is. So a key that is added to the configuration is hidden until somebody
lists it. Names of people are hidden, and are not part of the hash: the hash leaves the hub, and whoever knows
the rest could try names. Of a passkey and of a wristband only that there is one is told: six digits are
soon tried, and so are the ten of an NHS number. Secrets are in files: of those that are secret the trail has
the name and when they were changed, of the others a digest of what is in them; neither is part of the hash.

Sensors that were enrolled by command are settings as those of the file are, under the same keys
(`hub.sensors.enrolment.Enrolment.configuration`). So the hash in force when an alert was raised is the one in
the newest entry of the trail before it that has one: "hub started", "sensor enrolled" or "sensor forgotten".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum
from hashlib import sha256
from pathlib import Path

from pydantic import BaseModel

from hub.configuration.file import Config
from hub.small_file import read_whole
from hub.store.audit import canonical

Settings = Mapping[str, object]

_SHOWN = frozenset(
    {
        "id", "timezone", "host", "driver", "address", "resident", "user", "kit", "bonding", "radio",
        "adapter", "ports", "mode", "tell", "output",
    }
)  # fmt: skip
_ONLY_THAT_THERE_IS_ONE = frozenset({"passkey", "wristband"})
_NAMES = frozenset({"name", "room", "label", "oxygen_scale_prescriber"})
_PUBLIC_FILES = frozenset({"ca_file", "certificate_file", "file", "scenario"})
_IDENTIFIERS = ("id", "address")
_DIGEST_DIGITS = 12


def settings(config: Config) -> Settings:
    """Every setting by its key; what is None or empty is left out, as if it were not there."""
    return dict(sorted(_flat("", config)))


def configuration_hash(of: Settings) -> str:
    """The hash (64 hexadecimal digits) of all settings but names of people."""
    named = {key: value for key, value in of.items() if key.rpartition(".")[2] not in _NAMES}
    return sha256(canonical(named).encode()).hexdigest()


def files(config: Config) -> Mapping[str, str]:
    """In which state the files are that the configuration names, by key."""
    return {key: _state(key, path) for key, path in _files("", config)}


def changed(before: Mapping[str, object], current: Settings, states: Mapping[str, str]) -> Sequence[str]:
    """The keys whose setting or file is not as it was.

    `before` is what the trail keeps of the last configuration: "settings" and "files".
    """
    keys: set[str] = set()
    for name, present in (("settings", current), ("files", states)):
        kept = before.get(name)
        past = kept if isinstance(kept, Mapping) else {}
        keys.update(key for key in past.keys() | present.keys() if past.get(key) != present.get(key))
    return sorted(keys)


def _flat(path: str, value: object) -> Iterator[tuple[str, object]]:
    match value:
        case None | "" | () | []:
            return
        case BaseModel():
            for key in type(value).model_fields:
                yield from _flat(_join(path, key), getattr(value, key))
        case Mapping():
            for key, inner in value.items():
                yield from _flat(_join(path, _word(key)), inner)
        case list() | tuple():
            for key, inner in _numbered(value):
                yield from _flat(f"{path}.{key}", inner)
        case _:
            yield path, _shown(path, value)


def _numbered(values: Sequence[object]) -> Iterator[tuple[str, object]]:
    for index, value in enumerate(values):
        named = (str(getattr(value, name)) for name in _IDENTIFIERS if hasattr(value, name))
        yield next(named, str(index)), value


def _shown(path: str, value: object) -> object:
    """A text that is not known to be harmless as its digest; all else as JSON can say it."""
    match value:
        case _ if path.rpartition(".")[2] in _ONLY_THAT_THERE_IS_ONE:
            return "given"
        case Enum():
            return value.value
        case timedelta():
            return f"{value.total_seconds()} s"
        case bool() | int() | float():
            return value
        case str() if path.rpartition(".")[2] not in _SHOWN:
            return f"sha256:{_digest(value.encode())}"
        case _:
            return str(value)


def _files(path: str, value: BaseModel) -> Iterator[tuple[str, Path]]:
    for name in type(value).model_fields:
        inner = getattr(value, name)
        if isinstance(inner, BaseModel):
            yield from _files(_join(path, name), inner)
        elif isinstance(inner, Path) and (name.endswith("_file") or name in _PUBLIC_FILES):
            yield _join(path, name), inner


def _state(key: str, path: Path) -> str:
    try:
        if key.rpartition(".")[2] in _PUBLIC_FILES:
            return f"sha256:{_digest(read_whole(path))}"
        return f"changed {datetime.fromtimestamp(path.stat().st_mtime, UTC):%Y-%m-%dT%H:%M:%SZ}"
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()[:_DIGEST_DIGITS]


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _word(key: object) -> str:
    return str(key.value) if isinstance(key, Enum) else str(key)
