"""CloudEvents against the specification's own words and examples, and against anything else."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hub.uplink.cloudevents import (
    LARGEST_EVENT,
    Event,
    EventError,
    Message,
    Written,
    from_json,
    from_message,
    json_text,
    to_binary,
    to_json,
    to_structured,
)

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ALERT = Event(
    id="0190-1",
    source="uk.careport.site.hub",
    type="uk.careport.alert.raised.v1",
    time=NOON,
    data={"band": "high", "score": 7},
    subject="resident-7",
    extensions={"testdata": "true"},
)
ALERT_JSON = {
    "specversion": "1.0",
    "id": "0190-1",
    "source": "uk.careport.site.hub",
    "type": "uk.careport.alert.raised.v1",
    "time": "2026-03-01T12:00:00Z",
    "subject": "resident-7",
    "datacontenttype": "application/json",
    "testdata": "true",
    "data": {"band": "high", "score": 7},
}

# JSON Event Format 1.0.2, section 3.2, third example, with its media type.
SPECIFICATION_EXAMPLE = """{
    "specversion" : "1.0",
    "type" : "com.example.someevent",
    "source" : "/mycontext",
    "subject": null,
    "id" : "C234-1234-1234",
    "time" : "2018-04-05T17:31:00Z",
    "comexampleextension1" : "value",
    "comexampleothervalue" : 5,
    "datacontenttype" : "application/json",
    "data" : {
        "appinfoA" : "abc",
        "appinfoB" : 123,
        "appinfoC" : true
    }
}"""


def changed(**attributes: object) -> str:
    """The alert's JSON with attributes replaced, or taken out where they are Ellipsis."""
    document = {**ALERT_JSON, **attributes}
    return json.dumps({name: value for name, value in document.items() if value is not ...})


def test_the_json_form_is_the_specifications() -> None:
    assert json.loads(to_json(ALERT)) == ALERT_JSON


def test_the_specifications_example_is_read() -> None:
    event = from_json(SPECIFICATION_EXAMPLE)
    assert event == Event(
        id="C234-1234-1234",
        source="/mycontext",
        type="com.example.someevent",
        time=datetime(2018, 4, 5, 17, 31, tzinfo=UTC),
        data={"appinfoA": "abc", "appinfoB": 123, "appinfoC": True},
        extensions={"comexampleextension1": "value", "comexampleothervalue": "5"},
    )


def test_binary_mode_has_the_data_alone_as_payload_and_every_attribute_once() -> None:
    message = to_binary(ALERT)
    assert json.loads(message.payload) == {"band": "high", "score": 7}
    assert message.content_type == "application/json"
    assert sorted(message.user_properties) == sorted(
        (name, value)
        for name, value in ALERT_JSON.items()
        if name not in ("data", "datacontenttype") and isinstance(value, str)
    )


def test_the_specifications_binary_example_is_read_though_it_repeats_the_content_type() -> None:
    """MQTT Protocol Binding 1.0.2, section 3.1.4."""
    properties = (
        ("specversion", "1.0"),
        ("type", "com.example.someevent"),
        ("time", "2018-04-05T03:56:24Z"),
        ("id", "1234-1234-1234"),
        ("source", "/mycontext/subcontext"),
        ("datacontenttype", "application/json; charset=utf-8"),
    )
    event = from_message(Message(b'{"a": 1}', "application/json; charset=utf-8", properties))
    assert event.time == datetime(2018, 4, 5, 3, 56, 24, tzinfo=UTC)
    assert event.datacontenttype == "application/json; charset=utf-8"


def test_a_message_published_with_mqtt_3_reaches_an_mqtt_5_subscriber_bare_and_is_read() -> None:
    assert from_message(Message(to_structured(ALERT).payload)) == ALERT


def test_a_bridges_own_property_does_no_harm() -> None:
    message = to_binary(ALERT)
    assert (
        from_message(
            Message(message.payload, message.content_type, (*message.user_properties, ("X-Trace", "1")))
        )
        == ALERT
    )


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-01T13:00:00+01:00", NOON),
        ("2026-03-01t12:00:00z", NOON),
        ("2026-03-01T12:00:00-00:00", NOON),
        ("2026-03-01T12:00:00.123456789Z", NOON + timedelta(microseconds=123_456)),
        ("2026-03-01T12:00:00.5Z", NOON + timedelta(milliseconds=500)),
    ],
)
def test_every_form_of_an_rfc_3339_time_is_the_same_moment(text: str, moment: datetime) -> None:
    assert from_json(changed(time=text)).time == moment


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01T12:00:00",
        "2026-03-01",
        "20260301T120000Z",
        "2026-02-30T12:00:00Z",
        "2026-03-01T25:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "12:00",
        "",
        "yesterday",
        "٢٠٢٦-03-01T12:00:00Z",
    ],
)
def test_a_time_that_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(EventError, match="time"):
        from_json(changed(time=text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        '"text"',
        "{",
        changed(specversion=...),
        changed(specversion="0.3"),
        changed(id=...),
        changed(id=""),
        changed(id=None),
        changed(id=7),
        changed(id="a\nb"),
        changed(id="a\x7fb"),
        changed(subject=""),
        changed(subject="\ufffe"),
        changed(source="two words"),
        changed(type=...),
        changed(time=...),
        changed(datacontenttype="text/plain"),
        changed(dataschema="no uri"),
        changed(data=...),
        changed(data="text"),
        changed(data=[1]),
        changed(data=None),
        changed(data_base64="e30="),
        changed(data=..., data_base64="!"),
        changed(data=..., data_base64=7),
        changed(Extension="x"),
        changed(some_extension="x"),
        changed(extension={"a": 1}),
        changed(extension=1.5),
        changed(extension=2**31),
        changed(subject="x" * 20_000),
        '{"id": "1", ' + changed().lstrip("{"),
        changed(data={"a": "\ud800"}),
        changed(data={"a": "x" * LARGEST_EVENT}),
        "[" * 20_000,
    ],
)
def test_what_is_no_event_is_refused(text: str) -> None:
    with pytest.raises(EventError):
        from_json(text)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_a_number_that_is_none_is_refused(number: str) -> None:
    with pytest.raises(EventError):
        from_json(changed().replace('"score": 7', f'"score": {number}'))


def test_data_in_base64_is_read() -> None:
    assert from_json(changed(data=..., data_base64="eyJhIjoxfQ==")).data == {"a": 1}


@pytest.mark.parametrize(
    "message",
    [
        Message(b"\xff\xfe"),
        Message(b"x" * (LARGEST_EVENT + 1)),
        Message(b"<a/>", "application/cloudevents+xml"),
        Message(b"[]", "application/cloudevents-batch+json"),
        Message(b"{}", "application/json"),
        Message(b"{}", "text/plain", to_binary(ALERT).user_properties),
        Message(b"\xff", "application/json", to_binary(ALERT).user_properties),
        Message(b"", "application/json", to_binary(ALERT).user_properties),
        Message(b"{}", "application/json", (*to_binary(ALERT).user_properties, ("id", "2"))),
        Message(b"{}", "application/json", (*to_binary(ALERT).user_properties, ("data", "2"))),
    ],
)
def test_what_is_no_message_is_refused(message: Message) -> None:
    with pytest.raises(EventError):
        from_message(message)


@pytest.mark.parametrize(
    "attributes",
    [
        {"time": datetime(2026, 3, 1)},  # noqa: DTZ001 - a naive time is what must be refused
        {"id": ""},
        {"extensions": {"Upper": "x"}},
        {"extensions": {"id": "x"}},
        {"extensions": {"data": "x"}},
        {"datacontenttype": "image/png"},
    ],
)
def test_an_event_that_breaks_a_rule_cannot_be_made(attributes: dict[str, object]) -> None:
    valid: dict[str, object] = {"id": "1", "source": "s", "type": "t", "time": NOON, "data": {}}
    with pytest.raises(EventError):
        Event(**{**valid, **attributes})  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize("data", [{"a": float("nan")}, {"a": object()}, {"a": "\ud800"}])
def test_data_that_is_no_json_is_never_written(data: dict[str, object]) -> None:
    event = Event(id="1", source="s", type="t", time=NOON, data=data)
    for write in (to_json, to_binary, to_structured):
        with pytest.raises(EventError):
            write(event)


def test_an_error_does_not_quote_what_came_from_outside() -> None:
    for text in (changed(time="Mrs Smith"), changed(id="Mrs Smith\n"), '{"Mrs Smith": 1, "Mrs Smith": 2}'):
        with pytest.raises(EventError) as caught:
            from_json(text)
        assert "Smith" not in str(caught.value)


texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn")), min_size=1, max_size=40)
uris = st.from_regex(r"[a-z][a-z0-9./:-]{0,30}", fullmatch=True)
zones = st.timezones() | st.just(timezone(timedelta(hours=5, minutes=45)))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda values: st.lists(values, max_size=3) | st.dictionaries(texts, values, max_size=3),
    max_leaves=8,
)
events = st.builds(
    Event,
    id=texts,
    source=uris,
    type=texts,
    time=st.datetimes(datetime(1900, 1, 2), datetime(2200, 1, 1), timezones=zones),  # noqa: DTZ001 - bounds
    data=st.dictionaries(texts, json_values, max_size=4),
    subject=st.none() | texts,
    datacontenttype=st.sampled_from(
        ["application/json", "application/fhir+json", "text/json; charset=utf-8"]
    ),
    dataschema=st.none() | uris,
    extensions=st.dictionaries(st.from_regex(r"x[a-z0-9]{1,19}", fullmatch=True), texts, max_size=3),
)


@given(events)
def test_an_event_comes_back_the_same_through_every_form(event: Event) -> None:
    assert from_json(to_json(event)) == event
    assert from_message(to_binary(event)) == event
    assert from_message(to_structured(event)) == event


@given(events)
def test_what_is_written_already_is_sent_and_read_as_if_it_were_not(event: Event) -> None:
    written = replace(event, data=Written(json_text(event.data)))
    assert to_json(written) == to_json(event)
    assert to_json(event) == json_text({**event.attributes(), "data": event.data})
    assert to_binary(written) == to_binary(event)
    assert to_structured(written) == to_structured(event)
    assert written == event
    assert {**written.data} == event.data
    assert len(written.data) == len(event.data)


@given(
    st.binary(max_size=200),
    st.none() | st.sampled_from(["application/json", "application/cloudevents+json"]) | st.text(max_size=30),
    st.lists(
        st.tuples(st.sampled_from(["id", "time", "specversion", "X", "data"]) | st.text(), st.text()),
        max_size=8,
    ),
)
@example(b'{"specversion":"1.0"}', None, [])
def test_anything_at_all_is_an_event_or_an_error(
    payload: bytes, content_type: str | None, properties: list[tuple[str, str]]
) -> None:
    try:
        event = from_message(Message(payload, content_type, tuple(properties)))
    except EventError:
        return
    assert from_json(to_json(event)) == event
