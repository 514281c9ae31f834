from pydantic import ValidationError
from pytest import mark, raises

from common.protocol.jobs import (
    BREAKER_CAUSES,
    FINAL_STATES,
    FREE_CAUSES,
    TRANSITIONS,
    Cause,
    Cell,
    JobState,
    TrainingSpec,
)
from common.settings.sections import SurveyPolicy

POLICY = SurveyPolicy(max_missing_share=0.2, max_defect_share=0.01, max_bar_missing_share=0.0)


def test_every_state_has_its_transitions_and_final_ones_have_none() -> None:
    assert set(TRANSITIONS) == set(JobState)
    assert {state for state, following in TRANSITIONS.items() if not following} == FINAL_STATES


def test_every_state_is_reached_from_queued_and_leads_to_an_end() -> None:
    reached, ahead = {JobState.QUEUED}, [JobState.QUEUED]
    while ahead:
        for state in TRANSITIONS[ahead.pop()] - reached:
            reached.add(state)
            ahead.append(state)
    assert reached == set(JobState)
    for state in set(JobState) - FINAL_STATES:
        assert TRANSITIONS[state] & FINAL_STATES


def test_a_job_succeeds_only_under_a_lease() -> None:
    assert [state for state in JobState if JobState.SUCCEEDED in TRANSITIONS[state]] == [JobState.LEASED]


def test_what_is_free_says_nothing_against_a_symbol() -> None:
    assert FREE_CAUSES.isdisjoint(BREAKER_CAUSES)
    assert BREAKER_CAUSES.isdisjoint({Cause.OOM, Cause.CRASH, Cause.TIMEOUT})


def test_a_cell_is_named_as_its_files_are() -> None:
    assert Cell(symbol="BTCUSDT", timeframe="1h", horizon=3).name == "BTCUSDT_1h_H3"


@mark.parametrize("policy", [POLICY, None])
def test_a_specification_survives_json(policy) -> None:
    spec = TrainingSpec(
        cell=Cell(symbol="BTCUSDT", timeframe="1h", horizon=3),
        n_splits=5,
        embargo_minutes=30,
        Cs=(0.1, 1.0),
        min_train_rows=100,
        min_test_rows=40,
        data_digests={"1h": "a", "1d": "b"},
        synthetic=False,
        policy=policy,
    )
    assert TrainingSpec.model_validate_json(spec.model_dump_json()) == spec


def test_values_cannot_be_changed_and_take_no_unknown_key() -> None:
    cell = Cell(symbol="BTCUSDT", timeframe="1h", horizon=3)
    with raises(ValidationError, match="frozen"):
        cell.symbol = "ETHUSDT"
    with raises(ValidationError, match="Extra inputs"):
        Cell(symbol="BTCUSDT", timeframe="1h", horizon=3, colour="red")
