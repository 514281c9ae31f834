import hashlib
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.compiled.content_sums import ContentSums


def told(*arrays):
    sums = ContentSums()
    for array in arrays:
        sums.add(array)
    return sums.hexdigest()


def by_numpy(words):
    """Each eighth word added up, and these sums added up."""
    lanes = np.zeros((-(-len(words) // 8), 8), dtype=np.uint64)
    lanes.reshape(-1)[: len(words)] = words
    there = np.arange(lanes.size).reshape(lanes.shape) < len(words)
    sums = np.cumsum(lanes, axis=0, dtype=np.uint64)
    of_sums = np.where(there, sums, 0).sum(axis=0, dtype=np.uint64)
    last = sums[-1] if len(sums) else np.zeros(8, np.uint64)
    return hashlib.sha256(np.concatenate([last, of_sums]).astype("<u8").tobytes()).hexdigest()


@pytest.fixture(scope="module")
def words():
    return np.random.default_rng(2).integers(0, 1 << 32, 10_007, dtype=np.uint32)


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 64, 10_007])
def test_sums_are_those_that_numpy_finds(words, count):
    assert told(words[:count]) == by_numpy(words[:count])


@given(cuts=st.lists(st.integers(0, 100), max_size=6))
def test_pieces_make_no_difference(cuts):
    words = np.arange(100, dtype=np.uint32) * 40_503
    edges = [0, *sorted(cuts), 100]
    assert told(*(words[a:b] for a, b in pairwise(edges))) == told(words)


def test_one_bit_anywhere_is_told(words):
    whole = told(words)
    for place in (0, 1, 8, 5000, 10_006):
        for bit in range(32):
            changed = words.copy()
            changed[place] ^= np.uint32(1 << bit)
            assert told(changed) != whole


@pytest.mark.parametrize("apart", [1, 8, 64, 4096])
def test_words_that_change_places_or_make_up_for_each_other_are_told(words, apart):
    swapped, shifted = words.copy(), words.copy()
    swapped[[100, 100 + apart]] = words[[100 + apart, 100]]
    shifted[100] += np.uint32(5)
    shifted[100 + apart] -= np.uint32(5)
    assert len({told(words), told(swapped), told(shifted), told(np.roll(words, apart))}) == 4


def test_arrays_of_any_kind_count_by_their_bytes(words):
    assert told(words[:10_000].view(np.float64).reshape(50, 100)) == told(words[:10_000])
    for no_words in (words[::2], np.zeros(3, dtype=np.uint8)):
        with pytest.raises(ValueError, match="no words in a row"):
            told(no_words)
