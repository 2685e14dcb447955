"""A card that is full for a while, and one that turns read-only: what was confirmed stays; the hub lives."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Self

from tests.aims import FULL_CARD
from tests.faults.card import card
from tests.faults.feeding import hand_over
from tests.faults.hub import Hub
from tests.faults.patience import wait
from tests.faults.report import Row, judged
from tests.faults.stage import Run, Stage, stage
from tests.faults.system import RAISED
from tests.faults.ward import Payload, Ward

_CARD_MEGABYTES = 64
_ALERTING_SECONDS = 1.0
_READ_ONLY_SECONDS = 8.0
_GRACE_SECONDS = 2.0
_PATIENCE_SECONDS = 60.0
_LANES = 10
_FILLED_AGAIN_SECONDS = 0.2
_REFUSED = "Readings wait in memory"  # the hub's log, when the card has refused a commit


class Alarms:
    """Raises an alert each second, each over a connection of its own, so that none waits for another."""

    def __init__(self, parts: Stage) -> None:
        self.fed: list[tuple[float, Payload]] = []
        self._parts = parts
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._thread = threading.Thread(target=self._raise)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        if error is not None:
            self._parts.system.kill()
        for thread in self._threads:
            thread.join()

    def _raise(self) -> None:
        while not self._stop.wait(_ALERTING_SECONDS):
            batch = self._parts.ward.alert()
            self._parts.account.offer(batch)
            self.fed.append((monotonic(), batch[0]))
            arguments = (self._parts.system, self._parts.account, batch)
            thread = threading.Thread(target=hand_over, args=arguments)
            thread.start()
            self._threads.append(thread)

    def told(self, begun: float, ended: float, grace: float = 0.0) -> str:
        """What became of the alerts that were due while the card did not take anything, but for those of its
        last seconds of `grace`, where nothing can come after."""
        due = [(fed, payload) for fed, payload in self.fed if begun <= fed < ended - grace]
        arrived = [(fed, self._parts.subscriber.moment(RAISED, payload.names)) for fed, payload in due]
        meanwhile = [moment - fed for fed, moment in arrived if moment is not None and moment < ended]
        late = [moment - ended for _, moment in arrived if moment is not None and moment >= ended]
        said = f"of {len(due)} alerts due meanwhile {len(meanwhile)} arrived meanwhile"
        if meanwhile:
            said += f" (within {max(meanwhile):.1f} s)"
        if late:
            said += f", {len(late)} up to {max(late):.1f} s after"
        never = len(due) - len(meanwhile) - len(late)
        return said + (f", {never} never" if never else "")


def scenarios(run: Run) -> Iterator[Row]:
    """The full card, then the read-only one."""
    yield _full(run)
    yield _read_only(run)


def _full(run: Run) -> Row:
    seconds = run.scale.disk_full_seconds
    directory = Path(tempfile.mkdtemp(dir=run.directory))
    ward = Ward(ill=400, alert_every=1_000_000)
    with (
        card(directory, _CARD_MEGABYTES) as its_card,
        stage(run, Hub, ward, data=its_card.path / "data") as parts,
    ):
        parts.system.start()
        with parts.feeding(rate=200, lanes=_LANES), Alarms(parts) as alarms:
            time.sleep(2)
            its_card.fill()
            begun = monotonic()
            before = parts.account.confirmed_count
            # The hub makes room: it gives up its reserve. Somebody else takes that too.
            while monotonic() < begun + seconds:
                time.sleep(_FILLED_AGAIN_SECONDS)
                its_card.fill()
            meanwhile = parts.account.confirmed_count - before
            assert isinstance(parts.system, Hub)
            refused = parts.system.log.count(_REFUSED)
            its_card.free()
            freed, count = monotonic(), parts.account.confirmed_count
            on = wait(lambda: parts.account.confirmed_count >= count + 100, _PATIENCE_SECONDS)
            resumed = monotonic() - freed
            time.sleep(2)
        judgement = parts.subscriber.wait_for_all(30)
        alive = parts.system.alive
        remarks = (
            f"refused {refused} time(s), {meanwhile} confirmed meanwhile; {alarms.told(begun, freed)}; "
            + (f"goes on {resumed:.1f} s after" if on else "does not go on")
        )  # fmt: skip
        parts.system.kill()
    broken = "" if alive and on else "it did not go on by itself"
    if not refused:
        broken = "the card was never full for it: this shows nothing"
    return judged(
        Hub.name, f"card full for {seconds:g} s, then freed", judgement, remarks, broken=broken, aim=FULL_CARD
    )


def _read_only(run: Run) -> Row:
    """ext4 finds an error and takes no more writes (a remount is refused while files are open for writing).

    Such a card comes back only with a boot: the hub must live until then, and have everything after.
    """
    directory = Path(tempfile.mkdtemp(dir=run.directory))
    ward = Ward(ill=100, alert_every=1_000_000)
    with (
        card(directory, _CARD_MEGABYTES) as its_card,
        stage(run, Hub, ward, data=its_card.path / "data") as parts,
    ):
        parts.system.start()
        with parts.feeding(rate=200, lanes=_LANES), Alarms(parts) as alarms:
            time.sleep(2)
            its_card.fail()
            begun, before = monotonic(), parts.account.confirmed_count
            time.sleep(_READ_ONLY_SECONDS)
            meanwhile = parts.account.confirmed_count - before
            alive = parts.system.alive
            told = alarms.told(begun, monotonic(), _GRACE_SECONDS)
            parts.system.kill()
            its_card.unmount()
            its_card.repair()
            its_card.mount()
            parts.system.start()
            time.sleep(2)
        judgement = parts.subscriber.wait_for_all(30)
        parts.system.kill()
    broken = "" if alive else "the hub ended when the card turned read-only"
    remarks = f"{meanwhile} confirmed meanwhile; {told}"
    return judged(Hub.name, "card turns read-only, then a boot", judgement, remarks, broken=broken)
