"""The OpenAPI document: what is said of all operations, and the examples of what each takes and gives."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from common.errors import PROBLEM_MEDIA_TYPE
from coordinator.api.errors import Problem

EXAMPLES = files("coordinator.api") / "examples"
GROUPS = ("operators", "champions", "steering", "trainers", "alerts", "health")
"""The files with the examples of operations: by operation id what is sent, and by status what is answered."""
READING = ("get", "head")
PROBE = "probe_"
"""Begins the id of an operation that answers HEAD as another answers GET."""

TAGS = [
    {
        "name": "operators",
        "description": "Begin, watch and cancel nights. On loopback and trusted networks anybody may read.",
    },
    {"name": "champions", "description": "The promoted model of each cell, and how it came to be."},
    {
        "name": "steering",
        "description": "Change a night while it runs; who did it and why is kept. A preview changes nothing.",
    },
    {"name": "trainers", "description": "Register, claim jobs and hand in results, fenced by leases."},
    {"name": "alerts", "description": "What Prometheus found and Alertmanager reported."},
    {"name": "health", "description": "For whatever watches the process."},
]
DESCRIPTION = """\
Times are UTC in ISO 8601, lengths of time in seconds, sizes in bytes, shares and ratios from 0 to 1. What is
not known is null.

Every error is a `Problem` (RFC 9457). An unknown path is 404, a method that is not shown here 405,
and a query that is not declared 422, so that no mistyped filter goes unnoticed; health and metrics take any.
"""


def example(name: str) -> Any:
    """Return an example from `examples/NAME.json`.

    Where an object has a `$ref`, that is the name of an example below `examples/documents`: it has the same
    keys and values, but for those that stand beside the `$ref`.
    """
    return _resolved(json.loads((EXAMPLES / f"{name}.json").read_text(encoding="utf-8")))


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of an application; it is made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            description=DESCRIPTION,
            tags=TAGS,
            license_info={"name": "MIT", "identifier": "MIT"},
            routes=app.routes,
        )
        document["components"]["schemas"]["Problem"] = Problem.model_json_schema()
        shown = {name: one for group in GROUPS for name, one in example(group).items()}
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                if "security" in operation and method in READING and app.state.parts.reading_is_open:
                    # Without a token too: an empty requirement is one that everybody meets.
                    operation["security"] = [{}, *operation["security"]]
                _show_problems(path, operation)
                _show_examples(operation, shown[operation["operationId"].removeprefix(PROBE)])
        app.openapi_schema = document
    return app.openapi_schema


def _resolved(value: Any) -> Any:
    if isinstance(value, list):
        return [_resolved(one) for one in value]
    if not isinstance(value, dict):
        return value
    own = {key: _resolved(one) for key, one in value.items() if key != "$ref"}
    return {**example(f"documents/{value['$ref']}"), **own} if "$ref" in value else own


def _show_problems(path: str, operation: dict[str, Any]) -> None:
    """Let the examples of problems name the operation's own path."""
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            [shown, *_] = parameter["schema"]["examples"]
            path = path.replace(f"{{{parameter['name']}}}", str(shown))
    for response in operation["responses"].values():
        for problem in response.get("content", {}).get(PROBLEM_MEDIA_TYPE, {}).get("examples", {}).values():
            problem["value"]["instance"] = path


def _show_examples(operation: dict[str, Any], shown: dict[str, Any]) -> None:
    """Give the body and the answers of an operation their examples; an underscore in a name is a space."""
    bodies = [(operation["requestBody"], shown["request"])] if "request" in shown else []
    for status, response in shown.get("responses", {}).items():
        operation["responses"][status]["description"] = response["description"]
        bodies.append((operation["responses"][status], response["examples"]))
    for body, examples in bodies:
        [content] = body["content"].values()
        content["examples"] = {
            name: {"summary": name.replace("_", " "), "value": value} for name, value in examples.items()
        }
