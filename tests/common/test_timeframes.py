import json

import pytest
from pydantic import BaseModel, ValidationError

from common.timeframes import CONTEXT_TIMEFRAMES, Timeframe


class Asked(BaseModel):
    timeframe: Timeframe


def test_they_go_from_fine_to_coarse_and_each_divides_the_day() -> None:
    lengths = [timeframe.seconds for timeframe in Timeframe]
    assert lengths == sorted(set(lengths))
    assert all(86400 % length == 0 for length in lengths)
    assert (Timeframe.M1.milliseconds, Timeframe.M15.seconds, Timeframe.H4.seconds) == (60_000, 900, 14_400)


def test_the_context_is_never_finer() -> None:
    assert Timeframe.M5.context == CONTEXT_TIMEFRAMES
    assert Timeframe.H1.context == CONTEXT_TIMEFRAMES
    assert Timeframe.H2.context == (Timeframe.D1,)


def test_bars_are_made_of_finer_ones_that_divide_them_only() -> None:
    assert Timeframe.M5.divides(Timeframe.M15)
    assert not Timeframe.M3.divides(Timeframe.M5)
    assert not Timeframe.H1.divides(Timeframe.H1)
    assert not Timeframe.H1.divides(Timeframe.M1)


def test_an_unknown_one_is_told_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"^'7m' is not a timeframe; use some of 1m, 3m, .*, 1d$"):
        Timeframe.named("7m")
    with pytest.raises(ValidationError, match="'7m' is not a timeframe; use some of"):
        Asked(timeframe="7m")


def test_as_text_and_in_json_it_is_its_value() -> None:
    asked = Asked.model_validate_json('{"timeframe": "15m"}')
    assert asked.timeframe is Timeframe.M15
    assert f"{asked.timeframe}" == "15m" == json.loads(asked.model_dump_json())["timeframe"]
    assert json.dumps(asked.model_dump()) == '{"timeframe": "15m"}'
    assert Asked.model_json_schema()["properties"]["timeframe"]["type"] == "string"
