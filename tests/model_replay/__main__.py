"""Replay a held-back person through the hub, up to the onset: `python -m tests.model_replay --data DIR`.

Of the people whom the shipped model has not seen, one is taken: whose risk at the last round before the onset
is in the middle. Their rounds go through a whole hub with a real broker, as the bytes of a cuff, an oximeter
and a thermometer and as a carer's entries; then again without the model. Ends with 0 if all happened that had
to. The values are a real person's: printed, and kept nowhere.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
from datetime import datetime
from pathlib import Path

from tabulate import tabulate

from hub.assessment.deterioration import DeteriorationModel
from hub.clock import now
from tests.model_replay.account import Account, rows
from tests.model_replay.person import Person, expected, middle_one, person_of
from tests.model_replay.stage import play

_TRAINING = Path(".venv-train/bin/python")


def held_back(python: Path, data: Path) -> list[Person]:
    """The people, read by the training tools, which alone can; from them by a pipe and through no file."""
    command = [str(python), "-m", "models.train.held_back", "--data", str(data)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return [person_of(line) for line in done.stdout.splitlines()]


async def replay(model: DeteriorationModel, person: Person, last: datetime) -> Account:
    """A person's rounds through a hub with the model, and through one without it."""
    risks = expected(model, person, person.times(last))
    with_model = await play(person, last, mode="shadow")
    return Account(person, risks, with_model, await play(person, last, mode="off"))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.model_replay", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder with the training file")
    parser.add_argument(
        "--python", type=Path, default=_TRAINING, help=f"a Python with the training tools ({_TRAINING})"
    )
    arguments = parser.parse_args()
    model = DeteriorationModel.configured(None)
    people, last = held_back(arguments.python, arguments.data), now()
    account = asyncio.run(replay(model, middle_one(model, people, last), last))

    print(f"One of {len(people)} held-back people with an onset, in the six hours after the last round.")
    print(tabulate(rows(account), headers="keys", maxcolwidths=60))
    checks = account.checks()
    for check in checks:
        print(f"  {'yes' if check.happened else 'NO '}  {check.what}")
    return 0 if all(check.happened for check in checks) else 1


if __name__ == "__main__":
    sys.exit(main())
