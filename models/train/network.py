"""The network: a sum of one small curve for each input, so that no input can hide behind another.

Each hidden unit reads one input only (its value and its change from the baseline), so the log-odds
are a base and one term for each input, and can be taken apart by hand. What the signs of the weights
are held to makes each term 0 where the input is typical or missing, and never negative: a value away
from typical can add to the risk and never take away, as in NEWS2. Left free, the network learns from
intensive care that a low saturation is a good sign, because ventilated people have a high one; held,
it does not order held-out people worse.

The units do not read whether an input is known: what intensive care chose to chart tells of its
habits, not of a person.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hub.assessment.features import INPUTS, NAMES
from hub.readings import Vital
from models.train.dataset import Floats, Integers, Vectors, columns_of, without, without_baseline

SEED = 20190801
UNITS_FOR_EACH_INPUT = 6
NEGATIVES_FOR_EACH_POSITIVE = 20
COPIES = 4
EPOCHS = 15
BATCH = 512
LEARNING_RATE = 2e-3
WEIGHT_PENALTY = 3e-4

DIRECTIONS: Mapping[str, tuple[int, ...]] = {
    Vital.OXYGEN_SATURATION: (-1,),
    Vital.SUPPLEMENTAL_OXYGEN: (1,),
    "age": (1,),
}
"""In which direction an input may add to the risk: 1 up, -1 down. Both where it is not listed."""

CUFF_AND_OXIMETER_LACK = (Vital.RESPIRATION_RATE, Vital.TEMPERATURE, Vital.SUPPLEMENTAL_OXYGEN)
SHARE_CUFF_AND_OXIMETER = 0.25
SHARE_SOME_MISSING = 0.35
SHARE_MISSING_AMONG_THOSE = 0.3
SHARE_NO_BASELINE = 0.15


@dataclass(frozen=True)
class Weights:
    """What was learned: log-odds = relu(features @ hidden + hidden_bias) @ output + output_bias."""

    hidden: Vectors
    hidden_bias: Vectors
    output: Vectors
    output_bias: float

    def logit(self, features: Vectors) -> Floats:
        units = np.maximum(features @ self.hidden + self.hidden_bias, 0)
        return np.asarray(units @ self.output + self.output_bias, dtype=np.float64)

    def scaled(self, slope: float, intercept: float) -> Weights:
        """The same with slope * log-odds + intercept, folded into the last layer."""
        return Weights(
            self.hidden,
            self.hidden_bias,
            np.asarray(self.output * slope, dtype=np.float32),
            self.output_bias * slope + intercept,
        )


def signs() -> Vectors:
    """Which sign each hidden unit's weight for each feature has; 0 where it must not read it.

    A unit answers to a rise or to a fall, of the value and of the change alike.
    """
    held = np.zeros((len(NAMES), len(INPUTS) * UNITS_FOR_EACH_INPUT), dtype=np.float32)
    for i, name in enumerate(INPUTS):
        read = [column for column in columns_of(name) if not NAMES[column].endswith(" known")]
        directions = DIRECTIONS.get(name, (1, -1))
        for unit in range(UNITS_FOR_EACH_INPUT):
            held[read, i * UNITS_FOR_EACH_INPUT + unit] = directions[unit % len(directions)]
    return held


def draw(label: Integers, block: Integers, generator: np.random.Generator) -> Integers:
    """All positives, and in each block of the stay negatives in proportion to its positives.

    So the block says nothing about the label, and nothing is gained by guessing it.
    """
    rows = []
    for number in np.unique(block):
        positive = np.flatnonzero((block == number) & (label == 1))
        negative = np.flatnonzero((block == number) & (label == 0))
        count = min(len(negative), NEGATIVES_FOR_EACH_POSITIVE * len(positive))
        rows += [positive, generator.choice(negative, count, replace=False)]
    return np.concatenate(rows)


def with_gaps(features: Vectors, generator: np.random.Generator) -> Vectors:
    """A copy in which some sets are what a cuff and an oximeter alone give, and some have random gaps."""
    copy = features.copy()
    kind = generator.random(len(copy))
    for vital in CUFF_AND_OXIMETER_LACK:
        without(copy, vital, kind < SHARE_CUFF_AND_OXIMETER)
    some = (kind >= SHARE_CUFF_AND_OXIMETER) & (kind < SHARE_CUFF_AND_OXIMETER + SHARE_SOME_MISSING)
    for name in INPUTS:
        without(copy, name, some & (generator.random(len(copy)) < SHARE_MISSING_AMONG_THOSE))
    without_baseline(copy, generator.random(len(copy)) < SHARE_NO_BASELINE)
    return copy


def platt(logit: Floats, label: Integers) -> tuple[float, float]:
    """Slope and intercept that make the log-odds those of the label (Platt 1999), by Newton's method."""
    design = np.column_stack([logit, np.ones_like(logit)])
    solution = np.array([0.0, np.log(label.mean() / (1 - label.mean()))])
    for _ in range(50):
        probability = 1 / (1 + np.exp(-design @ solution))
        gradient = design.T @ (label - probability)
        curvature = design.T @ (design * (probability * (1 - probability))[:, None])
        step = np.linalg.solve(curvature, gradient)
        solution += step
        if np.abs(step).max() < 1e-10:
            break
    return float(solution[0]), float(solution[1])


def fit(features: Vectors, label: Integers, block: Integers, seed: int = SEED) -> Weights:
    """Train on these sets; the same seed gives the same weights on the same machine.

    Calibrated on all of them, thus to the share of positives among them.
    """
    tf = tensorflow()
    tf.keras.utils.set_random_seed(seed)
    generator = np.random.default_rng(seed)
    rows = draw(label, block, generator)
    inputs = np.concatenate([with_gaps(features[rows], generator) for _ in range(COPIES)])
    targets = np.tile(label[rows], COPIES)

    held = signs()
    odds = targets.mean() / (1 - targets.mean())
    keras = tf.keras
    penalty = keras.regularizers.l2(WEIGHT_PENALTY)
    hidden = keras.layers.Dense(
        held.shape[1],
        activation="relu",
        kernel_regularizer=penalty,
        kernel_constraint=lambda kernel: tf.nn.relu(kernel * held) * held,
        bias_constraint=lambda bias: tf.minimum(bias, 0.0),
        input_shape=(len(NAMES),),
    )
    output = keras.layers.Dense(
        1,
        kernel_initializer=keras.initializers.RandomUniform(0.0, 0.1),
        kernel_regularizer=penalty,
        kernel_constraint=keras.constraints.NonNeg(),
        bias_initializer=keras.initializers.Constant(float(np.log(odds))),
    )
    model = keras.Sequential([hidden, output])
    hidden.kernel.assign(abs(hidden.kernel) * held)
    steps = EPOCHS * -(-len(inputs) // BATCH)
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
    )
    model.fit(inputs, targets, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    weights = Weights(
        hidden.kernel.numpy(), hidden.bias.numpy(), output.kernel.numpy()[:, 0], float(output.bias.numpy()[0])
    )
    return weights.scaled(*platt(weights.logit(features), label))


def to_tflite(weights: Weights) -> bytes:
    """The network, its calibration and the sigmoid as a TFLite file with float16 weights."""
    tf = tensorflow()
    model = tf.keras.Sequential(
        [
            tf.keras.layers.Dense(weights.hidden.shape[1], activation="relu", input_shape=(len(NAMES),)),
            tf.keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.set_weights(
        [weights.hidden, weights.hidden_bias, weights.output[:, None], np.array([weights.output_bias])]
    )
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    return bytes(converter.convert())


def run_tflite(content: bytes, features: Vectors) -> npt.NDArray[np.float32]:
    """What the file itself answers to these vectors, one after the other."""
    tf = tensorflow()
    interpreter = tf.lite.Interpreter(
        model_content=content,
        num_threads=1,
        experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    (given,) = interpreter.get_input_details()
    (asked,) = interpreter.get_output_details()
    answers = np.empty(len(features), dtype=np.float32)
    for i, vector in enumerate(features):
        interpreter.set_tensor(given["index"], vector[None])
        interpreter.invoke()
        answers[i] = interpreter.get_tensor(asked["index"])[0, 0]
    return answers


def tensorflow() -> Any:
    """TensorFlow, told to compute in the same order each time. Only training has it."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # its notes about graphics cards
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
    return tf
