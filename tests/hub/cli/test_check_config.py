"""`carehub check-config`."""

from __future__ import annotations

import json
from pathlib import Path

from tests.rigs.house import SHARED, write_configuration
from tests.rigs.hub_process import carehub_here

EXAMPLE = Path(__file__).parents[3] / "provisioning" / "hub.example.toml"


def test_a_good_file_is_summed_up_with_what_to_know_of_it(tmp_path: Path) -> None:
    ended = carehub_here("check-config", "--config", write_configuration(tmp_path))
    assert ended.code == 0
    assert "good. Hub hub-1 at site rose-house: 2 resident(s), 5 sensor(s)" in ended.output
    assert "WITHOUT TLS" in ended.output
    assert f"{SHARED} is shared" in ended.output


def test_of_shared_sensors_it_says_whether_a_reader_says_whose_turn_it_is(tmp_path: Path) -> None:
    reader = '[[sensors]]\naddress = "USB:0C2E:0B61:S1"\ndriver = "wristband_reader"\n'
    config = write_configuration(tmp_path, reader)
    config.write_text(config.read_text().replace('id = "R-0077"', 'id = "R-0077"\nwristband = "9434765919"'))
    output = carehub_here("check-config", "--config", config).output
    assert f"{SHARED} is shared: its readings are of whoever's wristband was scanned before" in output
    assert "note: no wristband is given for R-0412: no scan opens a round for them" in output
    assert "USB:0C2E:0B61:S1" not in output
    assert "wait until somebody assigns" not in output
    config.write_text(config.read_text() + 'kit = "ward-b"\n')
    output = carehub_here("check-config", "--config", config).output
    assert f"{SHARED} is shared: its readings wait until somebody assigns them: it has no kit" in output


def test_a_wristbands_code_is_not_printed(tmp_path: Path) -> None:
    config = write_configuration(tmp_path)
    config.write_text(config.read_text().replace('id = "R-0077"', 'id = "R-0077"\nwristband = "9434765919"'))
    for options in ([], ["--json"]):
        assert "9434765919" not in carehub_here("check-config", *options, "--config", config).output


def test_a_broker_elsewhere_without_tls_is_noted(tmp_path: Path) -> None:
    config = write_configuration(tmp_path)
    assert "set broker.tls = true" not in carehub_here("check-config", "--config", config).output
    config.write_text(config.read_text().replace('host = "127.0.0.1"', 'host = "192.0.2.7"'))
    ended = carehub_here("check-config", "--config", config)
    assert ended.code == 0
    assert "set broker.tls = true" in ended.output


def test_the_example_is_good() -> None:
    assert carehub_here("check-config", "--config", EXAMPLE).code == 0


def test_json_gives_the_whole_configuration_defaults_included(tmp_path: Path) -> None:
    ended = carehub_here("check-config", "--json", "--config", write_configuration(tmp_path))
    assert json.loads(ended.output)["observation_sets"]["recent"] == "1800 s"


def test_a_driver_that_there_is_not_is_named_with_those_that_are(tmp_path: Path) -> None:
    sensor = '[[sensors]]\naddress = "C4:F2:17:00:00:77"\ndriver = "telepathy"\n'
    config = write_configuration(tmp_path, sensor)
    ended = carehub_here("check-config", "--config", config)
    assert ended.code == 3
    assert "sensors[5].driver" in ended.errors
    assert "pulse_oximeter" in ended.errors
    assert str(config) in ended.errors


def test_what_is_no_toml_is_said_to_be_so(tmp_path: Path) -> None:
    path = tmp_path / "hub.toml"
    path.write_bytes(b"[site\nid = \xff")
    ended = carehub_here("check-config", "--config", path)
    assert ended.code == 3
    assert "is not TOML" in ended.errors


def test_a_directory_is_no_configuration(tmp_path: Path) -> None:
    ended = carehub_here("check-config", "--config", tmp_path)
    assert ended.code == 2
    assert "is a directory" in ended.errors
