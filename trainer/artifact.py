"""The model's files: the manifest is the model, the pickle is a convenience made from it.

A pickle runs code when it is loaded, so `load` reads no byte of it before its digest agrees with the
manifest's.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import joblib
import numpy as np
from joblib.numpy_pickle import NumpyPickler
from pydantic import ValidationError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from common.errors import DigestMismatchError, NotFoundError
from common.protocol.reports import Manifest

TRIES = 5
"""How often a model is read whose files were exchanged meanwhile."""


def pipeline_of(manifest: Manifest) -> Pipeline:
    """Return the manifest's model as a fitted scikit-learn pipeline of a scaler and a logistic regression.

    Its ``predict_proba`` takes an array of shape (n, p), columns in the order of ``manifest.features``, and
    returns the probabilities of no rise and of a rise, shape (n, 2).
    """
    columns = len(manifest.features)
    scaler = StandardScaler()
    scaler.mean_ = np.array(manifest.means)
    scaler.scale_ = np.array(manifest.scales)
    scaler.var_ = np.square(scaler.scale_)
    scaler.n_features_in_ = columns
    scaler.n_samples_seen_ = manifest.trained_rows
    regression = LogisticRegression(C=manifest.C)
    regression.classes_ = np.array([0, 1])
    regression.coef_ = np.array([manifest.coefficients])
    regression.intercept_ = np.array([manifest.intercept])
    regression.n_features_in_ = columns
    regression.n_iter_ = np.array([1], dtype=np.int32)
    return Pipeline([("scaler", scaler), ("regression", regression)])


def pickle_bytes(manifest: Manifest) -> bytes:
    """Return the model's pickle (joblib); equal manifests and package versions give equal bytes."""
    file = io.BytesIO()
    pickler = NumpyPickler(file)
    # Without the memo the bytes depend on values alone, not on which equal strings happen to be one object.
    pickler.fast = True
    pickler.dump(pipeline_of(manifest))
    return file.getvalue()


def with_pickle(manifest: Manifest) -> tuple[Manifest, bytes]:
    """Return the manifest with the digest of its pickle filled in, and the pickle."""
    content = pickle_bytes(manifest)
    return manifest.model_copy(update={"pickle_sha256": hashlib.sha256(content).hexdigest()}), content


def load(path: Path) -> Pipeline:
    """Load a model's pickle after checking it against the manifest beside it.

    Parameters
    ----------
    path : Path
        The .pkl; its manifest has the same name with .json.

    Raises
    ------
    NotFoundError
        The pickle or its manifest is not there.
    DigestMismatchError
        The manifest cannot be read, or the pickle's SHA-256 is not the one that it names. Nothing was
        unpickled.
    """
    beside = path.with_suffix(".json")
    for file in (path, beside):
        if not file.is_file():
            raise NotFoundError(
                f"{file}: no such file", "a model is a .pkl with its .json manifest beside it"
            )
    for _ in range(TRIES):
        try:
            named, content = beside.read_bytes(), path.read_bytes()
        except FileNotFoundError as error:
            raise NotFoundError(f"{path}: the model was withdrawn just now") from error
        try:
            expected = Manifest.model_validate_json(named).pickle_sha256
        except ValidationError as error:
            raise DigestMismatchError(
                f"{beside}: no manifest: {error.error_count()} errors", "restore it"
            ) from error
        found = hashlib.sha256(content).hexdigest()
        # Else another model may have taken the place of this one between the two readings.
        if found == expected:
            break
    if found != expected:
        raise DigestMismatchError(
            f"{path}: sha256 is {found}, its manifest says {expected or 'none'}", "do not load it"
        )
    pipeline: Pipeline = joblib.load(io.BytesIO(content))
    return pipeline
