"""What trainers bring: failures, models, and what a full disk keeps out."""

from __future__ import annotations

from unittest.mock import Mock

import httpx
import pytest

from common.errors import StorageError
from common.protocol.jobs import SurveySpec
from common.protocol.trainers import SHA256_HEADER, Grant
from coordinator.assembly import Parts
from tests.coordinator.specimens import (
    claim,
    digest,
    failure,
    finish,
    hello,
    release,
    spec_of,
    survey_report,
    training_report,
)
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


def test_a_model_that_was_not_uploaded_is_made_from_its_manifest(client: httpx.Client, parts: Parts) -> None:
    begin(client)
    boot = hello()
    client.post("/api/trainers", **body(boot))
    while isinstance((grant := granted(client)).spec, SurveySpec):
        client.post(f"/api/leases/{grant.lease_id}/finish", **body(finish(survey_report(grant.spec))))
    report, content = training_report(spec_of(grant))
    sha256 = report.manifest.pickle_sha256
    done = finish(report, sha256).model_copy(update={"next_claim": claim(boot.boot_id)})
    problem(client.post("/api/leases/none/finish", **body(done)), 409, "stale-lease")
    assert not (parts.artifacts.directory / sha256).exists(), "whoever holds no lease stores nothing"
    answer = client.post(f"/api/leases/{grant.lease_id}/finish", **body(done))
    assert answer.status_code == 200
    assert Grant.model_validate_json(answer.content).job_id != grant.job_id
    assert parts.artifacts.read(sha256) == content
    parts.artifacts.settle()
    (parts.artifacts.directory / sha256).write_bytes(b"")
    assert parts.artifacts.read(sha256) == content, "after a loss of power its manifest makes it again"
    forged = done.model_copy(update={"artifact_sha256": digest("another")})
    lease = Grant.model_validate_json(answer.content).lease_id
    assert client.post(f"/api/leases/{lease}/finish", **body(forged)).status_code == 422


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
