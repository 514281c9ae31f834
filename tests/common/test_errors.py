import json

import pytest

from common.errors import (
    ERRORS,
    PROBLEM_TYPE_PREFIX,
    ConfigurationError,
    InternalError,
    NighttrainError,
    StaleLeaseError,
    from_problem,
)


def kinds() -> list[type[NighttrainError]]:
    found, ahead = [], [NighttrainError]
    while ahead:
        # Other tests may have loaded subclasses of their own, which never cross a boundary.
        subclasses = [kind for kind in ahead.pop().__subclasses__() if kind.__module__ == "common.errors"]
        found += subclasses
        ahead += subclasses
    return found


def test_every_error_stands_in_the_table_under_a_code_of_its_own() -> None:
    assert sorted(ERRORS.values(), key=repr) == sorted(kinds(), key=repr)
    assert {error.kind.code for error in kinds()} == set(ERRORS)


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_an_error_survives_the_wire(error) -> None:
    raised = error("lease 7 is not held", "claim again")
    document = json.loads(json.dumps(raised.problem("/api/leases/7")))
    assert document["type"] == PROBLEM_TYPE_PREFIX + error.kind.code
    assert document["status"] == error.kind.status
    assert document["instance"] == "/api/leases/7"
    back = from_problem(document)
    assert type(back) is error
    assert (back.detail, back.hint, str(back)) == (raised.detail, raised.hint, str(raised))


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_statuses_are_errors_and_exit_codes_are_the_documented_ones(error) -> None:
    assert 400 <= error.kind.status <= 599
    assert error.kind.exit_code in (1, 2)


def test_an_error_is_one_line_with_what_to_do() -> None:
    assert str(ConfigurationError("port 5000 is taken", "use --port")) == "port 5000 is taken (use --port)"
    assert str(ConfigurationError("port 5000 is taken")) == "port 5000 is taken"


@pytest.mark.parametrize(
    ("document", "detail"),
    [
        ({"type": "about:blank", "detail": "teapot"}, "teapot"),
        ({"type": PROBLEM_TYPE_PREFIX + "unheard-of", "title": "New"}, "New"),
        ({}, "no detail given"),
        ({"type": None, "detail": None, "hint": None}, "no detail given"),
    ],
)
def test_an_unknown_problem_keeps_its_words(document, detail) -> None:
    error = from_problem(document)
    assert type(error) is InternalError
    assert (error.detail, error.hint) == (detail, "")


def test_a_stale_lease_is_told_from_other_conflicts_by_its_code() -> None:
    stale = from_problem({"type": PROBLEM_TYPE_PREFIX + "stale-lease", "status": 409, "detail": "x"})
    assert type(stale) is StaleLeaseError
