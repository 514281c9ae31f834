"""The coordinator that a command means: the one that is named, or else the one that runs on this machine.

Looked for are, in this order, a night of `nighttrain run` in the out folder, the secret within a container,
and the containers of `make up`, whose secret and port lie in the folder that it was called in.
"""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import httpx
from pydantic import ValidationError

from cli.local.origin import candles_of
from common.client.client import OperatorClient
from common.errors import NotFoundError
from common.out_folder import OutFolder
from common.protocol.address import Address
from common.protocol.status import Health

SECRET_IN_CONTAINER = Path("/run/secrets/nighttrain_token")
SECRET_OF_STACK = Path("secrets/nighttrain_token")
PORT_NAMES = ("BT_NIGHT_DASHBOARD_PORT", "DASHBOARD_PORT")
DEFAULT_PORT = 5000
ASK_SECONDS = 0.5


@dataclass(frozen=True)
class Place:
    """Where a coordinator listens, and the file with its token; None where nobody knows of one."""

    url: str
    token: Path | None


def connect(url: str | None, token_file: Path | None, out: Path) -> OperatorClient:
    """Return a client of the coordinator that a command means.

    Parameters
    ----------
    url : str or None
        Where it listens; None: it is looked for.
    token_file : Path or None
        The file with its token; None: it is looked for.
    out : Path
        The out folder of a night on this machine.

    Raises
    ------
    NotFoundError
        None was named, and none is found.
    ConfigurationError
        The address or the token file cannot be used.
    """
    place = find(url, out)
    return OperatorClient(place.url, token_file or place.token)


def connect_to_stack(url: str | None, token_file: Path | None, folder: Path = Path()) -> OperatorClient:
    """Return a client of the coordinator in the containers that were started from `folder`, or of `url`.

    Raises
    ------
    ConfigurationError
        The address or the token file cannot be used.
    """
    secret = token_file or folder / SECRET_OF_STACK
    return OperatorClient(url or f"http://127.0.0.1:{_port(folder)}", secret if secret.is_file() else None)


def find(url: str | None, out: Path, folder: Path = Path()) -> Place:
    """Return the coordinator that is named or found; `folder` is where `make up` was called.

    Raises
    ------
    NotFoundError
        None was named, and none is found.
    """
    local = of_out_folder(out)
    url = url and re.sub(r"^(http://)localhost(?=[:/]|$)", r"\g<1>127.0.0.1", url).rstrip("/")
    if url is None and local is not None:
        return local
    for secret in (SECRET_IN_CONTAINER, folder / SECRET_OF_STACK):
        if secret.is_file():
            port = _port(folder) if secret != SECRET_IN_CONTAINER else DEFAULT_PORT
            stack = Place(f"http://127.0.0.1:{port}", secret)
            if url is None:
                return stack
            if url == stack.url and not (local is not None and local.url == stack.url):
                return Place(url, secret)
    if url is not None:
        return Place(url, local.token if local is not None and local.url == url else None)
    problem = f"no coordinator is found: none runs over the folder {out}, and {SECRET_OF_STACK} is not here"
    default = f"http://127.0.0.1:{DEFAULT_PORT}"
    if _is_coordinator(default):
        # It may be of another folder, so that it is named and not taken.
        problem += f"; one of another folder answers at {default}"
    hint = "name its folder with --out, or it with --url and --token-file; "
    if OutFolder(out).database.exists():
        candles = candles_of(OutFolder(out))
        command = ["nighttrain", "up", "--out", str(out), *(["--data", candles] if candles else [])]
        hint += f"its nights are kept, and shown by: {shlex.join(command)}"
    else:
        hint += "if none runs, start one: nighttrain run, or make up"
    raise NotFoundError(problem, hint)


def _is_coordinator(url: str) -> bool:
    try:
        answer = httpx.get(f"{url}/healthz", timeout=ASK_SECONDS, trust_env=False)
        Health.model_validate_json(answer.content)
    except (httpx.HTTPError, ValidationError):
        return False
    return True


def of_out_folder(out: Path) -> Place | None:
    """Return the coordinator that runs over an out folder of this machine; None if none does."""
    folder = OutFolder(out)
    try:
        address = Address.model_validate_json(folder.address.read_bytes())
        os.kill(address.pid, 0)
    except (OSError, ValidationError, OverflowError):
        return None
    return Place(address.url, folder.token)


def _port(folder: Path) -> int:
    """Return the port that the containers were given: by the environment, or else by their `.env`."""
    given = dict(dotenv(folder / ".env")) | dict(os.environ)
    for name in PORT_NAMES:
        if given.get(name, "").isdigit():
            return int(given[name])
    return DEFAULT_PORT


def dotenv(path: Path) -> list[tuple[str, str]]:
    """Return the variables of a `.env`, none where there is no such file."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return re.findall(r"^\s*(\w+)\s*=\s*[\"']?([^\"'\s#]*)", text, flags=re.MULTILINE)
