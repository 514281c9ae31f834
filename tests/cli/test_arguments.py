from __future__ import annotations

import pytest

from cli.arguments import Takes, separated, spelled_out

OPTIONS = {
    "--symbols": Takes.MANY,
    "--horizons": Takes.MANY,
    "--out": Takes.ONE,
    "--days": Takes.ONE,
    "--json": Takes.NONE,
    "-h": Takes.NONE,
}


@pytest.mark.parametrize(
    ("words", "spelled"),
    [
        ("", ""),
        ("--symbols A B C", "--symbols=A --symbols=B --symbols=C"),
        ("--symbols A B --json --horizons 1", "--symbols=A --symbols=B --json --horizons=1"),
        ("--symbols A --symbols B", "--symbols=A --symbols=B"),
        ("--symbols=A,B", "--symbols=A,B"),
        ("--symbols A=B", "--symbols=A=B"),
        ("--out night --json", "--out=night --json"),
        ("--out=night", "--out=night"),
        ("--horizons -1 3", "--horizons=-1 --horizons=3"),
        ("--days -1.5", "--days=-1.5"),
        ("--out -", "--out=-"),
    ],
)
def test_each_value_has_an_option_of_its_own(words: str, spelled: str) -> None:
    assert spelled_out(words.split(), OPTIONS) == spelled.split()


@pytest.mark.parametrize(
    ("words", "spelled"),
    [
        ("--symbol A B", "--symbol A B"),
        ("--o=night", "--o=night"),
        ("-h", "-h"),
        ("--seed 1", "--seed 1"),
        ("-x A", "-x A"),
        ("A B", "A B"),
    ],
)
def test_what_is_unknown_is_left_for_typer_to_refuse_and_never_guessed(words: str, spelled: str) -> None:
    assert spelled_out(words.split(), OPTIONS) == spelled.split()


def test_the_second_value_of_an_option_with_one_is_not_its_own() -> None:
    assert spelled_out(["--out", "a", "b"], OPTIONS) == ["--out=a", "b"]


def test_after_two_dashes_nothing_is_an_option() -> None:
    words = ["--json", "--", "--symbols", "A", "B"]
    assert spelled_out(words, OPTIONS) == words


def test_a_value_may_have_spaces_and_begin_with_a_dash_then() -> None:
    assert spelled_out(["--out", "- my night"], OPTIONS) == ["--out=- my night"]


@pytest.mark.parametrize("words", ["--symbols", "--symbols --json"])
def test_an_option_with_several_values_needs_one(words: str) -> None:
    with pytest.raises(ValueError, match=r"^--symbols needs at least one value$"):
        spelled_out(words.split(), OPTIONS)


@pytest.mark.parametrize("words", ["--out", "--out --json"])
def test_an_option_with_one_value_needs_it(words: str) -> None:
    with pytest.raises(ValueError, match=r"^--out needs a value$"):
        spelled_out(words.split(), OPTIONS)


def test_commas_part_values() -> None:
    assert separated(["A,B", "C", ",D,"]) == ["A", "B", "C", "D"]
    assert separated([]) == []
    assert separated(None) is None


@pytest.mark.parametrize("words", [["--out", ""], ["--out="], ["--symbols", "A", ""]])
def test_an_empty_value_is_no_value(words: list[str]) -> None:
    with pytest.raises(ValueError, match=f"the value of {words[0].rstrip('=')} is empty"):
        spelled_out(words, OPTIONS)
