"""Real nights that operators steer by the commands while trainers work: nothing is lost by it."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.app import main
from tests.cli.nights import (
    Night,
    essence,
    going,
    held,
    interrupt,
    kill,
    only_results_of,
    process_of,
    status,
    until,
)

LONGER = ("--timeframes", "5m")
"""More cells, which take seconds each: time enough to steer them while they are worked on."""

PAUSE = ("pause", "--give-back", "--reason", "lunch")

Steer = Callable[..., dict[str, Any]]


@pytest.fixture
def steer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Steer:
    """Runs a command of the operator against the night in the folder.

    In this process, for the night is over in seconds, and a command that is refused is an empty document.
    """

    def call(*words: object) -> dict[str, Any]:
        capsys.readouterr()
        code = main([*map(str, words), "--out", str(tmp_path), "--json"])
        told = capsys.readouterr()
        assert code == 0 or told.err
        document: dict[str, Any] = json.loads(told.out) if code == 0 else {}
        return document

    return call


def given_back(out: Path) -> Callable[[], bool]:
    def reached() -> bool:
        document = status(out)
        return bool(document and document["run"]["training"]["leased"] == 0)

    return reached


def test_a_night_that_is_paused_killed_and_resumed_ends_like_an_undisturbed_one(
    undisturbed: Night, candles: Path, tmp_path: Path, steer: Steer
) -> None:
    with going(tmp_path, candles) as night:
        with held(night.pid, tmp_path):
            assert steer(*PAUSE)["changed"]
        until(given_back(tmp_path), "that the running job is given back", 120)
        before = steer("nights", "show")
        kill(night.pid, "coordinator")
        kill(night.pid, "trainer")
        until(lambda: process_of(night.pid, "trainer"), "another trainer", 120)
        after = until(lambda: status(tmp_path), "the coordinator again", 120)
        assert after["run"]["paused"]["reason"] == "lunch" and after["eta"]["paused"]
        waiting = steer("jobs", "list", "--state", "queued")["jobs"]
        assert waiting and all(": lunch" in job["waits"] for job in waiting)
        assert steer("nights", "show")["training"] == before["training"]
        # What is cancelled and tried again, or wanted next, changes nothing of the result either.
        assert steer("jobs", "cancel", waiting[-1]["id"])["changed"]
        assert steer("jobs", "retry", waiting[-1]["id"])["changed"]
        assert steer("jobs", "next", waiting[-1]["id"])["changed"]
        assert steer("resume")["changed"]
        assert night.wait(300) == 0
    assert essence(only_results_of(tmp_path)) == essence(undisturbed[0])


def test_a_night_that_is_resumed_while_it_is_paused_says_what_lets_it_go_on(
    candles: Path, tmp_path: Path, steer: Steer
) -> None:
    with going(tmp_path, candles) as night:
        with held(night.pid, tmp_path, cells=0) as trainer:
            assert steer(*PAUSE)["changed"]
            interrupt(night, trainer)
        assert night.wait(120) == 130
    with going(tmp_path, candles) as again:
        assert again.stdout is not None
        line = next(line for line in again.stdout if "resumes" in line)
        assert "it is PAUSED since" in line and f"nighttrain resume --out {tmp_path}" in line
        assert steer("resume")["changed"]
        again.send_signal(signal.SIGINT)
        assert again.wait(120) == 130


def test_a_job_that_is_cancelled_while_a_trainer_works_on_it_is_dropped_at_once(
    candles: Path, tmp_path: Path, steer: Steer
) -> None:
    with going(tmp_path, candles, *LONGER) as night:

        def cancelled() -> dict[str, Any] | None:
            if (agent := process_of(night.pid, "trainer")) is None:
                return None
            # A cell takes a fraction of a second: who holds still cannot end it before it is cancelled.
            agent.suspend()
            try:
                document = status(tmp_path)
                at_work = [one for one in (document or {}).get("trainers", ()) if one["job_id"]]
                working = [one["job_id"] for one in at_work if not one["job"].startswith("survey")]
                for job_id in working:
                    # What the agent had sent may end it yet.
                    told = steer("jobs", "cancel", job_id)
                    if "learns of it" in told.get("words", ""):
                        return told
                return None
            finally:
                agent.resume()

        job = until(cancelled, "a job that is worked on", 240)
        assert night.wait(300) == 1
    results = only_results_of(tmp_path)
    states = [one["state"] for one in results["jobs"]]
    assert states.count("cancelled") == 1 and states.count("succeeded") == len(states) - 1
    [dropped] = [one for one in results["jobs"] if one["state"] == "cancelled"]
    assert [attempt["outcome"] for attempt in dropped["attempts"]] == ["cancelled"], job
    assert "it was cancelled by" in dropped["message"]


def test_a_night_that_is_ended_keeps_what_is_done_and_the_next_one_goes_on(
    candles: Path, tmp_path: Path, steer: Steer
) -> None:
    with going(tmp_path, candles, *LONGER) as night:
        with held(night.pid, tmp_path, 2):
            told = steer("end", "--yes", "--reason", "it is morning")
        assert told["changed"] and "nothing lost" in told["words"]
        assert night.wait(240) == 1
    results = only_results_of(tmp_path)
    totals = results["totals"]
    assert totals["succeeded"] >= 2 and totals["cancelled"] >= 1 and totals["failed"] == 0
    assert totals["succeeded"] + totals["cancelled"] == totals["jobs"]
    dropped = next(one for one in results["jobs"] if one["state"] == "cancelled")
    assert "the night is ended early" in dropped["message"] and "it is morning" in dropped["message"]
    with going(tmp_path, candles, *LONGER) as night:
        said, _ = night.communicate(timeout=300)
    assert night.returncode == 0 and "night 2: 12 cells" in said
