"""What the pages share: the configuration, the database, the daemon, the templates, what is new."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub.configuration.file import Config

if TYPE_CHECKING:
    from jinja2 import Environment

    from hub.web.asking import Asking
    from hub.web.board import Board
    from hub.web.following import Following
    from hub.web.looking import Looking
    from hub.web.sessions import Sessions
    from hub.web.sign_in import SignIn
    from hub.web.statics import Statics


@dataclass(frozen=True, slots=True)
class PageSettings:
    """What every template may know of the home."""

    site: str
    test_data: bool


@dataclass(frozen=True, slots=True)
class House:
    """The staff page's parts, put together by `app.py`."""

    config: Config
    looking: Looking
    asking: Asking
    sessions: Sessions
    board: Board
    following: Following
    templates: Environment
    settings: PageSettings
    sign_in: SignIn
    statics: Statics
