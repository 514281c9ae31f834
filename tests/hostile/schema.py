"""The OpenAPI document against the coordinator: what it allows and much that it does not, also without token.

Each answer must be one that the document tells of, and none a defect.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import SearchStrategy
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    ignored_auth,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.coordinator.wire import authorization
from tests.hostile.outcome import Log, Outcome, Setup
from tests.hostile.target import Target, target

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    allow_header_conformance,
]
READING = ("GET", "HEAD")
OPEN = ("/healthz", "/readyz")
REFUSED = (401, 429)
"""Without a token, or with one that was made up; after some of those the sender is to wait."""
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "TRACE", "OPTIONS")


def schema(setup: Setup) -> Iterator[Outcome]:
    """Yield lines for valid and invalid requests, for methods that are not there, and for lack of a token."""
    each = setup.tries(100, 1)
    with target(setup.folder) as coordinator:
        yield _generated(coordinator, setup, GenerationMode.POSITIVE, each)
        yield _generated(coordinator, setup, GenerationMode.NEGATIVE, each)
        yield _methods(coordinator)
        # To make requests takes longer than to send them.
        asked = list(_operations(coordinator.document, GenerationMode.POSITIVE, each, setup.seed))
    for loopback in (True, False):
        folder = setup.folder / f"anonymous-{loopback}"
        folder.mkdir()
        with target(folder, loopback) as coordinator:
            yield _anonymous(coordinator, setup, loopback, asked)


def _generated(coordinator: Target, setup: Setup, mode: GenerationMode, each: int) -> Outcome:
    log = Log()
    leases = coordinator.leases()
    random = setup.random(mode.value)
    for operation, cases in _operations(coordinator.document, mode, each, setup.seed):
        setup.say(f"{mode.value} {operation}")
        for case in cases:
            # A request under no lease says little of what stands behind it.
            if "lease" in case.path_parameters and leases and random.random() < 0.8:
                case.path_parameters["lease"] = random.choice(leases)
            shown = authorization(case.method, case.formatted_path)
            answer = case.call(base_url=coordinator.url, headers=shown)
            log.add(f"{answer.status_code}", _fault(case, answer, CHECKS))
    return log.outcome(f"schema: {mode.value} requests with the token")


def _anonymous(
    coordinator: Target, setup: Setup, loopback: bool, asked: list[tuple[str, list[Any]]]
) -> Outcome:
    where = "on loopback" if loopback else "from outside"
    log = Log()
    for operation, cases in asked:
        setup.say(f"anonymous {where} {operation}")
        for case in cases:
            answer = case.call(base_url=coordinator.url)
            may = case.operation.path in OPEN or (loopback and case.method in READING)
            fault = _fault(case, answer, [*CHECKS[:-2], ignored_auth])
            if not may and answer.status_code not in REFUSED:
                fault = f"{case.method} {case.formatted_path}: {answer.status_code} without the token"
            log.add(f"{answer.status_code}", fault)
    return log.outcome(f"schema: without the token, {where}")


def _methods(coordinator: Target) -> Outcome:
    """Send every method that a path does not have: 405, with all that it has in the Allow header."""
    log = Log()
    for path, operations in coordinator.document["paths"].items():
        known = {method.upper() for method in operations}
        for method in METHODS:
            if method in known:
                continue
            answer = coordinator.client.request(method, path.replace("{", "").replace("}", ""))
            told = {one.strip() for one in answer.headers.get("allow", "").split(",")}
            fine = answer.status_code == 405 and told == known
            words = f"{method} {path}: {answer.status_code}, Allow: {sorted(told)} instead of {sorted(known)}"
            log.add(f"{answer.status_code}", "" if fine else words)
    return log.outcome("schema: methods that a path does not have")


def _operations(
    document: dict[str, Any], mode: GenerationMode, each: int, number: int
) -> Iterator[tuple[str, list[Any]]]:
    for found in schemathesis.openapi.from_dict(document).get_all_operations():
        operation = found.ok()
        try:
            yield operation.label, _cases(operation.as_strategy(generation_mode=mode), each, number)
        except Unsatisfiable:
            # It takes nothing, so nothing can be wrong.
            continue


def _cases(strategy: SearchStrategy[Any], each: int, number: int) -> list[Any]:
    cases: list[Any] = []

    @seed(number)
    @settings(
        max_examples=each,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy)
    def collect(case: Any) -> None:
        cases.append(case)

    collect()
    return cases


def _fault(case: Any, answer: Any, checks: list[Any]) -> str:
    try:
        case.validate_response(answer, checks=checks)
    except (Failure, FailureGroup) as broken:
        failures = broken.exceptions if isinstance(broken, FailureGroup) else [broken]
        titles = "; ".join(f"{one.title}: {one.message}" for one in failures)
        return f"{case.method} {case.formatted_path} {answer.status_code}: {titles} (body {case.body!r})"
    return ""
