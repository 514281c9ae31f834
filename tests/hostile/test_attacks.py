"""The small part of each attack, and that the table tells what broke."""

import json

import pytest

from tests.hostile import __main__ as hostile
from tests.hostile.outcome import Log, Outcome, markdown, verdict


@pytest.mark.parametrize("name", hostile.ATTACKS)
def test_the_small_part_holds(name, capsys):
    code = hostile.main(["--small", "--json", "--only", name])
    found = json.loads(capsys.readouterr().out)
    assert (code, found["seed"], found["small"]) == (0, 1, True), found
    assert all(line["held"] and line["tries"] for line in found["outcomes"]) and found["outcomes"]


def test_what_broke_is_printed_below_the_table_with_its_input(monkeypatch, capsys):
    def broken(setup):
        log = Log()
        log.add("200")
        log.add("500", "GET /here\n500")
        yield log.outcome("schema: some")

    monkeypatch.setitem(hostile.ATTACKS, "schema", broken)
    assert hostile.main(["--only", "schema", "--seed", "3"]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[2] == "| schema: some | 2     | 1 200, 1 500 | 1 BROKEN |"
    assert said[-2:] == ["0 of 1 lines held, in 2 tries (seed 3)", "schema: some: GET /here 500"]


def test_an_attack_that_breaks_down_has_not_held(monkeypatch, capsys):
    def broken(setup):
        raise OSError("no room")

    monkeypatch.setitem(hostile.ATTACKS, "schema", broken)
    assert hostile.main(["--small", "--only", "schema"]) == 1
    assert "no room" in capsys.readouterr().out


def test_an_attack_without_a_try_has_not_held():
    outcome = Outcome("nothing", 0, "")
    assert not outcome.held
    assert "NOTHING TRIED" in markdown([outcome])
    assert verdict([outcome]) == "0 of 1 lines held, in 0 tries"
