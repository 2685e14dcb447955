"""A sum of the Glasgow Coma Scale becomes a level of ACVPU."""

from __future__ import annotations

import pytest

from hub.assessment.glasgow import SUMS, from_glasgow
from hub.readings import Consciousness


def test_only_the_full_sum_is_alert_and_each_lower_one_is_no_better() -> None:
    levels = [from_glasgow(total) for total in reversed(SUMS)]
    assert "".join(levels) == "ACVVVVVPPPPPU"
    order = list(Consciousness)
    assert sorted(levels, key=order.index) == levels


def test_the_medians_of_both_papers_fall_in_their_levels() -> None:
    of_both = {15: "A", 13: "V", 8: "P", 3: "U"}  # unresponsive: McNarry & Goldhill 6, Kelly 3
    assert {total: from_glasgow(total).value for total in of_both} == of_both


@pytest.mark.parametrize("total", [2, 16, 0, -1])
def test_a_sum_that_there_is_not_is_refused(total: int) -> None:
    with pytest.raises(ValueError, match="3 to 15"):
        from_glasgow(total)
