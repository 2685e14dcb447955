"""What the doctor finds of the configuration: one that cannot be used is a finding, and the rest goes on."""

from __future__ import annotations

from hub.configuration.file import Broker, Config, ConfigError, Hub, Site
from hub.doctor.findings import Finding, Verdict
from hub.doctor.looking import WITH_RIGHTS, Subject, forbidden

_PART = "configuration"
_NOT_SAID = "unknown"


def usual() -> Config:
    """Where a hub usually has its data and its socket. What it has to be told is not known: who uses this
    looks at nothing that depends on it."""
    return Config(site=Site(id=_NOT_SAID), hub=Hub(id=_NOT_SAID), broker=Broker(host=_NOT_SAID))


def configuration(subject: Subject, problem: ConfigError | None) -> list[Finding]:
    """Whether it can be used; `problem` names each key that is wrong."""
    if problem is None:
        words = "every key is right" if subject.file is None else f"{subject.file}: every key is right"
        return [Finding(_PART, Verdict.PASS, words)]
    if forbidden(problem.path):
        words = f"{problem.path} may not be read by this user: what depends on it is not looked at"
        return [Finding(_PART, Verdict.WARN, words, WITH_RIGHTS)]
    words = f"{problem.path}: {'; '.join(problem.problems)}. What depends on it is not looked at"
    todo = (
        "put it right where it comes from (the site's file, and 'carehub provision'), or here until"
        " 'carehub check-config' is content; a hub that runs goes on with what it read"
    )
    return [Finding(_PART, Verdict.FAIL, words, todo)]
