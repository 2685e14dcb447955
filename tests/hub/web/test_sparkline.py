"""The small picture of how scores went."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from hub.assessment.news2 import Band
from hub.overview.glance import PastScore
from hub.web.sparkline import sparkline

UNTIL = datetime(2026, 3, 10, 4, 0, tzinfo=UTC)
SINCE = UNTIL - timedelta(days=1)


def test_a_sparkline_tells_the_trend_in_words_too() -> None:
    scores = [
        PastScore(SINCE + timedelta(hours=2), 1, Band.LOW, complete=True),
        PastScore(SINCE + timedelta(hours=9), 8, Band.HIGH, complete=True),
        PastScore(SINCE + timedelta(hours=11), 6, Band.MEDIUM, complete=False),
    ]
    picture = sparkline(scores, SINCE, UNTIL)
    assert "NEWS2 over 24 h: from 1 to at least 6, the highest 8" in picture
    assert re.findall(r'spark-line" d="([^"]*)"', picture)[0].count("M") == 2, (
        "seven hours of a day are not joined"
    )
    assert "spark-medium spark-partial" in picture
    assert "no scores in 24 h" in sparkline([], SINCE, UNTIL)
