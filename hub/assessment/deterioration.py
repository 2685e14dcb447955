"""The deterioration model: the risk of one observation set, and why it is what it is.

`model_file.py` says when a model file is believed; `features.py` what the model sees. A site's recalibration
(`recalibration.py`) makes another probability of the model's own. One that is refused costs no risk: the hub
goes on with the model's own, and says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from hub.assessment.features import (
    CARRIED_SETS,
    NAMES,
    SPECIFICATION,
    features,
    missing,
    nothing_known,
    out_of_range,
)
from hub.assessment.model_file import HASH_PREFIX, MODELS, RUNTIMES, Card, ModelError, ModelFile, beside
from hub.assessment.reason import Reason
from hub.assessment.reasons import Times, reasons
from hub.assessment.recalibration import Recalibration, RecalibrationError
from hub.readings import Value, Vital

__all__ = [
    "HASH_PREFIX",
    "RUNTIMES",
    "SHIPPED_CARD",
    "SHIPPED_MODEL",
    "DeteriorationModel",
    "ModelError",
    "Probabilities",
    "Risk",
]

SHIPPED_MODEL = MODELS / "deterioration.tflite"
SHIPPED_CARD = MODELS / "deterioration.json"
RECALIBRATION = ".recalibration.json"
"""What the name of a recalibration that lies beside its model ends with, in place of ".tflite"."""


@dataclass(frozen=True, slots=True)
class Probabilities:
    """What is told of a set, and where a recalibration made that, the model's own (`uncalibrated`)."""

    told: float
    uncalibrated: float | None = None

    @property
    def own(self) -> float:
        """The model's own, recalibrated or not."""
        return self.told if self.uncalibrated is None else self.uncalibrated


@dataclass(frozen=True, slots=True)
class Risk:
    """What the model says of one observation set.

    `probability` (0 to 1) is what the card says it is, calibrated to the population it was trained on:
    elsewhere a rank at best. Where the site's recalibration made it, `uncalibrated` is the model's own.
    `missing` are the inputs that were not known, `out_of_range` those that the model saw as the limit of what
    it was trained on; both by the names in `INPUTS`. `sha256_prefix` are the first hexadecimal digits of the
    model file's hash. `reasons` has what moved the risk up, the most first; None where nobody asked.
    `would_alert` is whether it reached the threshold of the alert budget; None where there was none.
    """

    probability: float
    model: str
    version: str
    sha256_prefix: str
    missing: tuple[str, ...]
    out_of_range: tuple[str, ...]
    uncalibrated: float | None = None
    reasons: tuple[Reason, ...] | None = None
    would_alert: bool | None = None

    @property
    def recalibrated(self) -> bool:
        """Whether a site's recalibration made the probability."""
        return self.uncalibrated is not None


class DeteriorationModel:
    """One loaded model, for any thread.

    `refused` says in words why a recalibration that is there is not used; None where there is nothing to say.
    """

    def __init__(
        self, file: ModelFile[Card], recalibration: Path | None = None, *, need_not_be: bool = False
    ) -> None:
        self._file = file
        self.name, self.version, self.sha256 = file.name, file.version, file.sha256
        self._of_site, self._need_not_be = recalibration, need_not_be
        self.recalibration: Recalibration | None = None
        self.refused: str | None = None
        self.recalibrate()

    def recalibrate(self) -> bool:
        """Read the site's recalibration from its file, again; return whether it is another than before."""
        before = self.recalibration, self.refused
        made, refused = None, None
        if self._of_site is not None:
            try:
                made = Recalibration.load(self._of_site, self.sha256)
            except RecalibrationError as error:
                is_none = self._need_not_be and isinstance(error.__cause__, FileNotFoundError)
                refused = None if is_none else str(error)
        self.recalibration, self.refused = made, refused
        return (made, refused) != before

    @classmethod
    def load(
        cls, path: Path, card: Path, recalibration: Path | None = None, *, need_not_be: bool = False
    ) -> Self:
        """Load a model file and check it against its card; a recalibration that cannot be used is `refused`.

        A recalibration that `need_not_be` may be missing.

        Raises:
            ModelError: as `ModelFile.load`. The message says what to do.
        """
        file = ModelFile.load(
            path, card, Card, specification=SPECIFICATION, names=NAMES, setting="model.mode"
        )
        return cls(file, recalibration, need_not_be=need_not_be)

    @classmethod
    def configured(cls, file: Path | None, recalibration: Path | None = None) -> Self:
        """The model of the configuration, its card beside it; None for the one that comes with the hub.

        Without a `recalibration` the one beside the model is taken, if there is any.

        Raises:
            ModelError: as `load`.
        """
        model = file or SHIPPED_MODEL
        card, its = beside(model, ".json"), beside(model, RECALIBRATION)
        return cls.load(model, card, recalibration or its, need_not_be=recalibration is None)

    def risk(
        self,
        current: Mapping[Vital, Value],
        earlier: Sequence[Mapping[Vital, Value]],
        age_years: int | None,
        *,
        carried: int = CARRIED_SETS,
        times: Times | None = None,
    ) -> Risk | None:
        """The risk of one observation set, with its reasons; None where it has no vital that the model knows.

        The arguments are those of `hub.assessment.features.features`; `times` is for the reasons.
        """
        found = self.probabilities(current, earlier, age_years, carried=carried)
        if found is None:
            return None
        return Risk(
            probability=found.told,
            model=self.name,
            version=self.version,
            sha256_prefix=self.sha256[:HASH_PREFIX],
            missing=missing(current, age_years),
            out_of_range=out_of_range(current, age_years),
            uncalibrated=found.uncalibrated,
            reasons=self.reasons(current, earlier, age_years, carried=carried, times=times, known=found.own),
        )

    def reasons(
        self,
        current: Mapping[Vital, Value],
        earlier: Sequence[Mapping[Vital, Value]],
        age_years: int | None,
        *,
        carried: int = CARRIED_SETS,
        times: Times | None = None,
        known: float | None = None,
    ) -> tuple[Reason, ...]:
        """What moved the risk up, by the model's own probability; the arguments are those of `risk`.

        `known` is that of the set, if it was asked for before.
        """

        def own(
            now: Mapping[Vital, Value], before: Sequence[Mapping[Vital, Value]], age: int | None
        ) -> float:
            return self._file.answer(features(now, before, age, carried=carried))

        return reasons(own, current, earlier, age_years, carried=carried, times=times, known=known)

    def probabilities(
        self,
        current: Mapping[Vital, Value],
        earlier: Sequence[Mapping[Vital, Value]],
        age_years: int | None,
        *,
        carried: int = CARRIED_SETS,
    ) -> Probabilities | None:
        """The probability of `risk` and what it is made of, for one who need not know more; None as there."""
        if nothing_known(current):
            return None
        own = self._file.answer(features(current, earlier, age_years, carried=carried))
        of_site = self.recalibration  # `recalibrate` may set another meanwhile
        return Probabilities(own) if of_site is None else Probabilities(of_site.applied(own), own)
