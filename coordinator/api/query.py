"""What may stand in the query of a request: what the OpenAPI document tells of, each at most once.

The paths of health and metrics do without this check: what asks them adds queries of its own.
"""

from __future__ import annotations

from fastapi import Request

from common.errors import InvalidRequestError


def known_query(request: Request) -> None:
    """Let only declared parameters pass: a mistyped filter must not look like one that everything matches.

    Raises
    ------
    InvalidRequestError
        A parameter is unknown or given twice; it names those that are known.
    """
    if not request.query_params:
        return
    operation = request.app.openapi()["paths"][request.scope["route"].path][request.method.lower()]
    known = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"]
    for name in request.query_params:
        if name not in known:
            hint = f"use some of {', '.join(known)}" if known else "leave it out; this path takes none"
            raise InvalidRequestError(f"query.{name}: there is no such parameter", hint)
        if len(request.query_params.getlist(name)) > 1:
            raise InvalidRequestError(f"query.{name}: it is given more than once", "give it once")
