"""Whatever is enrolled and forgotten, in whatever order, over restarts and changes of the configuration."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.configuration.file import Config
from hub.sensors.enrolment import EnrolmentError
from tests.rigs.enrolling import NEW, OTHER, SAM, new_home, owner, running, sensor
from tests.rigs.house import ILL, WELL


@dataclass(frozen=True)
class Step:
    what: str
    address: str
    resident: str | None


steps = st.builds(
    Step,
    st.sampled_from(["add", "add", "forget", "restart", "into the file", "out of the file"]),
    st.sampled_from([NEW, OTHER]),
    st.sampled_from([ILL, WELL, None]),
)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(steps, max_size=8))
def test_the_owner_is_whoever_it_was_last_enrolled_for_and_not_forgotten_since(
    tmp_path_factory: pytest.TempPathFactory, done: list[Step]
) -> None:
    asyncio.run(_live(new_home(tmp_path_factory.mktemp("home")), done))


async def _live(config: Config, done: list[Step]) -> None:
    """An account of its own: what is in the file, what was enrolled by command."""
    of_file: dict[str, str | None] = {}
    by_command: dict[str, str | None] = {}
    waiting = list(done)
    while True:
        sensors = (*config.sensors, *(sensor(address, whose) for address, whose in of_file.items()))
        by_command = {address: whose for address, whose in by_command.items() if address not in of_file}
        async with running(config.model_copy(update={"sensors": sensors})) as enrolment:
            while True:
                account = {**by_command, **of_file}
                for address in (NEW, OTHER):
                    assert owner(enrolment, address) == account.get(address)
                    assert (enrolment.register.sensor(address) is not None) is (address in account)
                if not waiting:
                    return
                step = waiting.pop(0)
                if step.what == "add":
                    if step.address in account:
                        with pytest.raises(EnrolmentError):
                            await enrolment.add(sensor(step.address, step.resident), SAM)
                    else:
                        await enrolment.add(sensor(step.address, step.resident), SAM)
                        by_command[step.address] = step.resident
                elif step.what == "forget":
                    if step.address in by_command:
                        await enrolment.forget(step.address, SAM)
                        del by_command[step.address]
                    else:
                        with pytest.raises(EnrolmentError):
                            await enrolment.forget(step.address, SAM)
                else:
                    break
        if step.what == "into the file":
            of_file[step.address] = step.resident
        elif step.what == "out of the file":
            of_file.pop(step.address, None)
