"""An object store of the tests' own on this machine: moto's server, which checks each request's signature."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

BUCKET = "nights"
USER = "trainer"
PATIENCE_SECONDS = 60.0

BEFORE_SIGNATURES = 4
"""Requests that make the user, its right, its key and the bucket; from then on each must be signed."""

RIGHTS = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}'


class Server:
    """A store with one bucket and one user, all in memory.

    Parameters
    ----------
    port : int
        Where it listens; 0: anywhere.
    host : str
        At which address of this machine.
    """

    def __init__(self, port: int = 0, host: str = "127.0.0.1") -> None:
        self.port, self.host = port or free_port(), host
        self._home = tempfile.TemporaryDirectory(prefix="nighttrain-objects-")
        environment = {**os.environ, "INITIAL_NO_AUTH_ACTION_COUNT": str(BEFORE_SIGNATURES)}
        self._log = (Path(self._home.name) / "log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", host, "-p", str(self.port)],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            cwd=self._home.name,
            env=environment,
        )
        self._wait()
        # Only now: boto3 is of no use to whoever skips.
        import boto3

        first = {"aws_access_key_id": "none", "aws_secret_access_key": "none", "region_name": "us-east-1"}
        iam = boto3.client("iam", endpoint_url=self.url, **first)
        iam.create_user(UserName=USER)
        iam.put_user_policy(UserName=USER, PolicyName="all", PolicyDocument=RIGHTS)
        key = iam.create_access_key(UserName=USER)["AccessKey"]
        self.key, self.secret = key["AccessKeyId"], key["SecretAccessKey"]
        boto3.client("s3", endpoint_url=self.url, **first).create_bucket(Bucket=BUCKET)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What the SDKs of AWS take of the environment."""
        return environment_of(self.url, self.key, self.secret)

    @property
    def profile(self) -> str:
        """The same as ~/.aws/credentials has it."""
        return (
            f"[default]\naws_access_key_id = {self.key}\naws_secret_access_key = {self.secret}\n"
            f"region = us-east-1\nendpoint_url = {self.url}\n"
        )

    def put_folder(self, folder: Path, prefix: str) -> None:
        """Put the files of a folder below a prefix."""
        import boto3

        client = boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=self.key,
            aws_secret_access_key=self.secret,
            region_name="us-east-1",
        )
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                name = f"{prefix}/{path.relative_to(folder).as_posix()}"
                client.put_object(Bucket=BUCKET, Key=name, Body=path.read_bytes())

    def requests(self, begins: str) -> list[str]:
        """Return the requests so far that begin so, such as ``GET /nights/candles/``, in their order."""
        # In colours where they were refused.
        lines = re.sub(r"\x1b\[[0-9;]*m", "", (Path(self._home.name) / "log").read_text()).splitlines()
        asked = [line.split('"')[1] for line in lines if line.count('"') == 2]
        return [one for one in asked if one.startswith(begins)]

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._log.close()
        self._home.cleanup()

    def _wait(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            assert self._process.poll() is None, (Path(self._home.name) / "log").read_text()
            try:
                socket.create_connection((self.host, self.port), 1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError("the object store does not listen")


def environment_of(endpoint: str, key: str, secret: str) -> dict[str, str]:
    """Return variables that keep what this machine may know of AWS out of a test."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_CONFIG_FILE": "/nowhere",
        "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def put_in(monkeypatch: Any, variables: Mapping[str, str]) -> None:
    """Set variables for the length of a test, and unset all else of AWS."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Gate:
    """A way to a server that can be shut, and held up behind so many bytes of its answers.

    Shut, it refuses connections and cuts those that are open.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self.port = free_port()
        self.held = threading.Event()
        """Is set when the bytes have come through after which answers are held up."""
        self._open: set[socket.socket] = set()
        self._left: int | None = None
        self._listener: socket.socket | None = None
        self.open()

    @property
    def environment(self) -> dict[str, str]:
        return environment_of(f"http://127.0.0.1:{self.port}", self._server.key, self._server.secret)

    def open(self) -> None:
        self._left = None
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def hold_after(self, count: int) -> None:
        """Hold answers up after so many bytes, until it is opened anew."""
        self._left = count

    def shut(self) -> None:
        if self._listener is not None:
            # Else the thread that waits keeps it listening.
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                here, _ = listener.accept()
            except OSError:
                return
            there = socket.create_connection(("127.0.0.1", self._server.port))
            self._open |= {here, there}
            for source, target, answers in ((here, there, False), (there, here, True)):
                threading.Thread(target=self._pass_on, args=(source, target, answers), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, answers: bool) -> None:
        with suppress(OSError):
            while chunk := source.recv(16_384):
                if answers and self._left is not None:
                    chunk = chunk[: self._left]
                    self._left -= len(chunk)
                    if not self._left:
                        target.sendall(chunk)
                        self.held.set()
                        while source.recv(16_384):
                            pass
                        break
                target.sendall(chunk)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._open.discard(source)
        source.close()
