"""The small part of what can be trusted, and that each check can fail."""

import json

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from tests.bench.significance import circular_shifts
from tests.trust import forgeries, futures
from tests.trust.__main__ import CHECKS, main
from tests.trust.luck import with_direction, without_direction
from tests.trust.outcome import Outcome, Setup, least, most
from tests.trust.table import as_json, markdown, verdict
from trainer.features import indicators


@pytest.fixture
def setup(tmp_path):
    return Setup(seed=1, small=True, folder=tmp_path, say=lambda words: None)


@pytest.mark.parametrize("name", CHECKS)
def test_the_small_part_is_as_promised(name, capsys):
    code = main(["--small", "--json", "--only", name])
    found = json.loads(capsys.readouterr().out)
    assert (code, found["seed"], found["small"]) == (0, 1, True), found
    assert found["outcomes"]
    assert all(line["passed"] for line in found["outcomes"])


def test_a_test_that_takes_rows_for_independent_fails_at_nulls(setup):
    def naive(p, y, horizon):
        return mannwhitneyu(p[y > 0], p[y < 1], alternative="greater").pvalue

    assert not any(line.passed for line in without_direction(setup, naive))


def test_a_test_that_cannot_see_the_hour_of_day_fails_at_power(setup):
    draw = np.random.default_rng(0)
    lines = list(with_direction(setup, lambda p, y, horizon: circular_shifts(p, y, horizon, draw)))
    assert not lines[0].passed


def test_a_certificate_that_believes_everything_fails_at_forgeries(setup, monkeypatch):
    monkeypatch.setattr(forgeries, "_is_valid", lambda training: True)
    honest, *forged = forgeries.certificates(setup)
    assert honest.passed
    assert not any(line.passed for line in forged)


def test_a_feature_that_looks_ahead_fails_at_futures(setup, monkeypatch):
    original = indicators.rows_of

    def ahead(*given):
        rows, usable = original(*given)
        column = rows[:, indicators.NAMES.index("return_1")]
        column[:] = np.append(column[1:], 0.0)
        return rows, usable

    monkeypatch.setattr(indicators, "rows_of", ahead)
    features, *_ = futures.scrambled_futures(setup)
    assert not features.passed


def test_a_check_that_breaks_is_a_line_that_failed(monkeypatch, capsys):
    def broken(setup):
        raise OSError("no room")

    monkeypatch.setitem(CHECKS, "gaps", broken)
    assert main(["--small", "--only", "gaps", "--seed", "3"]) == 1
    said = capsys.readouterr()
    assert "FAILED" in said.out and "0 of 1 lines are as promised (seed 3)" in said.out
    assert "no room" in said.err


def test_a_table_tells_what_failed():
    lines = [Outcome("ties: a", "none", "none", "3 cells", True), Outcome("b", "none", "2", "9", False)]
    head, rule, first, second = markdown(lines).splitlines()
    assert len({len(line) for line in (head, rule, first, second)}) == 1
    assert first.endswith("| ok     |") and second.endswith("| FAILED |")
    assert verdict(lines) == "1 of 2 lines are as promised"
    assert [line["passed"] for line in json.loads(as_json(lines, 1, False))["outcomes"]] == [True, False]


def test_luck_alone_fails_no_line():
    assert (most(1000, 0.01), least(1000, 0.99)) == (22, 978)
    assert most(1000, 0.01, tries=50) > most(1000, 0.01)
