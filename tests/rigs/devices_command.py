"""`carehub devices` asked of a hub that runs, and what it answers."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from tests.rigs.hub_process import Ended, HubProcess, carehub_here

_PATIENCE = 20.0


def devices(hub: HubProcess, *arguments: str) -> Ended:
    return carehub_here("devices", *arguments, "--config", hub.config_path)


def said(hub: HubProcess, *arguments: str) -> Any:
    ended = devices(hub, *arguments, "--json")
    assert (ended.code, ended.errors) == (0, "")
    return json.loads(ended.output)


def until(condition: Callable[[], object]) -> None:
    ends = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < ends, "it does not become so"
        time.sleep(0.05)


def listed(hub: HubProcess, address: str) -> dict[str, Any]:
    return next((each for each in said(hub, "list") if each["address"] == address), {})
