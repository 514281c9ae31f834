"""A year of weekly nights over a whole grid, decided by the functions that decide a real night.

Each night retrains every cell on all candles so far (two years at first, a week more each time) by the same
walk-forward as a training, with a ridge regression in place of the logistic one for speed. P-values, scores,
the test of the champions and the decisions are the product's own.

    python -m tests.trust.weeks --grids 100      # the tables of deploy/promotion.md
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import numpy as np
from scipy.special import ndtri

from common.protocol.jobs import Cell
from common.protocol.reports import Certificate, ChampionComparison, FoldModel, Manifest, Scores, Span
from common.protocol.retests import Verdict
from common.settings.sections import Championship, PromoteIf
from common.timeframes import Timeframe
from coordinator.policy.championship import LOST_LEVEL, Champion, judge, objection_of, succession_objection
from coordinator.policy.multiplicity import discovery_bounds, false_discovery_bound
from coordinator.policy.promotion import Challenger, decide
from tests.trust.markets import autoregression
from tests.trust.outcome import Outcome, Setup, least, most
from trainer.candles.candles import Candles
from trainer.candles.moments import moment_of
from trainer.evidence.champion import compare, lost_p_value
from trainer.evidence.significance import auc_p_value
from trainer.features.indicators import FEATURE_VERSION
from trainer.features.labels import LABEL_VERSION, Labels
from trainer.features.matrix import FeatureMatrix
from trainer.learning.design_matrix import DesignMatrix
from trainer.learning.scores import score
from trainer.learning.splits import walk_forward
from trainer.learning.training_set import TrainingSet

NIGHTS, FIRST_BARS, A_WEEK = 52, 730, 7
TIMEFRAMES = ("1m", "5m", "15m", "1h", "4h", "1d")
"""Families. All have the bars of days: how alike two nights are depends on the share of bars that is new."""
SYMBOLS, HORIZONS = 6, (1, 3, 5)
NAMES = ("return_1", "return_5", "return_20", "return_60", "known")
DAY_MS = Timeframe.D1.milliseconds
RATE, GATE = 0.10, PromoteIf()
UNPROMISING = 0.515
"""Below this AUC a model is not promoted anyway, and its p-value, far above any level, is taken for 1."""


@dataclass(frozen=True)
class Market:
    """One symbol at one timeframe: features (n, 5) and closes (n,) of all nights.

    `strength` is how much of a bar's spread the column `known` knows beforehand, until night `ends`.
    """

    values: np.ndarray
    close: np.ndarray
    strength: float
    ends: int

    @classmethod
    def drawn(cls, draw: np.random.Generator, strength: float = 0.0, ends: int = NIGHTS) -> Market:
        past, bars = 60, FIRST_BARS + A_WEEK * NIGHTS
        rows = past + bars
        moves = np.exp(autoregression(draw, rows, 200, 0.5)) * draw.standard_t(4, rows)
        known = autoregression(draw, rows, 5)
        reach = past + FIRST_BARS + A_WEEK * ends
        moves[1:reach] += strength * np.std(moves) * known[: reach - 1]
        log_close = np.cumsum(0.01 * moves)
        back = [log_close[past:] - log_close[past - lag : rows - lag] for lag in (1, 5, 20, 60)]
        values = np.stack([*back, known[past:]], axis=1)
        values /= values[:FIRST_BARS].std(axis=0)
        return cls(values.astype(np.float32), np.exp(log_close[past:]), strength, ends)


@dataclass
class Place:
    """One cell through the year; `trained` gives tonight's model, and what it finds out about a champion."""

    market: Market
    cell: Cell
    job_id: int
    _sums: tuple[np.ndarray, np.ndarray] = field(init=False)

    def __post_init__(self) -> None:
        horizon = self.cell.horizon
        self.y = (self.market.close[horizon:] > self.market.close[:-horizon]).astype(np.float64)
        rows = len(self.y)
        self.x = np.concatenate([self.market.values[:rows].astype(np.float64), np.ones((rows, 1))], axis=1)
        products = np.einsum("ni,nj->nij", self.x, self.x)
        self._sums = np.cumsum(products, axis=0), np.cumsum(self.x * (self.y - 0.5)[:, None], axis=0)
        self.close_time = np.arange(1, rows + 1) * DAY_MS

    def rows(self, night: int) -> int:
        return FIRST_BARS + A_WEEK * night - self.cell.horizon

    def weights(self, stop: int) -> np.ndarray:
        """Coefficients of a logistic model of the first `stop` rows, to first order; the last one is free."""
        products, sums = self._sums
        ridge = np.diag([50.0] * (self.x.shape[1] - 1) + [1e-3])
        return 4 * np.linalg.solve(products[stop - 1] + ridge, sums[stop - 1])

    def trained(self, night: int) -> Trained:
        rows, horizon = self.rows(night), self.cell.horizon
        close_time = self.close_time[:rows]
        folds = walk_forward(close_time, close_time + horizon * DAY_MS, 5, 30 * 60_000)
        weights = [self.weights(fold.train_stop) for fold in folds]
        parts = [
            self.x[fold.test_start : fold.test_stop] @ weight
            for fold, weight in zip(folds, weights, strict=True)
        ]
        p, y = 1 / (1 + np.exp(-np.concatenate(parts))), self.y[folds[0].test_start : rows]
        scores = score(p, y)
        likely = scores.auc is not None and scores.auc >= UNPROMISING
        return Trained(self, night, folds, weights, p, scores, auc_p_value(p, y, horizon) if likely else 1.0)


@dataclass(frozen=True)
class Trained:
    """A cell's model of one night."""

    place: Place
    night: int
    folds: list
    weights: list
    p: np.ndarray
    scores: Scores
    p_value: float

    @property
    def sha256(self) -> str:
        return f"{self.place.job_id:032x}{self.night:032x}"

    def challenger(self, comparison: ChampionComparison | None) -> Challenger:
        return Challenger(
            job_id=self.place.job_id,
            scores=self.scores,
            p_value=self.p_value,
            certified=True,
            synthetic=False,
            comparison=comparison,
            timeframe=str(self.place.cell.timeframe),
            sha256=self.sha256,
        )

    def manifest(self) -> Manifest:
        place, columns = self.place, len(NAMES)
        horizon, rows = place.cell.horizon, place.rows(self.night)
        plain = {"means": (0.0,) * columns, "scales": (1.0,) * columns}
        final = place.weights(rows)
        return Manifest(
            cell=place.cell,
            synthetic=False,
            features=NAMES,
            feature_version=FEATURE_VERSION,
            label_version=LABEL_VERSION,
            **plain,
            coefficients=tuple(final[:-1].tolist()),
            intercept=float(final[-1]),
            C=1.0,
            fold_models=tuple(
                FoldModel(
                    trained_until=moment_of(place.close_time[fold.train_stop - 1] + horizon * DAY_MS),
                    **plain,
                    coefficients=tuple(weight[:-1].tolist()),
                    intercept=float(weight[-1]),
                )
                for fold, weight in zip(self.folds, self.weights, strict=True)
            ),
            embargo_minutes=30,
            trained_rows=rows,
            trained_span=Span(
                start=moment_of(0), end=moment_of(place.close_time[rows - 1] + horizon * DAY_MS)
            ),
            scores=self.scores,
            p_value=self.p_value,
            certificate=Certificate(checks=()),
            lineage={},
            pickle_sha256=self.sha256,
        )

    def data(self) -> TrainingSet:
        place, rows = self.place, self.place.rows(self.night)
        close_time, row = place.close_time[:rows], np.arange(rows)
        close = place.market.close[:rows]
        candles = Candles(
            place.cell.symbol,
            place.cell.timeframe,
            close_time - DAY_MS,
            *(close,) * 4,
            np.ones(rows),
            "",
            False,
        )
        values = place.market.values
        return TrainingSet(
            candles=candles,
            context=(),
            matrix=FeatureMatrix(NAMES, (), values[:rows], row, close_time, "", None),  # type: ignore[arg-type]
            labels=Labels(row, place.y[:rows], close_time, close_time + place.cell.horizon * DAY_MS),
            design=DesignMatrix(values, row),
            folds=tuple(self.folds),
            horizon=place.cell.horizon,
            embargo_ms=30 * 60_000,
        )

    def compared(self, champion: Manifest) -> ChampionComparison:
        return compare(champion, self.place.cell, self.data(), self.p)


# --- Rules --------------------------------------------------------------------------------------------------


@dataclass
class Standing:
    """Who is champion of each cell by its job id, and what has become of champions so far."""

    champions: dict[int, Trained] = field(default_factory=dict)
    ended: Counter = field(default_factory=Counter)


Rule = Callable[[int, Sequence[Trained], Standing], None]
"""Changes who is champion, given the night and its models."""


def product(night: int, models: Sequence[Trained], standing: Standing) -> None:
    """As `coordinator.champions.decision` does it."""
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(weeks=night)
    found, present, succession = {}, {}, {}
    for model in models:
        job_id = model.place.job_id
        former = standing.champions.get(job_id)
        if former is None:
            continue
        manifest = former.manifest()
        found[job_id] = model.compared(manifest)
        since = now - timedelta(weeks=night - former.night)
        champion = Champion(former.sha256, False, former.scores, manifest.trained_span.end, since)
        newest = manifest.trained_span.end + timedelta(days=A_WEEK * (night - former.night))
        judgement = judge(champion, found[job_id], newest, now, Championship().max_age_days)
        if judgement.verdict is Verdict.STANDS:
            present[job_id] = champion
        else:
            standing.ended[judgement.words.split(":")[0].split(" days")[0].strip("0123456789 ")] += 1
            standing.ended["real" if _is_real(former, night) else "false"] += 1
            del standing.champions[job_id]
            if judgement.verdict is Verdict.DEMOTED:
                succession[job_id] = succession_objection(found[job_id])
    challengers = [
        replace(
            model.challenger(found.get(model.place.job_id)),
            succession=succession.get(model.place.job_id, ""),
        )
        for model in models
    ]
    by_job = {model.place.job_id: model for model in models}
    for decision in decide(challengers, present, GATE, RATE):
        if decision.promoted:
            standing.champions[decision.job_id] = by_job[decision.job_id]
    for job_id, champion in present.items():
        one = by_job[job_id].challenger(found[job_id])
        standing.ended["kept its place against a model"] += bool(
            objection_of(champion, False, one.sha256, one.comparison)
        )


def by_bounds(bounds: Callable[[int, Mapping[str, list[float]]], Mapping[str, float | None]]) -> Rule:
    """What passes is champion, and stands for good."""

    def rule(night: int, models: Sequence[Trained], standing: Standing) -> None:
        families: dict[str, list[float]] = {}
        for model in models:
            families.setdefault(model.place.cell.timeframe, []).append(model.p_value)
        bound = bounds(night, families)
        for model in models:
            up_to = bound[model.place.cell.timeframe]
            if up_to is not None and model.p_value <= up_to and (model.scores.auc or 0) >= GATE.min_auc:
                standing.champions[model.place.job_id] = model

    return rule


def _one_family(night: int, families: Mapping[str, list[float]]) -> dict[str, float | None]:
    bound = false_discovery_bound([p for family in families.values() for p in family], RATE)
    return dict.fromkeys(families, bound)


def _spent(night: int) -> float:
    """The share of the error that night may spend so that all nights for ever spend it once."""
    return 1 / (2.109 * (night + 1) * np.log(night + 2) ** 2)


RULES: dict[str, Rule] = {
    "before: one family, champions stand": by_bounds(_one_family),
    "a family a timeframe, champions stand": by_bounds(
        lambda night, families: {name: false_discovery_bound(ps, RATE) for name, ps in families.items()}
    ),
    "families selected first, champions stand": by_bounds(
        lambda night, families: discovery_bounds(families, 2 * RATE)
    ),
    "the same, alpha spending 1/(t log2 t)": by_bounds(
        lambda night, families: discovery_bounds(families, 2 * RATE * _spent(night))
    ),
    "chosen": product,
}


# --- Years --------------------------------------------------------------------------------------------------


PROMISED, LOOKS, ROWS_A_LOOK = 0.55, 26, 168
"""A champion of hours, tested each week for half a year on all hours since its training."""


def lost_edges(draw: np.random.Generator, samples: int) -> dict[str, float]:
    """Return the share of such champions that are demoted in half a year, by the AUC that they truly have."""
    found = {}
    for name, area in (("0.48", 0.48), ("0.50", 0.5), ("0.525, half of the promised edge", 0.525)):
        # Of normal predictions that lie this much higher where it rises, the area is this one.
        lift = np.sqrt(2) * ndtri(area)
        ended = 0
        for _ in range(samples):
            y = (draw.random(LOOKS * ROWS_A_LOOK) < 0.5).astype(np.float64)
            p = autoregression(draw, len(y), 5) + lift * y
            ended += any(
                (lost_p_value(p[:stop], y[:stop], PROMISED, 1) or 1.0) <= LOST_LEVEL
                for stop in range(ROWS_A_LOOK, len(y) + 1, ROWS_A_LOOK)
            )
        found[name] = ended / samples
    return found


@dataclass
class Year:
    """What one rule made of one year: shares of nights and the state at its end."""

    false_at_end: int
    false_share_of_nights: float
    real_first: float
    real_mean: float
    real_at_end: float
    standing: int
    ended: Counter


def _is_real(model: Trained, night: int) -> bool:
    return bool(model.place.market.strength) and night <= model.place.market.ends


def grid(draw: np.random.Generator, strengths: Mapping[str, float], symbols: int, ends: int) -> list[Place]:
    """Return the cells of a grid; `symbols` of the timeframes in `strengths` have a signal until `ends`."""
    places: list[Place] = []
    for timeframe in TIMEFRAMES:
        for symbol in range(SYMBOLS):
            strength = strengths.get(timeframe, 0.0) if symbol < symbols else 0.0
            market = Market.drawn(draw, strength, ends)
            for horizon in HORIZONS:
                cell = Cell(symbol=f"SYMBOL{symbol}", timeframe=timeframe, horizon=horizon)
                places.append(Place(market, cell, len(places) + 1))
    return places


def years(places: list[Place], rules: Mapping[str, Rule], nights: int = NIGHTS) -> dict[str, Year]:
    """Play a year of nights by each rule, on the same models."""
    standing = {name: Standing() for name in rules}
    shares: dict[str, list[tuple[float, bool]]] = {name: [] for name in rules}
    real = {place.job_id for place in places if place.market.strength}
    for night in range(nights):
        models = [place.trained(night) for place in places]
        for name, rule in rules.items():
            rule(night, models, standing[name])
            champions = set(standing[name].champions)
            shares[name].append((len(champions & real) / max(len(real), 1), bool(champions - real)))
    return {
        name: Year(
            false_at_end=len(set(one.champions) - real),
            false_share_of_nights=float(np.mean([false for _, false in shares[name]])),
            real_first=shares[name][0][0],
            real_mean=float(np.mean([found for found, _ in shares[name]])),
            real_at_end=shares[name][-1][0],
            standing=len(one.champions),
            ended=one.ended,
        )
        for name, one in standing.items()
    }


SETTINGS: dict[str, tuple[dict[str, float], int, int]] = {
    "noise": ({}, 0, NIGHTS),
    "weak signal in one symbol of one timeframe": ({"1d": 0.13}, 1, NIGHTS),
    "weak signal in half of one timeframe": ({"1d": 0.13}, 3, NIGHTS),
    "strong signal in four timeframes": (dict.fromkeys(TIMEFRAMES[:4], 0.2), 6, NIGHTS),
    "strong signal in half of one timeframe, gone after night 26": ({"1d": 0.25}, 3, 26),
}


def weeks(setup: Setup) -> Iterator[Outcome]:
    """Yield what a year of nights leaves of noise, and of a signal."""
    draw, chosen = setup.draw("weeks"), {"chosen": product}
    grids = 4 if setup.small else 40
    nights = 26 if setup.small else NIGHTS
    noise = []
    for number in range(grids):
        setup.say(f"{number} of {grids} years of noise")
        noise.append(years(grid(draw, *SETTINGS["noise"]), chosen, nights)["chosen"])
    false = sum(year.false_at_end > 0 for year in noise)
    yield Outcome(
        f"weeks: a false champion after {nights} nights of noise",
        "in 10 % of the years at most",
        f"in {false} ({false / grids:.0%})",
        f"{grids} years of 108 cells",
        false <= most(grids, 0.1),
    )
    signals = []
    for number in range(1 if setup.small else 6):
        setup.say(f"year {number} with a signal")
        signals.append(
            years(grid(draw, *SETTINGS["strong signal in four timeframes"]), chosen, nights)["chosen"]
        )
    found = float(np.mean([year.real_at_end for year in signals]))
    yield Outcome(
        "weeks: cells with a signal that have a champion at the end",
        "at least 80 %",
        f"{found:.0%}",
        f"{len(signals)} years of 72 such cells",
        found >= 0.8,
    )
    samples = 40 if setup.small else 200
    for (name, share), promised in zip(lost_edges(draw, samples).items(), (0.9, 0.5, 0.1), strict=True):
        ended, kept = round(share * samples), name.startswith("0.525")
        yield Outcome(
            f"weeks: champions promised .55, tested each week for half a year, true AUC {name}",
            f"{promised:.0%} demoted at {'most' if kept else 'least'}",
            f"{share:.0%}",
            f"{samples} champions",
            ended <= most(samples, promised) if kept else ended >= least(samples, promised),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--grids", type=int, default=90, help="years of noise; a sixth of it of each signal")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    head = "setting | rule | years | false champion at the end | nights with one"
    head += " | signal: first night | mean of nights | at the end"
    _print(f"| {head} |\n|{' --- |' * 8}")
    for name, setting in SETTINGS.items():
        draw = np.random.default_rng([options.seed, len(name)])
        count = options.grids if name == "noise" else max(1, options.grids // 6)
        rows: dict[str, list[Year]] = {rule: [] for rule in RULES}
        for _ in range(count):
            for rule, year in years(grid(draw, *setting), RULES).items():
                rows[rule].append(year)
        for rule, found in rows.items():
            figures = [
                f"{np.mean([year.false_at_end > 0 for year in found]):.2f}",
                f"{np.mean([year.false_share_of_nights for year in found]):.2f}",
                f"{np.mean([year.real_first for year in found]):.2f}",
                f"{np.mean([year.real_mean for year in found]):.2f}",
                f"{np.mean([year.real_at_end for year in found]):.2f}",
            ]
            _print(f"| {name} | {rule} | {count} | {' | '.join(figures)} |")
        ended = sum((year.ended for year in rows["chosen"]), Counter())
        _print(f"<!-- {name}: by the chosen rule: {dict(ended)} -->")
    for strength, share in lost_edges(np.random.default_rng(options.seed), 400).items():
        _print(f"| {strength} | {share:.3f} |")


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
