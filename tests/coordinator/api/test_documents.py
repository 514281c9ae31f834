"""A document that is sent is read from its bytes; what is wrong with one is said as FastAPI has it."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

from common.frozen import Frozen
from coordinator.api import errors
from coordinator.api.documents import DocumentRoute

SENT = b'{"name": "a", "when": "2026-03-02T12:00:00Z", "path": [1, 2.5], "inner": {"count": 3}}'


class Inner(Frozen):
    count: int


class Document(Frozen):
    name: str
    when: datetime
    path: tuple[float, ...]
    inner: Inner | None = None


def answer(route_class: type[APIRoute], body: bytes, kind: str = "application/json") -> httpx.Response:
    router = APIRouter(route_class=route_class)

    @router.post("/documents/{number}")
    def take(number: int, document: Document) -> dict[str, Any]:
        return {"number": number, "document": document.model_dump(mode="json")}

    app = FastAPI()
    errors.install(app)
    app.include_router(router)

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return await client.post("/documents/3", content=body, headers={"Content-Type": kind})

    # In a thread of its own: a browser of other tests may have a loop that runs in this one.
    with ThreadPoolExecutor(1) as apart:
        return apart.submit(lambda: asyncio.run(ask())).result()


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (SENT, "application/json"),
        (SENT, "application/problem+json"),
        (SENT, "text/plain"),
        (SENT.replace(b'"a"', b"7"), "application/json"),
        (SENT.replace(b"2.5", b'"much"'), "application/json"),
        (SENT.replace(b"2.5", b"NaN"), "application/json"),
        (SENT.replace(b'"count"', b'"other"'), "application/json"),
        (SENT.replace(b'"name": "a", ', b""), "application/json"),
        (SENT[:-1], "application/json"),
        (SENT.decode().encode("utf-16"), "application/json"),
        (b'"\xff"', "application/json"),
        (b"[]", "application/json"),
        (b"null", "application/json"),
        (b"", "application/json"),
    ],
)
def test_it_is_answered_as_fastapi_answers_it(body: bytes, kind: str) -> None:
    ours, fastapis = (answer(route, body, kind) for route in (DocumentRoute, APIRoute))
    assert ours.status_code == fastapis.status_code
    assert ours.json() == fastapis.json()


def test_it_is_made_from_the_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("it was taken apart first")

    monkeypatch.setattr("starlette.requests.Request.json", refuse)
    assert answer(DocumentRoute, SENT).json()["document"]["path"] == [1.0, 2.5]
