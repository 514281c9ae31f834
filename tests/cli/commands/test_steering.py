"""`nighttrain pause`, `resume`, `end` and `cancel`, against a coordinator over real HTTP."""

from __future__ import annotations

import getpass
import json

import pytest

from common.protocol.trainers import Directive
from tests.cli.commands.conftest import Ask, Call
from tests.coordinator.specimens import Night, checkpoint, release, renewal


def test_a_night_that_is_not_there_is_a_mistake_and_no_empty_answer(say: Call, work: Night) -> None:
    work.start()
    for words in (("jobs", "list"), ("nights", "audit"), ("jobs", "why", "BTCUSDT_1h_H1"), ("pause",)):
        code, out, err = say(*words, "--night", 7)
        assert (code, out) == (1, "") and "there is no night 7" in err, words


def test_a_night_is_paused_shown_as_such_and_resumed(say: Call, ask: Ask, work: Night) -> None:
    work.start()
    code, out, err = say("pause", "--reason", "I need the machine")
    assert (code, err) == (0, "")
    assert out.startswith("night 1 is paused: 0 running jobs go on to the end, 8 wait")
    assert "paused" in say("nights", "list")[1]
    shown = say("nights", "show")[1]
    assert "I need the machine" in shown and "state     paused" in shown
    assert say("pause")[1].startswith("night 1 is paused already, since")
    told = ask("resume")
    assert (told["action"], told["changed"]) == ("resume", True)
    assert not ask("resume")["changed"]
    entries = ask("nights", "audit")["entries"]
    assert [entry["action"] for entry in entries] == ["resume", "pause"]
    assert entries[1]["by"].startswith(getpass.getuser() + "@")
    assert entries[1]["origin"] == "127.0.0.1 nighttrain"
    assert entries[1]["reason"] == "I need the machine"


def test_with_give_back_running_jobs_stop_too(ask: Ask, work: Night) -> None:
    held = work.grant(work.start())
    ask("pause", "--give-back")
    assert work.queue.renew(held.lease_id, renewal()).directive is Directive.RELEASE


def test_an_end_says_what_is_kept_and_asks_first(say: Call, ask: Ask, work: Night) -> None:
    boot = work.start()
    work.succeed(work.grant(boot))
    held = work.grant(boot)
    work.queue.save_checkpoint(held.lease_id, checkpoint(3))
    code, out, _ = say("end", "--preview")
    assert code == 0 and out.startswith("would be done: night 1 ends now")
    assert "3 folds and 1 finished cell kept, nothing lost" in out
    code, out, err = say("end")
    assert (code, out) == (2, "")
    assert err.startswith("nighttrain: this cannot be undone: night 1 ends now") and "(say --yes)" in err
    assert ask("nights", "show")["ended_early"] is None
    told = ask("end", "--yes", "--reason", "it is morning")
    assert told["changed"] and told["folds_saved"] == 3
    work.queue.release(held.lease_id, release())
    work.housekeeping.tick()
    night = ask("nights", "show")
    assert (night["state"], night["ended_early"]["reason"]) == ("done", "it is morning")
    again = ask("end")
    assert not again["changed"] and "is ended early already" in again["words"]


def test_a_cancelled_night_is_asked_for_too(say: Call, ask: Ask, work: Night) -> None:
    work.start()
    assert say("cancel")[0] == 2
    assert ask("cancel", "--yes")["jobs"] == 8
    assert ask("nights", "show", 1)["state"] == "cancelled"
    code, _, err = say("pause")
    assert code == 2 and "night 1 was cancelled" in err and err.count("\n") == 1


def test_without_any_night_it_says_how_to_begin_one(say: Call) -> None:
    code, out, err = say("pause")
    assert (code, out) == (1, "")
    assert err == ("nighttrain: there is no night yet (begin one with nighttrain start or nighttrain run)\n")
    assert say("nights", "list")[1] == "there is no night yet\n"
    assert say("pause", "--night", 7)[::2] == (1, "nighttrain: there is no night 7\n")


@pytest.mark.parametrize("reason", ["a\x1b[2Jb", "x" * 501])
def test_a_reason_that_cannot_be_kept_is_a_mistake(say: Call, work: Night, reason: str) -> None:
    work.start()
    code, _, err = say("pause", "--reason", reason)
    assert code == 2 and err.startswith("nighttrain: --reason: ")


def test_alerts_are_listed_with_what_to_do(say: Call, ask: Ask, steered: object) -> None:
    assert say("alerts", "--firing")[1] == "no alert\n"
    assert ask("alerts") == {"total": 0, "limit": 50, "offset": 0, "alerts": []}
    assert json.dumps(ask("alerts"))
