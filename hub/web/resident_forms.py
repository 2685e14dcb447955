"""What a manager types of a resident, as the hub is asked for it. Pure.

What is wrong with a form is a `Wrong`: the field, and the words. The daemon checks everything again
(`hub/residents/fields.py`); here is found what only a form can have wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from hub.configuration.file import Resident
from hub.readings import Vital
from hub.residents.care import Care, Consent, Normal, Whereabouts
from hub.residents.fields import NORMALS_OF

Field = Callable[[str], str]
"""What the form says of a field, without the blanks around it; empty where it says nothing."""

WHO = ("name", "room", "birth_year", "oxygen_scale", "oxygen_scale_prescriber")
"""What is typed of who somebody is; their wristband's code apart, which is shown nowhere."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is the matter with a field (None: with the whole)."""

    field: str | None
    words: str


def as_typed(resident: Resident) -> Mapping[str, str]:
    """Who a resident is, as a form shows it."""
    return {
        "name": resident.name,
        "room": resident.room,
        "birth_year": "" if resident.birth_year is None else str(resident.birth_year),
        "oxygen_scale": str(int(resident.oxygen_scale)),
        "oxygen_scale_prescriber": resident.oxygen_scale_prescriber or "",
    }


def new_resident(field: Field) -> tuple[Mapping[str, object], Sequence[Wrong]]:
    """Somebody new, for `resident_add`, and what is wrong with them."""
    given: dict[str, object] = {key: field(key) for key in WHO if field(key)}
    for key in ("id", "wristband"):
        if field(key):
            given[key] = field(key)
    wrong = []
    if not field("name"):
        wrong.append(Wrong("name", "Give their name"))
    wrong += _scale(field)
    return given, wrong


def changed_resident(field: Field) -> tuple[Mapping[str, object], Sequence[Wrong]]:
    """What was changed in the form of somebody who is listed, for `resident_change`.

    Each field came with what it was when the form was drawn (`was_name`): what nobody has touched is not
    sent, so that two managers do not undo each other's changes. A wristband that is empty stays as it is.
    """
    given: dict[str, object] = {key: field(key) for key in WHO if field(key) != field(f"was_{key}")}
    if field("wristband"):
        given["wristband"] = field("wristband")
    elif field("wristband_away"):
        given["wristband"] = None
    wrong = []
    if not field("name"):
        wrong.append(Wrong("name", "Give their name"))
    wrong += _scale(field)
    if given.get("oxygen_scale") == "2":
        given["oxygen_scale_prescriber"] = field("oxygen_scale_prescriber")
    return given, wrong


def _scale(field: Field) -> list[Wrong]:
    scale, prescriber = field("oxygen_scale"), field("oxygen_scale_prescriber")
    if scale == "2" and not prescriber:
        return [Wrong("oxygen_scale_prescriber", "Scale 2: give who prescribed the target of 88 to 92 %")]
    if scale != "2" and prescriber:
        words = "Somebody is named, and scale 1 is chosen: choose scale 2, or leave this empty"
        return [Wrong("oxygen_scale_prescriber", words)]
    return []


def as_text(number: float) -> str:
    """A number as it is typed: "36.5", "120"."""
    return f"{number:g}"


def normals_typed(care: Care) -> Mapping[str, str]:
    """What is normal for them, as a form shows it: by "temperature_lowest" and so on."""
    shown = {}
    for vital in NORMALS_OF:
        known = care.normals.get(vital)
        shown[f"{vital.value}_lowest"] = "" if known is None else as_text(known.lowest)
        shown[f"{vital.value}_highest"] = "" if known is None else as_text(known.highest)
    return shown


def changed_care(field: Field, before: Care, today: date) -> tuple[Mapping[str, object], Sequence[Wrong]]:
    """What was changed of the plan and of what is normal, for `resident_care`."""
    care: dict[str, object] = {}
    wrong: list[Wrong] = []
    plan = "\n".join(line.rstrip() for line in field("escalation_plan").splitlines()).strip()
    if plan != (before.escalation_plan or ""):
        care["escalation_plan"] = plan or None
    reviewed, trouble = _day(field, today)
    if trouble is not None:
        wrong.append(trouble)
    elif reviewed != before.reviewed:
        care["reviewed"] = None if reviewed is None else reviewed.isoformat()
    normals, troubles = _normals(field)
    wrong += troubles
    if not troubles and normals != before.normals:
        care["normals"] = {
            vital.value: {"lowest": each.lowest, "highest": each.highest} for vital, each in normals.items()
        }
    return care, wrong


def _day(field: Field, today: date) -> tuple[date | None, Wrong | None]:
    text = field("reviewed")
    if not text:
        return None, None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None, Wrong("reviewed", f"Give the day as {today.isoformat()}")
    if day > today:
        return None, Wrong("reviewed", "That day has not come yet")
    return day, None


def _normals(field: Field) -> tuple[dict[Vital, Normal], list[Wrong]]:
    made: dict[Vital, Normal] = {}
    wrong = []
    for vital in NORMALS_OF:
        names = f"{vital.value}_lowest", f"{vital.value}_highest"
        typed = [field(name).replace(",", ".") for name in names]
        if not any(typed):
            continue
        try:
            lowest, highest = (float(each) for each in typed)
            made[vital] = Normal(lowest=lowest, highest=highest)
        except ValueError:  # pydantic's is one too
            words = f"{_plain(vital)}: give two numbers, the lowest and the highest, or leave both empty"
            wrong.append(Wrong(names[1] if typed[0] else names[0], words))
    return made, wrong


def _plain(vital: Vital) -> str:
    words = vital.value.replace("_", " ")
    return words[:1].upper() + words[1:]


def by_room(room: str) -> tuple[bool, tuple[tuple[bool, int, str], ...]]:
    """To sort rooms as people count them: "2" before "10"; who has none last."""
    parts = re.findall(r"\d+|\D+", room.casefold().strip())
    keyed = ((not each.isdecimal(), int(each) if each.isdecimal() else 0, each) for each in parts)
    return not parts, tuple(keyed)


def leaves(before: Care, whereabouts: Whereabouts, consent: Consent) -> bool:
    """Whether they would be watched no more: then somebody has to say so twice."""
    after = before.model_copy(update={"whereabouts": whereabouts, "consent": consent})
    return before.watched and not after.watched
