from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from cli.app import main
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


@pytest.mark.parametrize("words", [["--out", ""], ["--out="]])
def test_an_empty_value_names_no_place(words: list[str]) -> None:
    with pytest.raises(ValueError, match="the value of --out is empty"):
        spelled_out(words, OPTIONS, {"--out"})
    # Elsewhere it may mean nobody, or nothing.
    assert spelled_out(words, OPTIONS) == ["--out="]


@pytest.mark.parametrize("option", ["--out", "--data", "--config"])
def test_no_night_is_written_where_a_variable_is_not_set(
    option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["run", option, ""]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"nighttrain run: the value of {option} is empty") and said.count("\n") == 1
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["prepare", "--uid", "1", "--gid", "1", "--sudo-uid", "", "--sudo-gid", ""], "what docker says"),
        (["explain", "--ports", ""], "not all services became healthy"),
    ],
    ids=["nobody called sudo", "no port is published"],
)
def test_where_an_empty_value_means_nobody_the_command_is_run(
    words: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("no JSON"))
    main(["stack", *words])
    told = "".join(capsys.readouterr())
    assert said in told and "is empty" not in told
