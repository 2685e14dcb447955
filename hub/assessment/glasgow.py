"""From a sum of the Glasgow Coma Scale to ACVPU, for data that has only the sum.

The two scales are not one: papers that took both of the same people found overlapping ranges of the sum for
each level. Medians for alert, voice, pain, unresponsive:

- 15, 13, 8, 6 in 1,020 observations on a neurosurgical ward; of confused and drowsy people 13 and 10
  (McNarry & Goldhill, Anaesthesia 59:34-37, 2004).
- 15 (quartiles 15), 13 (12 to 14), 8 (7 to 9), 3 (3) in 1,384 poisoned people (Kelly, Upex & Bateman, Annals
  of Emergency Medicine 44:108-113, 2004).

Speech that is confused takes one point from a sum of 15, hence 14; that a confusion is new no sum tells. To
NEWS2 only "not alert" matters, and it begins at 14. The other limits lie between the medians.
"""

from __future__ import annotations

from hub.readings import Consciousness

SUMS = range(3, 16)
"""The sums that there are."""

_LOWEST = (
    (15, Consciousness.ALERT),
    (14, Consciousness.NEW_CONFUSION),
    (9, Consciousness.VOICE),
    (4, Consciousness.PAIN),
    (3, Consciousness.UNRESPONSIVE),
)


def from_glasgow(total: int) -> Consciousness:
    """The level of consciousness that a sum of the Glasgow Coma Scale is taken for.

    Raises:
        ValueError: there is no such sum.
    """
    if total not in SUMS:
        raise ValueError(f"{total} is no sum of the Glasgow Coma Scale: it is {SUMS[0]} to {SUMS[-1]}")
    return next(level for lowest, level in _LOWEST if total >= lowest)
