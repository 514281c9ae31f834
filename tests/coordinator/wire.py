"""Requests as operators and trainers send them, and what their answers must be."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from typing import Any

import httpx
from pydantic import BaseModel

from common.errors import ERRORS, PROBLEM_MEDIA_TYPE, from_problem
from common.protocol.runs import RunRequest, RunView
from common.protocol.trainers import SHA256_HEADER, Grant, RenewalAnswer, Welcome
from common.token_file import Role
from coordinator.credentials.doorkeeper import changed_by
from coordinator.credentials.tokens import Tokens
from tests.coordinator.specimens import (
    checkpoint,
    claim,
    finish,
    grid,
    hello,
    renewal,
    survey_report,
    training_report,
)

JSON = {"Content-Type": "application/json"}
TOKEN = "the-token-of-these-tests-is-long-enough"
"""The operator's."""


def token_of(role: Role, operators: str = TOKEN) -> str:
    return operators if role is Role.OPERATOR else f"{role}-{operators}"


def tokens(operators: str = TOKEN) -> Tokens:
    return Tokens({role: token_of(role, operators) for role in Role})


def authorization(method: str, path: str) -> dict[str, str]:
    """What somebody of the role shows that a request needs."""
    role = Role.OPERATOR if method in ("GET", "HEAD") else changed_by(path)
    return {"Authorization": f"Bearer {token_of(role)}"}


class OfTheRole(httpx.Auth):
    """Shows with each request the token that its path needs, as if all who ask were one."""

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        for name, value in authorization(request.method, request.url.path).items():
            request.headers.setdefault(name, value)
        yield request


Serve = Callable[..., httpx.Client]


def documented(document: dict[str, Any]) -> Callable[[httpx.Response], None]:
    """Returns a check that the OpenAPI document tells of the status of an answer."""
    routes = [
        (re.compile(re.sub(r"{\w+}", r"\\w+", path)), {verb.upper(): verbs[verb] for verb in verbs})
        for path, verbs in document["paths"].items()
    ]

    def check(response: httpx.Response) -> None:
        request = response.request
        for path, operations in routes:
            if path.fullmatch(request.url.path) and request.method in operations:
                told = operations[request.method]["responses"]
                assert str(response.status_code) in told, f"{request.method} {request.url}"

    return check


def body(message: BaseModel) -> dict[str, Any]:
    return {
        "content": message.model_dump_json(by_alias=True),
        "headers": {"Content-Type": "application/json"},
    }


def problem(response: Any, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == PROBLEM_MEDIA_TYPE
    document: dict[str, Any] = response.json()
    assert document["type"] == f"urn:nighttrain:error:{code}" and document["status"] == status
    assert type(from_problem(document)) is ERRORS[code]
    return document


def begin(client: httpx.Client) -> int:
    response = client.post("/api/runs", **body(RunRequest(config=grid(symbols=("BTCUSDT",)))))
    assert response.status_code == 201, response.text
    return RunView.model_validate_json(response.content).id


def granted(client: httpx.Client) -> Grant:
    response = client.post("/api/claims", **body(claim("t1-boot")))
    assert response.status_code == 200, response.text
    return Grant.model_validate_json(response.content)


def trained(client: httpx.Client) -> int:
    """A run of one symbol, from its beginning to its last result, as a trainer does it."""
    run = begin(client)
    Welcome.model_validate_json(client.post("/api/trainers", **body(hello())).content)
    survey = granted(client)
    assert (
        client.post(
            f"/api/leases/{survey.lease_id}/finish", **body(finish(survey_report(survey.spec)))
        ).status_code
        == 204
    )
    for _ in range(4):
        grant = granted(client)
        lease = f"/api/leases/{grant.lease_id}"
        RenewalAnswer.model_validate_json(client.post(f"{lease}/renewals", **body(renewal())).content)
        assert client.put(f"{lease}/checkpoint", **body(checkpoint())).status_code == 204
        report, content = training_report(grant.spec)
        sha256 = report.manifest.pickle_sha256
        upload = client.put(f"{lease}/artifact", content=content, headers={SHA256_HEADER: sha256})
        assert upload.status_code == 204, upload.text
        assert client.post(f"{lease}/finish", **body(finish(report, sha256))).status_code == 204
    return run
