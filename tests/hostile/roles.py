"""Each token at each path: who may do what, by the tags of the document and not by the code's own rule."""

from __future__ import annotations

import re
from collections.abc import Iterator

from common.token_file import Role
from tests.coordinator.wire import token_of
from tests.hostile.outcome import Log, Outcome, Setup
from tests.hostile.schema import OPEN, READING
from tests.hostile.target import target

REFUSED = (401, 403, 429)


def roles(setup: Setup) -> Iterator[Outcome]:
    """Yield a line for each role and one for a token of nobody, at a coordinator that others can reach."""
    with target(setup.folder, loopback=False) as coordinator:
        for role in (*Role, None):
            log = Log()
            shown = token_of(role) if role else token_of(Role.OPERATOR)[:-1]
            for path, operations in coordinator.document["paths"].items():
                for method, operation in operations.items():
                    passing = _passing(path, method.upper(), operation.get("tags", []))
                    answer = coordinator.anonymous.request(
                        method.upper(),
                        re.sub(r"{\w+}", "1", path),
                        headers={"Authorization": f"Bearer {shown}"},
                        content=b"" if method.upper() in READING else b"{",
                    )
                    let_in = answer.status_code not in REFUSED
                    fine = let_in is (passing is None or role in passing)
                    words = f"{method.upper()} {path}: {answer.status_code} for {role or 'nobody'}"
                    log.add(f"{answer.status_code}", "" if fine else words)
            yield log.outcome(f"roles: the token of {role or 'nobody'} at every path")


def _passing(path: str, method: str, tags: list[str]) -> tuple[Role, ...] | None:
    """Return who may pass; None: everybody."""
    if path in OPEN:
        return None
    if method in READING:
        return (Role.OPERATOR, Role.READER)
    return {"trainers": (Role.TRAINER,), "alerts": (Role.ALERTS,)}.get(tags[0], (Role.OPERATOR,))
