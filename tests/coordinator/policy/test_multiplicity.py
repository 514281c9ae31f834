"""How small p-values must be, by the textbook and by the definitions."""

from __future__ import annotations

from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.policy.multiplicity import (
    A_NIGHT,
    best_of,
    discovery_bounds,
    false_discovery_bound,
    needed_p_values,
    p_value_words,
    simes_p_value,
)

SHARES = st.floats(0, 1)
FAMILIES = st.dictionaries(st.sampled_from("abcdef"), st.lists(SHARES, min_size=1, max_size=8), min_size=1)


def test_the_bound_is_that_of_the_textbook() -> None:
    # The example of Benjamini and Hochberg (1995), table 1: at 0.05 the four smallest of 15 are discoveries.
    p_values = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459]
    p_values += [0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000]
    assert false_discovery_bound(p_values, 0.05) == 0.0095


@given(st.lists(SHARES, max_size=30), st.floats(0.01, 0.5))
def test_the_step_up_procedure_agrees_with_its_definition(p_values: list[float], rate: float) -> None:
    ordered = sorted(p_values)
    bound = false_discovery_bound(p_values, rate)
    largest = max(
        (k for k in range(1, len(ordered) + 1) if ordered[k - 1] <= k / len(ordered) * rate), default=0
    )
    assert bound == (ordered[largest - 1] if largest else None)


@given(st.lists(SHARES, min_size=1, max_size=10), st.floats(0.01, 0.5))
def test_a_family_of_which_simes_approves_has_a_discovery(p_values: list[float], rate: float) -> None:
    smallest = simes_p_value(p_values)
    if abs(smallest - rate) > 1e-9:
        assert (smallest <= rate) == (false_discovery_bound(p_values, rate) is not None)


@given(FAMILIES, st.floats(0.01, 0.5))
def test_no_family_gets_more_than_it_would_alone_nor_from_better_ones(
    families: dict[str, list[float]], rate: float
) -> None:
    bounds = discovery_bounds(families, rate)
    for family, p_values in families.items():
        bound, alone = bounds[family], false_discovery_bound(p_values, A_NIGHT * rate)
        assert bound is None or (alone is not None and bound <= alone)


def test_p_values_too_small_for_a_float_are_discoveries() -> None:
    strong = [*[0.0] * 9, *[0.5] * 9]
    assert discovery_bounds({"1m": strong, "1d": [0.4] * 18}, 0.1) == {"1m": 0.0, "1d": None}


def test_one_family_has_the_bound_of_benjamini_and_hochberg() -> None:
    p_values = [0.001, 0.01, 0.012, 0.5]
    assert discovery_bounds({"1d": p_values}, 0.1) == {"1d": false_discovery_bound(p_values, 0.05)}


def test_a_family_alone_among_many_needs_as_small_a_p_value_as_if_all_cells_were_one() -> None:
    others = {name: [0.5] * 18 for name in ("1m", "5m", "15m", "1h", "4h")}
    edge = 0.05 / 108
    assert discovery_bounds({**others, "1d": [edge * 0.99, *[0.5] * 17]}, 0.1)["1d"] == edge * 0.99
    assert discovery_bounds({**others, "1d": [edge * 1.01, *[0.5] * 17]}, 0.1)["1d"] is None


def test_what_is_not_a_number_counts_as_tried_and_is_no_discovery() -> None:
    assert discovery_bounds({"1d": [nan, nan]}, 0.1) == {"1d": None}
    assert false_discovery_bound([0.03, nan], 0.05) is None and false_discovery_bound([0.03], 0.05) == 0.03
    assert discovery_bounds({}, 0.1) == {} and simes_p_value([]) == 1.0


@pytest.mark.parametrize(("p_value", "tried", "told"), [(0.01, 3, 0.03), (0.5, 3, 1.0), (0.2, 1, 0.2)])
def test_the_best_of_several_pays_for_each(p_value: float, tried: int, told: float) -> None:
    assert best_of(p_value, tried) == pytest.approx(told)


@pytest.mark.parametrize(
    ("p_value", "written"),
    [(1.0, "1"), (0.0321, "0.0321"), (1.234e-12, "1.23e-12"), (3e-310, "< 1e-300"), (0.0, "< 1e-300")],
)
def test_no_p_value_is_written_as_nought(p_value: float, written: str) -> None:
    assert p_value_words(p_value) == written


@given(FAMILIES, st.floats(0.01, 0.5))
def test_what_is_needed_is_the_greatest_that_would_be_a_discovery(
    families: dict[str, list[float]], rate: float
) -> None:
    for family, needed in needed_p_values(families, rate).items():
        for position, least in enumerate(needed):
            for value, passes in ((0.999999 * least, True), (1.000001 * least, False)):
                tried = list(families[family])
                tried[position] = value
                changed = {**families, family: tried}
                rates = [k / len(changed) * A_NIGHT * rate for k in range(1, len(changed) + 1)]
                each = [simes_p_value(p_values) for p_values in changed.values()]
                if any(abs(p - some) < 1e-9 for p in each for some in rates):
                    # Rounding decides.
                    continue
                bound = discovery_bounds(changed, rate)[family]
                assert (bound is not None and value <= bound) == passes


def test_a_p_value_that_is_not_a_number_needs_what_any_other_would() -> None:
    needed = needed_p_values({"1h": [nan, 0.9, 0.001], "1d": [nan]}, 0.1)
    assert needed == {
        "1h": pytest.approx([0.05 * 2 / 3 / 2] * 2 + [0.05 / 3 / 2]),
        "1d": pytest.approx([0.05]),
    }
