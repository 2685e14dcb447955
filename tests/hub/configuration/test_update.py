"""The table that says whether the centre may bring another release."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from hub.configuration.update import Update


def test_unless_it_is_said_the_centre_brings_none() -> None:
    assert not Update().from_centre
    allowed = Update(from_centre=True, source="https://releases.ics.example:8443/careport/")
    assert allowed.source == "https://releases.ics.example:8443/careport"


@pytest.mark.parametrize(
    "source",
    [
        "http://x/y",
        "https://",
        "https://sam:secret@x/y",
        "https://x/y?z",
        "https://x:99999/",
        "file:///etc",
        "x",
        "https://x/\ny",
        "https://releases..ics.example/x",
        f"https://{'a' * 70}.example/x",
    ],
)
def test_a_source_is_a_folder_of_an_https_server_and_no_secret_is_in_it(source: str) -> None:
    with pytest.raises(ValidationError, match="give the folder"):
        Update(source=source)


def test_who_allows_it_says_from_where() -> None:
    with pytest.raises(ValidationError, match="give source"):
        Update(from_centre=True)
