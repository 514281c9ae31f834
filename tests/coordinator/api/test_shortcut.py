"""Paths that are answered past FastAPI: they say what it says, of what is right and of what is wrong."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from common.errors import InvalidRequestError
from common.protocol.trainers import REASON_HEADER, Grant, RenewalAnswer
from coordinator.api import shortcut
from coordinator.api.changes import Changes
from coordinator.assembly import Parts
from coordinator.store.database import Database, Transaction
from tests.coordinator.conftest import MakeNight
from tests.coordinator.specimens import claim, finish, hello, renewal, survey_report
from tests.coordinator.wire import begin, body, granted

SHORT, LONG = "application/json", "application/json; charset=utf-8"
"""What is answered at once, and what FastAPI answers."""
LEFT_OUT = ("date", "content-length")


def ask(client: httpx.Client, path: str, content: bytes, kind: str) -> tuple[int, dict[str, str], bytes]:
    answer = client.post(path, content=content, headers={"Content-Type": kind})
    headers = {name: value for name, value in answer.headers.items() if name not in LEFT_OUT}
    return answer.status_code, headers, answer.content


def sent(document: Any) -> bytes:
    content: bytes = body(document)["content"].encode()
    return content


@pytest.fixture
def through(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that were answered at once."""
    found: list[str] = []
    response = shortcut.Shortcut._response

    async def counted(self: shortcut.Shortcut, path: Any, *others: Any) -> Any:
        found.append(path.route.name)
        return await response(self, path, *others)

    monkeypatch.setattr(shortcut.Shortcut, "_response", counted)
    return found


def test_both_ways_say_the_same(client: httpx.Client, through: list[str]) -> None:
    client.post("/api/trainers", **body(hello()))
    asked = sent(claim("t1-boot"))
    # Nothing to do; nobody knows the trainer; no claim at all; nothing that a path takes.
    for content in (asked, sent(claim("another")), b"{}", b"", b"[1", asked.replace(b"0.5", b"NaN")):
        assert ask(client, "/api/claims", content, SHORT) == ask(client, "/api/claims", content, LONG)
    begin(client)
    grant = granted(client)
    # Whoever holds a lease gets the same grant again.
    assert ask(client, "/api/claims", asked, SHORT) == ask(client, "/api/claims", asked, LONG)
    report = survey_report(grant.spec)  # type: ignore[arg-type]  # The first jobs are surveys.
    documents = {"renewals": renewal(), "finish": finish(report)}
    for name, document in documents.items():
        for lease in "none", "a%20b", grant.lease_id:
            for content in (sent(document), b"{}"):
                path = f"/api/leases/{lease}/{name}"
                assert ask(client, path, content, SHORT) == ask(client, path, content, LONG), path
        for path in (f"/api/leases//{name}", f"/api/leases/a/b/{name}", f"/api/leases/none/{name}?x=1"):
            assert ask(client, path, sent(document), SHORT) == ask(client, path, sent(document), LONG), path
    assert set(through) == {"claim", "renew", "finish"}


def test_what_is_answered_at_once_is_measured_by_its_route(
    client: httpx.Client, parts: Parts, through: list[str]
) -> None:
    begin(client)
    client.post("/api/trainers", **body(hello()))
    grant = granted(client)
    renewed = ask(client, f"/api/leases/{grant.lease_id}/renewals", sent(renewal()), SHORT)
    assert RenewalAnswer.model_validate_json(renewed[2]).expires_in_seconds > 0
    assert ask(client, "/api/leases/none/renewals", sent(renewal()), SHORT)[0] == 409
    done = finish(survey_report(grant.spec)).model_copy(  # type: ignore[arg-type]  # as above
        update={"next_claim": claim("t1-boot")}
    )
    taken = ask(client, f"/api/leases/{grant.lease_id}/finish", sent(done), SHORT)
    assert Grant.model_validate_json(taken[2]).job_id != grant.job_id
    assert REASON_HEADER.lower() not in taken[1]
    assert through == ["claim", "renew", "renew", "finish"]
    shown = client.get("/metrics").text
    for route in ("/api/leases/{lease}/renewals", "/api/leases/{lease}/finish", "/api/claims"):
        assert f'route="{route}"' in shown
    assert 'operation="renewals"} 1.0' in shown, "of a write that came too late"


def test_changes_of_many_requests_are_all_made(make_night: MakeNight) -> None:
    database = make_night().database
    threads = set()

    def change(number: int) -> Any:
        def write(tx: Transaction) -> Any:
            threads.add(threading.get_ident())
            if number % 10 == 7:
                raise InvalidRequestError(f"{number} is refused")
            return lambda: number

        return write

    async def one(changes: Changes, number: int) -> Any:
        await asyncio.sleep(0.001 * (number % 5))
        return await changes.make(change(number))

    async def all_of_them() -> list[Any]:
        changes = Changes(database)
        leaving = asyncio.create_task(changes.make(change(0)))
        await asyncio.sleep(0)
        leaving.cancel()
        return await asyncio.gather(*(one(changes, number) for number in range(100)), return_exceptions=True)

    with ThreadPoolExecutor(1) as pool:
        told = pool.submit(asyncio.run, all_of_them()).result()
    for number, value in enumerate(told):
        assert value == number or (number % 10 == 7 and str(value) == f"{number} is refused")
    assert len(threads) == 1 or not _is_sqlite(database)


def test_nobody_is_left_without_an_answer_when_a_commit_goes_wrong_in_no_known_way(
    make_night: MakeNight, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = make_night().database
    if not _is_sqlite(database):
        pytest.skip("on PostgreSQL each change has a thread and a commit of its own")

    def amiss(changes: Any) -> Any:
        list(changes)
        raise SystemError("nobody knows why")

    async def asked() -> list[Any]:
        changes = Changes(database)
        monkeypatch.setattr(database, "change_each", amiss)
        failed = [changes.make(lambda _: lambda: 1) for _ in range(3)]
        told = await asyncio.gather(*failed, return_exceptions=True)
        monkeypatch.undo()
        return [*told, await changes.make(lambda _: lambda: 2)]

    with ThreadPoolExecutor(1) as pool:
        *told, after = pool.submit(asyncio.run, asyncio.wait_for(asked(), 30)).result()
    assert [str(error) for error in told] == ["nobody knows why"] * 3 and after == 2


def test_what_nobody_waits_for_any_more_is_not_begun(make_night: MakeNight) -> None:
    database = make_night().database
    if not _is_sqlite(database):
        pytest.skip("on PostgreSQL each change has a thread of its own at once")
    begun, made = threading.Event(), []

    def first(_: Transaction) -> Any:
        begun.wait(30)
        return lambda: "first"

    def left(_: Transaction) -> Any:
        made.append("left")
        return lambda: "left"

    async def asked() -> list[Any]:
        changes = Changes(database)
        held = asyncio.create_task(changes.make(first))
        leaving = asyncio.create_task(changes.make(left))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        begun.set()
        return [await held, await changes.make(lambda _: lambda: "last")]

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(asyncio.run, asyncio.wait_for(asked(), 30)).result() == ["first", "last"]
    assert made == []


def _is_sqlite(database: Database) -> bool:
    return database.is_sqlite
