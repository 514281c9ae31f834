"""Where a job's state may go, and that nothing but the transitions writes it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import coordinator
from common.errors import InternalError
from common.protocol.job_views import Outcome
from common.protocol.jobs import FINAL_STATES, Cause, JobState
from coordinator.queue import transitions
from coordinator.queue.leases import attempt_of, held, job_of
from coordinator.queue.transitions import TRANSITIONS, Ending, close_attempt, reopen, take_over
from tests.coordinator.specimens import Night

ROOT = Path(coordinator.__file__).parent


def test_every_state_has_its_transitions_and_final_ones_lead_back_to_the_queue_at_most() -> None:
    assert set(TRANSITIONS) == set(JobState)
    assert all(TRANSITIONS[state] <= {JobState.QUEUED} for state in FINAL_STATES)


def test_what_has_a_model_is_never_queued_again(night: Night) -> None:
    boot = night.start(symbols=("BTCUSDT",), timeframes=("1h",), horizons=(1,))
    grant = night.grant(boot)
    night.succeed(grant)
    with night.database.write() as tx:
        job = job_of(tx, attempt_of(tx, grant.lease_id))
        with pytest.raises(InternalError, match="cannot be queued again: it is succeeded"):
            reopen(tx, job, waiting_since=tx.now, forgiven=0)


def test_every_state_is_reached_from_queued_and_leads_to_an_end() -> None:
    reached, ahead = {JobState.QUEUED}, [JobState.QUEUED]
    while ahead:
        for state in TRANSITIONS[ahead.pop()] - reached:
            reached.add(state)
            ahead.append(state)
    assert reached == set(JobState)
    for state in set(JobState) - FINAL_STATES:
        assert TRANSITIONS[state] & FINAL_STATES


def test_a_job_succeeds_under_a_lease_or_with_the_result_of_another(night: Night) -> None:
    before = {state for state in JobState if JobState.SUCCEEDED in TRANSITIONS[state]}
    assert before == {JobState.QUEUED, JobState.LEASED}
    night.begin()
    grant = night.grant(night.register())
    with night.database.write() as tx:
        _, survey = held(tx, grant.lease_id)
        with pytest.raises(AssertionError):
            take_over(tx, survey, "a survey has no result to take over", reused_from=1)


def test_what_has_changed_meanwhile_is_not_moved(night: Night) -> None:
    night.begin()
    grant = night.grant(night.register())
    ending = Ending(Outcome.RELEASED, Cause.STOPPED)
    with night.database.write() as tx:
        attempt, job = held(tx, grant.lease_id)
        close_attempt(tx, job, attempt, ending, JobState.QUEUED)
        with pytest.raises(InternalError, match="was no longer leased"):
            close_attempt(tx, job, attempt, ending, JobState.QUEUED)


def test_a_transition_that_is_not_in_the_table_is_refused(night: Night) -> None:
    night.begin()
    grant = night.grant(night.register())
    with night.database.write() as tx:
        attempt, job = held(tx, grant.lease_id)
        with pytest.raises(InternalError, match="cannot go from leased to leased"):
            close_attempt(tx, job, attempt, Ending(Outcome.RELEASED, Cause.STOPPED), JobState.LEASED)


def test_nothing_else_writes_a_state() -> None:
    writers = {path for path in ROOT.rglob("*.py") for _ in _writes_of_jobs(ast.parse(path.read_text()))}
    assert writers == {Path(transitions.__file__)}


@pytest.mark.parametrize(
    "code",
    [
        "update(jobs).where(jobs.c.id == 1).values(state=JobState.QUEUED)",
        "jobs.update().values({'state': 'queued'})",
        "update(jobs).values({jobs.c.state: 'queued'})",
        "update(tables.jobs).values(**changes)",
        "connection.execute(update(jobs), changes)",
        "jobs.insert().values(rows=1)",
        "insert(jobs)",
        "text('UPDATE jobs SET state = 1')",
    ],
)
def test_every_way_to_write_one_is_seen(code: str) -> None:
    assert list(_writes_of_jobs(ast.parse(code)))


def test_other_columns_are_for_everybody() -> None:
    for code in (
        "update(jobs).where(jobs.c.state == 'queued').values(rows=1)",
        "update(runs).values(state=1)",
    ):
        assert not list(_writes_of_jobs(ast.parse(code)))


def _writes_of_jobs(tree: ast.AST) -> Iterator[ast.AST]:
    """Give what inserts into `jobs`, or updates it other than by naming columns that are not the state."""
    named = {id(inner) for call in ast.walk(tree) if _names_other_columns(call) for inner in ast.walk(call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            words = node.value.lower().split()
            if words[:2] == ["update", "jobs"] or words[:3] == ["insert", "into", "jobs"]:
                yield node
        elif isinstance(node, ast.Call):
            verb = _name(node.func)
            owner = node.func.value if isinstance(node.func, ast.Attribute) else None
            about_jobs = _name(owner) == "jobs" or any(_name(one) == "jobs" for one in node.args)
            if about_jobs and (verb == "insert" or (verb == "update" and id(node) not in named)):
                yield node


def _names_other_columns(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and _name(node.func) == "values"
        and not node.args
        and all(keyword.arg not in (None, "state") for keyword in node.keywords)
    )


def _name(node: ast.AST | None) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
