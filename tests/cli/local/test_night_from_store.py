"""Nights on candles in an object store: the same as on a folder, whoever is killed and whatever is away."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import GRID, Outcome
from tests.cli.nights import Night, begun, essence, only_results_of, process_of, status, until
from tests.object_store import BUCKET, Gate, Server

CANDLES, MODELS = f"s3://{BUCKET}/candles", f"s3://{BUCKET}/models"
FETCHED = f"GET /{BUCKET}/candles/"


@pytest.fixture(scope="module")
def server(candles: Path) -> Iterator[Server]:
    made = Server()
    made.put_folder(candles, "candles")
    yield made
    made.close()


@pytest.fixture
def gate(server: Server) -> Iterator[Gate]:
    made = Gate(server)
    yield made
    made.shut()


def fetched(server: Server) -> list[str]:
    """The objects that were fetched, not the listings."""
    return server.requests(FETCHED)


def models_of(out: Path) -> dict[str, str]:
    found = (out / "artifacts" / "direction").glob("*.pkl")
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def test_a_night_on_a_store_is_one_on_a_folder_and_the_next_fetches_nothing(
    undisturbed: Night, nighttrain: Callable[..., Outcome], server: Server, tmp_path: Path
) -> None:
    words = ("run", "--data", CANDLES, "--out", tmp_path, "--trainers", 2, "--json", *GRID)
    both = {**server.environment, "BT_NIGHT_ARTIFACTS": MODELS}
    before = fetched(server)
    first = nighttrain(*words, **both)
    assert first.code == 0, first.err
    assert essence(first.results()) == essence(undisturbed[0])
    assert models_of(tmp_path) == models_of(undisturbed[1]) != {}
    once = fetched(server)[len(before) :]
    assert len(once) == len(set(once)) == 2
    second = nighttrain(*words, **both)
    assert second.code == 0, second.err
    assert [survey["report"]["cache_hit"] for survey in second.results()["surveys"]] == [True, True]
    assert fetched(server)[len(before) :] == once
    # Neither keys nor their secrets anywhere: neither files nor logs, nor what was printed.
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    said = (first.out + first.err + second.out + second.err).encode()
    for word in (server.key, server.secret):
        assert word.encode() not in written and word.encode() not in said
    (results, *_) = sorted((tmp_path / "logs").glob("batch_train_results_*.json"))
    assert server.requests(f"PUT /{BUCKET}/models/logs/{results.name}")


def test_a_trainer_killed_while_it_fetches_and_a_store_that_is_away_change_nothing(
    undisturbed: Night, gate: Gate, tmp_path: Path
) -> None:
    words = ("run", "--data", CANDLES, "--out", tmp_path, "--trainers", 1, *GRID)
    gate.hold_after(60_000)
    soon = {"BT_NIGHT_RETRY__BACKOFF_BASE": "0.1"}
    with begun(*words, **gate.environment, **soon) as night:
        assert gate.held.wait(60)
        victim = until(lambda: process_of(night.pid, "trainer"), "a trainer")
        objects = tmp_path / "cache" / "objects"
        until(lambda: list(objects.glob(".*.unfinished")), "an object that is being fetched")
        victim.kill()
        victim.wait(10)
        assert not [path for path in objects.iterdir() if not path.name.startswith((".", "CACHEDIR"))]
        gate.shut()

        def waits() -> bool:
            document = status(tmp_path) or {"trainers": []}
            return any((one["progress"] or {}).get("stage") == "candles away" for one in document["trainers"])

        until(waits, "a job that waits for its candles")
        gate.open()
        assert night.wait(120) == 0
    assert essence(only_results_of(tmp_path)) == essence(undisturbed[0])
    assert not list(objects.glob(".*.unfinished"))
