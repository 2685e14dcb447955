"""What learns to tell atrial fibrillation from a window's features: all give log-odds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models.train.deterioration.student import Layers, tensorflow
from models.train.measures.arrays import Floats, Integers
from models.train.measures.calibration import probability
from models.train.rhythm.recordings import Vectors

SEED = 20170201
ROUNDS, LEAVES, RATE, SMALLEST_LEAF = 300, 15, 0.04, 100
UNITS = (64, 32)
EPOCHS, BATCH, LEARNING_RATE = 15, 256, 2e-3
DROPOUT, WEIGHT_PENALTY = 0.2, 1e-3
"""Of the network that learns from the labels; the one that learns from its teachers has more to go by."""
RIDGE = 10.0
"""Of the logistic regression, on standardised features and a weight of 1 each window."""

Logit = Callable[[Vectors], Floats]


@dataclass(frozen=True)
class Fitted:
    """One of each, trained on the same recordings."""

    logistic: Logit
    trees: Logit
    labelled: Layers
    """A network that learned from the labels, as the trees did."""
    network: Layers
    """What is shipped: it learned what the trees and that network say together."""


def fit(features: Vectors, label: Integers, weight: Floats) -> Fitted:
    """Train all of them."""
    trees = grow(features, label, weight)
    labelled = learn(features, label.astype(np.float64), weight, DROPOUT, WEIGHT_PENALTY)
    taught = probability((trees(features) + labelled.logit(features)) / 2)
    return Fitted(regress(features, label, weight), trees, labelled, learn(features, taught, weight))


def regress(features: Vectors, label: Integers, weight: Floats) -> Logit:
    """Logistic regression on standardised features, by Newton's method."""
    centre, spread = _scale(features)

    def design(given: Vectors) -> Floats:
        return np.column_stack([(given - centre) / spread, np.ones(len(given))])

    rows, solution = design(features), np.zeros(features.shape[1] + 1)
    penalty = np.full(len(solution), RIDGE)
    penalty[-1] = 0.0
    for _ in range(30):
        told = probability(rows @ solution)
        gradient = rows.T @ (weight * (label - told)) - penalty * solution
        curvature = (rows * (weight * told * (1 - told))[:, None]).T @ rows + np.diag(penalty)
        step = np.linalg.solve(curvature, gradient)
        solution += step
        if np.abs(step).max() < 1e-8:
            break
    return lambda given: np.asarray(design(given) @ solution)


def grow(features: Vectors, label: Integers, weight: Floats) -> Logit:
    """Boosted trees (LightGBM)."""
    import lightgbm  # only training has it

    told = {
        "objective": "binary",
        "learning_rate": RATE,
        "num_leaves": LEAVES,
        "min_data_in_leaf": SMALLEST_LEAF,
        "feature_fraction": 0.3,
        "bagging_fraction": 0.5,
        "bagging_freq": 1,
        "lambda_l2": 5.0,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "seed": SEED,
        "verbose": -1,
    }
    booster = lightgbm.train(told, lightgbm.Dataset(features, label, weight=weight), ROUNDS)
    return lambda given: np.asarray(booster.predict(given, raw_score=True, num_threads=1), dtype=np.float64)


def learn(
    features: Vectors, target: Floats, weight: Floats, dropout: float = 0.0, penalty: float = 0.0
) -> Layers:
    """A small network that gives these vectors these probabilities, as near as it can."""
    tf = tensorflow()
    keras = tf.keras
    keras.utils.set_random_seed(SEED)
    centre, spread = _scale(features)
    held = keras.regularizers.l2(penalty)
    dense = [keras.layers.Dense(count, activation="relu", kernel_regularizer=held) for count in UNITS]
    between = [each for layer in dense for each in (layer, keras.layers.Dropout(dropout))]
    dense.append(keras.layers.Dense(1))
    model = keras.Sequential([keras.Input((features.shape[1],)), *between, dense[-1]])
    steps = EPOCHS * -(-len(features) // BATCH)
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
    )
    model.fit(
        ((features - centre) / spread).astype(np.float32),
        target.astype(np.float32)[:, None],
        sample_weight=weight.astype(np.float32),
        batch_size=BATCH,
        epochs=EPOCHS,
        verbose=0,
    )
    kernels = [layer.kernel.numpy().astype(np.float64) for layer in dense]
    biases = [layer.bias.numpy().astype(np.float64) for layer in dense]
    # The features are standardised by the first layer itself.
    biases[0] = biases[0] - (centre / spread) @ kernels[0]
    kernels[0] = kernels[0] / spread[:, None]
    return Layers(
        tuple(kernel.astype(np.float32) for kernel in kernels),
        tuple(bias.astype(np.float32) for bias in biases),
        tuple(range(features.shape[1])),
    )


def to_tflite(network: Layers) -> bytes:
    """The network and the sigmoid with float16 weights: (1, features) in, (1, 1) probability out."""
    tf = tensorflow()
    keras = tf.keras
    given = keras.Input((network.weights[0].shape[0],), batch_size=1)
    values = given
    for number, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        last = number == len(network.weights) - 1
        dense = keras.layers.Dense(weight.shape[1], activation="sigmoid" if last else "relu")
        values = dense(values)
        dense.set_weights([weight, bias])
    converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(given, values))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    return bytes(converter.convert())


def _scale(features: Vectors) -> tuple[Floats, Floats]:
    wide = features.astype(np.float64)
    return wide.mean(axis=0), wide.std(axis=0) + 1e-3
