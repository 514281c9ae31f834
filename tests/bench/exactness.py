"""How far the fits are from scikit-learn's in float64, on real candles, as a table in Markdown.

    OPENBLAS_NUM_THREADS=1 nice -n 19 .venv/bin/python -m tests.bench.exactness --data DIR BTCUSDT_1m_H1 ...

DIR holds candles as for a night. Of each cell every fold is fitted at every C, chosen from, and scored, once
by the code that a night runs and once by a scaler and a logistic regression of scikit-learn that read all
rows in float64 and stop where float64 ends. Exit code 1 if a coefficient is further away than `COEFFICIENT`,
or a score than `SCORE`, 2 if a cell cannot be read.
"""

import argparse
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss, roc_auc_score
from sklearn.preprocessing import StandardScaler

from common.errors import DataError, NighttrainError
from common.protocol.jobs import Cell, SurveySpec
from common.settings.night import NightSettings
from common.timeframes import Timeframe
from trainer.candles.cache import open_candles
from trainer.features.matrix import open_features
from trainer.learning.crossval import CrossValidation, choose
from trainer.learning.scores import score
from trainer.learning.training_set import TrainingSet
from trainer.survey.survey import survey

COEFFICIENT = 1e-6
"""Furthest that a coefficient may be from scikit-learn's, as a share of the fit's largest one."""

SCORE = 1e-9
"""Furthest that a score of all folds may be, and the log loss of a fold at any C.

The AUC may differ by one pair of rows too, which is more where rows are few: it counts pairs, and two rows
that are as likely as each other to many digits change places between any two computations.
"""


@dataclass(frozen=True)
class Exactness:
    """The largest differences of one cell, and the passes that its folds took."""

    rows: int
    coefficient: float
    fold_loss: float
    scores: dict[str, float]
    pair: float
    choices_equal: bool
    passes: tuple[int, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing is further away than promised."""
        others = [value for name, value in self.scores.items() if name != "auc"]
        far = max(self.fold_loss, *others) > SCORE
        # One pair and no second one; what is added in float64 is not exact.
        far |= self.scores["auc"] > max(SCORE, 1.01 * self.pair)
        return self.coefficient < COEFFICIENT and not far and self.choices_equal


def exactness(data: TrainingSet, Cs: tuple[float, ...]) -> Exactness:
    """Fit and score a cell twice."""
    y = data.labels.y
    crossval = CrossValidation(data.design, y, data.folds, Cs)
    X = data.matrix.values[data.labels.row].astype(np.float64)
    losses: list[list[float]] = []
    coefficients, fold_losses, tested, theirs = [0.0], [0.0], [], []
    equal = True
    for fold in data.folds:
        fit = crossval.fit_next()
        scaler = StandardScaler().fit(X[: fold.train_stop])
        train = scaler.transform(X[: fold.train_stop])
        test = scaler.transform(X[fold.test_start : fold.test_stop])
        truth = y[fold.test_start : fold.test_stop]
        predicted = []
        for position, C in enumerate(Cs):
            other = _fitted(train, y[: fold.train_stop], C)
            difference = np.abs(fit.path.coefficients[position] - other.coef_[0]).max()
            coefficients.append(float(difference / np.abs(other.coef_).max()))
            predicted.append(other.predict_proba(test)[:, 1])
        choice = choose(losses, len(Cs))
        losses.append([log_loss(truth[: fold.known], p[: fold.known], labels=[0, 1]) for p in predicted])
        fold_losses += [abs(a - b) for a, b in zip(fit.log_losses, losses[-1], strict=True)]
        equal &= choice == fit.choice
        row = data.labels.row[fold.test_start : fold.test_stop]
        tested.append(crossval.stretch(fold).at(crossval.predictions(fit), row))
        theirs.append(predicted[choice])
    position, model = crossval.final()
    other = _fitted(StandardScaler().fit_transform(X), y, Cs[position])
    difference = np.abs(model.coefficients - other.coef_[0]).max()
    coefficients.append(float(difference / np.abs(other.coef_).max()))
    truth, p = y[data.first_test_row :], np.concatenate(theirs)
    ours = score(np.concatenate(tested), truth)
    return Exactness(
        rows=len(data),
        coefficient=max(coefficients),
        fold_loss=max(fold_losses),
        scores={
            "auc": abs((ours.auc or 0.0) - roc_auc_score(truth, p)),
            "brier": abs(ours.brier - brier_score_loss(truth, p)),
            "log_loss": abs(ours.log_loss - log_loss(truth, p)),
            "accuracy": abs(ours.accuracy - accuracy_score(truth, p > 0.5)),
        },
        pair=1.0 / max(1, int(truth.sum()) * int(len(truth) - truth.sum())),
        choices_equal=equal and position == choose(losses, len(Cs)),
        passes=tuple(fit.path.passes for fit in crossval.fits),
    )


def _fitted(X: np.ndarray, y: np.ndarray, C: float) -> LogisticRegression:
    with warnings.catch_warnings():
        # Where the last digits of float64 end, its line search finds no lower loss and says so.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=C, solver="newton-cholesky", tol=1e-14, max_iter=50).fit(X, y)


def surveyed(cell: Cell, data_dir: Path, cache_dir: Path, settings: NightSettings) -> TrainingSet:
    """Read a cell's candles and put together what it is trained on."""
    timeframes = (cell.timeframe, *cell.timeframe.context)
    spec = SurveySpec(symbol=cell.symbol, timeframes=timeframes, policy=settings.data.policy)
    series = survey(spec, data_dir, cache_dir, lambda *_: None).series
    digests = {each.timeframe: each.digest for each in series if each.rows and not each.refusal}
    found = [
        open_candles(cache_dir, cell.symbol, each, digests[each]) for each in timeframes if each in digests
    ]
    own, *context = [candles for candles in found if candles is not None]
    if own.timeframe != cell.timeframe:
        raise DataError(
            f"{cell.name}: its candles cannot be trained on", "survey them: nighttrain data check"
        )
    matrix = open_features(cache_dir, own, context)
    embargo_ms = settings.embargo_minutes * 60_000
    return TrainingSet.of(own, context, matrix, cell.horizon, settings.n_splits, embargo_ms)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cells", nargs="+", metavar="SYMBOL_TIMEFRAME_Hn")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, help="kept between runs; by default a temporary folder")
    options = parser.parse_args(arguments)
    settings = NightSettings()
    held = True
    print("| cell | rows | passes a fold | coefficient | log loss of a fold | AUC | Brier | log loss | |")
    print("|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary:
        for name in options.cells:
            try:
                symbol, timeframe, horizon = name.split("_")
                cell = Cell(symbol=symbol, timeframe=Timeframe(timeframe), horizon=int(horizon[1:]))
            except ValueError:
                parser.error(f"{name}: no cell; write it like BTCUSDT_1h_H3")
            try:
                data = surveyed(cell, options.data, options.cache or Path(temporary), settings)
            except NighttrainError as error:
                parser.error(str(error))
            found = exactness(data, tuple(settings.model.C))
            held &= found.holds
            auc, brier, loss, _ = found.scores.values()
            numbers = [f"{each:.1e}" for each in (found.coefficient, found.fold_loss, auc, brier, loss)]
            passes = " ".join(map(str, found.passes))
            row = [name, f"{found.rows:,}", passes, *numbers, "" if found.holds else "too far"]
            print(f"| {' | '.join(row)} |", flush=True)
    return 0 if held else 1


if __name__ == "__main__":
    raise SystemExit(main())
