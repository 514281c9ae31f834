import ctypes
import mmap
import os
import platform

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainer.features.formulas import features_of
from trainer.compiled import features
from trainer.compiled.features import CONTEXT, FEATURES, LOGARITHMS, LOOKED_BACK, last_known, rows_of, scales
from trainer.compiled.library import PLAIN, library
from trainer.features.context import COLUMNS
from trainer.features.indicators import NAMES, Block, block_features, blocks

EXACT = platform.machine().lower() in {"x86_64", "amd64"}
"""Elsewhere a compiler chose where TA-Lib fuses products and sums."""


def market(simulate, rows, seed, still=0.0, silent=0.0, tick=0.0, **options):
    """Candles some of which do not move, have no volume, or move by whole ticks."""
    candles = simulate(rows, seed=seed, **options)
    draw = np.random.default_rng(seed)
    columns = dict(candles.columns)
    if tick:
        for name in ("open", "high", "low", "close"):
            columns[name] = np.round(columns[name] / tick) * tick
    stopped = np.repeat(draw.random(rows // 50 + 1) < still, 50)[:rows]
    for name in ("open", "high", "low", "close"):
        columns[name] = np.where(stopped, columns["close"][np.argmax(stopped)], columns[name])
    columns["volume"] = np.where(draw.random(rows) < silent, 0.0, columns["volume"])
    return type(candles).of(candles.symbol, candles.timeframe, columns)


MARKETS = {
    "plain": {},
    "ticks": {"tick": 50.0},
    "still": {"still": 0.4, "silent": 0.3},
    "silent": {"silent": 0.97},
    "minutes": {"timeframe": "1m", "volatility": 0.0004, "tick": 0.01},
    "days": {"timeframe": "1d", "volatility": 0.05},
}


@pytest.mark.parametrize("kind", MARKETS)
@pytest.mark.parametrize("rows", [61, 64, 65, 68, 256, 321, 3000])
def test_features_are_those_of_the_formulas(simulate, kind, rows):
    candles = market(simulate, rows, rows, **MARKETS[kind])
    for block in (*blocks(candles), Block(0, 61, rows)):
        found, wanted = block_features(candles, block), features_of(candles, block)
        assert np.abs(found - wanted).max(initial=0.0) < 1e-4
        if EXACT:
            differs = (found.view(np.uint32) != wanted.view(np.uint32)).any(axis=0)
            assert not differs.any(), [NAMES[column] for column in np.flatnonzero(differs)]


def test_what_is_no_number_stays_none_and_its_rows_are_not_usable(simulate):
    candles = simulate(400)
    candles.volume[200] = np.nan
    (block,) = blocks(candles)
    found, wanted = block_features(candles, block), features_of(candles, block)
    assert np.isnan(found[200 - LOOKED_BACK :]).any(axis=1).all()
    assert not np.isnan(found[: 200 - LOOKED_BACK]).any()
    assert np.array_equal(np.isnan(found), np.isnan(wanted))


def given_to_rows(simulate, rows=300):
    """What `rows_of` takes, of simulated candles, with logarithms that are none."""
    candles = simulate(rows)
    bars = [candles.columns[name] for name in ("open", "high", "low", "close", "volume")]
    log_close = np.log(candles.close / candles.close[0])
    deviations = list(np.ones((5, rows)))
    day = np.zeros(1, np.float32), np.ones(1, np.float32), 0, 0
    logarithms = np.ones((LOGARITHMS + 1, rows - LOOKED_BACK))
    return [bars, log_close, deviations, logarithms, (day, day)]


def test_what_else_is_known_stands_behind_the_features_and_who_lacks_it_is_not_usable(simulate):
    arguments = given_to_rows(simulate)
    m = arguments[3].shape[1]
    draw = np.random.default_rng(1)
    known = [(draw.random((5, CONTEXT)).astype(np.float32), draw.integers(-1, 5, m)) for _ in range(2)]
    alone, all_usable = rows_of(*arguments)
    rows, usable = rows_of(*arguments, known)
    assert all_usable.all()
    assert np.array_equal(rows[:, :FEATURES], alone)
    assert np.array_equal(usable, (known[0][1] >= 0) & (known[1][1] >= 0))
    for g, (values, position) in enumerate(known):
        there = rows[:, FEATURES + CONTEXT * g : FEATURES + CONTEXT * (g + 1)]
        assert np.array_equal(there[position >= 0], values[position[position >= 0]])
        assert np.isnan(there[position < 0]).all()


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(0, 60), max_size=40).map(sorted),
    st.lists(st.integers(0, 60), max_size=20).map(sorted),
    st.integers(0, 30),
)
def test_the_last_known_value_is_that_of_the_definition(moments, known, fresh):
    wanted = []
    for moment in moments:
        before = [position for position, since in enumerate(known) if since <= moment]
        wanted.append(before[-1] if before and moment - known[before[-1]] <= fresh else -1)
    found = last_known(np.array(moments, dtype=np.int64), np.array(known, dtype=np.int64), fresh)
    assert found.tolist() == wanted


def test_columns_are_as_many_as_have_names():
    assert (len(NAMES), len(COLUMNS)) == (FEATURES, CONTEXT)


@pytest.mark.skipif(os.name != "posix", reason="no page can be forbidden otherwise")
def test_no_bar_beyond_the_last_one_is_read(simulate):
    size = 2 * mmap.PAGESIZE
    bars, log_close, deviations, logarithms, turns = given_to_rows(simulate, 317)

    def at_the_end(array):
        pages = mmap.mmap(-1, size * 16 + mmap.PAGESIZE)
        beyond = np.frombuffer(pages, np.uint8)[size * 16 :].ctypes.data
        assert ctypes.CDLL(None, use_errno=True).mprotect(ctypes.c_void_p(beyond), mmap.PAGESIZE, 0) == 0
        found = np.frombuffer(pages, array.dtype, array.size, size * 16 - array.nbytes).reshape(array.shape)
        found[...] = array
        return found

    bars, deviations = [at_the_end(each) for each in bars], [at_the_end(each) for each in deviations]
    log_close, logarithms = at_the_end(log_close), at_the_end(logarithms)
    scales(log_close, log_close, deviations[1], bars, LOOKED_BACK, 1.0, 1.0)
    known = at_the_end(np.ones((4, CONTEXT), np.float32)), at_the_end(np.full(logarithms.shape[1], 3))
    rows, usable = rows_of(bars, log_close, deviations, logarithms, turns, [known])
    assert usable.all() and (rows[:, FEATURES:] == 1).all()
    assert last_known(at_the_end(np.arange(9)), at_the_end(np.arange(3)), 9).tolist() == [0, 1] + 7 * [2]


@pytest.mark.parametrize(
    ("position", "amiss"),
    [
        (0, lambda bars: bars[:4]),
        (0, lambda bars: [*bars[:4], bars[4][1:]]),
        (2, lambda deviations: deviations[1:]),
        (3, lambda logarithms: logarithms[1:]),
        (3, lambda logarithms: np.ones((LOGARITHMS + 1, 300))),
        (4, lambda turns: ((*turns[0][:2], 1, 0), turns[1])),
        (4, lambda turns: ((*turns[0][:2], 0, 1), turns[1])),
    ],
)
def test_what_does_not_fit_is_refused_before_it_is_read(simulate, position, amiss):
    arguments = given_to_rows(simulate)
    arguments[position] = amiss(arguments[position])
    with pytest.raises(ValueError):
        rows_of(*arguments)


def test_positions_that_are_no_values_are_refused(simulate):
    arguments = given_to_rows(simulate)
    values, m = np.ones((4, CONTEXT), np.float32), arguments[3].shape[1]
    for known in ((values, np.full(m, 4)), (values, np.zeros(m - 1, int)), (values[:, :2], np.zeros(m, int))):
        with pytest.raises(ValueError):
            rows_of(*arguments, [known])


def test_fewer_bars_than_the_longest_window_are_refused(simulate):
    bars, log_close, deviations, _, _ = given_to_rows(simulate)
    with pytest.raises(ValueError, match="60 of 300 bars must be skipped, not 59"):
        scales(log_close, log_close, deviations[1], bars, LOOKED_BACK - 1, 1.0, 1.0)


def test_a_processor_that_fuses_nothing_gives_the_same_but_for_rounding(simulate, monkeypatch):
    candles = simulate(2000)
    (block,) = blocks(candles)
    fastest = block_features(candles, block)
    monkeypatch.setattr(features, "_LIBRARY", library(PLAIN))
    assert np.abs(block_features(candles, block) - fastest).max() < 1e-5
