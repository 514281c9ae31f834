"""`nighttrain jobs`, against a coordinator over real HTTP."""

from __future__ import annotations

import pytest

from common.protocol.jobs import Cause
from common.protocol.trainers import Directive
from tests.cli.commands.conftest import Ask, Call
from tests.coordinator.specimens import Night, checkpoint, failure, renewal

ONE_SYMBOL = {"symbols": ("BTCUSDT",)}


@pytest.fixture
def boot(work: Night) -> str:
    return work.start(**ONE_SYMBOL)


def failed(work: Night, boot: str, message: str = "too few rows") -> int:
    grant = work.grant(boot)
    work.queue.fail(grant.lease_id, failure(Cause.DATA, message))
    return grant.job_id


def test_jobs_are_listed_with_what_they_wait_for(say: Call, ask: Ask, work: Night, boot: str) -> None:
    failed(work, boot)
    lines = say("jobs", "list")[1].splitlines()
    assert lines[0].split() == ["id", "job", "state", "tries", "auc", "took", "what"]
    assert len(lines) == 6
    assert "too few rows" in next(line for line in lines if "BTCUSDT_15m_H1" in line)
    assert "it waits for a free trainer" in lines[-1]
    assert ask("jobs", "list", "--state", "failed")["total"] == 1
    assert (
        ask("jobs", "list", "--symbol", "btc/usdt", "--timeframe", "1h", "--kind", "training")["total"] == 2
    )
    assert say("jobs", "list", "--limit", 2)[1].endswith("\n3 more\n")
    code, _, err = say("jobs", "list", "--state", "asleep")
    assert code == 2 and "use one of queued, leased" in err
    code, _, err = say("jobs", "list", "--timeframe", "7m")
    assert code == 2 and "use one of 1m" in err


def test_one_is_shown_by_its_name_or_its_id(say: Call, ask: Ask, work: Night, boot: str) -> None:
    held = work.grant(boot)
    work.queue.fail(held.lease_id, failure(Cause.TIMEOUT, "it hung"))
    work.clock.advance(60)
    held = work.grant(boot)
    work.queue.save_checkpoint(held.lease_id, checkpoint(2))
    shown = say("jobs", "show", "BTCUSDT_15m_H1")[1]
    assert f"BTCUSDT_15m_H1 (id {held.job_id}, night 1)" in shown
    assert "folds saved  2" in shown and "it hung" in shown and "the last lines of its log" in shown
    assert ask("jobs", "show", held.job_id)["id"] == held.job_id
    assert ask("jobs", "show", "survey of BTCUSDT")["kind"] == "survey"
    for wrong, code, words in (
        ("BTCUSDT", 2, "'BTCUSDT' is no cell (write it as BTCUSDT_1h_H3)"),
        ("ETHUSDT_1h_H1", 1, "night 1 has no job ETHUSDT_1h_H1"),
        ("99", 1, "there is no job 99"),
    ):
        told = say("jobs", "show", wrong)
        assert told[0] == code and words in told[2] and told[2].count("\n") == 1


def test_why_says_in_sentences_where_a_job_is(say: Call, ask: Ask, work: Night, boot: str) -> None:
    first = failed(work, boot)
    assert say("jobs", "why", first)[1] == "BTCUSDT_15m_H1 is not trainable: too few rows\n"
    assert "BTCUSDT_1h_H3 waits: it waits for a free trainer" in say("jobs", "why", "BTCUSDT_1h_H3")[1]
    work.succeed(work.grant(boot), auc=0.49)
    assert "promotions are decided on when the night ends" in say("jobs", "why", "BTCUSDT_15m_H3")[1]
    work.finish_all(boot)
    work.housekeeping.tick()
    told = ask("jobs", "why", "BTCUSDT_15m_H3")
    assert told["state"] == "succeeded" and "was not promoted" in told["why"][0] and len(told["why"]) > 1
    assert "was promoted" in say("jobs", "why", "BTCUSDT_1h_H3")[1]


def test_failed_jobs_are_tried_again_one_by_one_by_group_or_all(
    ask: Ask, say: Call, work: Night, boot: str
) -> None:
    first, second, third = failed(work, boot), failed(work, boot, "x"), failed(work, boot, "x")
    assert ask("jobs", "retry", "--failed", "--cause", "oom")["changed"] is False
    assert ask("jobs", "retry", "--failed", "--message", "x", "--preview")["jobs"] == 3
    assert ask("jobs", "retry", "--failed", "--cause", "data", "--message", "x")["jobs"] == 3
    assert ask("jobs", "show", second)["state"] == ask("jobs", "show", third)["state"] == "queued"
    assert ask("jobs", "retry", first, "--reason", "the days are there")["job"] == first
    assert [one["changed"] for one in ask("jobs", "retry", first, second)] == [False, False]
    assert say("jobs", "retry", "--failed")[1] == "no job of night 1 has failed\n"
    for wrong in (
        ["jobs", "retry"],
        ["jobs", "retry", "1", "--failed"],
        ["jobs", "retry", "1", "--cause", "oom"],
    ):
        assert say(*wrong)[0] == 2
    assert "--cause: " in say("jobs", "retry", "--failed", "--cause", "magic")[2]


def test_a_job_is_cancelled_and_its_trainer_learns_of_it(say: Call, ask: Ask, work: Night, boot: str) -> None:
    held = work.grant(boot)
    code, out, _ = say("jobs", "cancel", "BTCUSDT_15m_H1", "--reason", "too slow")
    assert code == 0 and "trainer t1 learns of it at its next renewal" in out
    assert work.queue.renew(held.lease_id, renewal()).directive is Directive.CANCEL
    assert ask("jobs", "show", held.job_id)["message"].endswith(": too slow")
    work.succeed(work.grant(boot))
    code, _, err = say("jobs", "cancel", "BTCUSDT_15m_H3")
    assert code == 2 and "it has succeeded" in err


def test_a_name_that_is_wrong_stops_all_before_anything_is_done(say: Call, ask: Ask, boot: str) -> None:
    assert say("jobs", "cancel", "BTCUSDT_15m_H1", "BTCUSDT_7m_H1")[0] == 2
    assert ask("jobs", "list", "--state", "cancelled")["total"] == 0


def test_a_job_goes_next(say: Call, work: Night, boot: str) -> None:
    assert say("jobs", "next", "BTCUSDT_1h_H3", "BTCUSDT_1h_H1")[1].splitlines() == [
        "BTCUSDT_1h_H3 goes next",
        "BTCUSDT_1h_H1 goes next",
    ]
    jobs = [work.detail(work.grant(work.register(name)).job_id) for name in ("t2", "t3")]
    assert sorted(job.horizon or 0 for job in jobs) == [1, 3] and {job.timeframe for job in jobs} == {"1h"}


def test_a_parked_symbol_is_released(say: Call, work: Night, boot: str) -> None:
    assert say("jobs", "unpark", "btc/usdt")[1] == "BTCUSDT is not parked\n"
    code, _, err = say("jobs", "unpark", "DOGEUSDT")
    assert code == 1 and "it has BTCUSDT" in err
