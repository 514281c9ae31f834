"""What trainers bring: failures, models, and what a full disk keeps out."""

from __future__ import annotations

from unittest.mock import Mock

import httpx
import pytest

from common.errors import StorageError
from common.protocol.trainers import SHA256_HEADER
from coordinator.assembly import Parts
from tests.coordinator.specimens import claim, digest, failure, hello, release
from tests.coordinator.wire import JSON, begin, body, granted, problem


def test_failing_and_giving_back_are_answered(client: httpx.Client) -> None:
    begin(client)
    client.post("/api/trainers", **body(hello()))
    lease = granted(client).lease_id
    answer = client.post(f"/api/leases/{lease}/failure", **body(failure()))
    assert answer.json()["state"] == "queued" and answer.json()["retry_in_seconds"] >= 0
    problem(client.post(f"/api/leases/{lease}/release", **body(release())), 409, "stale-lease")


def test_a_model_that_changed_on_its_way_is_refused(client: httpx.Client) -> None:
    begin(client)
    client.post("/api/trainers", **body(hello()))
    lease = granted(client).lease_id
    sent = client.put(
        f"/api/leases/{lease}/artifact", content=b"a modem", headers={SHA256_HEADER: digest("a model")}
    )
    assert digest("a modem") in problem(sent, 422, "digest-mismatch")["detail"]
    problem(client.put(f"/api/leases/{lease}/artifact", content=b"a model"), 422, "invalid-request")


def test_a_full_disk_harms_no_job(
    client: httpx.Client, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = StorageError(
        "/out/artifacts/blobs/abc cannot be written: No space left on device", "free some space"
    )
    begin(client)
    client.post("/api/trainers", **body(hello()))
    lease = granted(client).lease_id
    monkeypatch.setattr(parts.artifacts, "store", Mock(side_effect=full))
    sent = client.put(f"/api/leases/{lease}/artifact", content=b"m", headers={SHA256_HEADER: digest("m")})
    assert "/out/artifacts/blobs/abc" in problem(sent, 507, "storage")["detail"]
    monkeypatch.undo()
    sent = client.put(f"/api/leases/{lease}/artifact", content=b"m", headers={SHA256_HEADER: digest("m")})
    assert sent.status_code == 204


def test_a_number_that_is_none_is_an_invalid_request(client: httpx.Client) -> None:
    client.post("/api/trainers", **body(hello("t1", "t1-boot")))
    sent = claim("t1-boot").model_dump_json()
    for text in ("NaN", "Infinity", "1e999"):
        content = sent.replace('"cpu_ratio":0.5', f'"cpu_ratio":{text}')
        problem(client.post("/api/claims", content=content, headers=JSON), 422, "invalid-request")
