"""The OpenAPI document: how operations show what they take and give, and what is said of all of them."""

from __future__ import annotations

import json
from typing import Any

from fastapi import Body, FastAPI
from fastapi.openapi.utils import get_openapi

from common.errors import PROBLEM_MEDIA_TYPE
from coordinator.api.errors import Problem

TAGS = [
    {
        "name": "operators",
        "description": "Begin, watch and cancel nights. On loopback and trusted networks anybody may read.",
    },
    {"name": "trainers", "description": "Register, claim jobs and hand in results, fenced by leases."},
    {"name": "alerts", "description": "What Prometheus found and Alertmanager told."},
    {"name": "health", "description": "For whatever watches the process."},
]
DESCRIPTION = """\
Times are UTC in ISO 8601, lengths of time in seconds, sizes in bytes, shares and ratios from 0 to 1. What is
not known is null.

Every error is a `Problem` (RFC 9457). An unknown path is 404, a method that is not shown here 405,
and a query that is not declared 422, so that no mistyped filter passes unseen; health and metrics take any.
"""


def shown(**examples: Any) -> dict[str, Any]:
    """Return examples as they are declared; an underscore in a name is shown as a space."""
    # The document is made without nulls, those of examples included; in a text they stay until the end.
    return {
        name: {"summary": name.replace("_", " "), "value": json.dumps(value)}
        for name, value in examples.items()
    }


def asked(**examples: Any) -> Any:
    """Return the declaration of a body with its examples."""
    return Body(openapi_examples=shown(**examples))


def answered(
    description: str,
    status: int = 200,
    model: Any = None,
    media_type: str = "application/json",
    **examples: Any,
) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI response of a success with its examples.

    Parameters
    ----------
    description : str
        What is in it.
    status : int
        Its HTTP status.
    model : type, optional
        What it holds, where that is not what the operation's function returns.
    media_type : str
        Its media type.
    examples : object
        Documents by name.
    """
    response = {"description": description, "content": {media_type: {"examples": shown(**examples)}}}
    return {status: response if model is None else {**response, "model": model}}


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
        for path, operations in document["paths"].items():
            for operation in operations.values():
                _finish(path, operation)
        app.openapi_schema = document
    return app.openapi_schema


def _finish(path: str, operation: dict[str, Any]) -> None:
    """Give examples their values, and let those of problems name the operation's own path."""
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            [example, *_] = parameter["schema"]["examples"]
            path = path.replace(f"{{{parameter['name']}}}", str(example))
    for declared in (operation.get("requestBody", {}), *operation["responses"].values()):
        for media_type, content in declared.get("content", {}).items():
            for example in content["examples"].values():
                if media_type == PROBLEM_MEDIA_TYPE:
                    example["value"]["instance"] = path
                else:
                    example["value"] = json.loads(example["value"])
