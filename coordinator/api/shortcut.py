"""What trainers ask for each job, answered at once.

FastAPI finds a path among all others, puts a dozen layers around it, solves its dependencies, and calls it in
a thread of its own. Of a night's requests most go to three paths, whose document is one model, and whose
answer one change of the queue: here each is found in a table, and the changes share a thread. Whatever is not
exactly as these paths expect it is left to FastAPI, which serves the same paths and says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import Request, Response
from pydantic import BaseModel, ValidationError
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common.errors import NighttrainError, StaleLeaseError
from common.protocol.trainers import ClaimRequest, Finish, Renewal, RenewalAnswer
from common.token_file import Role
from coordinator.api import errors, trainers
from coordinator.api.access import ADMITTED
from coordinator.api.changes import Changes
from coordinator.assembly import Parts
from coordinator.store.database import Change
from coordinator.store.errors import UnstorableError

LEASES = "/api/leases/"


@dataclass(frozen=True)
class Path:
    """A path that is answered here.

    `model` is its document. `change` makes of the lease in the path and of the document what is asked of the
    queue, and `answer` of what the queue says the response. `route` is FastAPI's.
    """

    model: type[BaseModel]
    change: Callable[[str, Any, Parts], Change[Any]]
    answer: Callable[[Any, Parts], Response]
    route: BaseRoute


def _renewed(renewed: RenewalAnswer, parts: Parts) -> Response:
    trainers.count_renewal(renewed, parts)
    return Response(renewed.model_dump_json(), media_type="application/json")


_ROUTES = {route.name: route for route in trainers.router.routes if hasattr(route, "name")}
CLAIMS = Path(
    ClaimRequest,
    lambda _, claimed, parts: parts.queue.claiming(claimed),
    trainers.answer,
    _ROUTES["claim"],
)
OF_LEASES = {
    "finish": Path(
        Finish,
        lambda lease, done, parts: parts.queue.finishing(lease, done, trainers.model_of(done, parts)),
        trainers.taken,
        _ROUTES["finish"],
    ),
    "renewals": Path(
        Renewal,
        lambda lease, renewal, parts: parts.queue.renewing(lease, renewal),
        _renewed,
        _ROUTES["renew"],
    ),
}
"""By the last part of their path."""


class Shortcut:
    """The innermost layer before FastAPI's own; who asks was looked at, and the body is there.

    Parameters
    ----------
    app : ASGIApp
        The application, which answers what is not answered here.
    parts : Parts
        The parts of the coordinator.
    """

    def __init__(self, app: ASGIApp, parts: Parts) -> None:
        self.app = app
        self.parts = parts
        self.changes = Changes(parts.database)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request by the ASGI protocol."""
        path, lease = _find(scope)
        if path is None:
            await self.app(scope, receive, send)
            return
        message = await receive()
        try:
            document = path.model.model_validate_json(message["body"])
        except ValidationError:
            await self.app(scope, _again(message, receive), send)
            return
        scope["route"] = path.route
        response = await self._response(path, lease, document, Request(scope))
        await response(scope, receive, send)

    async def _response(self, path: Path, lease: str, document: BaseModel, request: Request) -> Response:
        try:
            said = await self.changes.make(path.change(lease, document, self.parts))
        except StaleLeaseError as error:
            self.parts.measures.refused_stale(request.scope["path"].rpartition("/")[2])
            return errors.answer_known(request, error)
        except (NighttrainError, UnstorableError) as error:
            return errors.answer_known(request, error)
        return path.answer(said, self.parts)


def _find(scope: Scope) -> tuple[Path | None, str]:
    """Return where a request goes, if it is as expected there, and the lease that it names."""
    if (
        scope["type"] != "http"
        or scope["method"] != "POST"
        or scope["query_string"]
        or scope.get(ADMITTED) is not Role.TRAINER
        or [value for name, value in scope["headers"] if name == b"content-type"] != [b"application/json"]
    ):
        return None, ""
    path: str = scope["path"]
    if path == "/api/claims":
        return CLAIMS, ""
    lease, _, last = path.removeprefix(LEASES).partition("/")
    return (OF_LEASES.get(last) if lease and path.startswith(LEASES) else None), lease


def _again(message: Message, receive: Receive) -> Receive:
    left = [message]

    async def replay() -> Message:
        return left.pop() if left else await receive()

    return replay
