"""What the doctor finds of the models, and of what they are given."""

from __future__ import annotations

import sqlite3

from hub.configuration.file import Config
from hub.doctor.findings import Finding, Verdict
from hub.doctor.looking import forbidden
from hub.errors import CareportError
from hub.shadow.watch import watched
from hub.store.database import FILE_NAME, open_for_reading


def model(config: Config) -> list[Finding]:
    """The model of deterioration: the very file that the hub would take."""
    from hub.assessment.deterioration import DeteriorationModel, ModelError

    if config.model.mode == "off":
        return [Finding("model", Verdict.PASS, "off by configuration")]
    try:
        model = DeteriorationModel.configured(config.model.file, config.model.recalibration)
    except ModelError as error:
        return [Finding("model", Verdict.FAIL, str(error))]
    words = f"{model.name} {model.version}, SHA-256 {model.sha256[:12]}, golden vectors met, shadow"
    if model.refused is not None:
        told = f"{words}; its own risks are told, not recalibrated: {model.refused}"
        return [Finding("model", Verdict.WARN, told)]
    if (site := model.recalibration) is None:
        return [Finding("model", Verdict.PASS, f"{words}, not recalibrated")]
    fitted_on = f"{site.fitted_on.events} events among {site.fitted_on.sets} sets"
    return [Finding("model", Verdict.PASS, f"{words}, recalibrated {site.at:%Y-%m-%d} on {fitted_on}")]


def inputs(config: Config) -> list[Finding]:
    """What the hub found of its model: that a home differs from intensive care is no fault of anything."""
    if config.model.mode == "off" or forbidden(config.hub.data_directory / FILE_NAME):
        return []
    try:
        connection = open_for_reading(config.hub.data_directory / FILE_NAME)
    except CareportError:
        return []  # said already
    try:
        found = watched(connection)
    except sqlite3.Error:
        return []
    finally:
        connection.close()
    if found is None:
        return []
    verdict, todo = Verdict.PASS, ""
    if found.changed:
        verdict = Verdict.WARN
        todo = "see 'carehub model show', and look for a new or a faulty sensor, or for new residents"
    return [
        Finding("alert budget", Verdict.PASS, f"{found.threshold_words}; a shadow, it raises none"),
        Finding("model's inputs", verdict, found.inputs_words, todo),
    ]


def rhythm_model(config: Config) -> list[Finding]:
    """The model of rhythm."""
    from hub.assessment.model_file import HASH_PREFIX, ModelError
    from hub.assessment.rhythm import RhythmModel

    if config.rhythm.mode == "off":
        return [Finding("rhythm model", Verdict.PASS, "off by configuration")]
    try:
        model = RhythmModel.configured(config.rhythm.file)
    except ModelError as error:
        return [Finding("rhythm model", Verdict.FAIL, str(error))]
    said = f"{model.name} {model.version}, SHA-256 {model.sha256[:HASH_PREFIX]}"
    return [Finding("rhythm model", Verdict.PASS, f"{said}, golden vectors met, shadow")]
