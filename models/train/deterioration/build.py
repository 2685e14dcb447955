"""Trains and judges: five students and the one of the file, its card, and predictions for the report."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from hub.readings import Vital
from models.train.card import text
from models.train.deterioration import card, judging, model_file, selection, student, teacher, training
from models.train.deterioration.comparison import news2
from models.train.deterioration.folds import FOLDS, HELD_BACK
from models.train.deterioration.sets import Sets, vectors
from models.train.measures.arrays import Booleans, Floats, Integers, Vectors
from models.train.measures.calibration import fitted_line, probability

WORKERS = 2
PARTS = range(FOLDS + 1)
"""Each part of the people has a model that has not seen it; that of the last, `HELD_BACK`, is the file's."""


def _judge(job: selection.Job) -> tuple[float, float]:
    """What a candidate came to on two parts that it has not seen."""
    stays, _ = _MATERIAL
    return selection.judge(stays, job)


def _fit(fold: int, trees: teacher.Trees) -> student.Student:
    """The student that has not seen the people of this part, nor those held back."""
    stays, died = _MATERIAL
    of_stays, of_deaths = (~np.isin(each.fold, (fold, HELD_BACK)) for each in (stays, died))
    return training.fit(stays, of_stays, died, of_deaths, teacher.SEED + fold, trees)


_MATERIAL: tuple[training.Material, training.Material]


def _take(stays: training.Material, died: training.Material) -> None:
    """In a worker: one thread each, so that the same numbers come out and two do not tread on each other."""
    global _MATERIAL  # it is large, and given to each worker once
    _MATERIAL = (stays, died)
    tensorflow = student.tensorflow()
    tensorflow.config.threading.set_intra_op_parallelism_threads(1)
    tensorflow.config.threading.set_inter_op_parallelism_threads(1)


def build(data: Path, into: Path, predictions: Path) -> None:
    """Write `deterioration.tflite` and its card into a folder, and the predictions beside them."""
    stays, every, judged = training.of_stays(data)
    sets = every.with_oxygen_held().where(judged)
    died, death_sets = training.of_deaths(data)
    print(f"{len(sets)} sets of {len(np.unique(sets.person))} people; {sets.label.sum()} before an onset")
    os.environ["OMP_NUM_THREADS"] = "1"
    with ProcessPoolExecutor(
        WORKERS, multiprocessing.get_context("spawn"), initializer=_take, initargs=(stays, died)
    ) as workers:
        selected = selection.select(zip(selection.JOBS, workers.map(_judge, selection.JOBS), strict=True))
        names = [selected.chosen(part) for part in PARTS]
        print(f"chosen by the others, for each part and for the file: {', '.join(names)}", flush=True)
        fits = []
        for part, fitted in enumerate(
            workers.map(_fit, PARTS, [selection.CANDIDATES[name] for name in names])
        ):
            print(f"trained {part + 1} of {len(PARTS)}", flush=True)
            fits.append(fitted)

    fold = stays.fold[stays.in_step]
    death_fold = died.fold[died.in_step]
    features, death_features = stays.vectors[stays.in_step], died.vectors[died.in_step]
    line = fitted_line(probability(_across(fits, features, fold)), sets.label)
    students = [_calibrated(each, line.slope, line.intercept) for each in fits]
    content = model_file.to_tflite(students[HELD_BACK])
    logit = _across(students, features, fold)
    death_logit = _across(students, death_features, death_fold)
    risk = probability(logit)

    evaluation = _evaluation(every, judged, sets, fold, students, content, logit, features)
    evaluation["selection"] = selected.told()
    last = np.diff(death_sets.person, append=-1) != 0  # of each person, in the order of time
    unknown = death_features.copy()
    unknown[:, teacher.OF_CONSCIOUSNESS] = 0
    evaluation["death"] = judging.of_death(
        death_sets.where(last), death_logit[last], _across(students, unknown, death_fold)[last]
    )
    seen = fold != HELD_BACK
    document = card.document(
        content,
        {
            **card.counts("", sets.where(seen), "onset"),
            "sets_before_onset": int(sets.label[seen].sum()),
            **card.counts("death_", death_sets.where(death_fold != HELD_BACK), "death"),
        },
        evaluation,
        sets,
        risk,
    )
    (into / "deterioration.tflite").write_bytes(content)
    (into / "deterioration.json").write_text(text(document), encoding="utf-8")
    predictions.mkdir(parents=True, exist_ok=True)
    _save(
        predictions / "deterioration.npz",
        sets,
        risk,
        fold,
        death_sets.where(last),
        probability(death_logit[last]),
    )
    for name, figures in evaluation["cross_fitted"]["scores"].items():
        print(f"{name:45} {figures['auroc']:.4f} ({figures['low']:.4f} to {figures['high']:.4f})")
    for name, figures in evaluation["death"].items():
        print(f"death: {name:38} {figures['auroc']:.4f} ({figures['low']:.4f} to {figures['high']:.4f})")
    print(f"{len(content)} bytes, sha256 {document['file']['sha256']}")


def _evaluation(
    every: Sets,
    rows: Booleans,
    sets: Sets,
    fold: Integers,
    students: list[student.Student],
    content: bytes,
    logit: Floats,
    features: Vectors,
) -> dict[str, Any]:
    def lacking(*vitals: Vital) -> Floats:
        return _across(students, vectors(every.lacking(*vitals))[rows], fold)

    bare = lacking(*judging.CUFF_AND_OXIMETER_LACK)
    charted = judging.as_floats(news2(every.where(rows)))
    held: Booleans = fold == HELD_BACK
    of_file = model_file.answers(content, features[held]).astype(np.float64)
    scores_of_file = judging.of_sepsis(sets.where(held), of_file, bare[held], charted[held])
    in_full = judging.time_matched(sets.where(held), {"model": logit[held]}, {})["model"]["auroc"]
    return {
        "held_out_people": {
            "of": "this very file, on a twentieth of the people, whom no model has seen",
            **card.counts("", sets.where(held), "onset"),
            "scores": scores_of_file,
        },
        "cross_fitted": {
            "of": "the method: each person judged by a model trained without them: one of five, or the file",
            **card.counts("", sets, "onset"),
            "scores": judging.of_sepsis(sets, logit, bare, charted),
        },
        "calibration": judging.of_calibration(sets, probability(logit)),
        "alerts": judging.of_alerts(sets, probability(logit)),
        "subgroups": judging.subgroups(sets, logit),
        "missing_pairs": judging.pair_missing(sets, {pair: lacking(*pair) for pair in judging.PAIRS}),
        "float_and_file": {
            "in_full_precision": in_full,
            "file": scores_of_file["model"]["auroc"],
            "difference": round(scores_of_file["model"]["auroc"] - in_full, 4),
        },
        "inference": judging.inference(content, sets),
    }


def _calibrated(each: student.Student, slope: float, intercept: float) -> student.Student:
    return student.Student(each.vitals.scaled(slope, intercept), each.consciousness)


def _across(students: list[student.Student], features: Vectors, fold: Integers) -> Floats:
    """Each row by the student that did not see its person."""
    result = np.empty(len(features))
    for number, each in enumerate(students):
        rows = fold == number
        result[rows] = each.logit(features[rows])
    return result


def _save(
    path: Path,
    sets: Sets,
    risk: Floats,
    fold: Integers,
    died: Sets,
    death_risk: Floats,
) -> None:
    """See `models.train.report.predictions`."""
    np.savez_compressed(
        path,
        person=sets.person,
        block=judging.block_of(sets),
        hour=sets.hour,
        label=sets.label,
        hours_to_onset=sets.onset - sets.hour,
        age=sets.age,
        sex=np.where(np.isnan(sets.male), -1, sets.male).astype(np.int64),
        news2=news2(sets),
        news2_without_oxygen=news2(sets, (Vital.SUPPLEMENTAL_OXYGEN,)),
        risk=risk,
        fold=fold,
        death_person=died.person,
        death_died=died.label,
        death_age=died.age,
        death_sex=np.where(np.isnan(died.male), -1, died.male).astype(np.int64),
        death_risk=death_risk,
        death_news2=news2(died),
    )
