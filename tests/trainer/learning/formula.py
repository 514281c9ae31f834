"""The formula of a manifest, row by row as it is written there: what every faster way must come to."""

import numpy as np


def said_by(model, design, start, stop):
    """p(rise) of some rows of a design by a model, in plain numpy."""
    X = design.values[design.row[start:stop]].astype(np.float64)
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-(model.intercept + (X - model.means) / model.scales @ model.coefficients)))


def said_by_path(path, design, start, stop):
    """The same by each model of a path, shape (m, stop - start)."""
    models = [path.model(position) for position in range(len(path.intercepts))]
    return np.stack([said_by(model, design, start, stop) for model in models])
