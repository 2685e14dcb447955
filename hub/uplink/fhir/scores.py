"""NEWS2 as an Observation, the model's risk as a RiskAssessment."""

from __future__ import annotations

from collections.abc import Sequence

from hub.alerts.assessed import Assessment
from hub.assessment.deterioration import Risk
from hub.assessment.news2 import PARAMETERS, Band, News2, in_words
from hub.assessment.reason import in_words as in_words_of_carers
from hub.readings import Vital
from hub.uplink.fhir import codes
from hub.uplink.fhir.codes import Json
from hub.uplink.fhir.observations import absent
from hub.uplink.fhir.resources import (
    Place,
    create,
    hub_name,
    identifier,
    logical,
    moment,
    reference,
    resource,
    subject,
    urn,
    urn_within,
)

AT_LEAST = "at-least-"
"""What the code of a band begins with where the score is partial, so that no code says more than is known."""

SHADOW = (
    "Decision support in shadow mode: reported beside NEWS2, raises no alert of its own. The probability is "
    "calibrated to the population that the model was trained on; elsewhere it is a rank at best."
)
SHADOW_RECALIBRATED = (
    "Decision support in shadow mode: reported beside NEWS2, raises no alert of its own. The probability is "
    "recalibrated to what became of the people of this home."
)


def news2_name(assessment: Assessment) -> str:
    """The identifier of an assessment's NEWS2 Observation: the assessment's own."""
    return urn(assessment.id)


def risk_name(assessment: Assessment) -> str:
    """The identifier of an assessment's RiskAssessment."""
    return urn_within(assessment.id, "risk")


def band_code(news2: News2) -> str:
    """The band, or the least that it can be: "medium", "at-least-medium"; nothing is above high."""
    certain = news2.complete or news2.band is Band.HIGH
    return news2.band.value if certain else f"{AT_LEAST}{news2.band.value}"


def news2_entry(place: Place, assessment: Assessment, derived_from: Sequence[str]) -> Json:
    """The entry of the NEWS2 score; `derived_from` are the set's Observations.

    A partial score has no value, so that nobody charts the least total as the total: it is "preliminary",
    has a dataAbsentReason, and says what is missing in the components and the note. The least that it can
    be is a component of our own, with the comparator ">=".
    """
    news2, name = assessment.news2, news2_name(assessment)
    words = news2.describe(assessment.observations.questionable)
    made = resource("Observation", place)
    made |= {
        "identifier": [identifier(name)],
        "status": "final" if news2.complete else "preliminary",
        "category": codes.SURVEY,
        "code": codes.NEWS2,
        "subject": subject(place.site, assessment.resident),
        "effectiveDateTime": moment(assessment.observations.at),
        "device": reference(hub_name(place)),
        "interpretation": [codes.concept((codes.OURS, band_code(news2)), text=_band_words(news2))],
        "note": [{"text": words}],
        "component": _components(news2),
    }
    if news2.complete:
        made["valueQuantity"] = {"value": news2.total}  # the NHS's guidance wants no unit
    else:
        made |= absent("unknown")
        made["dataAbsentReason"]["text"] = words
    # The reading that completed the set, by identifier; then what the score was made of.
    made["derivedFrom"] = [
        logical("Observation", urn(assessment.reading)),
        *(reference(each) for each in derived_from),
    ]
    return create(name, made)


def _band_words(news2: News2) -> str:
    certain = news2.complete or news2.band is Band.HIGH
    return news2.band.words if certain else f"at least {news2.band.words}"


def _components(news2: News2) -> list[Json]:
    components: list[Json] = []
    for vital in PARAMETERS:
        component: Json = {
            "code": codes.concept(
                (codes.SNOMED, codes.sub_score_code(vital, news2.scale)), text=_sub_score_words(vital, news2)
            )
        }
        if vital in news2.sub_scores:
            component["valueQuantity"] = {"value": news2.sub_scores[vital]}
        else:
            reason = news2.not_scorable.get(vital)
            component |= absent("not-performed" if reason is None else "unknown")
            component["dataAbsentReason"]["text"] = reason or "not measured"
        components.append(component)
    if news2.sub_scores and not news2.complete:
        least = {"comparator": ">=", "value": news2.total}
        components.append({"code": codes.LEAST_TOTAL, "valueQuantity": least})
    return components


def _sub_score_words(vital: Vital, news2: News2) -> str:
    scale = f", scale {int(news2.scale)}" if vital is Vital.OXYGEN_SATURATION else ""
    return f"NEWS2 score of {in_words(vital)}{scale}"


def risk_entry(place: Place, assessment: Assessment, basis: Sequence[str]) -> Json | None:
    """The entry of the model's risk; None where there is none. FHIR's probability is in per cent."""
    risk = assessment.risk
    if risk is None:
        return None
    name = risk_name(assessment)
    made = resource("RiskAssessment", place)
    made |= {
        "extension": [_model(risk)],
        "identifier": [identifier(name)],
        "status": "preliminary",  # "may be incomplete or unverified": no shadow is ever final
        "method": {
            "coding": [{"system": codes.MODELS, "version": risk.version, "code": risk.model}],
            "text": f"{risk.model} {risk.version}, shadow",
        },
        "subject": subject(place.site, assessment.resident),
        "occurrenceDateTime": moment(assessment.observations.at),
        "performer": reference(hub_name(place)),
        "prediction": [
            {
                "outcome": {"text": "deterioration, as the model's card defines it"},
                "probabilityDecimal": round(risk.probability * 100, 2),
            }
        ],
        "note": [{"text": SHADOW_RECALIBRATED if risk.recalibrated else SHADOW}],
    }
    if risk.reasons is not None:
        made["prediction"][0]["rationale"] = in_words_of_carers(risk.reasons)
    if basis:
        made["basis"] = [reference(each) for each in basis]
    return create(name, made)


def _model(risk: Risk) -> Json:
    own = risk.uncalibrated
    uncalibrated: list[Json] = (
        [] if own is None else [{"url": "uncalibrated", "valueDecimal": round(own * 100, 2)}]
    )
    would_alert: list[Json] = (
        [] if risk.would_alert is None else [{"url": "wouldAlert", "valueBoolean": risk.would_alert}]
    )
    parts: list[Json] = [
        {"url": "sha256Prefix", "valueString": risk.sha256_prefix},
        {"url": "mode", "valueCode": "shadow"},
        *uncalibrated,
        *would_alert,
        *({"url": "missing", "valueString": each} for each in sorted(risk.missing)),
        *({"url": "outOfRange", "valueString": each} for each in sorted(risk.out_of_range)),
    ]
    return {"url": codes.MODEL, "extension": parts}
