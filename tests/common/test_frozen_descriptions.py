from pydantic import Field

from common.frozen import Frozen


class Part(Frozen):
    """A part."""

    size: int
    """How large it is."""


class Whole(Part):
    """A whole."""

    part: Part
    """What it has
    within."""
    named: str = Field(default="", description="As it was given.")
    """Not what is told."""
    given: int = Field(alias="written")
    """By another name."""
    bare: int = 0


def test_the_strings_below_fields_describe_them_those_of_bases_too() -> None:
    schema = Whole.model_json_schema()
    told = {name: field.get("description") for name, field in schema["properties"].items()}
    assert told == {
        "size": "How large it is.",
        "part": "What it has\nwithin.",
        "named": "As it was given.",
        "written": "By another name.",
        "bare": None,
    }
    assert schema["$defs"]["Part"]["properties"]["size"]["description"] == "How large it is."


def test_a_class_within_a_function_is_described_too() -> None:
    class Local(Frozen):
        """One of this function."""

        size: int
        """Its size."""

    assert Local.model_json_schema()["properties"]["size"]["description"] == "Its size."


def test_a_class_without_source_has_no_descriptions() -> None:
    named = {"__module__": "no.such.module", "__annotations__": {"size": int}}
    made = type(Frozen)("Made", (Frozen,), named)
    assert "description" not in made.model_json_schema()["properties"]["size"]
