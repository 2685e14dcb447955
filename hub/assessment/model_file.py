"""A trained model as a file: believed, and run, only if it is what its card says.

The card (JSON, see models/README.md) fixes the file's hash, the feature specification that it was
trained with, and golden vectors: a few feature vectors with the answers they must get. All are
checked when the model is loaded, so a model that answers is the model that was evaluated.

The runtime sees no byte before the hash is found right: tflite-runtime 2.14 does not verify a file
and ends the whole process on a broken one. What the hash cannot catch is a card that was made for a
broken file; `python -m models.train` makes none, since the file must answer before it has a card.
"""

from __future__ import annotations

import hashlib
import importlib
import threading
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Generic, Self, TypeVar

import numpy
import numpy.typing
from pydantic import BaseModel, Field, ValidationError

from hub.errors import CareportError
from hub.small_file import read_whole

RUNTIMES = ("tflite_runtime.interpreter", "ai_edge_litert.interpreter")
"""The same runtime under its old name (Python 3.11) and its new one; the first that is there is taken."""

HASH_PREFIX = 12
MODELS = Path(__file__).resolve().parents[2] / "models"
"""Where the models that come with the hub are."""

_IDENTIFIER = b"TFL3"
"""At byte 4 of every TFLite file (its schema's file_identifier)."""
_INSTALL_BOTH = "Install the model and its card again, both together"
_INSTALL_MATCHING = "Install the model and card that came with this version of the hub"

Vector = numpy.typing.NDArray[numpy.float32]


class ModelError(CareportError):
    """A model that cannot be used; `path` is the file that is at fault."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path


def beside(model: Path, ending: str) -> Path:
    """What belongs to a model file: it has its name, but for the ending.

    Raises:
        ModelError: the path names no file.
    """
    if not model.name:
        raise ModelError(model, f"names no file. {_INSTALL_BOTH}, and name the model in the configuration")
    return model.with_suffix(ending)


class _File(BaseModel):
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Features(BaseModel):
    specification: str
    names: tuple[str, ...]


class _GoldenVector(BaseModel):
    name: str
    features: tuple[float, ...]
    probability: Annotated[float, Field(ge=0, le=1)]


class _Golden(BaseModel):
    tolerance: Annotated[float, Field(gt=0, le=0.01)]
    vectors: Annotated[tuple[_GoldenVector, ...], Field(min_length=1)]


class Card(BaseModel):
    """The part of every model's card that the hub reads; the rest is for people."""

    name: Annotated[str, Field(min_length=1)]
    version: Annotated[str, Field(min_length=1)]
    file: _File
    features: _Features
    golden: _Golden


AnyCard = TypeVar("AnyCard", bound=Card)


class ModelFile(Generic[AnyCard]):
    """One loaded model. It has one interpreter, for which threads that ask at once wait: beside a card that
    stalls, what waits is judged while the writer may begin to get on."""

    def __init__(self, path: Path, card: AnyCard, content: bytes) -> None:
        self.card = card
        self.name = card.name
        self.version = card.version
        self.sha256 = card.file.sha256
        self.sha256_prefix = self.sha256[:HASH_PREFIX]
        self._content = content  # the interpreter reads from it as long as it lives
        self._alone = threading.Lock()
        self._interpreter, self._input, self._output = _interpreter(path, content, len(card.features.names))

    @classmethod
    def load(
        cls,
        path: Path,
        card: Path,
        kind: type[AnyCard],
        *,
        specification: str,
        names: tuple[str, ...],
        setting: str,
    ) -> Self:
        """Load a model file and check it against its card, a `kind` of card, and against the hub's features.

        `setting` is the key of the configuration that turns this model off, for the messages.

        Raises:
            ModelError: a file is missing or unreadable, the card is not one, the model is not the
                card's, was trained with other features, does not run or does not answer the golden
                vectors, or no runtime is installed. The message says what to do.
        """
        content = _read(path, "model file", setting)
        checked = _card(card, kind, setting)
        found = hashlib.sha256(content).hexdigest()
        if found != checked.file.sha256:
            raise ModelError(
                path,
                f"is not the model that {card} describes: its SHA-256 begins with {found[:HASH_PREFIX]}, "
                f"the card's with {checked.file.sha256[:HASH_PREFIX]}. {_INSTALL_BOTH}",
            )
        if (checked.features.specification, checked.features.names) != (specification, names):
            raise ModelError(
                card,
                f"the model was trained with feature specification {checked.features.specification!r} and "
                f"{len(checked.features.names)} features; this hub makes specification {specification!r} "
                f"with {len(names)}, or other ones. {_INSTALL_MATCHING}",
            )
        model = cls(path, checked, content)
        model._check(path)
        return model

    def answer(self, vector: Vector) -> float:
        """The probability that the network gives to one feature vector, of shape (features,)."""
        with self._alone:
            self._interpreter.set_tensor(self._input, vector[numpy.newaxis])
            self._interpreter.invoke()
            return float(self._interpreter.get_tensor(self._output).item())

    def _check(self, path: Path) -> None:
        names = self.card.features.names
        for expected in self.card.golden.vectors:
            if len(expected.features) != len(names):
                raise ModelError(
                    path,
                    f"the card's golden vector {expected.name!r} has {len(expected.features)} features, not "
                    f"{len(names)}. {_INSTALL_BOTH}",
                )
            answer = self.answer(numpy.array(expected.features, dtype=numpy.float32))
            if not abs(answer - expected.probability) <= self.card.golden.tolerance:  # so that NaN fails too
                raise ModelError(
                    path,
                    f"answers {answer:.6f} to the golden vector {expected.name!r}, where its card says "
                    f"{expected.probability:.6f}: this machine's runtime computes it wrongly. "
                    "Report it; the hub scores NEWS2 without the model",
                )


def _read(path: Path, what: str, setting: str) -> bytes:
    try:
        return read_whole(path)
    except OSError as error:
        raise ModelError(
            path,
            f"the {what} cannot be read: {error.strerror}. Install it again, or set {setting} to "
            '"off" in the configuration',
        ) from error


def _card(path: Path, kind: type[AnyCard], setting: str) -> AnyCard:
    content = _read(path, "model's card", setting)
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ModelError(
            path,
            f"is not a model card ({key}: {first['msg']}). {_INSTALL_BOTH}",
        ) from error


def _runtime(path: Path) -> ModuleType:
    reasons = []
    for name in RUNTIMES:
        try:
            return importlib.import_module(name)
        except ImportError as error:
            reasons.append(str(error))
    raise ModelError(
        path,
        f"no runtime for TFLite files is installed ({'; '.join(reasons)}). Install tflite-runtime on "
        "Python 3.11, ai-edge-litert on a later one",
    )


def _interpreter(path: Path, content: bytes, features: int) -> tuple[Any, int, int]:
    """An interpreter for the file, and the numbers of its input and output tensors.

    The default delegate (XNNPACK) is left out: for a network so small it brings nothing but a
    thread pool and a line on the standard error output.
    """
    if content[4:8] != _IDENTIFIER:
        raise ModelError(path, f"is no TFLite file. {_INSTALL_BOTH}")
    runtime = _runtime(path)
    try:
        interpreter = runtime.Interpreter(
            model_content=content,
            num_threads=1,
            experimental_op_resolver_type=runtime.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise ModelError(
            path,
            f"does not run on this machine's runtime ({error}). {_INSTALL_BOTH}",
        ) from error
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    shapes = [(tuple(one["shape"]), one["dtype"]) for one in (*inputs, *outputs)]
    if shapes != [((1, features), numpy.float32), ((1, 1), numpy.float32)]:
        raise ModelError(
            path,
            f"takes or gives other tensors than one vector of {features} features and one probability. "
            f"{_INSTALL_MATCHING}",
        )
    return interpreter, inputs[0]["index"], outputs[0]["index"]
