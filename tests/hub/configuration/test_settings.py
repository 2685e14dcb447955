"""The effective configuration as the trail keeps it: changes show, names and secrets do not."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import BaseModel

from hub.configuration.file import Broker, Config, load
from hub.configuration.settings import changed, configuration_hash, files, settings
from hub.small_file import LARGEST_BYTES
from tests.rigs.house import NAMES, write_configuration

SECRET = "correct horse battery staple"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return load(write_configuration(tmp_path))


def altered(config: Config, section: str, **values: object) -> Config:
    part = getattr(config, section)
    assert isinstance(part, BaseModel)
    return config.model_copy(update={section: part.model_copy(update=values)})


def resident(config: Config, **values: object) -> Config:
    first, *others = config.residents
    return config.model_copy(update={"residents": (first.model_copy(update=values), *others)})


def test_every_setting_is_there_defaults_included(config: Config) -> None:
    said = settings(config)
    assert said["alerts.resolve_after"] == "1800.0 s"
    assert said["broker.window"] == 100
    assert said["residents.R-0412.oxygen_scale"] == 1
    assert said["sensors.C4:F2:17:00:00:01.driver"] == "blood_pressure"
    assert said["alerts.ladder.high.0.tell"] == "senior carer"
    assert json.loads(json.dumps(said)) == said


def test_names_are_nowhere_in_it(config: Config) -> None:
    said = json.dumps(settings(resident(config, oxygen_scale_prescriber="Dr Foster")))
    for name in (*NAMES, "Foster"):
        assert name not in said


def test_a_text_under_a_key_that_nobody_listed_is_hidden(config: Config) -> None:
    assert SECRET not in json.dumps(settings(altered(config, "broker", username=SECRET)))


def test_a_name_changes_its_own_key_and_not_the_hash_which_leaves_the_hub(config: Config) -> None:
    other = resident(config, name="Somebody Else")
    kept = {"settings": settings(config), "files": {}}
    assert changed(kept, settings(other), {}) == ["residents.R-0412.name"]
    assert configuration_hash(settings(other)) == configuration_hash(settings(config))


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("alerts", "resolve_after", timedelta(minutes=30, microseconds=1)),
        ("alerts", "resolve_after", timedelta(days=30, seconds=1)),
        ("broker", "username", "hub-1"),
        ("broker", "tls", True),
        ("model", "file", Path("another.tflite")),
        ("site", "timezone", "Europe/Paris"),
    ],
)
def test_any_other_setting_changes_its_key_and_the_hash(
    config: Config, section: str, key: str, value: object
) -> None:
    other = altered(config, section, **{key: value})
    kept = {"settings": settings(config), "files": {}}
    assert changed(kept, settings(other), {}) == [f"{section}.{key}"]
    assert configuration_hash(settings(other)) != configuration_hash(settings(config))


def test_of_a_passkey_only_that_there_is_one_is_told(config: Config) -> None:
    first, *others = config.sensors

    def with_passkey(passkey: int | None) -> Config:
        return config.model_copy(update={"sensors": (first.model_copy(update={"passkey": passkey}), *others)})

    one, another = settings(with_passkey(271828)), settings(with_passkey(314159))
    assert one == another
    assert "271828" not in json.dumps(one)
    assert changed({"settings": settings(config)}, one, {}) == [f"sensors.{first.address}.passkey"]


def test_of_a_wristband_only_that_there_is_one_is_told(config: Config) -> None:
    """A digest of the ten digits of an NHS number would soon be tried."""
    one, another = (settings(resident(config, wristband=code)) for code in ("9434765919", "4010232137"))
    assert one == another
    assert one["residents.R-0412.wristband"] == "given"
    assert changed({"settings": settings(config)}, one, {}) == ["residents.R-0412.wristband"]


def test_a_sensors_kit_is_shown(config: Config) -> None:
    first, *others = config.sensors
    shared = first.model_copy(update={"kit": "ward-a", "resident": None})
    said = settings(config.model_copy(update={"sensors": (shared, *others)}))
    assert said[f"sensors.{first.address}.kit"] == "ward-a"


def test_a_resident_who_is_new_or_gone_changes_their_keys(config: Config) -> None:
    fewer = config.model_copy(update={"residents": config.residents[:1]})
    kept = {"settings": settings(config), "files": {}}
    names = changed(kept, settings(fewer), {})
    assert names
    assert all(name.startswith("residents.R-0077.") for name in names)
    assert changed({"settings": settings(fewer)}, settings(config), {}) == names


def test_the_order_of_residents_changes_nothing(config: Config) -> None:
    turned = config.model_copy(update={"residents": config.residents[::-1]})
    assert settings(turned) == settings(config)


def test_of_a_secret_file_only_the_time_is_told_and_of_others_a_digest(
    config: Config, tmp_path: Path
) -> None:
    secret, authority = tmp_path / "password", tmp_path / "ca.pem"
    secret.write_text(SECRET)
    authority.write_text("a certificate")
    broker = Broker(host="x", password_file=secret, ca_file=authority)
    states = files(config.model_copy(update={"broker": broker}))
    assert states["broker.password_file"].startswith("changed 20")
    assert states["broker.ca_file"].startswith("sha256:")
    authority.write_text("another")
    secret.unlink()
    later = files(config.model_copy(update={"broker": broker}))
    assert later["broker.ca_file"] != states["broker.ca_file"]
    assert later["broker.password_file"] == "cannot be read: No such file or directory"
    assert changed({"settings": {}, "files": states}, {}, later) == ["broker.ca_file", "broker.password_file"]


def test_a_file_that_is_too_large_or_none_is_said_to_be_and_keeps_no_hub_from_starting(
    config: Config, tmp_path: Path
) -> None:
    large = tmp_path / "large.tflite"
    with large.open("wb") as file:
        file.truncate(LARGEST_BYTES + 1)
    said = {path: files(altered(config, "model", file=path))["model.file"] for path in (large, Path("a\0b"))}
    assert list(said.values()) == ["cannot be read: File too large", "cannot be read: Invalid argument"]
