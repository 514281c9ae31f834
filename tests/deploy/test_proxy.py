"""The examples of a proxy with TLS, run by the real programs in front of a real coordinator."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from coordinator.credentials.throttle import FREE_FAILURES
from tests.coordinator.process import Process, eventually

ROOT = Path(__file__).parents[2]
NAME = "night.example.org"
ELSEWHERE = "203.0.113.9"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def of_caddy(folder: Path, port: int, behind: int) -> list[str]:
    example = (ROOT / "deploy/proxy/Caddyfile").read_text(encoding="utf-8")
    site = f"https://{NAME}:{port} {{\n\tbind 127.0.0.1\n\ttls {folder / 'cert.pem'} {folder / 'key.pem'}"
    text = example.replace(f"{NAME} {{", site, 1).replace(":5000", f":{behind}")
    options = "{\n\tadmin off\n\tauto_https disable_redirects\n}\n"
    (folder / "Caddyfile").write_text(options + text, encoding="utf-8")
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


def of_nginx(folder: Path, port: int, behind: int) -> list[str]:
    text = (ROOT / "deploy/proxy/nginx.conf").read_text(encoding="utf-8")
    for old, new in {
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "/etc/ssl/night/fullchain.pem": str(folder / "cert.pem"),
        "/etc/ssl/night/privkey.pem": str(folder / "key.pem"),
        "127.0.0.1:5000": f"127.0.0.1:{behind}",
    }.items():
        assert old in text
        text = text.replace(old, new)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "".join(f"{kind}_temp_path {folder / kind};\n" for kind in kinds)
    whole = f"daemon off;\npid {folder / 'pid'};\nevents {{}}\nhttp {{\naccess_log off;\n{places}{text}}}\n"
    (folder / "nginx.conf").write_text(whole, encoding="utf-8")
    return ["nginx", "-p", str(folder), "-e", str(folder / "errors"), "-c", str(folder / "nginx.conf")]


@dataclass
class Front:
    """A proxy with a coordinator behind it."""

    coordinator: Process
    direct: str
    client: httpx.Client

    def ask(self, method: str, path: str, token: str = "", **more: object) -> httpx.Response:
        headers = {"Host": NAME, "X-Forwarded-For": ELSEWHERE}
        if token:
            headers["Authorization"] = f"Bearer {self.token(token)}"
        request = self.client.build_request(
            method, path, headers=headers, extensions={"sni_hostname": NAME}, **more
        )
        return self.client.send(request)

    def token(self, name: str) -> str:
        path = self.coordinator.out / name
        return path.read_text(encoding="utf-8").strip() if path.exists() else name


@pytest.fixture(scope="module", params=[of_caddy, of_nginx], ids=["caddy", "nginx"])
def front(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    make: Callable[[Path, int, int], list[str]] = request.param
    folder = tmp_path_factory.mktemp("proxy")
    port, behind = free_port(), free_port()
    command = make(folder, port, behind)
    for program in (command[0], "openssl"):
        if shutil.which(program, path="/usr/sbin:/usr/bin:/bin:/usr/local/bin") is None:
            package = {"nginx": "nginx-light"}.get(program, program)
            pytest.skip(f"{program} is not installed (Debian: apt install {package})")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"),
            *("-keyout", folder / "key.pem", "-out", folder / "cert.pem"),
        ],
        check=True,
        capture_output=True,
    )
    config = folder / "night.yaml"
    config.write_text(
        f"dashboard: {{external_url: 'https://{NAME}', proxies: [127.0.0.1]}}\n", encoding="utf-8"
    )
    coordinator = Process(folder / "out", port=behind, config=config)
    environment = {"PATH": "/usr/sbin:/usr/bin:/bin:/usr/local/bin", "HOME": str(folder)}
    with (folder / "said").open("wb") as said:
        proxy = subprocess.Popen(command, env=environment, stdout=said, stderr=said)
    try:
        direct = coordinator.ready().url
        trusted = ssl.create_default_context(cafile=str(folder / "cert.pem"))
        with httpx.Client(
            base_url=f"https://127.0.0.1:{port}", verify=trusted, trust_env=False, timeout=30
        ) as client:
            made = Front(coordinator, direct, client)

            def up() -> bool | None:
                assert proxy.poll() is None, (folder / "said").read_text(encoding="utf-8")
                try:
                    return made.ask("GET", "/healthz").status_code == 200 or None
                except httpx.TransportError:
                    return None

            eventually(up)
            yield made
    finally:
        proxy.terminate()
        proxy.wait(10)
        coordinator.kill()


def test_what_is_open_on_this_machine_needs_a_token_through_the_proxy(front: Front) -> None:
    assert httpx.get(f"{front.direct}/api/status", trust_env=False).status_code == 200
    assert front.ask("GET", "/api/status").status_code == 401
    assert front.ask("GET", "/metrics").status_code == 401
    assert front.ask("GET", "/").headers.get("location", "").startswith("/login")
    assert front.ask("GET", "/api/status", "reader_token").status_code == 200
    assert front.ask("GET", "/api/status", "trainer_token").status_code == 403


def test_who_signs_in_through_it_gets_a_cookie_for_tls_alone(front: Front) -> None:
    answer = front.ask("POST", "/login", data={"token": front.token("reader_token"), "then": "/"})
    assert answer.status_code == 303
    assert "Secure" in answer.headers["set-cookie"]


def test_trainers_work_through_it(front: Front) -> None:
    answer = front.ask("POST", "/api/claims", "trainer_token", content=b"{}")
    assert answer.status_code == 422


def test_nobody_is_believed_who_says_where_they_are_themselves(front: Front) -> None:
    for _ in range(FREE_FAILURES):
        front.ask("POST", "/api/runs", "a-guess")
    log = front.coordinator.out / "logs" / "batch_train_night.log"
    eventually(lambda: "a wrong token was shown from" in log.read_text(encoding="utf-8") or None)
    assert ELSEWHERE not in log.read_text(encoding="utf-8")
    assert front.ask("POST", "/api/runs", "a-guess").status_code == 429
