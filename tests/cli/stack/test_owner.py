"""Whom the containers run as: root, sudo, rootless engines, Docker Desktop, and starts by several users."""

import pytest

from cli.stack.facts import Engine
from cli.stack.owner import Owner, User, owner_of
from common.errors import ConfigurationError

LINUX = Engine(8, 16384)
ROOTLESS = Engine(8, 16384, rootless=True)
ROOT, ME, OURS = User(0, 0), User(1000, 1000), User(10001, 10001)


@pytest.mark.parametrize(
    ("engine", "caller", "behind_sudo", "written", "expected"),
    [
        (LINUX, ME, None, None, Owner(ME, ME)),
        (LINUX, ROOT, None, None, Owner(OURS, ROOT)),
        (LINUX, ROOT, ME, None, Owner(ME, ME)),
        (LINUX, ROOT, ROOT, None, Owner(OURS, ROOT)),
        (LINUX, ROOT, None, ME, Owner(ME, ROOT)),
        (LINUX, ME, None, ME, Owner(ME, ME)),
        (LINUX, ME, None, User(1000, 50), Owner(User(1000, 50), ME)),
        (LINUX, None, None, None, Owner(OURS, None)),
        (ROOTLESS, ME, None, None, Owner(ROOT, ROOT)),
    ],
)
def test_the_containers_run_as_whoever_the_secrets_belong_to(engine, caller, behind_sudo, written, expected):
    assert owner_of(engine, caller, behind_sudo, written) == expected


def test_a_start_as_root_is_followed_by_one_as_the_user_who_gets_all():
    owner = owner_of(LINUX, ME, None, OURS)
    assert (owner.containers, owner.person) == (ME, ME)
    assert "run as user 1000 now: .env had 10001" in owner.words


def test_a_rootless_engine_takes_over_from_one_of_root():
    owner = owner_of(ROOTLESS, ME, None, ME)
    assert owner.containers == ROOT and "run as user 0 now" in owner.words


def test_a_user_of_ones_own_who_may_not_read_the_secrets_is_refused():
    with pytest.raises(
        ConfigurationError, match=r"NIGHTTRAIN_UID=70 in .env may not read secrets/.*user 1000"
    ):
        owner_of(LINUX, ME, None, User(70, 70))


def test_engines_on_which_nothing_would_start_are_told_apart_and_say_what_to_do():
    with pytest.raises(ConfigurationError, match="userns-remap"):
        owner_of(Engine(8, 16384, remapped=True), ME, None, None)
    with pytest.raises(ConfigurationError, match=r"may not limit the CPUs.*delegate cpu.*https://"):
        owner_of(Engine(8, 16384, rootless=True, limits_cpu=False), ME, None, None)
