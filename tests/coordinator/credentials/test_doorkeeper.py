"""Each role may do its own, and who guesses waits beside honest ones who do not."""

from __future__ import annotations

import pytest

from common.errors import ForbiddenError, ThrottledError, UnauthorizedError
from common.token_file import Role
from coordinator.credentials.doorkeeper import Doorkeeper, changed_by
from coordinator.credentials.throttle import FREE_FAILURES, Throttle
from tests.coordinator.specimens import Clock
from tests.coordinator.wire import token_of, tokens

HOME = "127.0.0.1"


@pytest.fixture
def counted() -> list[str]:
    return []


@pytest.fixture
def doorkeeper(counted: list[str]) -> Doorkeeper:
    return Doorkeeper(tokens(), Throttle(Clock()), counted.append)


@pytest.mark.parametrize("role", Role)
def test_each_role_passes_where_it_belongs_and_nowhere_else(doorkeeper: Doorkeeper, role: Role) -> None:
    for needed in Role:
        if needed is role:
            assert doorkeeper.admit(token_of(role), (needed,), HOME) is role
            continue
        said = f"^that is {role.owner} token, and this needs {needed.owner}"
        with pytest.raises(ForbiddenError, match=said):
            doorkeeper.admit(token_of(role), (needed,), HOME)


def test_a_token_of_another_role_is_no_guess(doorkeeper: Doorkeeper, counted: list[str]) -> None:
    for _ in range(3 * FREE_FAILURES):
        with pytest.raises(ForbiddenError):
            doorkeeper.admit(token_of(Role.TRAINER), (Role.OPERATOR,), HOME)
    assert doorkeeper.throttle.wait_seconds(HOME) == 0 and counted == []


def test_who_guesses_is_throttled_and_who_has_a_token_at_the_same_address_is_not(
    doorkeeper: Doorkeeper, counted: list[str]
) -> None:
    for _ in range(FREE_FAILURES):
        with pytest.raises(UnauthorizedError, match="is wrong") as refused:
            doorkeeper.admit("guess", (Role.TRAINER,), HOME)
        assert type(refused.value) is UnauthorizedError
        assert doorkeeper.admit(token_of(Role.TRAINER), (Role.TRAINER,), HOME) is Role.TRAINER
    for _ in range(3):
        with pytest.raises(ThrottledError) as throttled:
            doorkeeper.admit("guess", (Role.TRAINER,), HOME)
        assert throttled.value.retry_after_seconds == 2
        assert doorkeeper.admit(token_of(Role.TRAINER), (Role.TRAINER,), HOME) is Role.TRAINER
    assert counted == ["refused"] * FREE_FAILURES + ["throttled"] * 3


@pytest.mark.parametrize("header", ["", "Bearer", "Basic abc", token_of(Role.OPERATOR)])
def test_no_token_is_no_guess_either(doorkeeper: Doorkeeper, counted: list[str], header: str) -> None:
    with pytest.raises(UnauthorizedError):
        doorkeeper.admit_header(header, (Role.OPERATOR,), HOME)
    assert counted == [] or header == "Bearer"


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("/api/trainers", Role.TRAINER),
        ("/api/claims", Role.TRAINER),
        ("/api/leases/x/finish", Role.TRAINER),
        ("/api/alerts", Role.ALERTS),
        ("/api/runs", Role.OPERATOR),
        ("/api/trainersx", Role.OPERATOR),
        ("/api/leasesx/finish", Role.OPERATOR),
        ("//api/leases/x", Role.OPERATOR),
        ("/api/something/new", Role.OPERATOR),
    ],
)
def test_what_nobody_else_is_named_for_is_the_operators(path: str, role: Role) -> None:
    assert changed_by(path) is role
