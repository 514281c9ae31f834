"""The digest of a night, handed over once to an Alertmanager."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from sqlalchemy import select

from coordinator.housekeeping.digest import Digest
from coordinator.housekeeping.duty import Turn
from coordinator.runs.ended import DELIVERY
from coordinator.store.tables import digests
from tests.coordinator.specimens import Night
from tests.metrics.scrape import free_port


class Taker:
    """Takes alerts as Alertmanager does, or refuses them."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.status = 200
        taker = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.path == "/api/v2/alerts"
                taker.taken += json.loads(body)
                self.send_response(taker.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def taker() -> Iterator[Taker]:
    made = Taker()
    yield made
    made.close()


def ended(night: Night) -> None:
    night.finish_all(night.start(symbols=("BTCUSDT",), timeframes=("1h",), horizons=(1,)))
    # Without its digest, which each test hands over by itself.
    for duty in night.housekeeping.duties:
        if not isinstance(duty, Digest):
            duty.run(Turn(night.clock.now))


def turn(night: Night, duty: Digest) -> None:
    """One turn, and the end of the try that it may have begun."""
    duty.run(Turn(night.clock.now))
    if duty._try is not None:
        duty._try.thread.join(10)


def closed(night: Night) -> list[str | None]:
    with night.database.read() as tx:
        rows = tx.connection.execute(select(digests.c.closed, digests.c.problem))
        return [None if row.closed is None else row.problem for row in rows]


def test_a_night_that_ends_is_handed_over_once(night: Night, taker: Taker) -> None:
    duty = Digest(night.database, night.reports, taker.url + "/")
    turn(night, duty)
    ended(night)
    for _ in range(5):
        turn(night, duty)
        night.clock.advance(60)
    [alert] = taker.taken
    assert alert["labels"] == {
        "alertname": "NighttrainNightEnded",
        "severity": "info",
        "component": "night",
        "run": "1",
        "ended": "2026-03-02T12:00:00Z",
    }
    assert alert["annotations"]["summary"] == "Night 1: 1 promoted, 0 failed, 0 s"
    lines = alert["annotations"]["description"].split("\n")
    assert 5 <= len(lines) <= 10 and lines[-1] == "Report: http://127.0.0.1:5000/nights/1/report"
    assert closed(night) == [""]


def test_killed_before_it_was_recorded_the_same_alert_is_handed_over_again(
    night: Night, taker: Taker
) -> None:
    ended(night)
    turn(night, Digest(night.database, night.reports, taker.url))
    night.clock.advance(600)
    # The next process knows nothing of the first one's try.
    turn(night, Digest(night.database, night.reports, taker.url))
    first, second = taker.taken
    assert first == second


def test_who_cannot_be_reached_is_tried_again_for_a_while_and_disturbs_nobody(
    night: Night, taker: Taker, caplog: pytest.LogCaptureFixture
) -> None:
    ended(night)
    duty = Digest(night.database, night.reports, f"http://127.0.0.1:{free_port()}")
    for _ in range(10):
        turn(night, duty)
        night.clock.advance(70)
    assert closed(night) == [None] and caplog.text.count("is not handed over") == 1
    # It comes back in time.
    duty.alertmanager = taker.url
    turn(night, duty)
    turn(night, duty)
    assert len(taker.taken) == 1 and closed(night) == [""]


def test_after_half_an_hour_it_is_given_up_with_the_reason(night: Night, taker: Taker) -> None:
    ended(night)
    taker.status = 500
    duty = Digest(night.database, night.reports, taker.url)
    began = night.clock.now
    while night.clock.now < began + DELIVERY + timedelta(minutes=2):
        turn(night, duty)
        night.clock.advance(65)
    [problem] = closed(night)
    assert problem is not None and "500" in problem
    assert 10 < len(taker.taken) < 35


def test_an_address_that_hangs_holds_no_turn_up(night: Night) -> None:
    ended(night)
    with_no_answer = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    try:
        duty = Digest(night.database, night.reports, f"http://127.0.0.1:{with_no_answer.server_address[1]}")
        duty.run(Turn(night.clock.now))
        tried = duty._try
        assert tried is not None and tried.thread.is_alive()
        for _ in range(20):
            began = time.monotonic()
            duty.run(Turn(night.clock.now))
            assert time.monotonic() - began < 1
        assert duty._try is tried
        tried.thread.join(20)
        assert tried.problem and "timed out" in tried.problem
    finally:
        with_no_answer.server_close()


def test_without_receivers_a_digest_is_logged_and_done(
    night: Night, caplog: pytest.LogCaptureFixture
) -> None:
    ended(night)
    with caplog.at_level("INFO"):
        turn(night, Digest(night.database, night.reports, ""))
    assert "Night 1: 1 promoted, 0 failed, 0 s. 1 of 1 cell trained" in caplog.text
    assert closed(night) == [""]
