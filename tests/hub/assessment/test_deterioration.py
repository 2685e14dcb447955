"""The deterioration model: it runs, and it refuses to be another than its card says."""

from __future__ import annotations

import hashlib
import json
import math
import struct
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.assessment.deterioration import (
    RUNTIMES,
    SHIPPED_CARD,
    SHIPPED_MODEL,
    DeteriorationModel,
    ModelError,
)
from hub.assessment.features import INPUTS, NAMES, SCALES, SPECIFICATION
from hub.assessment.model_file import Card, ModelFile
from hub.assessment.recalibration import CalibrationError, FittedOn, Recalibration
from hub.errors import CareportError
from hub.readings import Breathing, Consciousness, Value, Vital
from hub.small_file import LARGEST_BYTES

MODEL = DeteriorationModel.load(SHIPPED_MODEL, SHIPPED_CARD)

WORSE: dict[Vital, Value] = {
    Vital.RESPIRATION_RATE: 26.0,
    Vital.OXYGEN_SATURATION: 91.0,
    Vital.SUPPLEMENTAL_OXYGEN: Breathing.OXYGEN,
    Vital.SYSTOLIC_PRESSURE: 96.0,
    Vital.DIASTOLIC_PRESSURE: 52.0,
    Vital.PULSE_RATE: 118.0,
    Vital.TEMPERATURE: 38.7,
}

measured: dict[Vital, st.SearchStrategy[Value]] = {
    **dict.fromkeys(SCALES, st.floats() | st.floats(0, 300)),
    Vital.SUPPLEMENTAL_OXYGEN: st.sampled_from(Breathing),
    Vital.CONSCIOUSNESS: st.sampled_from(Consciousness),
}
any_set: st.SearchStrategy[Mapping[Vital, Value]] = st.fixed_dictionaries({}, optional=measured)
any_history = st.lists(any_set, max_size=8)
any_age = st.none() | st.integers(0, 130)


def probability(
    current: Mapping[Vital, Value], earlier: list[Mapping[Vital, Value]], age: int | None
) -> float:
    risk = MODEL.risk(current, earlier, age)
    assert risk is not None
    return risk.probability


def test_threads_that_ask_at_once_get_their_own_answers() -> None:
    asked = [{**WORSE, Vital.PULSE_RATE: pulse} for pulse in (40.0, 80.0, 120.0, 160.0)]
    alone = [probability(each, [], 84) for each in asked]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(len(asked)) as threads:
            found = threads.map(lambda each: {probability(each, [], 84) for _ in range(300)}, asked)
            assert list(found) == [{each} for each in alone]
    finally:
        sys.setswitchinterval(before)


@given(any_set, any_history, any_age)
def test_whatever_is_missing_there_is_a_probability_or_no_risk(
    current: Mapping[Vital, Value], earlier: list[Mapping[Vital, Value]], age: int | None
) -> None:
    risk = MODEL.risk(current, earlier, age)
    known = {v for v in SCALES if v in current and math.isfinite(float(current[v]))}
    known |= current.keys() & {Vital.SUPPLEMENTAL_OXYGEN, Vital.CONSCIOUSNESS}
    assert (risk is None) == (not known)
    if risk is not None:
        assert 0 <= risk.probability <= 1
        assert set(risk.missing) == set(INPUTS) - known - ({"age"} if age is not None else set())


@given(any_set, any_history, any_age)
def test_the_probability_alone_is_the_risks(
    current: Mapping[Vital, Value], earlier: list[Mapping[Vital, Value]], age: int | None
) -> None:
    risk = MODEL.risk(current, earlier, age)
    found = MODEL.probabilities(current, earlier, age)
    assert (None if found is None else found.told) == (None if risk is None else risk.probability)


def test_what_was_measured_before_is_seen() -> None:
    before: dict[Vital, Value] = {**WORSE, Vital.RESPIRATION_RATE: 16.0, Vital.PULSE_RATE: 72.0}
    assert probability(WORSE, [before] * 4, 84) != probability(WORSE, [], 84)


def test_of_how_many_earlier_sets_a_value_may_be_carried_is_for_the_caller_to_say() -> None:
    now: dict[Vital, Value] = {Vital.TEMPERATURE: 38.7}
    assert MODEL.probabilities(now, [WORSE], 84, carried=0) != MODEL.probabilities(
        now, [WORSE], 84, carried=1
    )


def test_with_no_vital_at_all_there_is_no_risk() -> None:
    assert MODEL.risk({}, [WORSE], 84) is None
    assert MODEL.risk({Vital.PULSE_RATE: math.nan}, [], 84) is None


def test_a_risk_says_which_model_made_it_and_what_it_lacked() -> None:
    current: dict[Vital, Value] = {Vital.PULSE_RATE: 190.0, Vital.OXYGEN_SATURATION: 91.0}
    risk = MODEL.risk(current, [], None)
    assert risk is not None
    card = json.loads(SHIPPED_CARD.read_text())
    assert (risk.model, risk.version) == (card["name"], card["version"]) == (MODEL.name, MODEL.version)
    assert hashlib.sha256(SHIPPED_MODEL.read_bytes()).hexdigest() == MODEL.sha256
    assert len(risk.sha256_prefix) == 12
    assert MODEL.sha256.startswith(risk.sha256_prefix)
    assert risk.missing == (
        "respiration_rate",
        "systolic_pressure",
        "diastolic_pressure",
        "temperature",
        "supplemental_oxygen",
        "consciousness",
        "age",
    )
    assert risk.out_of_range == ("pulse_rate",)


def test_the_same_question_has_the_same_answer() -> None:
    first = MODEL.risk(WORSE, [], 84)
    MODEL.risk({Vital.PULSE_RATE: 60.0}, [WORSE], 20)
    assert MODEL.risk(WORSE, [], 84) == first


# --- recalibrated


def recalibration(sha256: str = MODEL.sha256) -> Recalibration:
    return Recalibration(
        model_sha256=sha256,
        slope=0.8,
        intercept=-1.0,
        fitted_on=FittedOn(sets=4_000, events=120),
        at=datetime(2026, 3, 1, 12, tzinfo=UTC),
        by="A. Nurse",
        expected_calibration_error=CalibrationError(before=0.07, after=0.01),
    )


def test_a_recalibration_makes_the_probability_and_the_models_own_is_told_beside_it(
    installed: Installed,
) -> None:
    site = recalibration()
    (installed.model.with_suffix(".recalibration.json")).write_text(site.model_dump_json())
    model = DeteriorationModel.configured(installed.model)
    risk, own = model.risk(WORSE, [], 84), MODEL.risk(WORSE, [], 84)
    assert risk is not None
    assert own is not None
    assert (risk.uncalibrated, risk.recalibrated, own.recalibrated) == (own.probability, True, False)
    assert risk.probability == site.applied(own.probability) != own.probability
    assert risk.reasons == own.reasons
    assert (model.recalibration, model.refused) == (site, None)


def test_a_configured_recalibration_is_taken_before_the_one_beside_the_model(
    installed: Installed, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere.json"
    elsewhere.write_text(recalibration().model_dump_json())
    (installed.model.with_suffix(".recalibration.json")).write_text("{")
    assert DeteriorationModel.configured(installed.model, elsewhere).recalibration == recalibration()


def test_without_a_recalibration_there_is_nothing_to_say(installed: Installed) -> None:
    model = DeteriorationModel.configured(installed.model)
    assert (model.recalibration, model.refused) == (None, None)


@pytest.mark.parametrize(
    ("content", "words"),
    [("{", "is no recalibration"), (recalibration("0" * 64).model_dump_json(), "another")],
)
def test_a_recalibration_that_is_refused_costs_no_risk_and_is_said(
    installed: Installed, content: str, words: str
) -> None:
    (installed.model.with_suffix(".recalibration.json")).write_text(content)
    model = DeteriorationModel.configured(installed.model)
    assert model.risk(WORSE, [], 84) == MODEL.risk(WORSE, [], 84)
    assert model.recalibration is None
    assert model.refused is not None
    assert words in model.refused


def test_a_configured_recalibration_that_is_missing_is_said(installed: Installed) -> None:
    model = DeteriorationModel.configured(installed.model, installed.model.with_name("gone.json"))
    assert model.refused is not None
    assert "No such file" in model.refused


def test_a_recalibration_that_is_made_changed_or_removed_is_taken_when_it_is_read_again(
    installed: Installed,
) -> None:
    beside = installed.model.with_suffix(".recalibration.json")
    model = DeteriorationModel.configured(installed.model)
    assert not model.recalibrate(), "there is none still"
    beside.write_text(recalibration().model_dump_json())
    assert model.recalibrate()
    assert not model.recalibrate()
    assert model.recalibration == recalibration()
    beside.write_text("{")
    assert model.recalibrate()
    assert model.recalibration is None
    assert model.refused is not None
    beside.unlink()
    assert model.recalibrate()
    assert (model.recalibration, model.refused) == (None, None)


def test_a_recalibration_of_a_gigabyte_is_refused(installed: Installed) -> None:
    with installed.model.with_suffix(".recalibration.json").open("wb") as file:
        file.truncate(1 << 30)
    model = DeteriorationModel.configured(installed.model)
    assert model.refused is not None
    assert "File too large" in model.refused


def test_why_a_risk_is_what_it_is_comes_with_it() -> None:
    well: dict[Vital, Value] = {vital: scale.centre for vital, scale in SCALES.items()}
    risk = MODEL.risk(WORSE, [well] * 4, None)
    assert risk is not None
    assert risk.reasons == MODEL.reasons(WORSE, [well] * 4, None)
    for reason in risk.reasons:  # whatever this model makes of it
        assert WORSE[Vital(reason.input)] == reason.value
        assert reason.moved > 0


# --- refused


class Installed:
    """A model and its card in a folder of their own, to be spoilt."""

    def __init__(self, folder: Path) -> None:
        self.model = folder / "deterioration.tflite"
        self.card = folder / "deterioration.json"
        self.model.write_bytes(SHIPPED_MODEL.read_bytes())
        self.card.write_bytes(SHIPPED_CARD.read_bytes())

    def change_card(self, change: Callable[[Any], object]) -> None:
        card = json.loads(self.card.read_text())
        change(card)
        self.card.write_text(json.dumps(card))

    def change_model(self, content: bytes) -> None:
        """Another model, which the card agrees to."""
        self.model.write_bytes(content)
        self.change_card(lambda card: card["file"].update(sha256=hashlib.sha256(content).hexdigest()))

    def refusal(self, at_fault: Path) -> str:
        with pytest.raises(ModelError) as refused:
            DeteriorationModel.load(self.model, self.card)
        assert isinstance(refused.value, CareportError)
        assert refused.value.path == at_fault
        message = str(refused.value)
        assert message.startswith(str(at_fault))
        assert "nstall" in message or "Report" in message  # it says what to do
        return message


@pytest.fixture
def installed(tmp_path: Path) -> Installed:
    return Installed(tmp_path)


def test_an_untouched_copy_is_accepted(installed: Installed) -> None:
    assert DeteriorationModel.load(installed.model, installed.card).sha256 == MODEL.sha256


def test_a_missing_model_is_refused(installed: Installed) -> None:
    installed.model.unlink()
    assert "No such file" in installed.refusal(installed.model)


def test_a_missing_card_is_refused(installed: Installed) -> None:
    installed.card.unlink()
    assert "No such file" in installed.refusal(installed.card)


@pytest.mark.parametrize("at_fault", ["model", "card"])
def test_a_file_that_is_too_large_is_refused(installed: Installed, at_fault: str) -> None:
    path: Path = getattr(installed, at_fault)
    with path.open("r+b") as file:
        file.truncate(LARGEST_BYTES + 1)
    assert "File too large" in installed.refusal(path)


def test_a_path_that_names_no_file_is_refused() -> None:
    with pytest.raises(ModelError, match="names no file"):
        DeteriorationModel.configured(Path("/"))


def test_a_folder_in_place_of_the_model_is_refused(installed: Installed) -> None:
    installed.model.unlink()
    installed.model.mkdir()
    assert "cannot be read" in installed.refusal(installed.model)


@given(place=st.integers(0, len(SHIPPED_MODEL.read_bytes()) - 1), flipped=st.integers(1, 255))
def test_a_model_with_one_changed_byte_is_refused(
    place: int, flipped: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    installed = Installed(tmp_path_factory.mktemp("changed"))
    content = bytearray(SHIPPED_MODEL.read_bytes())
    content[place] ^= flipped
    installed.model.write_bytes(content)
    assert "is not the model that" in installed.refusal(installed.model)


@pytest.mark.parametrize("length", [0, 7, 100, 2000, -1])
def test_a_truncated_model_is_refused(installed: Installed, length: int) -> None:
    installed.model.write_bytes(SHIPPED_MODEL.read_bytes()[:length])
    assert "SHA-256" in installed.refusal(installed.model)


@pytest.mark.parametrize("content", [b"", b"\x1c\0\0\0TF", b"no model at all", b"{}" * 5000])
def test_a_file_that_is_no_tflite_file_is_refused_though_its_card_agrees(
    installed: Installed, content: bytes
) -> None:
    installed.change_model(content)
    assert "no TFLite file" in installed.refusal(installed.model)


def test_a_model_that_the_runtime_rejects_is_refused(installed: Installed) -> None:
    content = SHIPPED_MODEL.read_bytes()
    for rows in range(2, 257):  # the shape of the first layer's weights, however many it has
        shape, other = (struct.pack("<ii", rows, len(NAMES) + more) for more in (0, 1))
        content = content.replace(shape, other)
    assert content != SHIPPED_MODEL.read_bytes()
    installed.change_model(content)
    assert "does not run on this machine's runtime" in installed.refusal(installed.model)


def test_a_model_of_another_shape_is_refused(installed: Installed) -> None:
    fewer = NAMES[:-1]
    installed.change_card(lambda card: card["features"].update(names=fewer))
    with pytest.raises(ModelError, match="other tensors"):
        ModelFile.load(
            installed.model, installed.card, Card, specification=SPECIFICATION, names=fewer, setting="x"
        )


def test_a_broken_file_never_reaches_the_runtime(
    installed: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in RUNTIMES:
        monkeypatch.setitem(sys.modules, name, None)  # it would be missed, if it were asked
    installed.model.write_bytes(SHIPPED_MODEL.read_bytes()[:2000])
    assert "is not the model that" in installed.refusal(installed.model)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"name": "x"}', "\x00"])
def test_a_card_that_is_none_is_refused(installed: Installed, text: str) -> None:
    installed.card.write_text(text)
    assert "is not a model card" in installed.refusal(installed.card)


def test_a_truncated_card_is_refused(installed: Installed) -> None:
    installed.card.write_bytes(SHIPPED_CARD.read_bytes()[:-100])
    assert "is not a model card" in installed.refusal(installed.card)


def test_a_card_without_golden_vectors_is_refused(installed: Installed) -> None:
    installed.change_card(lambda card: card["golden"]["vectors"].clear())
    assert "golden.vectors" in installed.refusal(installed.card)


@pytest.mark.parametrize(
    "change", [{"specification": "0"}, {"names": ["pulse_rate"]}, {"names": ["hour of stay"] * len(NAMES)}]
)
def test_a_model_trained_with_other_features_is_refused(installed: Installed, change: Any) -> None:
    installed.change_card(lambda card: card["features"].update(change))
    assert "specification" in installed.refusal(installed.card)


def test_a_model_that_misses_a_golden_vector_is_refused(installed: Installed) -> None:
    vector = json.loads(SHIPPED_CARD.read_text())["golden"]["vectors"][1]
    wrong = vector["probability"] / 2 + 0.3
    installed.change_card(lambda card: card["golden"]["vectors"][1].update(probability=wrong))
    assert vector["name"] in installed.refusal(installed.model)


def test_a_golden_vector_of_the_wrong_length_is_refused(installed: Installed) -> None:
    installed.change_card(lambda card: card["golden"]["vectors"][0].update(features=[0.0]))
    assert "1 features" in installed.refusal(installed.model)


def test_without_a_runtime_the_message_names_what_to_install(
    installed: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in RUNTIMES:
        monkeypatch.setitem(sys.modules, name, None)  # Python's own way to say that it is not there
    message = installed.refusal(installed.model)
    assert "tflite-runtime" in message
    assert "ai-edge-litert" in message


def test_the_runtime_is_silent_and_comes_only_with_the_model() -> None:
    program = (
        "import sys\n"
        "from hub.assessment import deterioration as d\n"
        "assert not any(name.startswith(('tflite_runtime', 'ai_edge_litert')) for name in sys.modules)\n"
        "m = d.DeteriorationModel.load(d.SHIPPED_MODEL, d.SHIPPED_CARD)\n"
        "assert m.risk({d.Vital.PULSE_RATE: 80.0}, [], 84)\n"
        "assert not {'tensorflow', 'pandas', 'scipy', 'sklearn', 'pyarrow'} & sys.modules.keys()\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
