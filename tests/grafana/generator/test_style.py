import pytest

from grafana.generator.colours import GREEN, GREY, RED
from grafana.generator.style import absent, mappings, numbered_states, thresholds


def test_states_are_numbered_from_zero():
    assert numbered_states(["idle", "lost"], [GREEN, RED]) == {0: ("idle", GREEN), 1: ("lost", RED)}


def test_a_state_without_a_colour_is_refused():
    with pytest.raises(ValueError, match="shorter"):
        numbered_states(["idle", "lost"], [GREEN])


def test_values_are_mapped_in_their_order():
    (found,) = mappings({0: ("down", RED), 1: ("up", GREEN)})
    shown = {value: (result.text, result.color, result.index) for value, result in found.options.items()}
    assert shown == {"0": ("down", RED, 0), "1": ("up", GREEN, 1)}
    assert mappings({}) == []


def test_the_lowest_colour_begins_at_minus_infinity():
    steps = thresholds(((None, GREEN), (0.9, RED))).build().steps
    assert [(step.value, step.color) for step in steps] == [(None, GREEN), (0.9, RED)]


def test_what_is_absent_comes_after_all_values():
    found = absent("no run", GREY).options
    assert (found.result.text, found.result.color) == ("no run", GREY)
    assert found.result.index > len(mappings(dict.fromkeys(range(50), ("", GREY)))[0].options)
