"""From people to a student: what each teacher is taught, and what the student is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hub.assessment.features import BEYOND, COMBINED, NAMES, PARTS, SCALES
from hub.readings import Vital
from models.train.deterioration import deaths, hospital_stays, student, teacher
from models.train.deterioration.folds import fold_of_each
from models.train.deterioration.sets import BLOCK_HOURS, SHARE_OF_NEWCOMERS, Sets, vectors, with_gaps
from models.train.measures.arrays import Booleans, Floats, Integers, Vectors
from models.train.measures.calibration import fitted_line, probability

PHASES_OF_STAYS = range(BLOCK_HOURS)
PHASES_OF_DEATHS = range(0, BLOCK_HOURS, 2)

TREES_OF_CONSCIOUSNESS = teacher.Trees(
    rounds=700, rate=0.03, smallest_leaf=200, seeds=1, columns=student.EVERY
)
ROWS_FOR_THE_STUDENT = 150_000

GROUPS: Sequence[Sequence[int]] = (
    *(
        [NAMES.index(name) for name in (*(f"{vital}{part}" for part in PARTS), *BEYOND.get(vital, ()))]
        for vital in SCALES
    ),
    [NAMES.index(name) for name in COMBINED],
    [NAMES.index("age")],
    [i for i, name in enumerate(NAMES) if name.startswith(Vital.SUPPLEMENTAL_OXYGEN)],
)
"""Features that go together when people are mixed. Consciousness stays with its person."""


@dataclass(frozen=True)
class Material:
    """The judged sets of one data set at all phases, their vectors, and those of the same people with gaps.

    `in_step` are the sets of phase 0, by which models are judged; the others are to learn from.
    """

    person: Integers
    hour: Integers
    label: Integers
    fold: Integers
    in_step: Booleans
    vectors: Vectors
    gapped: Vectors


def of_stays(data: Path) -> tuple[Material, Sets, Booleans]:
    """Of hospital A, all its sets in step, and which of them are judged, in the order of the material's."""
    by_phase, judged = stays_by_phase(hospital_stays.read(data))
    return _material(by_phase, judged), by_phase[0], judged[0]


def stays_by_phase(hours: hospital_stays.Hours) -> tuple[list[Sets], list[Booleans]]:
    """Hospital A's sets at each phase, and which of them are judged: their people are dealt into parts."""
    by_phase = [hospital_stays.observation_sets(hours, phase) for phase in PHASES_OF_STAYS]
    judged = [
        hospital_stays.judged(sets) & (_whole(sets, phase) if phase else np.ones(len(sets), dtype=bool))
        for phase, sets in enumerate(by_phase)
    ]
    return by_phase, judged


def of_deaths(data: Path) -> tuple[Material, Sets]:
    """Of the 2012 sets, where consciousness is known or was; the judged ones in step with oxygen held."""
    by_phase = [deaths.read(data, phase) for phase in PHASES_OF_DEATHS]
    judged = [
        (sets.hour >= deaths.FIRST_HOUR) & _whole(sets, phase)
        for phase, sets in zip(PHASES_OF_DEATHS, by_phase, strict=True)
    ]
    return _material(by_phase, judged), by_phase[0].with_oxygen_held().where(judged[0])


def _whole(sets: Sets, phase: int) -> Booleans:
    """Which sets are of a whole block: a cut one has its like in another phase."""
    return np.asarray((sets.hour + phase) % BLOCK_HOURS == 0)


def _material(by_phase: Sequence[Sets], judged: Sequence[Booleans]) -> Material:
    generator = np.random.default_rng(teacher.SEED)
    parts = []
    for number, (sets, rows) in enumerate(zip(by_phase, judged, strict=True)):
        gapped = with_gaps(sets, generator)
        newcomers = generator.random(len(sets)) < SHARE_OF_NEWCOMERS
        step = np.full(int(rows.sum()), number == 0)
        parts.append(
            (
                sets.person[rows], sets.hour[rows], sets.label[rows], step,
                vectors(sets)[rows], vectors(gapped, newcomers)[rows],
            )
        )  # fmt: skip
    person, hour, label, in_step, whole, gaps = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Material(person, hour, label, fold_of_each(person), in_step, whole, gaps)


def teach(material: Material, among: Booleans, trees: teacher.Trees, seed: int) -> teacher.Teacher:
    """What vitals say of an onset, learned from these rows, whole and with gaps."""
    block = (material.hour - 1) // BLOCK_HOURS
    rows = teacher.time_matched(material.label, block, among, np.random.default_rng(seed))
    both = np.concatenate([material.vectors[rows], material.gapped[rows]])
    return teacher.grow(both, np.tile(material.label[rows], 2), trees, seed=seed)


@dataclass(frozen=True)
class Added:
    """What consciousness adds to what the vitals say: trees on what is left over, and a line."""

    of_vitals: teacher.Teacher
    trees: teacher.Teacher
    slope: float
    intercept: float

    def logit(self, features: Vectors) -> Floats:
        """In log-odds, of vectors in which consciousness is known; about 0 for those who are alert."""
        vitals = self.of_vitals.logit(features)
        return (self.slope - 1) * vitals + self.intercept + self.trees.logit(features)


def teach_consciousness(material: Material, among: Booleans, of_vitals: teacher.Teacher, seed: int) -> Added:
    """What the level of consciousness, and all else beside it, says of death, over what the vitals say."""
    features = np.concatenate([material.vectors[among], material.gapped[among]])
    label = np.tile(material.label[among], 2)
    known = features[:, teacher.KNOWN] == 1
    features, label = features[known], label[known]
    said = of_vitals.logit(features)
    line = fitted_line(probability(said), label)
    start = line.slope * said + line.intercept
    trees = teacher.grow(features, label, TREES_OF_CONSCIOUSNESS, start=start, seed=seed)
    raw = Added(of_vitals, trees, line.slope, 0.0)
    alert = features[:, teacher.OF_CONSCIOUSNESS[0]] == 0
    return Added(of_vitals, trees, line.slope, -float(raw.logit(features[alert]).mean()))


def fit(
    stays: Material,
    stays_rows: Booleans,
    died: Material,
    died_rows: Booleans,
    seed: int,
    trees: teacher.Trees,
) -> student.Student:
    """The student of two teachers, of these people; `trees` is how the one of the vitals is grown."""
    of_vitals = teach(stays, stays_rows, trees, seed)
    added = teach_consciousness(died, died_rows, of_vitals, seed)
    generator = np.random.default_rng(seed)

    def asked(material: Material, among: Booleans) -> Vectors:
        rows = np.flatnonzero(among)
        rows = generator.choice(rows, min(len(rows), ROWS_FOR_THE_STUDENT), replace=False)
        some = np.concatenate([material.vectors[rows], material.gapped[rows]])
        return np.concatenate([some, student.mixed(some, GROUPS, generator)])

    questions = asked(stays, stays_rows)
    vitals = student.learn(
        questions, of_vitals.logit(questions), teacher.OF_VITALS, student.UNITS_OF_VITALS, seed
    )
    questions = asked(died, died_rows)
    questions = questions[questions[:, teacher.KNOWN] == 1]
    consciousness = student.learn(
        questions, added.logit(questions), student.EVERY, student.UNITS_OF_CONSCIOUSNESS, seed
    )
    return student.Student(vitals, consciousness)
