from __future__ import annotations

from dataclasses import dataclass

import pytest
from pydantic import BaseModel, ValidationError

from common.frozen import Frozen, deferred


class Part(Frozen):
    name: str


class Whole(Frozen):
    name: str
    count: int
    parts: tuple[Part, ...]


class Larger(Part):
    weight: float


@dataclass(frozen=True)
class Row:
    name: str
    count: int
    secret: str = "not shown"


def test_fields_are_read_from_attributes_of_their_names_and_others_are_given() -> None:
    whole = Whole.of(Row("a", 1), count=2, parts=[Row("b", 3), Row("c", 4)])
    assert whole == Whole(name="a", count=2, parts=(Part(name="b"), Part(name="c")))


def test_of_a_larger_model_only_the_fields_of_the_smaller_are_left() -> None:
    part = Part.of(Larger(name="a", weight=1.5))
    assert type(part) is Part and part.model_dump() == {"name": "a"}


def test_what_a_field_does_not_allow_is_refused() -> None:
    with pytest.raises(ValidationError, match="count"):
        Whole.of(Row("a", 1), count="many", parts=())
    with pytest.raises(ValidationError, match="surplus"):
        Whole.of(Row("a", 1), parts=(), surplus=1)
    with pytest.raises(AttributeError, match="parts"):
        Whole.of(Row("a", 1))


def test_models_that_are_made_in_a_block_are_built_when_they_are_first_used() -> None:
    with pytest.raises(ValueError, match="broken"), deferred():

        class Late(BaseModel):
            number: int

        raise ValueError("broken")

    class Early(BaseModel):
        number: int

    assert not Late.__pydantic_complete__ and Early.__pydantic_complete__
    assert Late.model_validate({"number": "3"}).number == 3
    assert Late.model_json_schema() == {**Early.model_json_schema(), "title": "Late"}
