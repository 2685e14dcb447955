"""What somebody says of a resident, by form, command or table, checked and put into words. Pure.

What is wrong is said by the field's name as people know it, and never with what was written: it may be a
name, or the code of a wristband.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date

from pydantic import BaseModel, ValidationError

from hub.assessment.news2 import OxygenScale
from hub.configuration.file import Resident
from hub.errors import CareportError
from hub.readings import Vital
from hub.residents.care import Care, Normal

LONGEST_TEXT = {"name": 120, "room": 60, "oxygen_scale_prescriber": 120}
FIELDS = {
    "id": "pseudonym",
    "name": "name",
    "room": "room",
    "birth_year": "year of birth",
    "oxygen_scale": "SpO2 scale",
    "oxygen_scale_prescriber": "who prescribed scale 2",
    "wristband": "wristband",
}
CARE_FIELDS = {
    "whereabouts": "where they are",
    "consent": "consent",
    "escalation_plan": "what was agreed on",
    "reviewed": "when that was last looked at",
    "normals": "what is normal for them",
}
NORMALS_OF = (
    Vital.RESPIRATION_RATE,
    Vital.OXYGEN_SATURATION,
    Vital.SYSTOLIC_PRESSURE,
    Vital.DIASTOLIC_PRESSURE,
    Vital.PULSE_RATE,
    Vital.TEMPERATURE,
    Vital.BODY_WEIGHT,
    Vital.GLUCOSE,
)
"""The vitals of which something can be normal for a person: what is measured, in its unit."""

_WORDS_LEAST = 3  # letters: less of a name is in any pseudonym by chance
_PSEUDONYM = "give 1 to 64 letters, digits, dots, dashes and underscores, a letter or digit first, as R-0412"
_SCALE_2 = (
    "scale 2 only where a clinician prescribed a target of 88 to 92 %: say who"
    f" ({FIELDS['oxygen_scale_prescriber']})"
)


class ResidentError(CareportError):
    """What was said of a resident cannot be; the text says why, and what to do. `problems` are its parts."""

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def resident_from(given: Mapping[str, object], before: Resident, today: date) -> Resident:
    """The resident with what was given of them; what was not is as `before`.

    A field that is None or empty is as where nothing is known. Who is taken off scale 2 has nobody any more
    who prescribed it.

    Raises:
        ResidentError: a field does not exist, or cannot be so; each that is wrong is named.
    """
    problems = [f"{key}: there is no such field of a resident" for key in given if key not in FIELDS]
    values = before.model_dump()
    values["wristband"] = before.wristband  # it is written as stars
    for key in FIELDS:
        if key in given:
            try:
                values[key] = _read(key, given[key], today)
            except ValueError as error:
                problems.append(f"{FIELDS[key]}: {error}")
                values[key] = getattr(before, key)
    if values["oxygen_scale"] is OxygenScale.SCALE_1 and not given.get("oxygen_scale_prescriber"):
        values["oxygen_scale_prescriber"] = None
    if values["oxygen_scale"] is OxygenScale.SCALE_2 and not values["oxygen_scale_prescriber"]:
        problems.append(f"{FIELDS['oxygen_scale']}: {_SCALE_2}")
    elif values["oxygen_scale"] is OxygenScale.SCALE_1 and values["oxygen_scale_prescriber"]:
        problems.append(
            f"{FIELDS['oxygen_scale_prescriber']}: somebody is named, and the scale is 1: say that it is"
            " 2, or"
            " leave the name out"
        )
    if problems:
        raise ResidentError(*problems)
    try:
        made = Resident.model_validate(values)
    except ValidationError as error:
        raise ResidentError(*(_words(problem) for problem in error.errors())) from None
    if tells_who(made):
        raise ResidentError(
            f"{FIELDS['id']}: it leaves the hub, and must not say who it is: leave it out, and the hub"
            " makes one"
        )
    return made


def tells_who(resident: Resident) -> bool:
    """Whether the pseudonym has a part of the name in it, or the code of the wristband."""
    of_name = [part for part in re.split(r"\W+", resident.name.casefold()) if len(part) >= _WORDS_LEAST]
    pseudonym = resident.id.casefold()
    letters = re.split(r"[^a-z]+", pseudonym)
    named = any(part in letters if len(part) == _WORDS_LEAST else part in pseudonym for part in of_name)
    band = resident.wristband
    return named or (band is not None and len(band) > _WORDS_LEAST and band.casefold() in pseudonym)


def care_from(given: Mapping[str, object], before: Care, today: date) -> Care:
    """What is known of a resident with what was given; what was not is as `before`. Normals are given whole:
    {vital: {"lowest": ..., "highest": ...}}, in the vital's unit.

    Raises:
        ResidentError: a field does not exist, or cannot be so; each that is wrong is named.
    """
    problems = [
        f"{key}: there is no such field of a resident's care" for key in given if key not in CARE_FIELDS
    ]
    said = {key: _blank_is_none(value) for key, value in given.items() if key in CARE_FIELDS}
    problems += [
        f"{CARE_FIELDS[key]}: say which it is"
        for key in ("whereabouts", "consent")
        if key in said and said[key] is None
    ]
    normals = said.get("normals")
    if "normals" in said:
        said["normals"] = {}
        try:
            said["normals"] = _normals(normals)
        except ValueError as error:
            problems.append(f"{CARE_FIELDS['normals']}: {error}")
    if problems:
        raise ResidentError(*problems)
    try:
        made = Care.model_validate({**before.model_dump(), **said})
    except ValidationError as error:
        raise ResidentError(*(_words(problem) for problem in error.errors())) from None
    if made.reviewed is not None and made.reviewed > today:
        raise ResidentError(f"{CARE_FIELDS['reviewed']}: that day has not come yet, by the hub's clock")
    return made


def differing(before: BaseModel, after: BaseModel) -> list[str]:
    """The fields in which two differ, in their order."""
    return [key for key in type(after).model_fields if getattr(before, key) != getattr(after, key)]


def of_the_file(pseudonym: str) -> str:
    """What to say to whoever changes somebody of the configuration."""
    return (
        f"{pseudonym} is listed in the configuration, which says who they are: change [[residents]] there,"
        " and"
        " restart the hub"
    )


def _read(key: str, value: object, today: date) -> object:
    """A field as the model has it. Raises `ValueError` with what is allowed."""
    text = value.strip() if isinstance(value, str) else value
    if key in LONGEST_TEXT:
        return _text(text, LONGEST_TEXT[key], None if key == "oxygen_scale_prescriber" else "")
    if text is None or text == "":
        if key == "id":
            raise ValueError(_PSEUDONYM)
        return OxygenScale.SCALE_1 if key == "oxygen_scale" else None
    if key == "birth_year":
        if not isinstance(text, str | int) or not re.fullmatch(r"[0-9]{4}", str(text), re.ASCII):
            raise ValueError("give the year with four digits, as 1938")
        if not 1900 <= int(text) <= today.year:
            raise ValueError(f"give a year from 1900 to {today.year}")
        return int(text)
    if key == "oxygen_scale":
        if str(text) not in {"1", "2"} or isinstance(text, bool):
            raise ValueError("give 1, or 2 where a clinician prescribed it")
        return OxygenScale(int(str(text)))
    return text


def _text(value: object, longest: int, nothing: str | None) -> str | None:
    if value is None or value == "":
        return nothing
    if not isinstance(value, str) or len(value) > longest or not value.isprintable():
        raise ValueError(f"give at most {longest} letters, in one line")
    return value


def _blank_is_none(value: object) -> object:
    return (value.strip() or None) if isinstance(value, str) else value


def _normals(given: object) -> dict[Vital, Normal]:
    """Raises `ValueError`."""
    if given is None:
        return {}
    if isinstance(given, Mapping):
        return {_vital(name): _normal(name, bounds) for name, bounds in given.items()}
    raise ValueError("give the lowest and the highest for each vital")


def _vital(name: object) -> Vital:
    if name not in {each.value for each in NORMALS_OF}:
        raise ValueError(f"{name}: nothing of it can be normal for a person; {', '.join(NORMALS_OF)} can")
    return Vital(str(name))


def _normal(name: object, bounds: object) -> Normal:
    try:
        made = Normal.model_validate(bounds)
    except ValidationError as error:
        said = error.errors()[0]
        in_order = said["type"] == "value_error"
        words = str(said["msg"]).removeprefix("Value error, ") if in_order else "give two numbers"
        raise ValueError(f"{_plain(name)}: {words}") from None
    if made.lowest < 0:
        raise ValueError(f"{_plain(name)}: it cannot be below 0")
    if name == Vital.OXYGEN_SATURATION.value and made.highest > 100:
        raise ValueError(f"{_plain(name)}: it cannot be above 100 %")
    return made


def _plain(name: object) -> str:
    return str(name).replace("_", " ")


def _words(problem: object) -> str:
    """A line for one of pydantic's errors, without what was written."""
    assert isinstance(problem, dict)
    key = str(problem["loc"][0]) if problem["loc"] else ""
    message = str(problem["msg"]).removeprefix("Value error, ")
    if key == "id":
        message = _PSEUDONYM
    elif problem["type"] == "enum":
        message = f"give one of {problem['ctx']['expected'].replace(chr(39), '')}"
    elif key == "reviewed":
        message = "give the day as 2026-11-22"
    elif problem["type"] == "string_too_long":
        message = f"give at most {problem['ctx']['max_length']} letters"
    name = {**FIELDS, **CARE_FIELDS}.get(key, key)
    return f"{name}: {message}" if name else message
