"""The student as one TFLite file with float16 weights, and what that file answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hub.assessment.features import NAMES
from models.train.deterioration.student import Layers, Student, tensorflow
from models.train.deterioration.teacher import KNOWN
from models.train.measures.arrays import Vectors


def to_tflite(student: Student) -> bytes:
    """Both networks, the gate between them and the sigmoid: (1, features) in, (1, 1) probability out."""
    tf = tensorflow()
    keras = tf.keras
    given = keras.Input((len(NAMES),), batch_size=1)
    logit = _applied(given, student.vitals) + given[:, KNOWN : KNOWN + 1] * _applied(
        given, student.consciousness
    )
    model = keras.Model(given, keras.layers.Activation("sigmoid")(logit))
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    return bytes(converter.convert())


def _applied(given: Any, layers: Layers) -> Any:
    keras = tensorflow().keras
    values = given
    # The first layer takes the whole vector, so that the file needs no step that picks features.
    first = np.zeros((len(NAMES), layers.weights[0].shape[1]), dtype=np.float32)
    first[list(layers.columns)] = layers.weights[0]
    for number, (weight, bias) in enumerate(zip((first, *layers.weights[1:]), layers.biases, strict=True)):
        activation = "relu" if number < len(layers.weights) - 1 else None
        dense = keras.layers.Dense(weight.shape[1], activation=activation)
        values = dense(values)
        dense.set_weights([weight, bias])
    return values


def interpreter_of(content: bytes) -> Callable[[Vectors], float]:
    """What asks the file itself: one vector in, its probability out."""
    tf = tensorflow()
    interpreter = tf.lite.Interpreter(
        model_content=content,
        num_threads=1,
        experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    (given,) = interpreter.get_input_details()
    (asked,) = interpreter.get_output_details()

    def ask(vector: Vectors) -> float:
        interpreter.set_tensor(given["index"], vector[None])
        interpreter.invoke()
        return float(interpreter.get_tensor(asked["index"])[0, 0])

    return ask


def answers(content: bytes, features: Vectors) -> Vectors:
    """What the file answers to vectors of shape (rows, features), one after the other."""
    ask = interpreter_of(content)
    return np.array([ask(vector) for vector in features], dtype=np.float32)
