"""A coordinator killed while it sends: the store has whole objects only, and the next one sends the rest."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.objects.store import open_objects
from common.out_folder import OutFolder
from tests.coordinator.process import CONFIG, Process, eventually
from tests.object_store import BUCKET, Server, environment_of, put_in

MODELS = 12
MODEL_BYTES = 200_000
LET_THROUGH_BYTES = 900_000
"""Ends within the fifth model."""


class Relay:
    """Passes bytes on to a server until it has passed on so many of them, and then holds what comes back."""

    def __init__(self, server: Server, most: int) -> None:
        self.server, self.left = server, most
        self.full = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.listener.close()

    def _accept(self) -> None:
        while True:
            try:
                here, _ = self.listener.accept()
            except OSError:
                return
            there = socket.create_connection(("127.0.0.1", self.server.port))
            threading.Thread(target=self._there, args=(here, there), daemon=True).start()
            threading.Thread(target=self._back, args=(there, here), daemon=True).start()

    def _there(self, here: socket.socket, there: socket.socket) -> None:
        with here, there:
            while chunk := _received(here):
                passed = chunk[: self.left]
                there.sendall(passed)
                self.left -= len(passed)
                if not self.left:
                    self.full.set()
                    # Until whoever sends is gone.
                    while _received(here):
                        pass

    @staticmethod
    def _back(there: socket.socket, here: socket.socket) -> None:
        while chunk := _received(there):
            try:
                here.sendall(chunk)
            except OSError:
                return


def _received(peer: socket.socket) -> bytes:
    try:
        return peer.recv(16_384)
    except OSError:
        return b""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


def config(tmp_path: Path) -> Path:
    path = tmp_path / "night.yaml"
    path.write_text(CONFIG.read_text().replace('artifacts: ""', f"artifacts: s3://{BUCKET}/prod"))
    return path


def test_what_a_killed_coordinator_has_not_sent_is_sent_by_the_next_one_and_nothing_is_half_written(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = OutFolder(tmp_path / "out")
    out.blobs.mkdir(parents=True)
    for _ in range(MODELS):
        content = os.urandom(MODEL_BYTES)
        (out.blobs / hashlib.sha256(content).hexdigest()).write_bytes(content)
    relay = Relay(server, LET_THROUGH_BYTES)
    put_in(monkeypatch, environment_of(relay.url, server.key, server.secret))
    killed = Process(out.root, config=config(tmp_path))
    assert relay.full.wait(60)
    killed.kill()
    relay.close()

    put_in(monkeypatch, server.environment)
    objects = open_objects(f"s3://{BUCKET}/prod")
    there = objects.sizes("blobs")
    assert 0 < len(there) < MODELS and set(there.values()) == {MODEL_BYTES}

    again = Process(out.root, config=config(tmp_path))
    try:
        eventually(lambda: len(objects.sizes("blobs")) == MODELS or None)
    finally:
        again.process.terminate()
        code, _, told = again.ended()
    assert code == 0
    for path in out.blobs.iterdir():
        assert objects.get(f"blobs/{path.name}") == path.read_bytes()
    for secret in (server.secret, server.key):
        assert secret not in told
        for file in out.root.rglob("*"):
            assert not file.is_file() or secret.encode() not in file.read_bytes(), file


def test_wrong_credentials_are_one_line_in_the_log_and_stop_no_night(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = OutFolder(tmp_path / "out")
    put_in(monkeypatch, environment_of(server.url, server.key, "another-secret-than-the-right-one"))
    process = Process(out.root, config=config(tmp_path))
    process.ready()
    words = f"s3://{BUCKET}/prod: refused: the secret key is not that of this access key"
    try:
        eventually(lambda: (words in out.coordinator_log.read_text()) or None)
    finally:
        process.process.terminate()
        code, _, told = process.ended()
    assert code == 0
    log = out.coordinator_log.read_text()
    assert log.count(words) == 1 and "another-secret" not in log + told and server.key not in log + told
