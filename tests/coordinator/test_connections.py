"""Who sends nothing, or slowly, or too much, keeps nobody else from being heard."""

from __future__ import annotations

import resource
import select
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from coordinator.api.bodies import IN_FLIGHT_BYTES
from coordinator.connections import MOST_HEADER_BYTES
from tests.coordinator.process import Process

ALLOWED = 600
"""Descriptors of the coordinator in these tests."""


@contextmanager
def started(folder: Path) -> Iterator[Process]:
    process = Process(folder / "out")
    try:
        process.ready()
        yield process
    finally:
        process.kill()


@pytest.fixture(scope="module")
def coordinator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """One for all tests: whatever one of them sends it, it serves the next."""
    with started(tmp_path_factory.mktemp("connections")) as process:
        yield process


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Process]:
    """One for a test that ends it."""
    with started(tmp_path) as process:
        yield process


def connected(process: Process) -> socket.socket:
    url = httpx.URL(process.ready().url)
    return socket.create_connection((url.host, url.port or 80), timeout=60)


def status_of(peer: socket.socket) -> int:
    answer = b""
    while b"\r\n" not in answer:
        part = peer.recv(4096)
        assert part, "the connection was closed without an answer"
        answer += part
    return int(answer.split()[1])


def head(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: 127.0.0.1", *headers, "", ""]).encode()


def token_of(process: Process) -> str:
    return f"Authorization: Bearer {(process.out / 'trainer_token').read_text().strip()}"


def test_connections_that_ask_for_nothing_make_room_for_one_that_does(own: Process) -> None:
    resource.prlimit(own.process.pid, resource.RLIMIT_NOFILE, (ALLOWED, ALLOWED))
    with ExitStack() as idle:
        # Several at once, so that asyncio finds many to accept in each turn of its loop.
        with ThreadPoolExecutor(8) as crowd:
            for peer in crowd.map(lambda _: connected(own), range(3 * ALLOWED // 2)):
                idle.enter_context(peer)
        for _ in range(5):
            assert httpx.get(f"{own.ready().url}/healthz", timeout=10).status_code == 200
    own.process.terminate()
    _, _, err = own.ended()
    told = [line for line in err.splitlines() if "more than" in line]
    assert len(told) == 1 and "Too many open files" not in err


def test_a_header_that_never_ends_is_not_waited_for(coordinator: Process) -> None:
    with connected(coordinator) as silent, connected(coordinator) as slow:
        slow.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
        began = time.monotonic()
        assert slow.recv(100) == b"" and silent.recv(100) == b""
        assert time.monotonic() - began > 5.0


def test_a_header_has_a_bound(coordinator: Process) -> None:
    with connected(coordinator) as flood:
        flood.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: ")
        with suppress(ConnectionResetError, BrokenPipeError):
            for _ in range(2 * MOST_HEADER_BYTES // 4096):
                flood.sendall(b"x" * 4096)
        with suppress(ConnectionResetError):
            assert status_of(flood) == 400
            assert flood.recv(4096) == b""


def test_what_comes_after_a_body_has_a_bound_too(coordinator: Process) -> None:
    with connected(coordinator) as flood:
        flood.sendall(head("/api/claims", token_of(coordinator), "Transfer-Encoding: chunked"))
        flood.sendall(b"1\r\n{\r\n0\r\n")
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            for _ in range(1000):
                flood.sendall(b"X-Trailer: " + b"x" * 4096 + b"\r\n")


@pytest.mark.parametrize("hosts", ["", "Host: 127.0.0.1\r\nHost: localhost\r\n"])
def test_a_request_names_one_host(coordinator: Process, hosts: str) -> None:
    with connected(coordinator) as peer:
        peer.sendall(f"GET /healthz HTTP/1.1\r\n{hosts}\r\n".encode())
        assert status_of(peer) == 422


@pytest.mark.parametrize("framing", ["Content-Length: 62", "Transfer-Encoding: chunked"])
def test_a_body_behind_an_upgrade_is_never_taken_for_the_next_request(
    coordinator: Process, framing: str
) -> None:
    upgrade = ("Connection: Upgrade", "Upgrade: h2c", "Content-Type: application/json")
    with connected(coordinator) as peer:
        peer.sendall(head("/api/claims", token_of(coordinator), framing, *upgrade))
        said = peer.recv(4096)
        with suppress(ConnectionResetError, BrokenPipeError):
            peer.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            while part := peer.recv(4096):
                said += part
    assert said.count(b"HTTP/1.1 ") == 1 and said.startswith(b"HTTP/1.1 400")


def test_another_protocol_that_is_asked_for_is_not_spoken(coordinator: Process) -> None:
    with connected(coordinator) as peer:
        peer.sendall(
            b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
        )
        assert status_of(peer) == 200


@pytest.mark.parametrize("line", [b"GET /healthz", b"GET /healthz HTTP/2.0\r\nHost: 127.0.0.1"])
def test_other_versions_of_http_are_refused(coordinator: Process, line: bytes) -> None:
    with connected(coordinator) as peer:
        peer.sendall(line + b"\r\n\r\n")
        assert status_of(peer) in {400, 422}


def test_what_is_not_http_ends_the_connection(coordinator: Process) -> None:
    with connected(coordinator) as peer:
        peer.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        assert status_of(peer) == 400 and peer.recv(100) == b""


def test_requests_that_come_at_once_are_answered_one_after_the_other(coordinator: Process) -> None:
    with connected(coordinator) as peer:
        peer.sendall(2 * b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        answers = b""
        while answers.count(b"HTTP/1.1 200") < 2:
            part = peer.recv(4096)
            assert part, answers
            answers += part


def test_the_rest_of_a_body_is_not_read_once_it_is_answered(coordinator: Process) -> None:
    part, parts = b"x" * 1_000_000, 80
    with connected(coordinator) as unknown:
        unknown.sendall(head("/api/claims", f"Content-Length: {parts * len(part)}"))
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            for _ in range(parts):
                unknown.sendall(part)


def test_nobody_without_the_token_has_a_body_kept(coordinator: Process) -> None:
    with connected(coordinator) as unknown:
        unknown.sendall(head("/api/claims", "Content-Length: 8000000") + b"x" * 100_000)
        assert status_of(unknown) == 401


def test_a_body_of_terabytes_is_refused_before_it_comes(coordinator: Process) -> None:
    with connected(coordinator) as peer:
        peer.sendall(head("/api/claims", token_of(coordinator), "Content-Length: 10000000000000"))
        assert status_of(peer) == 413


def test_bodies_that_are_never_finished_do_not_fill_the_memory(coordinator: Process) -> None:
    part, peers = b"x" * 8_000_000, 12
    fit = IN_FLIGHT_BYTES // len(part)
    assert fit < peers
    begun = head("/api/claims", token_of(coordinator), f"Content-Length: {len(part) + 1}")
    with ExitStack() as stack:
        waiting, refused = [], 0
        for _ in range(peers):
            peer = stack.enter_context(connected(coordinator))
            try:
                peer.sendall(begun + part)
                waiting.append(peer)
            except (ConnectionResetError, BrokenPipeError):
                refused += 1
        # Those that are held hear nothing; of the others each gets an answer, or finds its connection closed.
        while refused < peers - fit:
            answered, _, _ = select.select(waiting, [], [], 30)
            assert answered, f"only {refused} were refused"
            for peer in answered:
                waiting.remove(peer)
                refused += 1
                with suppress(ConnectionResetError):
                    assert status_of(peer) == 503
        assert httpx.get(f"{coordinator.ready().url}/healthz", timeout=30).status_code == 200
