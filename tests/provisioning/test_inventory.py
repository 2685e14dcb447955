"""FLEET.toml: what is read of it, and what is said of one that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.configuration.file import ConfigError
from provisioning import inventory
from provisioning.errors import ProvisioningError

SHIPPED = Path(__file__).parents[2] / "provisioning" / "fleet.example.toml"


@pytest.fixture
def homes(tmp_path: Path) -> Path:
    for site in ("rose-house", "oak-house"):
        (tmp_path / f"{site}.toml").write_text(f'[site]\nid = "{site}"\n[hub]\nid = "hub-1"\n')
    return tmp_path


def written(homes: Path, text: str) -> Path:
    path = homes / "fleet.toml"
    path.write_text(text)
    return path


def problems(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        inventory.load(path)
    return list(caught.value.problems)


def test_the_shipped_example_is_a_fleet(homes: Path) -> None:
    hubs = inventory.load(written(homes, SHIPPED.read_text()))
    assert [(hub.name, hub.target, hub.port) for hub in hubs] == [
        ("rose-house.hub-1", "pi@10.0.0.7", None),
        ("oak-house.hub-1", "pi@oak-house.example", 2222),
    ]


def test_every_key_that_the_example_shows_is_one(homes: Path) -> None:
    for name in ("carehub.bundle", "release_signers", "rose-house.crt", "key"):
        (homes / name).write_text("")
    text = SHIPPED.read_text().replace("# ", "#").replace("~/.ssh/carehub", "key")
    lines = [
        line.removeprefix("#") if "=" in line and line.startswith("#") else line for line in text.splitlines()
    ]
    hubs = inventory.load(written(homes, "\n".join(lines)))
    assert hubs[0].bundle == homes / "carehub.bundle"
    assert hubs[0].certificate == homes / "rose-house.crt"
    assert hubs[0].ssh_options == ("ProxyJump=office",)
    assert (hubs[0].port, hubs[1].port) == (22, 2222)


def test_a_wrong_file_names_every_wrong_key(homes: Path) -> None:
    path = written(
        homes,
        '[defaults]\nprot = 22\n[[hubs]]\ntarget = "-oProxyCommand=x"\nsite = "rose-house.toml"\n'
        '[[hubs]]\nport = 70000\nsite = "oak-house.toml"\n',
    )
    told = "\n".join(problems(path))
    for key in ("defaults.prot: no such key", "hubs[0].target", "hubs[1].target: missing", "hubs[1].port"):
        assert key in told


def test_files_that_are_not_there_and_hubs_that_are_there_twice_are_named(homes: Path) -> None:
    hub = '[[hubs]]\ntarget = "pi@10.0.0.7"\nsite = "rose-house.toml"\n'
    (homes / "empty.toml").write_text("")
    path = written(
        homes,
        f'[defaults]\nbundle = "missing.bundle"\n{hub}{hub}[[hubs]]\ntarget = "a"\nsite = "nowhere.toml"\n'
        '[[hubs]]\ntarget = "b"\nsite = "empty.toml"\n',
    )
    told = "\n".join(problems(path))
    for words in (
        "hubs[0].bundle",
        "missing.bundle is not there",
        "hubs[1].site: rose-house.hub-1 is in the fleet twice",
        "hubs[1].target: pi@10.0.0.7 is in the fleet twice",
        "nowhere.toml cannot be read",
        "empty.toml has no site.id",
    ):
        assert words in told
    assert problems(written(homes, "hubs = []"))
    assert problems(written(homes, "["))
    assert problems(homes / "no such file")


def test_one_site_under_two_names_is_there_twice(homes: Path) -> None:
    hub = '[[hubs]]\ntarget = "{}"\nsite = "rose-house.toml"\n'
    path = written(homes, hub.format("pi@10.0.0.7") + hub.format("root@10.0.0.8") + 'name = "spare"\n')
    assert problems(path) == ["hubs[1].site: rose-house.hub-1 is in the fleet twice"]
    other = '[[hubs]]\ntarget = "a"\nsite = "oak-house.toml"\nname = "rose-house.hub-1"\n'
    path = written(homes, hub.format("pi@10.0.0.7") + other)
    assert problems(path) == ["hubs[1].name: rose-house.hub-1 is in the fleet twice"]


def test_files_of_notepads_are_read_as_provision_reads_them(homes: Path) -> None:
    path = written(homes, '[[hubs]]\ntarget = "a"\nsite = "rose-house.toml"\n')
    for each in (path, homes / "rose-house.toml"):
        each.write_bytes(b"\xef\xbb\xbf" + each.read_bytes())
    assert [hub.name for hub in inventory.load(path)] == ["rose-house.hub-1"]


@pytest.mark.parametrize("named", ["~nobody9/x", "a\\u0000b"])
@pytest.mark.parametrize("key", ["site", "bundle", "identity"])
def test_a_path_that_leads_nowhere_is_a_wrong_key(homes: Path, key: str, named: str) -> None:
    paths = {"site": "rose-house.toml"} | {key: named}
    text = "".join(f'{each} = "{path}"\n' for each, path in paths.items())
    assert any(
        each.startswith(f"hubs[0].{key}: ")
        for each in problems(written(homes, f'[[hubs]]\ntarget = "a"\n{text}'))
    )


def test_only_those_that_are_named_are_chosen(homes: Path) -> None:
    hubs = inventory.load(written(homes, SHIPPED.read_text()))
    assert inventory.chosen(hubs, []) == hubs
    assert [hub.name for hub in inventory.chosen(hubs, ["oak-house.hub-1"])] == ["oak-house.hub-1"]
    with pytest.raises(ProvisioningError, match="elm-house"):
        inventory.chosen(hubs, ["elm-house.hub-1"])
