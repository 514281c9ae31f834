"""Nulls and power: how often the test of significance passes what knows nothing, and what knows a little."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from tests.trust.markets import Setting, nulls, signals
from tests.trust.outcome import Outcome, Setup, least, most
from trainer.evidence.significance import auc_p_value

Method = Callable[[np.ndarray, np.ndarray, int], float]

LEVELS = (0.001, 0.01, 0.05, 0.1)
ABOVE = 1.3
"""By how much the size over all settings may lie above its level."""

ABOVE_ALONE = 3.0
"""The same for the worst setting alone, at the level .01."""

SAMPLES = {300: 1500, 1000: 1000, 5000: 200}
"""Samples a setting, by rows."""


def without_direction(setup: Setup, method: Method = auc_p_value) -> Iterator[Outcome]:
    """Markets whose direction nobody can know."""
    passed, worst = np.zeros(len(LEVELS), int), (0.0, 0, 0, "")
    samples = number = 0
    # Under a drift that strong and that slow five folds are five rows; the tables of the test show it.
    for setting in nulls(()):
        if setting.name.startswith("strong") or setting.rows > (300 if setup.small else 5000):
            continue
        p_values = _p_values(setting, setup, method, 40 if setup.small else SAMPLES[setting.rows])
        passed += [np.count_nonzero(p_values <= level) for level in LEVELS]
        samples, number = samples + len(p_values), number + 1
        lucky = int((p_values <= 0.01).sum())
        worst = max(
            worst, (lucky / len(p_values), lucky, len(p_values), f"{setting.rows} rows; {setting.name}")
        )
    for level, count in zip(LEVELS, passed, strict=True):
        yield Outcome(
            f"nulls: p <= {level:g}",
            f"{level:.1%}, at most {ABOVE:g} times that",
            f"{count / samples:.2%} ({count})",
            f"{samples:,} samples of {number} markets",
            bool(count <= most(samples, ABOVE * level)),
        )
    _, count, of, name = worst
    yield Outcome(
        "nulls: worst market, p <= 0.01",
        f"at most {ABOVE_ALONE:g} times 1 %",
        f"{count / of:.1%} ({name})",
        f"{of} samples",
        count <= most(of, 0.01 * ABOVE_ALONE, number),
    )


def with_direction(setup: Setup, method: Method = auc_p_value) -> Iterator[Outcome]:
    """Markets whose direction shows a little."""
    samples = 8 if setup.small else 60
    for words, is_meant, level, share in (
        ("the hour of day, 40,008 rows", _is_daily, 0.001, 0.95),
        ("a known trend of 5 days, 40,000 rows", _is_trend, 0.001, 0.95),
        ("the same, seen in past moves alone", _is_followed, 0.01, 0.7),
        ("AUC about .59, .55, .52 at 300, 1,000, 5,000 rows", _is_short, 0.01, 0.5),
    ):
        found = [
            _p_values(setting, setup, method, samples) <= level for setting in signals() if is_meant(setting)
        ]
        passed = np.concatenate(found)
        yield Outcome(
            f"power: {words}",
            f"p <= {level:g} in {share:.0%} or more",
            f"{passed.mean():.0%} ({passed.sum()})",
            f"{len(passed)} samples of {len(found)} markets",
            bool(passed.sum() >= least(len(passed), share)),
        )


def _p_values(setting: Setting, setup: Setup, method: Method, samples: int) -> np.ndarray:
    setup.say(f"{setting.rows} rows, {setting.horizon} bars: {setting.name}")
    draw = setup.draw(f"{setting.name}/{setting.rows}/{setting.horizon}")
    return np.array([method(*setting.sample(draw), setting.horizon) for _ in range(samples)])


def _is_daily(setting: Setting) -> bool:
    return setting.name.startswith("hour of day") and setting.rows == 40008


def _is_trend(setting: Setting) -> bool:
    return setting.name == "trend of 5 days of hours"


def _is_followed(setting: Setting) -> bool:
    return setting.name == "5-day trend, followed"


def _is_short(setting: Setting) -> bool:
    return setting.name in ("new each bar", "lasts 10 bars", "takes back the last move")
