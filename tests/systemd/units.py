"""Units and other files of systemd, read as what they say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

SYSTEMD = Path(__file__).parents[2] / "systemd"


def settings(name: str) -> Mapping[str, Sequence[str]]:
    """What a file in systemd/ says, key by key, each value in its order. No key is in two of its sections."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in (SYSTEMD / name).read_text(encoding="utf-8").splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith(("#", ";")):
            found[key].append(value)
    return found


def setting(name: str, key: str) -> str:
    """The one value of a key."""
    (value,) = settings(name)[key]
    return value


def seconds(value: str) -> float:
    """How long a time of systemd's is, as far as these files use them."""
    for unit, length in (("min", 60.0), ("ms", 0.001), ("s", 1.0), ("", 1.0)):
        if value.endswith(unit):
            return float(value.removesuffix(unit)) * length
    raise ValueError(value)


def lines(name: str) -> list[str]:
    """The lines of a file that say something."""
    text = (SYSTEMD / name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith(("#", "//"))]
