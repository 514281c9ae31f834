"""A model as a scikit-learn pipeline: the manifest is the model, the .pkl is a convenience made from it.

A pickle runs code when it is loaded. `load` unpickles nothing: it makes the pipeline from the manifest.
"""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path

import numpy as np
from pydantic import ValidationError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from common.errors import DigestMismatchError, NotFoundError
from common.protocol.reports import Manifest

ENDING = "_logreg_optimized"
"""What follows the cell in the name of a promoted model; who copies it may name it as he likes."""

TRIES = 5
"""How often a model is read whose files were exchanged meanwhile."""


class SyntheticModelWarning(UserWarning):
    """A model is loaded that was trained on simulated candles."""


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


def load(path: Path) -> Pipeline:
    """Load a promoted model: the pipeline that its manifest describes, once the .pkl is known to be its own.

    Parameters
    ----------
    path : Path
        The .pkl; its manifest has the same name with .json.

    Warns
    -----
    SyntheticModelWarning
        It was trained on synthetic candles.

    Raises
    ------
    NotFoundError
        The pickle or its manifest is not there.
    DigestMismatchError
        The manifest cannot be read or is of another cell than the file is named after, or the pickle's
        SHA-256 is not the one that it names. Whatever the pickle holds, nothing of it was run.
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
            manifest = Manifest.model_validate_json(named)
        except ValidationError as error:
            raise DigestMismatchError(
                f"{beside}: no manifest: {error.error_count()} errors", "restore it"
            ) from error
        expected, found = manifest.pickle_sha256, hashlib.sha256(content).hexdigest()
        # Else another model may have taken the place of this one between the two readings.
        if found == expected:
            break
    if found != expected:
        raise DigestMismatchError(
            f"{path}: sha256 is {found}, its manifest says {expected or 'none'}", "do not load it"
        )
    if path.stem.endswith(ENDING) and path.stem != manifest.cell.name + ENDING:
        raise DigestMismatchError(
            f"{path}: its manifest is of a model of {manifest.cell.name}", "take the file of your cell"
        )
    if manifest.synthetic:
        told = (
            f"{path}: this model was trained on synthetic candles; what it predicts says nothing of a market"
        )
        warnings.warn(told, SyntheticModelWarning, stacklevel=2)
    return pipeline_of(manifest)
