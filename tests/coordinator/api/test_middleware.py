"""What every request passes first: the check of its host and of its size."""

from __future__ import annotations

from dataclasses import replace

import httpx

from common.protocol.trainers import MAX_ARTIFACT_BYTES, SHA256_HEADER
from coordinator.api.bodies import MAX_DOCUMENT_BYTES
from coordinator.assembly import Parts
from tests.coordinator.specimens import digest, hello
from tests.coordinator.wire import JSON, Serve, begin, body, granted, problem


def test_a_page_whose_name_points_here_is_refused(anonymous: httpx.Client) -> None:
    for host in ("evil.example", "evil.example:5000", "127.0.0.1.evil.example", "", "192.168.1.5:5000"):
        problem(anonymous.get("/api/status", headers={"Host": host}), 422, "invalid-request")
    for host in ("127.0.0.1:5000", "localhost", "LOCALHOST:5000", "[::1]:5000", "127.0.0.1"):
        assert anonymous.get("/healthz", headers={"Host": host}).status_code == 200


def test_outside_of_loopback_any_name_will_do(serve: Serve, parts: Parts) -> None:
    outside = serve(replace(parts, loopback=False))
    assert outside.get("/healthz", headers={"Host": "coordinator:5000"}).status_code == 200


def test_bodies_have_a_limit(client: httpx.Client) -> None:
    large = {"content": b"x" * (MAX_DOCUMENT_BYTES + 1), "headers": JSON}
    problem(client.post("/api/claims", **large), 413, "too-large")
    begin(client)
    client.post("/api/trainers", **body(hello()))
    lease = granted(client).lease_id
    for size, status in ((MAX_ARTIFACT_BYTES, 204), (MAX_ARTIFACT_BYTES + 1, 413)):
        content = b"x" * size
        headers = {SHA256_HEADER: digest("x" * size)}
        assert (
            client.put(f"/api/leases/{lease}/artifact", content=content, headers=headers).status_code
            == status
        )
