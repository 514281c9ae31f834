from pydantic import ValidationError
from pytest import mark, raises

from common.protocol.jobs import (
    BREAKER_CAUSES,
    FREE_CAUSES,
    Cause,
    Cell,
    TrainingSpec,
)
from common.settings.sections import SurveyPolicy

POLICY = SurveyPolicy(max_missing_share=0.2, max_defect_share=0.01, max_bar_missing_share=0.0)


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
