"""The OpenAPI document: it leaves nothing out, and its examples are valid."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from pydantic import BaseModel

from common.errors import PROBLEM_MEDIA_TYPE
from common.protocol import alerts as alert_views
from common.protocol import champions, jobs, nights, results, runs, status, steering
from common.protocol import job_views as views
from common.protocol import reports as report
from common.protocol import trainers as messages
from common.settings import grid
from common.settings import night as settings
from coordinator import alerts
from coordinator.api.errors import Problem
from coordinator.api.openapi import EXAMPLES, example

JSON = "application/json"
UNCHECKED = ("/healthz", "/readyz", "/metrics")
"""Paths whose query is not looked at."""
MODULES = (
    alert_views,
    alerts,
    grid,
    jobs,
    messages,
    report,
    results,
    runs,
    settings,
    status,
    nights,
    steering,
    champions,
    views,
)
MODELS = {
    name: model
    for module in MODULES
    for name, model in vars(module).items()
    if isinstance(model, type) and issubclass(model, BaseModel)
}


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            yield f"{verb} {path}", operation


def contents(operation: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """What an operation takes and gives, but for its errors."""
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        yield "request", media_type, content
    for code, answer in operation["responses"].items():
        if int(code) < 400:
            for media_type, content in answer.get("content", {}).items():
                yield code, media_type, content


def model_of(schema: dict[str, Any]) -> type[BaseModel]:
    return MODELS[re.sub("-(Input|Output)$", "", schema["$ref"].rpartition("/")[2])]


def test_every_operation_says_what_it_is_for(document: dict[str, Any]) -> None:
    tags = {tag["name"]: tag["description"] for tag in document["tags"]}
    assert all(tags.values()) and document["info"]["description"]
    identities = []
    for where, operation in operations(document):
        assert operation["summary"] and operation["description"], where
        assert operation["tags"] and set(operation["tags"]) <= set(tags), where
        identities.append(operation["operationId"])
        for parameter in operation.get("parameters", ()):
            assert parameter["description"], f"{where} {parameter['name']}"
        for code, answer in operation["responses"].items():
            assert answer["description"], f"{where} {code}"
        if "/api" in where or "/metrics" in where:
            *open_to_all, scheme = operation["security"]
            # On loopback reading needs no token: an empty requirement is one that everybody meets.
            assert scheme and open_to_all == ([{}] if where.startswith(("get", "head")) else []), where
    assert len(set(identities)) == len(identities) and "begin_run" in identities


def test_every_field_of_every_schema_says_what_it_is(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    silent = [name for name, schema in schemas.items() if not schema.get("description")]
    silent += [
        f"{name}.{field}"
        for name, schema in schemas.items()
        for field, declared in schema.get("properties", {}).items()
        if not declared.get("description")
    ]
    assert silent == []
    assert len(schemas) > 50 and "HTTPValidationError" not in schemas


def test_what_operations_take_and_give_has_valid_examples(document: dict[str, Any]) -> None:
    seen = 0
    for where, operation in operations(document):
        for what, media_type, content in contents(operation):
            shown = [example["value"] for example in content["examples"].values()]
            assert shown and all(example["summary"] for example in content["examples"].values()), where
            if media_type != JSON:
                continue
            for value in shown:
                model = model_of(content["schema"])
                read = model.model_validate(value).model_dump(mode="json", by_alias=True)
                # Of a notification more is sent than is read; of all else the example is the whole document.
                assert read == value or model is alerts.Notification, f"{where} {what}"
                seen += 1
    assert seen >= 28


def test_no_example_lies_about_unused(document: dict[str, Any]) -> None:
    texts = {path.stem: path.read_text() for path in Path(str(EXAMPLES)).rglob("*.json")}
    documents = {path.stem for path in Path(str(EXAMPLES), "documents").iterdir()}
    assert set(re.findall(r'"\$ref": "(\w+)"', "".join(texts.values()))) == documents
    described = {operation["operationId"].removeprefix("probe_") for _, operation in operations(document)}
    assert {name for group in texts.keys() - documents for name in example(group)} == described


def test_the_example_of_a_grid_is_the_default_one() -> None:
    assert example("documents/config") == settings.NightSettings().grid_config()


def test_only_a_204_is_without_a_body(document: dict[str, Any]) -> None:
    for where, operation in operations(document):
        codes = {code for code in operation["responses"] if int(code) < 400}
        told = {what for what, _, _ in contents(operation)}
        assert codes and codes - told <= {"204"}, where
        if where.startswith(("post", "put")):
            assert "request" in told, where


def test_every_error_is_documented_as_a_problem_with_an_example(document: dict[str, Any]) -> None:
    for where, operation in operations(document):
        path = where.split()[1]
        expected = {"422", "500"}
        expected |= {"401", "403", "429", "503", "507"} if path.startswith(("/api", "/metrics")) else set()
        expected |= {"413"} if where.startswith(("post", "put")) else set()
        expected |= {"404"} if re.search("{run}|{job}|{cell}|difference|claims", path) else set()
        steers = where.startswith(("post /api/runs", "post /api/jobs"))
        expected |= {"409"} if "{lease}" in path or steers else set()
        expected |= {"409"} if path in ("/api/trainers", "/api/claims") else set()
        expected |= {"503", "507"} if path == "/readyz" else set()
        errors = {code: answer for code, answer in operation["responses"].items() if int(code) >= 400}
        assert set(errors) == expected, where
        for code, answer in errors.items():
            [(media_type, content)] = answer["content"].items()
            assert media_type == PROBLEM_MEDIA_TYPE and content["schema"]["$ref"].endswith("/Problem")
            for name, shown in content["examples"].items():
                problem = Problem.model_validate(shown["value"])
                assert problem.status == int(code) and problem.type.endswith(name.rstrip("-23")), where
                assert problem.detail and "{" not in problem.instance
                assert re.fullmatch(re.sub(r"{\w+}", r"\\w+", path), problem.instance), where


def test_a_night_can_be_made_of_the_examples(client: httpx.Client, document: dict[str, Any]) -> None:
    def send(verb: str, path: str, lease: str = "", **changes: Any) -> httpx.Response:
        body = document["paths"][path][verb]["requestBody"]["content"][JSON]["examples"]
        value = next(iter(body.values()))["value"] | changes
        return client.request(verb, path.replace("{lease}", lease), json=value)

    of_lease = "/api/leases/{lease}/"
    config = grid.GridConfig.model_validate(settings.NightSettings().grid_config()).model_dump(mode="json")
    one_symbol = config | {"symbols": ["BTCUSDT"]}
    assert send("post", "/api/alerts").status_code == 204
    assert send("post", "/api/runs", config=one_symbol).status_code == 201
    assert send("post", "/api/runs", config=one_symbol).status_code == 200
    assert send("post", "/api/runs").status_code == 409
    assert send("post", "/api/trainers").status_code == 200
    survey = send("post", "/api/claims").json()
    assert survey["spec"]["kind"] == "survey"
    assert send("post", of_lease + "finish", survey["lease_id"]).status_code == 204
    first = send("post", "/api/claims").json()
    assert first["spec"]["kind"] == "training" and first["spec"]["data_digests"]
    assert send("post", of_lease + "renewals", first["lease_id"]).json()["directive"] == "continue"
    assert send("put", of_lease + "checkpoint", first["lease_id"]).status_code == 204
    assert send("post", of_lease + "failure", first["lease_id"]).json()["state"] == "queued"
    second = send("post", "/api/claims").json()
    assert send("post", of_lease + "release", second["lease_id"]).status_code == 204


def test_an_unknown_query_is_refused_everywhere(client: httpx.Client, document: dict[str, Any]) -> None:
    for where, operation in operations(document):
        verb, path = where.split()
        if path in UNCHECKED:
            continue
        known = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"]
        path = re.sub(r"{\w+}", "1", path)
        sent = {"json": {}, "headers": {messages.SHA256_HEADER: "x"}} if verb in ("post", "put") else {}
        answer = client.request(verb, path, params={"lmit": 3}, **sent)  # type: ignore[arg-type]
        assert answer.status_code == 422, where
        problem = Problem.model_validate_json(answer.content)
        assert problem.detail == "query.lmit: there is no such parameter", where
        assert all(name in problem.hint for name in known) and (known or "takes none" in problem.hint), where
