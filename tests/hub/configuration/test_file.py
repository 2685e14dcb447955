"""The configuration: what is wrong is named by its key, its value and what is allowed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.assessment.news2 import DUE_WITHIN, Band, OxygenScale
from hub.configuration.file import Config, ConfigError, load

LEAST = '[site]\nid = "willow"\n[hub]\nid = "hub-1"\n[broker]\nhost = "ics.example"\n'


def loaded(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "hub.toml"
    path.write_text(text)
    return load(path)


def problems(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, text)
    return str(caught.value)


def test_a_site_a_hub_and_a_broker_are_enough(tmp_path: Path) -> None:
    config = loaded(tmp_path, LEAST)
    assert config.broker.tls
    assert config.broker.port == 8883
    assert config.alerts.from_band is Band.SINGLE_RED
    assert config.replay.socket is None
    assert config.model.mode == "shadow"


def test_every_problem_is_named_at_once(tmp_path: Path) -> None:
    words = problems(tmp_path, '[site]\nid = "a b"\n[broker]\nhost = "x"\nport = 99999\nprot = 1\n')
    assert "site.id" in words
    assert "hub: missing" in words
    assert "broker.port: Input should be less than or equal to 65535 (it is 99999)" in words
    assert "broker.prot: no such key" in words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[[sensors]]\naddress = "nonsense"\ndriver = "x"', 'sensors[0].address: give a Bluetooth address'),
        ('[observation_sets]\nrecent = "30"', 'observation_sets.recent: give a duration with its unit'),
        ('[observation_sets]\nrecent = 30', 'observation_sets.recent: give a duration with its unit'),
        ('[observation_sets]\nstream = "5 s"', "observation_sets.stream: Input should be greater than or"),
        ('[observation_sets]\nstream = "6 min"', "observation_sets.stream: Input should be less than or"),
        ('[alerts]\nfrom_band = "low"', "alerts.from_band"),
        (
            '[[alerts.ladder.high]]\nafter = "10 min"\ntell = "a"\n'
            '[[alerts.ladder.high]]\nafter = "5 min"\ntell = "b"',
         'ladder.high: each "after" must be longer'),
        ("[alerts.ladder]\nhigh = []", "ladder.high: has no rung"),
        ("[alerts]\nconcern_ladder = []", "concern_ladder: has no rung"),
        ('[observation_sets]\ndue = { high = "2 h" }', "due.high: is longer than due.medium"),
        ('[observation_sets]\ndue = { high = "1 min" }', "observation_sets.due.high"),
        ('[alerts]\nresolve_after = "0 s"', "alerts.resolve_after"),
        ('[bluetooth]\nradio = "virtual"', "set site.test_data = true"),
        ('[replay]\nsocket = "/tmp/r"', "set site.test_data = true"),
        ('[[residents]]\nid = "r"\n[[residents]]\nid = "r"', "residents.id: r is given twice"),
        ('[[sensors]]\naddress = "C4:F2:17:00:00:01"\ndriver = "x"\nresident = "no"', "who is not listed"),
        ('[[sensors]]\naddress = "C4:F2:17:00:00:01"\ndriver = "x"\nbonding = "maybe"',
         "sensors[0].bonding: Input should be 'first', 'when-asked' or 'never'"),
        ('[[sensors]]\naddress = "C4:F2:17:00:00:01"\ndriver = "x"\npasskey = 12345',
         'sensors[0].passkey: give the six digits that the sensor shows, in quotes'),
        ('[[sensors]]\naddress = "C4:F2:17:00:00:01"\ndriver = "x"\npasskey = "12 345"',
         'sensors[0].passkey: give the six digits'),
        ('[[sensors]]\naddress = "C4:F2:17:00:00:01"\ndriver = "x"\npasskey = true',
         'sensors[0].passkey: give the six digits'),
        ('[[sensors]]\naddress = "C4:F2:17:00:00:01"\ndriver = "x"\npasskey = "123456"\nbonding = "never"',
         'sensors[0]: bonding = "never", yet a passkey is given'),
        ('[[residents]]\nid = "r"\noxygen_scale = 2', "name them in oxygen_scale_prescriber"),
        ('[[sensors]]\naddress = "C4:F2:17:00:00:01"\ndriver = "x"\nkit = "two words"',
         "sensors[0].kit: String should match pattern"),
        ('[[residents]]\nid = "r"\n[[sensors]]\naddress = "C4:F2:17:00:00:01"\ndriver = "x"\nkit = "a"\n'
         'resident = "r"',
         "sensors[0]: what is of a kit is shared, and this is a resident's: leave out one of them"),
        ('[rounds]\nlasts = "30 s"', 'rounds.lasts: Input should be greater than or equal to "60 s"'),
        ('[rounds]\nlasts = "2 h"', "rounds.lasts: Input should be less than or"),
        ('[rounds]\nsettle = "5 s"', "rounds.settle: Input should be greater than or"),
        ('[rounds]\nsettle = "10 min"', "rounds: settle must be shorter than lasts"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_with_what_is_allowed(tmp_path: Path, text: str, words: str) -> None:
    assert words in problems(tmp_path, LEAST + text)


def test_a_zone_that_does_not_exist_is_named(tmp_path: Path) -> None:
    words = problems(tmp_path, LEAST.replace('"willow"', '"willow"\ntimezone = "Europe/Lodnon"'))
    assert "site.timezone: give a time zone" in words


def test_a_band_that_the_ladder_leaves_out_keeps_its_default(tmp_path: Path) -> None:
    ladder = '[[alerts.ladder.high]]\nafter = "1 min"\ntell = "everybody"'
    whole = loaded(tmp_path, LEAST + ladder).alerts.ladder
    assert [rung.tell for rung in whole[Band.HIGH]] == ["everybody"]
    assert [rung.tell for rung in whole[Band.MEDIUM]] == ["senior carer", "111"]


def test_a_concern_has_a_ladder_and_may_have_the_homes_own(tmp_path: Path) -> None:
    own = '[[alerts.concern_ladder]]\nafter = "5 min"\ntell = "night nurse"'
    usual, whole = loaded(tmp_path, LEAST).alerts, loaded(tmp_path, LEAST + own).alerts
    assert [rung.tell for rung in usual.concern_ladder] == ["senior carer", "GP or 111"]
    assert [rung.tell for rung in whole.concern_ladder] == ["night nurse"]


def test_a_home_may_say_how_often_it_observes_and_the_rest_is_as_the_chart_has_it(tmp_path: Path) -> None:
    own = '[observation_sets]\ndue = { zero = "7 d", high = "30 min" }'
    due = loaded(tmp_path, LEAST + own).observation_sets.due
    assert due == {**DUE_WITHIN, Band.ZERO: timedelta(days=7), Band.HIGH: timedelta(minutes=30)}


def test_a_home_of_one_person_lists_one(tmp_path: Path) -> None:
    text = LEAST.replace('"willow"', '"willow"\none_person = true')
    assert "site.one_person = true, yet 0 residents are listed" in problems(tmp_path, text)
    assert loaded(tmp_path, text + '[[residents]]\nid = "r"').site.one_person


def test_scale_2_is_taken_with_its_prescriber(tmp_path: Path) -> None:
    text = '[[residents]]\nid = "r"\noxygen_scale = 2\noxygen_scale_prescriber = "Dr B, 2026-01-05"'
    assert loaded(tmp_path, LEAST + text).residents[0].oxygen_scale is OxygenScale.SCALE_2


def test_addresses_are_compared_in_capitals(tmp_path: Path) -> None:
    text = '[[sensors]]\naddress = "c4:f2:17:00:00:0a"\ndriver = "blood_pressure"'
    assert loaded(tmp_path, LEAST + text).sensors[0].address == "C4:F2:17:00:00:0A"


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("usb:0403:6001:a9xk2p7q", "USB:0403:6001:A9XK2P7Q"),
        ("USB:10C4:ea60@platform-xhci-hcd.0-usb-0:1.4", "USB:10C4:EA60@PLATFORM-XHCI-HCD.0-USB-0:1.4"),
        ("USB:0403:6010:FT3XYZ/1", "USB:0403:6010:FT3XYZ/1"),
        ("USB:0403:6010:FT3XYZ/0", "USB:0403:6010:FT3XYZ"),
    ],
)
def test_an_address_of_usb_is_kept_in_its_one_way_of_writing(tmp_path: Path, written: str, kept: str) -> None:
    config = loaded(tmp_path, f'{LEAST}[[sensors]]\naddress = "{written}"\ndriver = "x"')
    assert config.sensors[0].address == kept


@pytest.mark.parametrize(
    "written", ["USB:0403:6001", "USB:0403:6001:", "USB:XYZ:6001:A", "USB:0403:6001:A B", "C4:F2:17:00:00"]
)
def test_of_what_is_no_address_both_ways_of_writing_one_are_shown(tmp_path: Path, written: str) -> None:
    words = problems(tmp_path, f'{LEAST}[[sensors]]\naddress = "{written}"\ndriver = "x"')
    assert "sensors[0].address: give a Bluetooth address" in words
    assert '"C4:F2:17:00:00:01"' in words
    assert '"USB:0403:6001:A9XK2P7Q"' in words


def test_one_device_on_usb_is_listed_once_however_it_is_written(tmp_path: Path) -> None:
    both = "".join(
        f'[[sensors]]\naddress = "USB:0403:6001:{serial}"\ndriver = "x"\n' for serial in ("ab1/0", "AB1")
    )
    assert "sensors.address: USB:0403:6001:AB1 is given twice" in problems(tmp_path, LEAST + both)


@pytest.mark.parametrize("user", ["1", '"any"'])
def test_what_is_on_usb_numbers_no_persons(tmp_path: Path, user: str) -> None:
    sensor = f'[[sensors]]\naddress = "USB:0403:6001:A9XK2P7Q"\ndriver = "x"\nuser = {user}'
    assert "sensors[0]: what is on USB numbers no persons: leave out user" in problems(
        tmp_path, LEAST + sensor
    )


@pytest.mark.parametrize("said", ['bonding = "never"', 'passkey = "012345"'])
def test_what_is_on_usb_is_not_bonded_with(tmp_path: Path, said: str) -> None:
    words = problems(
        tmp_path, f'{LEAST}[[sensors]]\naddress = "USB:0403:6001:A9XK2P7Q"\ndriver = "x"\n{said}'
    )
    assert "sensors[0]: what is on USB is not bonded with: leave out bonding and passkey" in words
    assert "012345" not in words


def test_usb_is_the_machines_own_unless_set_otherwise(tmp_path: Path) -> None:
    assert loaded(tmp_path, LEAST).usb.ports == "udev"
    assert loaded(tmp_path, LEAST + '[usb]\nports = "off"').usb.ports == "off"
    assert "usb.ports" in problems(tmp_path, LEAST + '[usb]\nports = "none"')


def test_virtual_sockets_are_for_test_data_only(tmp_path: Path) -> None:
    virtual = '[usb]\nports = "virtual"\nscenario = "x.toml"\n'
    assert "set site.test_data = true beside it" in problems(tmp_path, LEAST + virtual)
    tested = LEAST.replace('id = "willow"', 'id = "willow"\ntest_data = true')
    assert loaded(tmp_path, tested + virtual).usb.scenario == Path("x.toml")
    played = '[usb]\nscenario = "x.toml"'
    assert 'scenario is for ports = "virtual" only' in problems(tmp_path, LEAST + played)


@pytest.mark.parametrize(("written", "means"), [('"012345"', 12345), ("123456", 123456), ('"000000"', 0)])
def test_a_passkey_is_six_digits_and_is_not_shown(tmp_path: Path, written: str, means: int) -> None:
    text = f'[[sensors]]\naddress = "C4:F2:17:00:00:01"\ndriver = "x"\nbonding = "first"\npasskey = {written}'
    config = loaded(tmp_path, LEAST + text)
    assert (config.sensors[0].passkey, config.sensors[0].bonding) == (means, "first")
    assert written.strip('"') not in config.model_dump_json()


def test_a_wrong_passkey_is_not_quoted(tmp_path: Path) -> None:
    text = '[[sensors]]\naddress = "C4:F2:17:00:00:01"\ndriver = "x"\npasskey = "31415"'
    assert "31415" not in problems(tmp_path, LEAST + text)


WORN = '[[residents]]\nid = "{}"\nwristband = {}\n'


def test_rounds_have_times(tmp_path: Path) -> None:
    rounds = loaded(tmp_path, LEAST + '[rounds]\nlasts = "5 min"').rounds
    assert (rounds.lasts, rounds.settle) == (timedelta(minutes=5), timedelta(minutes=1))
    assert loaded(tmp_path, LEAST).rounds.lasts == timedelta(minutes=10)


def test_a_serial_number_that_many_devices_say_is_no_address(tmp_path: Path) -> None:
    text = LEAST + '[[sensors]]\naddress = "USB:10C4:EA60:0001"\ndriver = "contec_cms50"\n'
    words = problems(tmp_path, text)
    assert "sensors[0].address: 0001 is a serial number that many devices say: give the address with" in words


def test_a_wristbands_code_is_in_capitals_without_blanks_around_it(tmp_path: Path) -> None:
    config = loaded(tmp_path, LEAST + WORN.format("r", '" wb-0077-x "') + WORN.format("s", f'"{"7" * 64}"'))
    assert [each.wristband for each in config.residents] == ["WB-0077-X", "7" * 64]


@pytest.mark.parametrize(
    "written", ['""', '" "', f'"{"9" * 65}"', '"943\\t476"', '"943\u00b9"', "9434765919"]
)
def test_a_wristbands_code_is_a_few_plain_signs(tmp_path: Path, written: str) -> None:
    words = problems(tmp_path, LEAST + WORN.format("r", written))
    assert "residents[0].wristband: give the code that is printed on it, in quotes: 1 to 64 plain" in words


@pytest.mark.parametrize("sign", ["@", '\\"', "#", "~", "|", "`", "\\\\"])
def test_a_wristbands_code_has_no_sign_that_keyboards_differ_on(tmp_path: Path, sign: str) -> None:
    words = problems(tmp_path, LEAST + WORN.format("r", f'"943{sign}1"'))
    assert (
        "residents[0].wristband: has a sign that American and British keyboards type with different" in words
    )


def test_two_residents_cannot_wear_the_same_code(tmp_path: Path) -> None:
    text = LEAST + WORN.format("r", '"wb-1"') + WORN.format("s", '"WB-2"') + WORN.format("t", '"WB-1"')
    words = problems(tmp_path, text)
    assert "residents.wristband: r and t have the same code" in words
    assert "WB" not in words.upper()


@pytest.mark.parametrize(
    "text",
    [
        WORN.format("r", 9434765919),
        WORN.format("r", '"943476@5919"'),
        WORN.format("r", '["9434765919"]'),
        WORN.format("r", '{ code = "9434765919" }'),
        WORN.format("r", '"9434765919"') + WORN.format("s", '"9434765919"'),
        WORN.format("r", '"9434765919"').replace("wristband", "wristbnad"),
        WORN.format("r", '"9434765919"') + "birth_year = 1066\n",
        WORN.format("r", '"9434765919"').replace("[[residents]]", "[residents]"),
        'residents = [["r", "9434765919"]]\n',
        'residents = { list = [{ id = "r", wristband = "9434765919" }] }\n',
    ],
)  # fmt: skip
def test_a_wristbands_code_is_in_no_error(tmp_path: Path, text: str) -> None:
    whole = text + LEAST if text.startswith("residents =") else LEAST + text
    words = problems(tmp_path, whole)
    assert "9434765919" not in words
    assert "943476" not in words


def test_a_wristbands_code_is_shown_nowhere(tmp_path: Path) -> None:
    config = loaded(tmp_path, LEAST + WORN.format("r", '"9434765919"'))
    assert config.residents[0].wristband == "9434765919"
    for shown in (config.model_dump_json(), str(config.model_dump()), repr(config), str(config)):
        assert "9434765919" not in shown
    assert "******" in config.model_dump_json()


def test_the_machine_may_be_started_anew_for_its_radio_unless_that_is_forbidden(tmp_path: Path) -> None:
    assert loaded(tmp_path, LEAST).bluetooth.may_reboot
    assert not loaded(tmp_path, LEAST + "[bluetooth]\nmay_reboot = false").bluetooth.may_reboot


def test_a_client_certificate_needs_its_key(tmp_path: Path) -> None:
    text = LEAST + 'certificate_file = "hub.crt"'
    assert "certificate_file and key_file go together" in problems(tmp_path, text)


def test_a_password_never_shows_in_an_error(tmp_path: Path) -> None:
    text = LEAST + 'password = "hunter2"'
    words = problems(tmp_path, text)
    assert "broker.password: no such key" in words
    assert "hunter2" not in words


def test_a_file_that_is_not_there_or_not_toml_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load(tmp_path / "none.toml")
    assert "is not TOML" in problems(tmp_path, "[site")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="is not TOML"):
        load(tmp_path / "binary.toml")


@given(
    number=st.integers(0, 10_000),
    unit=st.sampled_from([("ms", 0.001), ("s", 1), ("min", 60), ("h", 3600), ("d", 86400)]),
)
def test_durations_are_read_with_their_unit(
    tmp_path_factory: pytest.TempPathFactory, number: int, unit: tuple[str, float]
) -> None:
    text = f'{LEAST}keepalive = "{number} {unit[0]}"'
    config = loaded(tmp_path_factory.mktemp("config"), text)
    assert config.broker.keepalive == timedelta(seconds=number * unit[1])


@given(st.text(max_size=200))
def test_any_text_is_a_configuration_or_a_config_error(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.mktemp("config") / "hub.toml"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    with pytest.raises(ConfigError):
        load(path)
