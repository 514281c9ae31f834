"""One leaf of a valid message made hostile, for each kind of message; then everybody reads what came of it.

What is refused must be the sender's error. What is accepted must harm no honest reader.
"""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.protocol.jobs import Cause, TrainingSpec
from common.protocol.runs import RunRequest
from common.protocol.steering import PauseOrder
from common.protocol.trainers import SHA256_HEADER, Grant
from tests.coordinator.specimens import (
    checkpoint,
    claim,
    failure,
    finish,
    grid,
    hello,
    release,
    renewal,
    survey_report,
    training_report,
)
from tests.coordinator.wire import granted
from tests.hostile.outcome import Log, Outcome, Setup
from tests.hostile.readers import BrokenPromiseError, Lines, Reader, log_lines
from tests.hostile.target import Target, target

HUGE = "x" * 100_000
NUMBERS: tuple[Any, ...] = (
    -1, 0, 0.5, 1, 2, 1e12, 1e308, -1e308, 5e-324, 2**31, 2**53, 2**63 - 1, 2**63, -(2**63), 10**400,
    float("nan"), float("inf"), True,
)  # fmt: skip
TEXTS: tuple[Any, ...] = (
    "", "\ud800", "x\udfff", "\x00", "\x1b[2J\x1b]0;owned\x07",
    "a\n2026-03-02T12:00:00.000Z INFO test forged: a",
    "\r\x1b[1A", HUGE, "../../etc/passwd", "<script>alert(1)</script>", "\u202etxt.exe", "{}%s%n",
    "\ufdfa" * 3000,
)  # fmt: skip
TIMES: tuple[Any, ...] = (
    "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-14:00",
    "0001-01-01T00:00:00+14:00", "2026-01-01T00:00:00", "2262-04-11T23:47:16.854775807Z", 1e18, -1e18,
)  # fmt: skip
OTHERS: tuple[Any, ...] = (None, [], {}, [[]], {"\ud800": "\x1b[2J"}, "absent", "doubled")


@dataclass(frozen=True)
class Message:
    """A valid message, and where it is sent."""

    name: str
    method: str
    path: str
    document: dict[str, Any]


def leaves(setup: Setup) -> Iterator[Outcome]:
    """Yield a line for each kind of message."""
    with target(setup.folder) as coordinator, log_lines() as log:
        yield from _attacked(coordinator, setup, log, _before_surveys(coordinator))
        _to_training(coordinator)
        yield from _attacked(coordinator, setup, log, _in_training(coordinator))


def hostile(document: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield each place of a document with each value that is to stand there."""
    if isinstance(document, dict):
        for key, value in document.items():
            yield from hostile(value, (*place, key))
    elif isinstance(document, list):
        for index, value in enumerate(document):
            yield from hostile(value, (*place, index))
    values: list[Any] = list(OTHERS)
    if isinstance(document, str):
        values += TIMES if document[:4].isdecimal() and "T" in document else TEXTS
    elif isinstance(document, (int, float)) or document is None:
        values += NUMBERS
    if place:
        yield from ((place, value) for value in values)


def changed(document: dict[str, Any], place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """Return a copy of a document with a value at a place, which may also be left out or be there twice."""
    whole = copy.deepcopy(document)
    within: Any = whole
    for step in place[:-1]:
        within = within[step]
    if value == "absent":
        del within[place[-1]]
    elif value == "doubled":
        within[place[-1]] = [within[place[-1]]] * 2
    else:
        within[place[-1]] = value
    return whole


def _attacked(coordinator: Target, setup: Setup, log: Lines, messages: list[Message]) -> Iterator[Outcome]:
    each = setup.tries(400, 4)
    restore = kept_aside(coordinator)
    reader = Reader(coordinator)
    for message in messages:
        random = setup.random(message.name)
        tries = list(hostile(message.document))
        results = Log()
        for place, value in random.sample(tries, min(each, len(tries))):
            where = f"{message.name} {'.'.join(map(str, place))} = {str(value)[:60]!r}"
            setup.say(where)
            results.add(
                *_sent(coordinator, reader, log, message, changed(message.document, place, value), where)
            )
            restore()
        yield results.outcome(f"leaves: one of {message.name}")


def _sent(
    coordinator: Target, reader: Reader, log: Lines, message: Message, document: dict[str, Any], where: str
) -> tuple[str, str]:
    content = json.dumps(document).encode()
    answer = coordinator.client.request(
        message.method, message.path, content=content, headers={"Content-Type": "application/json"}
    )
    broken = f"{where}: {answer.status_code} {answer.text}" if answer.status_code >= 500 else ""
    if answer.status_code < 300:
        try:
            reader.work()
            reader.read()
        except BrokenPromiseError as error:
            broken = f"{where}: accepted, and then {error}"
    if forged := log.forged():
        broken = broken or f"{where}: a line of the log is {forged!r}"
    return ("accepted" if answer.status_code < 300 else f"{answer.status_code}"), broken


def _before_surveys(coordinator: Target) -> list[Message]:
    [lease] = coordinator.leases()
    spec = granted(coordinator.client).spec
    notification = {
        "version": "4",
        "alerts": [
            {
                "status": "firing",
                "labels": {"alertname": "NighttrainTrainerLost", "severity": "critical", "trainer": "t1"},
                "annotations": {
                    "summary": "A trainer is lost.",
                    "description": "It is silent.",
                    "runbook_url": "u",
                },
                "startsAt": "2026-03-02T11:00:00Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "fingerprint": "f1",
            }
        ],
    }
    return [
        _message("hello", "POST", "/api/trainers", hello("t9", "t9-boot")),
        _message("claim", "POST", "/api/claims", claim("t1-boot")),
        _message("renewal", "POST", f"/api/leases/{lease}/renewals", renewal()),
        _message("failure", "POST", f"/api/leases/{lease}/failure", failure(Cause.ERROR)),
        _message("release", "POST", f"/api/leases/{lease}/release", release()),
        _message("survey", "POST", f"/api/leases/{lease}/finish", finish(survey_report(spec))),
        Message("alerts", "POST", "/api/alerts", notification),
        _message("pause", "POST", "/api/runs/2/pause", PauseOrder(by="me", reason="why")),
        _message("run", "POST", "/api/runs", RunRequest(config=grid(symbols=("BTCUSDT",)))),
    ]


def _to_training(coordinator: Target) -> None:
    grant = granted(coordinator.client)
    done = finish(survey_report(grant.spec))
    answer = coordinator.client.post(
        f"/api/leases/{grant.lease_id}/finish",
        content=done.model_dump_json(),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 204, answer.text


def _in_training(coordinator: Target) -> list[Message]:
    grant: Grant = granted(coordinator.client)
    assert isinstance(grant.spec, TrainingSpec)
    report, content = training_report(grant.spec)
    sha256 = report.manifest.pickle_sha256
    lease = f"/api/leases/{grant.lease_id}"
    sent = coordinator.client.put(f"{lease}/artifact", content=content, headers={SHA256_HEADER: sha256})
    assert sent.status_code == 204, sent.text
    return [
        _message("checkpoint", "PUT", f"{lease}/checkpoint", checkpoint()),
        _message("training", "POST", f"{lease}/finish", finish(report, sha256)),
    ]


def _message(name: str, method: str, path: str, message: Any) -> Message:
    return Message(name, method, path, message.model_dump(mode="json", by_alias=True))


def kept_aside(coordinator: Target) -> Callable[[], None]:
    """Keep the database as it is, and return what brings it back."""
    database = coordinator.parts.database
    path = Path(str(database.engine.url.database))
    copy_of = path.with_suffix(".saved")
    database.close()
    shutil.copy(path, copy_of)

    def restore() -> None:
        database.close()
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        shutil.copy(copy_of, path)

    return restore
