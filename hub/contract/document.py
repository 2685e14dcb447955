"""The AsyncAPI 3.0 document of the wire, from the hub's side: it sends, and receives `ack` and `update`.

Only generated, never kept: `carehub contract` makes it from the code that speaks, so that it cannot say
anything else, and `tests/hub/contract/test_wire.py` holds it to what a hub and a broker really send.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from hub import __version__
from hub.alerts.life import AlertState
from hub.assessment.news2 import Band
from hub.contract import profiles
from hub.contract.elements import BANDS, UUID
from hub.contract.forms import COMPONENTS, DATE_TIME, Schema, const, one_of, pattern, ref, standalone
from hub.uplink.cloudevents import LARGEST_EVENT, STRUCTURED
from hub.uplink.contract import Acknowledgement, AlertChange, Channel, Identity, SummaryOf, event_type
from hub.uplink.feed import CONCERN, CORRECTS, FHIR
from hub.uplink.fhir import codes
from hub.uplink.inbox import LONGEST_CORRELATION
from hub.uplink.plain import Answer, HubSummaryData, Status, UpdateAsked
from hub.uplink.unkept import COMMITTED

BASE = f"{codes.BASE}/schemas"
"""Where the schemas' names begin. They name and do not resolve."""

JSON = "application/json"
_PLAIN: dict[str, type[BaseModel]] = {
    event_type(Channel.STATUS): Status,
    event_type(Channel.SUMMARY, SummaryOf.HUB): HubSummaryData,
    event_type(Channel.ANSWER): Answer,
    event_type(Channel.ACKNOWLEDGEMENT): Acknowledgement,
    event_type(Channel.UPDATE): UpdateAsked,
}
_TO_THE_HUB = (Channel.ACKNOWLEDGEMENT, Channel.UPDATE)
_QOS: dict[str, Any] = {"qos": 1, "retain": False, "bindingVersion": "0.2.0"}


@dataclass(frozen=True, slots=True)
class Told:
    """One type of event: its channel, what its data is, and who learns what from it."""

    channel: Channel
    type: str
    summary: str
    attributes: tuple[str, ...] = ()
    has_subject: bool = False

    @property
    def schema(self) -> str:
        """The name of the schema of its data."""
        return self.type.removeprefix("uk.careport.")

    @property
    def content_type(self) -> str:
        """The `datacontenttype`; the content type in MQTT 5."""
        return JSON if self.type in _PLAIN else FHIR


_OF_AN_ALERT = (Channel.ALERT, Channel.AMENDED_ALERT)
_OF_SETS = (Channel.OBSERVATION, Channel.AMENDED_OBSERVATION)
_CHANGES = {
    AlertChange.RAISED: "A resident's observations call for somebody, now.",
    AlertChange.ESCALATED: "Nobody has acknowledged an alert for too long: the next are to be told.",
    AlertChange.ACKNOWLEDGED: "Somebody has taken an alert.",
    AlertChange.STEPPED_DOWN: "An alert is of a lower band than it was.",
    AlertChange.RESOLVED: "An alert has ended.",
    AlertChange.CONCERN_SAID: "Somebody in the home is concerned: it joined an alert that was open.",
    AlertChange.CONCERN_SETTLED: "The concern in an alert was settled, and the alert goes on without it.",
}
_OF_ALERTS = ("testdata", "alert", "state", "band")
EVENTS: tuple[Told, ...] = (
    *(
        Told(Channel.ALERT, event_type(Channel.ALERT, change), words, _OF_ALERTS, True)
        for change, words in _CHANGES.items()
    ),
    Told(
        Channel.OBSERVATION,
        event_type(Channel.OBSERVATION),
        "An observation set of a resident, with its NEWS2.",
        ("testdata", "band"),
        True,
    ),
    Told(
        Channel.AMENDED_OBSERVATION,
        event_type(Channel.AMENDED_OBSERVATION),
        "An observation set that was told before the hub's clock was first set: as it is known now.",
        ("testdata", "band", CORRECTS),
        True,
    ),
    Told(
        Channel.AMENDED_ALERT,
        event_type(Channel.AMENDED_ALERT),
        "An alert that was told before the hub's clock was first set, its times put right: no new alert,"
        " and nobody is to be called by it.",
        (*_OF_ALERTS, CORRECTS),
        True,
    ),
    Told(Channel.READING, event_type(Channel.READING), "Readings as they came, in bytes too.", ("testdata",)),
    Told(
        Channel.SUMMARY,
        event_type(Channel.SUMMARY, SummaryOf.RESIDENT),
        "A resident's period: vital signs, score, sets due and done, alerts and how long they waited.",
        ("testdata",),
        True,
    ),
    Told(
        Channel.SUMMARY,
        event_type(Channel.SUMMARY, SummaryOf.HUB),
        "A hub's period: its sensors, what it could not use, its alerts.",
        ("testdata",),
    ),
    Told(
        Channel.STATUS,
        event_type(Channel.STATUS),
        "How the hub, its card, its clock, its radio, its USB and its last update are;"
        ' "lost" is its last will.',
    ),
    Told(Channel.ANSWER, event_type(Channel.ANSWER), "What became of a message to the hub."),
    Told(Channel.UPDATE, event_type(Channel.UPDATE), "The centre wants another release of the hub in force."),
    Told(
        Channel.ACKNOWLEDGEMENT,
        event_type(Channel.ACKNOWLEDGEMENT),
        "Somebody at the ICS has taken an alert.",
    ),
)
"""Every type of event that there is on the wire."""

_ABOUT = {
    Channel.ALERT: "Alerts, each change of each. They overtake whatever else waits.",
    Channel.STATUS: "The hub's presence and how it is, retained; told anew when that changes.",
    Channel.SUMMARY: "What happened since the last one, on a schedule; publish.summary.",
    Channel.OBSERVATION: "Each observation set; publish.observation.",
    Channel.READING: "Each reading; publish.reading, off unless asked for.",
    Channel.AMENDED_OBSERVATION: (
        "Observation sets that were told with times that were wrong, put right; publish.observation."
    ),
    Channel.AMENDED_ALERT: (
        "Alerts that were told with times that were wrong, put right. None of them is a new alert: they go"
        " with the observations, in turn, and are to call nobody."
    ),
    Channel.ACKNOWLEDGEMENT: "Acknowledgements, from the ICS to the hub.",
    Channel.ANSWER: "The hub's answers to those and to updates, at best effort; how an update ended, surely.",
    Channel.UPDATE: "Releases, from the ICS to the hub, where the site allows it; update.from_centre.",
}


@lru_cache(maxsize=1)
def schemas() -> dict[str, Schema]:
    """Every schema by its name: those of the events' data, and what they are made of."""
    mode: JsonSchemaMode = "validation"  # then what has a default need not be said
    inputs = [(model, mode) for model in _PLAIN.values()]
    by_model, document = models_json_schema(inputs, ref_template=f"{COMPONENTS}{{model}}")
    plain = {name: _untitled(schema) for name, schema in document.get("$defs", {}).items()}
    named = {kind: f"{kind.removeprefix('uk.careport.')}" for kind in _PLAIN}
    for kind, model in _PLAIN.items():
        own = by_model[model, mode]["$ref"].removeprefix(COMPONENTS)
        plain[named[kind]] = plain.pop(own)
    return {**profiles.definitions(), **plain}


_FORMS = {"uuid": f"^{UUID}$", "date-time": DATE_TIME["pattern"]}


def _untitled(node: Any) -> Any:
    """Without the titles that pydantic makes of names; a format as a pattern too, which all tools check."""
    if isinstance(node, dict):
        made = {
            key: _untitled(said) for key, said in node.items() if key != "title" or isinstance(said, dict)
        }
        return made | {"pattern": _FORMS[made["format"]]} if made.get("format") in _FORMS else made
    return [_untitled(each) for each in node] if isinstance(node, list) else node


def schema_documents() -> dict[str, Schema]:
    """The schema of each event's data as a document of its own, by its name ("alert.raised.v1")."""
    return {told.schema: standalone(told.schema, schemas(), BASE) for told in EVENTS}


def topic(channel: Channel) -> str:
    """A channel's topic with the parameters of its address."""
    return Identity("{site}", "{hub}", test_data=False).topic(channel)


def document() -> dict[str, Any]:
    """The AsyncAPI 3.0 document."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "CarePort Hub",
            "version": __version__,
            "license": {"name": "Apache-2.0"},
            "description": _DESCRIPTION,
            "tags": [{"name": "FHIR R4"}, {"name": "CloudEvents 1.0"}],
        },
        "defaultContentType": FHIR,
        "channels": {_name(channel): _channel(channel) for channel in Channel},
        "operations": {_operation_name(channel): _operation(channel) for channel in Channel},
        "components": {
            "messages": {told.schema: _message(told) for told in EVENTS},
            "schemas": {
                **schemas(),
                **{f"cloudevent.{told.schema}": _structured(told) for told in EVENTS},
            },
            "parameters": {
                "site": {"description": "The site, as [site] id of the hub's configuration says."},
                "hub": {"description": "The hub at that site, as [hub] id says."},
            },
            "correlationIds": {
                "answered": {
                    "description": "The id of the event that is answered; with its source it is unique.",
                    "location": "$message.payload#/answers/id",
                },
                "event": {
                    "description": "The event's id: the same each time that it is sent.",
                    "location": "$message.header#/id",
                },
            },
        },
    }


_DESCRIPTION = f"""\
What a CarePort Hub sends to an Integrated Care System over MQTT, and what it takes from it.

Every message is a CloudEvent 1.0. With MQTT 5 it is in binary mode: the attributes are user properties (here:
headers), the content type is the data's, the payload is the data. With MQTT 3.1.1 it is in structured mode:
the payload is the whole event in the JSON Event Format ({STRUCTURED}); the schema of each
is `cloudevent.` and the message's name. The hub takes acknowledgements in either mode over any version. No
event is larger than {LARGEST_EVENT} bytes.

Amendments: a hub whose clock is wrong when the machine starts tells wrong times until the network sets it.
Then what it told is told again with the times put right, on channels and with types of their own; the
attribute `corrects` names the event that is amended. Their Bundles put each resource in the place of the one
that was told (PUT), "corrected" where that was "final". An amendment is no news: it must call nobody, though
an alert's has `alert`, `state` and `band` as alerts do: route by type or topic first. Its `time` is put right
too: of a set its moment, of an alert that of its last change. The newest 100 alerts and 200 sets are amended.

Withdrawn: a reading may turn out to be of another resident. Then each set that rested on it is told once more
on the channel of amended observations, of the resident who is wrong (`subject`), with the score, the risk and
what that reading measured "entered-in-error", and what other readings measured as it was. What is so instead,
of either resident, is told as any observation, under identifiers of its own; an alert that rested on it alone
ends as "withdrawn", its request "entered-in-error".

At least once: whoever listens tells duplicates by `source` and `id`. Residents are pseudonyms, unique within
their site. Events with the attribute `testdata` = "true" are of no real person.

Clinical data are FHIR R4 Bundles of type transaction; the schemas here are narrower than HL7's and say what
this hub sends (HL7's definitions: https://hl7.org/fhir/R4/)."""


def _name(channel: Channel) -> str:
    return channel.name.lower()


def _operation_name(channel: Channel) -> str:
    action = "receive" if channel in _TO_THE_HUB else "send"
    return f"{action}-{_name(channel)}"


def _channel(channel: Channel) -> dict[str, Any]:
    return {
        "address": topic(channel),
        "description": _ABOUT[channel],
        "parameters": {each: {"$ref": f"#/components/parameters/{each}"} for each in ("site", "hub")},
        "messages": {
            told.schema: {"$ref": f"#/components/messages/{told.schema}"}
            for told in EVENTS
            if told.channel is channel
        },
    }


def _operation(channel: Channel) -> dict[str, Any]:
    made: dict[str, Any] = {
        "action": "receive" if channel in _TO_THE_HUB else "send",
        "channel": {"$ref": f"#/channels/{_name(channel)}"},
        "summary": _ABOUT[channel],
        "tags": [{"name": _name(channel)}],
        "bindings": {"mqtt": {**_QOS, "retain": channel is Channel.STATUS}},
        "messages": [
            {"$ref": f"#/channels/{_name(channel)}/messages/{told.schema}"}
            for told in EVENTS
            if told.channel is channel
        ],
    }
    if channel in _TO_THE_HUB:
        made["reply"] = {"channel": {"$ref": f"#/channels/{_name(Channel.ANSWER)}"}}
    return made


def _message(told: Told) -> dict[str, Any]:
    mqtt: dict[str, Any] = {"contentType": told.content_type, "bindingVersion": "0.2.0"}
    if told.channel in (*_TO_THE_HUB, Channel.ANSWER):
        mqtt["correlationData"] = {
            "type": "string",
            "maxLength": LONGEST_CORRELATION,
            "description": "Optional: what comes with a message goes back with the answer.",
        }
    fhir = told.content_type == FHIR
    answered = told.channel is Channel.ANSWER
    return {
        "name": told.type,
        "title": told.schema,
        "summary": told.summary,
        "contentType": told.content_type,
        "headers": headers(told),
        "payload": ref(told.schema),
        "correlationId": {"$ref": f"#/components/correlationIds/{'answered' if answered else 'event'}"},
        "tags": [{"name": _name(told.channel)}, *([{"name": "FHIR R4"}] if fhir else [])],
        "bindings": {"mqtt": mqtt},
        **(
            {"externalDocs": {"url": "https://hl7.org/fhir/R4/bundle.html", "description": "HL7's Bundle"}}
            if fhir
            else {}
        ),
    }


def headers(told: Told) -> Schema:
    """The CloudEvents attributes of a message in binary mode: MQTT 5's user properties."""
    optional = {COMMITTED, CONCERN} if told.has_subject else {COMMITTED, CONCERN, "subject"}
    return {
        "type": "object",
        # Whatever a bridge adds on the way is not of the event.
        "required": [name for name in _attributes(told) if name not in optional],
        "properties": _attributes(told),
    }


def _attributes(told: Told) -> dict[str, Schema]:
    # Who sends to the hub is not the hub: its source is its own.
    from_hub = told.channel not in _TO_THE_HUB
    made: dict[str, Schema] = {
        "specversion": const("1.0"),
        "id": {"type": "string", "minLength": 1},
        "source": pattern(r"^uk\.careport\.[^/]+$") if from_hub else {"type": "string", "minLength": 1},
        "type": const(told.type),
        "time": {"type": "string", "format": "date-time"},
    }
    if told.has_subject or told.channel is Channel.READING:
        made["subject"] = {"type": "string", "minLength": 1, "description": "The resident's pseudonym."}
    known: dict[str, Schema] = {
        "testdata": {"enum": ["true", "false"]},
        "alert": {"type": "string", "format": "uuid"},
        "state": one_of(*(state.value for state in AlertState)),
        "band": one_of(*(BANDS if told.channel in _OF_SETS else map(str, Band))),
        CORRECTS: {
            **pattern(f"^{UUID}$"),
            "format": "uuid",
            "description": (
                "The id of the event that is amended, of the same source. Of an alert it is the one that"
                " told that it was raised; what was told of it since is amended with it."
            ),
        },
    }
    if told.channel is Channel.ALERT:
        words = (
            'Only where it is "false": the hub could not store the alert, and does not escalate it until it'
            " can. Acknowledge it as any other: the answer is kept_in_memory. Once it is stored it comes"
            " again with the same id, and without this; a restart before loses both."
        )
        made[COMMITTED] = {"const": "false", "description": words}
    if told.channel in _OF_AN_ALERT:
        words = (
            'Only where it is "true": somebody in the home is concerned, and that holds the alert open,'
            " whatever the score and the band are. It ends when somebody there has settled it."
        )
        made[CONCERN] = {"const": "true", "description": words}
    return {**made, **{name: known[name] for name in told.attributes}}


def _structured(told: Told) -> Schema:
    """The whole event in the JSON Event Format."""
    made = headers(told)
    return {
        **made,
        "required": [*made["required"], "datacontenttype", "data"],
        "properties": {
            **made["properties"],
            "datacontenttype": const(told.content_type),
            "data": ref(told.schema),
        },
    }
