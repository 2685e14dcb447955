"""The student: two small networks that learned what the teachers say, in one file.

log-odds = what the vitals say + (where consciousness is known) what consciousness adds.

Both are plain networks of two hidden ReLU layers whose weights' signs are held, so that what is never
reassuring (`teacher.NEVER_REASSURING`) can never lower the risk, whatever else is the case: each unit either
only rises with the risk or only falls, and reads such features and the units before it accordingly (partially
monotone networks: Archer & Wang 1993, Decision Sciences 24:60-75). Anybody can check that from the signs in
the file.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hub.assessment.features import NAMES
from models.train.deterioration.teacher import KNOWN, NEVER_REASSURING
from models.train.measures.arrays import Floats, Vectors

UNITS_OF_VITALS = (128, 64)
UNITS_OF_CONSCIOUSNESS = (48, 24)
EPOCHS = 16
BATCH = 256
LEARNING_RATE = 2e-3

EVERY = tuple(range(len(NAMES)))


@dataclass(frozen=True)
class Layers:
    """Weights (inputs, units) and biases of the layers of one network; the last has one unit."""

    weights: tuple[Vectors, ...]
    biases: tuple[Vectors, ...]
    columns: tuple[int, ...]

    def logit(self, features: Vectors) -> Floats:
        """Log-odds of vectors of shape (rows, features)."""
        values = features[:, self.columns]
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            values = np.maximum(values @ weight + bias, 0)
        return np.asarray((values @ self.weights[-1] + self.biases[-1])[:, 0], dtype=np.float64)

    def scaled(self, slope: float, shift: float = 0.0) -> Layers:
        """The same with slope * log-odds + shift, in the last layer."""
        return Layers(
            (*self.weights[:-1], (self.weights[-1] * slope).astype(np.float32)),
            (*self.biases[:-1], (self.biases[-1] * slope + shift).astype(np.float32)),
            self.columns,
        )


@dataclass(frozen=True)
class Student:
    """Both networks."""

    vitals: Layers
    consciousness: Layers

    def logit(self, features: Vectors) -> Floats:
        """Log-odds of vectors of shape (rows, features)."""
        return self.vitals.logit(features) + features[:, KNOWN] * self.consciousness.logit(features)


def signs(columns: Sequence[int], units: Sequence[int]) -> tuple[Vectors, ...]:
    """Of each layer's weights whether they may only be positive (1), only negative (-1) or either (0).

    Even units rise with the risk, odd ones fall.
    """
    direction = np.array([NEVER_REASSURING.get(NAMES[column], 0) for column in columns], dtype=np.float32)
    found = []
    for count in (*units, 1):
        parity = np.where(np.arange(count) % 2, -1, 1).astype(np.float32)
        found.append(np.outer(direction, parity))
        direction = parity
    return tuple(found)


def learn(
    features: Vectors, logit: Floats, columns: tuple[int, ...], units: tuple[int, ...], seed: int
) -> Layers:
    """A network that says of these vectors what the teacher says, as near as it can (least squares).

    A weight whose sign is held is learned as the logarithm of itself, nearly (softplus), so that no step can
    leave its side: to clip it there instead left many at nothing, and the network further from its teacher.
    """
    tf = tensorflow()
    keras = tf.keras
    keras.utils.set_random_seed(seed)
    generator = np.random.default_rng(seed)
    centre, spread = float(logit.mean()), float(logit.std())
    given, wanted = features[:, columns], ((logit - centre) / spread).astype(np.float32)

    shapes = list(zip((len(columns), *units), (*units, 1), strict=True))
    free = [
        tf.Variable((generator.normal(size=shape) * np.sqrt(2 / shape[0])).astype(np.float32))
        for shape in shapes
    ]
    biases = [tf.Variable(np.zeros(shape[1], np.float32)) for shape in shapes]
    held = signs(columns, units)
    either = [tf.constant(sign == 0, tf.float32) for sign in held]

    def weights() -> list[Any]:
        return [
            weight * both + tf.nn.softplus(3 * weight - 2) / 3 * sign
            for weight, both, sign in zip(free, either, held, strict=True)
        ]

    steps = EPOCHS * (len(given) // BATCH)
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps))

    @tf.function  # type: ignore[untyped-decorator, unused-ignore]  # TensorFlow gives it no types
    def step(rows: Any, targets: Any) -> None:
        with tf.GradientTape() as tape:
            values = rows
            for number, (weight, bias) in enumerate(zip(weights(), biases, strict=True)):
                values = values @ weight + bias
                if number < len(units):
                    values = tf.nn.relu(values)
            loss = tf.reduce_mean((values[:, 0] - targets) ** 2)
        changed = [*free, *biases]
        optimizer.apply_gradients(zip(tape.gradient(loss, changed), changed, strict=True))

    for _ in range(EPOCHS):
        order = generator.permutation(len(given))
        for first in range(0, len(given) - BATCH + 1, BATCH):
            rows = order[first : first + BATCH]
            step(given[rows], wanted[rows])
    found = Layers(
        tuple(weight.numpy() for weight in weights()), tuple(bias.numpy() for bias in biases), columns
    )
    return found.scaled(spread, centre)


def mixed(features: Vectors, groups: Sequence[Sequence[int]], generator: np.random.Generator) -> Vectors:
    """People who do not exist: the features of some vitals are another's. The teacher has an answer."""
    copy, others = features.copy(), features[generator.permutation(len(features))]
    for group in groups:
        rows = np.flatnonzero(generator.random(len(copy)) < 0.25)
        for column in group:
            copy[rows, column] = others[rows, column]
    return copy


def tensorflow() -> Any:
    """TensorFlow, told to compute in the same order each time. Only training has it."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # its notes about graphics cards
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
    return tf
