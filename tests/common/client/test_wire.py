import datetime
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

import certifi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from common.client import wire
from common.client.wire import Reply, Wire, WireError
from tests.common.scripted_server import Asked, ScriptedServer
from tests.common.scripted_server import Reply as Scripted

MOST = 1_000_000


class Opening(Protocol):
    def __call__(self, url: str, idle_seconds: float = 20.0) -> Wire: ...


@pytest.fixture
def wire_to() -> Iterator[Opening]:
    with ExitStack() as opened:

        def make(url: str, idle_seconds: float = 20.0) -> Wire:
            made = Wire(url, connect_seconds=3.0, answer_seconds=3.0, idle_seconds=idle_seconds)
            opened.callback(made.close)
            return made

        yield make


def get(asking: Wire, target: str = "/", most: int = MOST) -> Reply:
    return asking.ask("GET", target, None, {}, most)


@contextmanager
def saying(*answers: bytes, ended: threading.Event | None = None) -> Iterator[str]:
    """Listen; each connection gets one of the answers, whatever it asks, and is closed, as `ended` tells."""

    def speak() -> None:
        for answer in answers:
            other, _ = listener.accept()
            with other:
                while b"\r\n\r\n" not in other.recv(65536):
                    pass
                other.sendall(answer)
            if ended is not None:
                ended.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=speak, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(5.0)


def test_an_answer_is_told_whole_and_its_headers_are_found_in_any_case(wire_to: Opening) -> None:
    headers = {"X-Reason": "empty", "Content-Type": "text/plain"}
    with ScriptedServer(lambda asked: Scripted(418, b"abc", headers)) as server:
        reply = get(wire_to(server.url))
    assert (reply.status, reply.content) == (418, b"abc")
    assert (
        reply.headers["x-reason"] == reply.headers.get("X-REASON") == "empty"
        and "X-Other" not in reply.headers
    )


def test_an_address_may_have_a_path_and_what_a_path_cannot_hold_is_escaped(wire_to: Opening) -> None:
    with ScriptedServer(lambda asked: Scripted()) as server:
        get(wire_to(f"{server.url}/night"), "/api/ä b/%2F?limit=3&name=a+b")
    assert server.asked[0].path == "/night/api/%C3%A4%20b/%2F?limit=3&name=a+b"


@pytest.mark.parametrize("size", [0, 1, wire.PIECE_BYTES, 3 * wire.PIECE_BYTES + 1])
def test_a_body_arrives_whole(size: int, wire_to: Opening) -> None:
    content = bytes(range(256)) * (size // 256 + 1)
    with ScriptedServer(lambda asked: Scripted()) as server:
        asking = wire_to(server.url)
        for _ in range(2):
            asking.ask("PUT", "/", content[:size], {}, MOST)
    assert [asked.body for asked in server.asked] == 2 * [content[:size]]
    assert server.connections == 1


def test_a_connection_that_the_other_side_has_closed_is_not_used_again(wire_to: Opening) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"
    ended = threading.Event()
    with saying(answer + b"1", answer + b"2", ended=ended) as url:
        asking = wire_to(url)
        assert get(asking).content == b"1"
        assert ended.wait(5.0)
        assert get(asking).content == b"2"


def test_a_connection_that_was_idle_for_too_long_is_not_used_again(wire_to: Opening) -> None:
    with ScriptedServer(lambda asked: Scripted()) as server:
        asking = wire_to(server.url, idle_seconds=0.1)
        get(asking)
        time.sleep(0.2)
        get(asking)
    assert server.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nhalf",
        b"SSH-2.0-OpenSSH_9\r\n",
    ],
)
def test_half_an_answer_is_none(answer: bytes, wire_to: Opening) -> None:
    with saying(answer) as url, pytest.raises(WireError):
        get(wire_to(url))


def test_an_answer_in_chunks_is_read_and_its_connection_used_again(wire_to: Opening) -> None:
    headers = {"Transfer-Encoding": "chunked"}
    with ScriptedServer(lambda asked: Scripted(200, b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", headers)) as server:
        asking = wire_to(server.url)
        assert [get(asking).content for _ in range(2)] == 2 * [b"abcde"]
    assert server.connections == 1


def test_what_is_left_of_an_answer_that_is_too_long_is_no_answer_to_the_next_request(
    wire_to: Opening,
) -> None:
    with ScriptedServer(lambda asked: Scripted(body=asked.path.encode() * 100)) as server:
        asking = wire_to(server.url)
        assert len(get(asking, "/x", most=100).content) == 101
        assert get(asking, "/y").content == b"/y" * 100
    assert server.connections == 2


def test_threads_get_their_own_answers_over_a_bounded_number_of_connections(wire_to: Opening) -> None:
    def slow(asked: Asked) -> Scripted:
        time.sleep(0.01)
        return Scripted(body=asked.path.encode())

    paths = [f"/{number}" for number in range(100)]
    with ScriptedServer(slow) as server, ThreadPoolExecutor(20) as threads:
        asking = wire_to(server.url)
        assert [
            reply.content.decode() for reply in threads.map(lambda path: get(asking, path), paths)
        ] == paths
    assert 1 < server.connections <= wire.MOST_CONNECTIONS


def test_what_is_closed_asks_for_nothing_any_more(wire_to: Opening) -> None:
    with ScriptedServer(lambda asked: Scripted()) as server:
        asking = wire_to(server.url)
        get(asking)
        asking.close()
        with pytest.raises(WireError, match="closed"):
            get(asking)
    assert len(server.asked) == 1


def test_a_certificate_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wire_to: Opening
) -> None:
    own = certificate(tmp_path / "own.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own)
    with ScriptedServer(lambda asked: Scripted(body=b"sealed")) as server:
        server.listener.socket = context.wrap_socket(server.listener.socket, server_side=True)
        url = server.url.replace("http:", "https:")
        with pytest.raises(WireError, match="certificate verify failed"):
            get(wire_to(url))
        monkeypatch.setattr(certifi, "where", lambda: str(own))
        asking = wire_to(url)
        assert [get(asking).content for _ in range(2)] == 2 * [b"sealed"]
        with pytest.raises(WireError, match="certificate verify failed"):
            get(wire_to(url.replace("127.0.0.1", "localhost")))


def certificate(path: Path) -> Path:
    """Write a key and the certificate of 127.0.0.1 that it has signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a coordinator")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(plain + made.public_bytes(serialization.Encoding.PEM))
    return path
