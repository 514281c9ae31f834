"""How fast a real coordinator answers on a connection that is kept, as trainers keep theirs.

A median near 40 ms is the client's delayed acknowledgement: then the coordinator's socket holds its
answers back (Nagle's algorithm).
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles

import httpx

from tests.coordinator.process import Process
from tests.coordinator.specimens import claim, hello

REQUESTS = 300
WARM_UP = 20


def seconds_of(ask: Callable[[], httpx.Response], status: int) -> list[float]:
    """How long each of `REQUESTS` requests took, in seconds; all are answered with `status`."""
    took = []
    for number in range(WARM_UP + REQUESTS):
        began = time.perf_counter()
        answer = ask()
        ended = time.perf_counter()
        assert answer.status_code == status, answer.text
        if number >= WARM_UP:
            took.append(ended - began)
    return took


def measured() -> dict[str, list[float]]:
    """Return how long each request took, in seconds, by what was asked."""
    with tempfile.TemporaryDirectory() as folder:
        process = Process(Path(folder))
        try:
            url = process.ready().url
            token = (Path(folder) / "trainer_token").read_text().strip()
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            with httpx.Client(base_url=url, headers=headers, trust_env=False) as client:
                trainer = hello()
                client.post("/api/trainers", content=trainer.model_dump_json()).raise_for_status()
                wanted = claim(trainer.boot_id).model_dump_json()
                return {
                    "GET /healthz": seconds_of(lambda: client.get("/healthz"), 200),
                    "POST /api/claims (empty queue)": seconds_of(
                        lambda: client.post("/api/claims", content=wanted), 204
                    ),
                    "GET /api/status": seconds_of(lambda: client.get("/api/status"), 200),
                }
        finally:
            process.kill()


def main() -> None:
    figures = measured()
    print(f"{'request':32}{'median ms':>10}{'p95 ms':>10}")
    for what, took in figures.items():
        print(f"{what:32}{median(took) * 1000:10.2f}{quantiles(took, n=20)[-1] * 1000:10.2f}")


if __name__ == "__main__":
    main()
