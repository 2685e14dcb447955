"""Whatever is said of residents, in whatever order, whenever the card takes nothing or the hub is restarted:
who is listed, who is watched and whose a sensor's readings are is as the card has it."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from hub.configuration.file import Config
from hub.errors import CareportError
from hub.residents.household import residents_of
from hub.store.database import FILE_NAME, open_for_reading
from hub.store.errors import NotCommittedError
from tests.rigs.enrolling import new_home
from tests.rigs.house import ILL
from tests.rigs.residing import SAM, Residing, living

ENTERED = ("R-1", "R-2")
BANDS = ("", "B1", "B2")
Step = tuple[Any, ...]

_whoever = st.sampled_from((*ENTERED, ILL))
_calm = st.one_of(
    st.tuples(st.just("add"), st.sampled_from(ENTERED), st.sampled_from(BANDS)),
    st.tuples(st.just("band"), st.sampled_from(ENTERED), st.sampled_from(BANDS)),
    st.tuples(st.just("whereabouts"), _whoever, st.sampled_from(("here", "here", "in hospital", "moved"))),
    st.tuples(st.just("consent"), _whoever, st.sampled_from(("given", "withdrawn"))),
)
_steps = st.one_of(
    _calm,
    _calm,
    st.tuples(st.just("fail"), _calm),
    st.just(("restart",)),
)


RETURNING: list[Step] = [
    ("whereabouts", ILL, "in hospital"),
    ("fail", ("whereabouts", ILL, "here")),
    ("whereabouts", ILL, "here"),
    ("fail", ("whereabouts", ILL, "in hospital")),
    ("restart",),
]
ONE_CODE: list[Step] = [
    ("whereabouts", "R-1", "moved"),
    ("add", "R-2", "B1"),
    ("whereabouts", "R-1", "here"),
    ("fail", ("band", "R-2", "B2")),
]


async def do(home: Residing, step: Step) -> None:
    household = home.household
    match step:
        case "add", who, band:
            said = {"id": who, "name": f"Person of {band or 'nothing'}", "wristband": band}
            await household.add(said, SAM, same_person=True)
        case "band", who, band:
            await household.change(who, {"wristband": band}, SAM)
        case ("whereabouts" | "consent") as what, who, how:
            await household.care(who, {what: how}, SAM)
        case "fail", within:
            with full(home):
                await do(home, within)


@contextmanager
def full(home: Residing) -> Iterator[None]:
    """While the card takes nothing."""

    async def fails(*_arguments: object, **_named: object) -> None:
        raise NotCommittedError(Path(), "nothing was stored: disk full", "full")

    writer: Any = home.writer
    writer.write = fails
    try:
        yield
    finally:
        del writer.write


def as_on_the_card(config: Config, home: Residing) -> None:
    with closing(open_for_reading(config.hub.data_directory / FILE_NAME)) as connection:
        listed = residents_of(config, connection)
    assert list(home.household.all) == listed
    register = home.register
    assert list(register.residents) == [each.resident for each in listed]
    assert list(register.watched) == [each.resident for each in listed if each.care.watched]
    for each in listed:
        assert register.watched_since(each.resident.id) == each.since
    for sensor in config.sensors:
        owner = register.owner_of(sensor.address)
        watched = {each.resident.id for each in listed if each.care.watched}
        assert (None if owner is None else owner.id) == (
            sensor.resident if sensor.resident in watched else None
        )
    for band in BANDS[1:]:
        there = [each for each in listed if not each.gone and each.resident.wristband == band]
        assert len(there) <= 1, "nobody is given a code that another has"
        wearing = register.wearing(band)
        assert (wearing is not None) == (len(there) == 1 and there[0].care.watched)


@settings(max_examples=12, deadline=None)
@given(st.lists(_steps, min_size=5, max_size=16))
@example(RETURNING)
@example(ONE_CODE)
def test_what_the_hub_goes_by_is_what_the_card_has(steps: Sequence[Step]) -> None:
    async def play(config: Config) -> None:
        waiting = [("add", "R-1", "B1"), *steps]
        while True:
            async with living(config) as home:
                as_on_the_card(config, home)
                while waiting:
                    step = waiting.pop(0)
                    if step[0] == "restart":
                        break
                    with suppress(CareportError):  # refused, or not committed: then nothing has changed
                        await do(home, step)
                    as_on_the_card(config, home)
                else:
                    return

    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(play(new_home(Path(directory))))
