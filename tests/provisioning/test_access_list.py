"""The generator of mosquitto's access list: what it writes, and what it refuses."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import topic_matches_sub

SCRIPT = Path(__file__).parents[2] / "provisioning" / "broker" / "acl.py"
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)


def _script() -> Any:
    specification = importlib.util.spec_from_file_location("acl", SCRIPT)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["acl"] = module
    specification.loader.exec_module(module)
    return module


acl = _script()


def test_each_client_gets_its_own_and_nothing_else_is_said() -> None:
    clients = acl.read("# ours\n\nhub h.1 rose-house hub-1  # in the hall\nics desk\n")
    assert acl.rules(clients).splitlines()[1:] == [
        "",
        "user h.1",
        "topic write careport/v1/rose-house/hub-1/+",
        "topic read careport/v1/rose-house/hub-1/ack",
        "topic read careport/v1/rose-house/hub-1/update",
        "",
        "user desk",
        "topic read careport/v1/#",
        "topic write careport/v1/+/+/ack",
        "topic write careport/v1/+/+/update",
    ]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("hub a site", "line 1"),
        ("nurse a", "line 1"),
        ("ics a b", "line 1"),
        ("hub a # site hub", "line 1"),
        ("hub a +  hub", r"'\+'"),
        ("hub a si/te hub", "'si/te'"),
        ("ics " + "x" * 65, "at most 64"),
        ("ics a\nhub a site hub", "line 2: a: this CN is given twice"),
        ("hub a site hub\nhub b site hub", "line 2: site hub: this hub is given twice"),
        ("ics é", "'é'"),
    ],
)
def test_a_line_that_is_wrong_is_named_and_nothing_is_written(tmp_path: Path, lines: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        acl.read(lines)
    clients = tmp_path / "clients"
    clients.write_text(lines)
    ended = subprocess.run([sys.executable, SCRIPT, clients], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert str(clients) in ended.stderr
    assert "Traceback" not in ended.stderr


@given(hubs=st.lists(st.tuples(NAMES, NAMES), min_size=2, max_size=6, unique=True))
def test_no_hub_may_do_anything_on_the_topics_of_another(hubs: list[tuple[str, str]]) -> None:
    text = "\n".join(f"hub cn-{number} {site} {hub}" for number, (site, hub) in enumerate(hubs))
    blocks = acl.rules(acl.read(text)).split("\nuser ")[1:]
    assert len(blocks) == len(hubs)
    for block, own in zip(blocks, hubs, strict=True):
        filters = [line.split(" ", 2)[2] for line in block.splitlines()[1:] if line]
        assert len(filters) == 3
        for other in hubs:
            for channel in ("alert", "ack", "update", "status"):
                topic = f"careport/v1/{other[0]}/{other[1]}/{channel}"
                assert any(topic_matches_sub(one, topic) for one in filters) is (own == other)


def test_the_example_is_good() -> None:
    assert acl.read((SCRIPT.parent / "clients.example").read_text())
