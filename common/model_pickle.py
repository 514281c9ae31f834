"""The bytes of a model's .pkl, written from its manifest without scikit-learn, numpy or joblib.

They are, byte for byte, what joblib writes of the pipeline that `trainer.artifact.pipeline_of` makes. So
whoever receives a model can tell whether its .pkl is the one that its manifest makes: a pickle runs code when
it is loaded, and one that came over a network may hold any.

The format is that of protocol 4 (PEP 3154), with each array as joblib keeps it: an object that tells shape
and type, a byte that tells the length of a padding, the padding, and the numbers.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from common.errors import InternalError
from common.protocol.reports import Manifest

SKLEARN_VERSION = "1.9.1"
"""The version of scikit-learn whose objects these are; a test compares them with what is installed."""

PROTOCOL = 4
ALIGNMENT = 16
"""Bytes that the numbers of an array are aligned to in the file."""


def pickle_bytes(manifest: Manifest) -> bytes:
    """Return the model's .pkl; equal manifests give equal bytes."""
    model = _Model.of(manifest)
    length = _length_of(model.trained_rows)
    if length is None or not model.is_regular:
        return _pickled(model)[0]
    form = _form(len(model.means), length)
    content = bytearray(form.content)
    content[form.rows : form.rows + length] = model.trained_rows.to_bytes(length, "little")
    struct.pack_into(">d", content, form.strength, model.C)
    for place, numbers in zip(form.arrays, model.arrays, strict=True):
        struct.pack_into(f"<{len(numbers)}d", content, place, *numbers)
    return bytes(content)


def pickle_digest(manifest: Manifest) -> str:
    """Return the SHA-256 of the model's .pkl, in hexadecimal."""
    return hashlib.sha256(pickle_bytes(manifest)).hexdigest()


@dataclass(frozen=True)
class _Model:
    """What of a manifest is in its .pkl; `C` is the inverse of the regularisation's strength."""

    columns: int
    trained_rows: int
    means: Sequence[float]
    scales: Sequence[float]
    coefficients: Sequence[float]
    intercept: float
    C: float

    @classmethod
    def of(cls, manifest: Manifest) -> _Model:
        """Take it from a manifest."""
        return cls(
            columns=len(manifest.features),
            trained_rows=manifest.trained_rows,
            means=manifest.means,
            scales=manifest.scales,
            coefficients=manifest.coefficients,
            intercept=manifest.intercept,
            C=manifest.C,
        )

    @property
    def is_regular(self) -> bool:
        """Whether it has a number of each kind for each column."""
        lengths = {len(each) for each in (self.means, self.scales, self.coefficients)}
        return lengths == {self.columns} and isinstance(self.C, float)

    @property
    def variances(self) -> list[float]:
        """Of the features, as the scaler keeps them beside the scales."""
        return [scale * scale for scale in self.scales]

    @property
    def arrays(self) -> tuple[Sequence[float], ...]:
        """The arrays of float64 in the order of the file."""
        return self.means, self.scales, self.variances, self.coefficients, [self.intercept]


@dataclass(frozen=True)
class _Form:
    """A .pkl of which only numbers change, and where: to pickle each anew takes fifty times as long.

    `rows` is the place of the number of rows, `strength` that of `C`, `arrays` those of float64 arrays.
    """

    content: bytes
    rows: int
    strength: int
    arrays: tuple[int, ...]


_LENGTHS = {1: pickle.BININT1, 2: pickle.BININT2, 4: pickle.BININT}
"""How many bytes a number takes in a pickle, and what announces it."""


def _length_of(number: int) -> int | None:
    """Return how many bytes a number takes in a pickle; None where it is of another kind."""
    bounds = ((1, 1 << 8), (2, 1 << 16), (4, 1 << 31))
    return next((length for length, bound in bounds if 0 <= number < bound), None)


@lru_cache(maxsize=8)
def _form(columns: int, length: int) -> _Form:
    """Return the form of all models of so many columns whose number of rows takes so many bytes."""
    zeros = (0.0,) * columns
    rows = (1 << (8 * length - 2)) + 1
    content, arrays = _pickled(_Model(columns, rows, zeros, zeros, zeros, 0.0, 1.0))
    return _Form(
        content,
        rows=_after(content, _named("n_samples_seen_") + _LENGTHS[length]),
        strength=_after(content, _named("C") + pickle.BINFLOAT),
        arrays=tuple(arrays),
    )


def _named(name: str) -> bytes:
    return pickle.SHORT_BINUNICODE + bytes([len(name)]) + name.encode()


def _after(content: bytes, mark: bytes) -> int:
    if content.count(mark) != 1:
        raise InternalError(f"{mark!r} is {content.count(mark)} times in a pickle of a model")
    return content.index(mark) + len(mark)


def _pickled(model: _Model) -> tuple[bytes, list[int]]:
    """Return a model's .pkl, and where its arrays of float64 begin."""
    file = io.BytesIO()
    pickler = _Pickler(file)
    # Without the memo the bytes depend on values alone, not on which equal strings happen to be one object.
    pickler.fast = True
    pickler.dump(_pipeline(model))
    return file.getvalue(), pickler.arrays


@dataclass(frozen=True)
class _Global:
    """A class, by its name."""

    module: str
    name: str


@dataclass(frozen=True)
class _Object:
    """An object of a class, and its attributes in their order."""

    kind: _Global
    state: Mapping[str, Any]


@dataclass(frozen=True)
class _Array:
    """Numbers in the order of their shape; `code` is the type: `f8` float64, `i8` int64, `i4` int32."""

    code: str
    shape: tuple[int, ...]
    numbers: Sequence[float]


@dataclass(frozen=True)
class _DataType:
    """A numpy type of numbers."""

    code: str


_ARRAY = _Global("numpy", "ndarray")
_DATA_TYPE = _Global("numpy", "dtype")
_WRAPPER = _Global("joblib.numpy_pickle", "NumpyArrayWrapper")
_FORMATS = {"f8": "d", "i8": "q", "i4": "i"}


class _Pickler(pickle._Pickler):
    """Writes what is described above as if it were there; all else as ever."""

    write: Callable[[bytes], object]
    framer: Any

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, protocol=PROTOCOL)
        self._file = file
        self.arrays: list[int] = []

    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        """Write an object or what describes one."""
        match obj:
            case _Global():
                self.save(obj.module)
                self.save(obj.name)
                self.write(pickle.STACK_GLOBAL)
            case _Object():
                self.save(obj.kind)
                self.save(())
                self.write(pickle.NEWOBJ)
                self.save(dict(obj.state))
                self.write(pickle.BUILD)
            case _DataType():
                self.save(_DATA_TYPE)
                self.save((obj.code, False, True))
                self.write(pickle.REDUCE)
                self.save((3, "<", None, None, None, -1, -1, 0))
                self.write(pickle.BUILD)
            case _Array():
                self._save_array(obj)
            case _:
                super().save(obj, save_persistent_id)  # type: ignore[misc]  # untyped in the library

    def _save_array(self, array: _Array) -> None:
        state = {
            "subclass": _ARRAY,
            "shape": array.shape,
            "order": "C",
            "dtype": _DataType(array.code),
            "allow_mmap": True,
            "numpy_array_alignment_bytes": ALIGNMENT,
        }
        self.save(_Object(_WRAPPER, state))
        # The numbers are no part of the pickle: they follow what was written of it so far.
        self.framer.commit_frame(force=True)
        padding = ALIGNMENT - (self._file.tell() + 1) % ALIGNMENT
        self._file.write(bytes([padding]) + b"\xff" * padding)
        if array.code == "f8":
            self.arrays.append(self._file.tell())
        self._file.write(struct.pack(f"<{len(array.numbers)}{_FORMATS[array.code]}", *array.numbers))


def _pipeline(model: _Model) -> _Object:
    columns = model.columns
    scaler = _estimator(
        "sklearn.preprocessing._data",
        "StandardScaler",
        with_mean=True,
        with_std=True,
        copy=True,
        mean_=_row(model.means),
        scale_=_row(model.scales),
        var_=_row(model.variances),
        n_features_in_=columns,
        n_samples_seen_=model.trained_rows,
    )
    regression = _estimator(
        "sklearn.linear_model._logistic",
        "LogisticRegression",
        penalty="deprecated",
        C=model.C,
        l1_ratio=0.0,
        dual=False,
        tol=0.0001,
        fit_intercept=True,
        intercept_scaling=1,
        class_weight=None,
        random_state=None,
        solver="lbfgs",
        max_iter=100,
        verbose=0,
        warm_start=False,
        n_jobs=None,
        classes_=_Array("i8", (2,), (0, 1)),
        coef_=_Array("f8", (1, columns), model.coefficients),
        intercept_=_row([model.intercept]),
        n_features_in_=columns,
        n_iter_=_Array("i4", (1,), (1,)),
    )
    return _estimator(
        "sklearn.pipeline",
        "Pipeline",
        steps=[("scaler", scaler), ("regression", regression)],
        transform_input=None,
        memory=None,
        verbose=False,
    )


def _estimator(module: str, name: str, **state: Any) -> _Object:
    return _Object(_Global(module, name), state | {"_sklearn_version": SKLEARN_VERSION})


def _row(numbers: Sequence[float]) -> _Array:
    return _Array("f8", (len(numbers),), numbers)
