"""An alert: why, what changed, what was done; to take it, to settle a concern, to hand over."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import timedelta
from zoneinfo import ZoneInfo

from markupsafe import Markup
from starlette.responses import PlainTextResponse, Response

from hub.alerts.life import Alert, AlertPolicy
from hub.assessment.news2 import Band
from hub.clock import now
from hub.configuration.file import Resident, Rung
from hub.overview.glance import Glance
from hub.overview.hand_over import HandOver, Known, hand_over
from hub.residents.care import Care
from hub.staff.rights import Right
from hub.store.looking_back import record_of
from hub.timekeeping.present import clock_rule
from hub.web.alert_story import AlertStory, acts, alert_story, ended_words, events, late_words, lines
from hub.web.asking import RefusedError
from hub.web.charts import score_chart
from hub.web.failing import Trouble, failed
from hub.web.routes import PageRoute
from hub.web.shown_score import shown_score
from hub.web.topics import of_resident
from hub.web.visit import Visit
from hub.web.what_now import what_now

LONGEST_NOTE = 500
_TREND = timedelta(hours=72)
_NOTHING_FOUND = "This hub has no such alert. It may be of long ago: what has ended is not kept for ever."


async def show(visit: Visit) -> Response:
    """The page of an alert."""
    return await _drawn(visit, "alert.html")


async def part(visit: Visit) -> Response:
    """Why, what changed, and what was done, as it renews itself."""
    return await _drawn(visit, "parts/alert.html")


async def head_part(visit: Visit) -> Response:
    """How it stands, and what to do now, as it renews itself."""
    return await _drawn(visit, "parts/alert_head.html")


async def acknowledge(visit: Visit) -> Response:
    """Take it, in the name of who is signed in."""
    alert = _named(visit)
    if alert is None:
        return failed(visit, Trouble.NOT_FOUND, _NOTHING_FOUND)
    note = visit.field("note")
    if len(note) > LONGEST_NOTE:
        return await _again(visit, note_trouble=_too_long(note))
    # What was typed must not be lost where the hub refuses.
    try:
        await visit.ask("acknowledge", alert=str(alert), note=note or None)
    except RefusedError as error:
        return await _again(visit, note_trouble=str(error))
    return visit.go(f"/alerts/{alert}")


async def settle(visit: Visit) -> Response:
    """End a concern: somebody has looked, and says what they found."""
    alert = _named(visit)
    if alert is None:
        return failed(visit, Trouble.NOT_FOUND, _NOTHING_FOUND)
    note = visit.field("found")
    if not note:
        return await _again(visit, found_trouble="Say what you found: whoever comes next reads it.")
    if len(note) > LONGEST_NOTE:
        return await _again(visit, found_trouble=_too_long(note))
    try:
        await visit.ask("settle", alert=str(alert), note=note)
    except RefusedError as error:
        return await _again(visit, found_trouble=str(error))
    return visit.go(f"/alerts/{alert}")


async def hand_over_page(visit: Visit) -> Response:
    """The alert as it is handed over by telephone, to be printed or read out."""
    return await _handed_over(visit, as_text=False)


async def hand_over_text(visit: Visit) -> Response:
    """The same as text alone."""
    return await _handed_over(visit, as_text=True)


def _too_long(note: str) -> str:
    return f"That is too long by {len(note) - LONGEST_NOTE} letters. Leave out what is said elsewhere."


async def _again(visit: Visit, **troubles: str) -> Response:
    return await _drawn(visit, "alert.html", status=409, **troubles)


def _named(visit: Visit) -> uuid.UUID | None:
    try:
        return uuid.UUID(visit.part("alert"))
    except ValueError:
        return None


async def _story(visit: Visit, *, with_sets: bool = False) -> AlertStory | None:
    alert, config = _named(visit), visit.house.config
    if alert is None:
        return None
    return await visit.look(
        lambda connection: alert_story(
            connection, record_of(connection, clock_rule(config)), alert, with_sets=with_sets
        )
    )


def _ladder(visit: Visit, alert: Alert) -> Sequence[Rung]:
    config = visit.house.config
    return AlertPolicy.of(config.alerts, config.observation_sets).ladder_of(alert)


def _glance(visit: Visit, resident: str) -> Glance:
    """How they are, or that nothing is known of them but their pseudonym."""
    return visit.house.board.glance(resident) or Glance(Resident(id=resident), Care(), listed=False)


async def _drawn(
    visit: Visit, template: str, status: int = 200, note_trouble: str = "", found_trouble: str = ""
) -> Response:
    story = await _story(visit)
    if story is None:
        return failed(visit, Trouble.NOT_FOUND, _NOTHING_FOUND)
    alert, glance, moment = story.alert, _glance(visit, story.row.resident), now()
    newest = story.newest or story.raised_by
    known = (story.raised_by, story.newest, story.before)
    steps = None
    if alert is not None and alert.open:
        news2 = alert.news2 if newest is None else newest.news2
        stands = shown_score(glance, moment).band
        steps = what_now(news2, alert, _ladder(visit, alert), glance.care, moment, shown=stands)
    return visit.page(
        template,
        status,
        story=story,
        alert=alert,
        glance=glance,
        band=alert.band if alert is not None else _band_of(story),
        raised=story.raised_by,
        newest=newest,
        lines=lines(story),
        measured=any(each is not None and each.news2.sub_scores for each in known),
        trend=_trend(visit, glance),
        events=events(story)[::-1],
        what_now=steps,
        late=late_words(alert) if alert is not None else "",
        ended=ended_words(alert.resolution) if alert is not None and alert.resolution else "",
        topics=["alerts", of_resident(story.row.resident)],
        may_take=visit.person.may(Right.CARE),
        may_settle=visit.person.may(Right.CORRECT),
        note=visit.field("note"),
        found=visit.field("found"),
        note_trouble=note_trouble,
        found_trouble=found_trouble,
        longest=LONGEST_NOTE,
    )


def _trend(visit: Visit, glance: Glance) -> Markup | None:
    """The scores of the last days as a picture; None where there is none."""
    until = now()
    scores = [each for each in glance.scores if each.at >= until - _TREND]
    return (
        score_chart(scores, until - _TREND, until, ZoneInfo(visit.house.config.site.timezone))
        if scores
        else None
    )


def _band_of(story: AlertStory) -> Band | None:
    try:
        return Band(story.row.band)
    except ValueError:
        return None


async def _handed_over(visit: Visit, *, as_text: bool) -> Response:
    story = await _story(visit, with_sets=True)
    if story is None:
        return failed(visit, Trouble.NOT_FOUND, _NOTHING_FOUND)
    alert, glance = story.alert, _glance(visit, story.row.resident)
    if alert is None:
        words = "What the hub kept of this alert cannot be read. Hand over what you see; measure again."
        return failed(visit, Trouble.UNREADABLE, words)
    made: HandOver = hand_over(
        Known(
            alert=alert,
            resident=glance.resident,
            care=glance.care,
            now=now(),
            zone=ZoneInfo(visit.house.config.site.timezone),
            sets=story.sets,
            questionable=story.newest.observations.questionable
            if story.newest is not None
            else alert.questionable,
            ladder=_ladder(visit, alert),
            acts=acts(story),
            by=visit.person.name,
        )
    )
    if as_text:
        return PlainTextResponse(made.as_text())
    return visit.page("hand_over.html", story=story, alert=alert, glance=glance, said=made)


ROUTES: list[PageRoute] = [
    PageRoute("GET", "/alerts/{alert}", Right.LOOK, show),
    PageRoute("GET", "/parts/alerts/{alert}", Right.LOOK, part),
    PageRoute("GET", "/parts/alerts/{alert}/head", Right.LOOK, head_part),
    PageRoute("POST", "/alerts/{alert}/acknowledge", Right.CARE, acknowledge),
    PageRoute("POST", "/alerts/{alert}/settle", Right.CORRECT, settle),
    PageRoute("GET", "/alerts/{alert}/hand-over", Right.LOOK, hand_over_page),
    PageRoute("GET", "/alerts/{alert}/hand-over.txt", Right.LOOK, hand_over_text),
]
