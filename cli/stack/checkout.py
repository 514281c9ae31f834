"""The folder of `make up` as a container sees it: secrets made, files given to whom they belong, digests."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cli.stack.env_file import HEAD, EnvFile
from cli.stack.owner import Owner, User
from common.errors import ConfigurationError, StorageError
from common.whole_file import write_whole

TOKENS = ("nighttrain_token", "trainer_token", "alerts_token", "reader_token")
"""The tokens of operators, trainers, Alertmanager and readers."""
SECRETS = (*TOKENS, "grafana_password")
SHOWN_TO_CONTAINERS = (
    "prometheus",
    "grafana/provisioning",
    "grafana/dashboards",
    "deploy/alerting.env.example",
)
"""What is mounted into containers and holds no secret."""


@dataclass(frozen=True)
class Mounts:
    """Where the container `stack` sees things."""

    root: Path = Path("/checkout")
    config: Path = Path("/etc/nighttrain/night_training.yaml")
    alerting: Path = Path("/run/secrets/alerting")
    candles: Path = Path("/candles/chosen")
    own_candles: Path = Path("/candles/default")
    sample: Path = Path("/candles/sample")
    volumes: Path = Path("/volumes")


def read_env(root: Path) -> EnvFile:
    """Return `.env`, or what a new one begins with."""
    path = root / ".env"
    return EnvFile(path.read_text(encoding="utf-8")) if path.exists() else EnvFile()


def write_env(root: Path, env: EnvFile, owner: Owner) -> None:
    """Write `.env` and the part of it that the containers get, where something changed.

    `.env` keeps its mode; both may hold a password of a database, so that else they are for the user alone.
    """
    path, night = root / ".env", root / ".env.night"
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
    with _private():
        for target, text in ((path, env.text or HEAD), (night, env.night)):
            if not target.exists() or target.read_bytes() != text.encode():
                write_whole(target, text.encode())
    path.chmod(mode)
    night.chmod(0o600)
    for target in (path, night):
        _give(target, owner.person)


def make_secrets(root: Path, owner: Owner) -> tuple[str, ...]:
    """Make each secret once, for the user and the containers alone; return which were made now.

    What else lies in that folder is for the containers too, such as a key that reads candles from a store.

    Raises
    ------
    StorageError
        One could not be written.
    """
    folder = root / "secrets"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise StorageError(f"secrets: {error.strerror}", "repair the folder") from error
    made = []
    for name in SECRETS:
        path = folder / name
        if not path.exists() or path.stat().st_size == 0:
            made.append(name)
            with _private():
                write_whole(path, secrets.token_hex(32).encode())
        path.chmod(0o600)
    for path in (folder, *filter(Path.is_file, folder.iterdir()), root / "deploy" / "alerting.env"):
        if path.exists():
            _give(path, owner.containers if owner.person is not None else None)
    return tuple(made)


def give_sample(folder: Path, owner: Owner) -> None:
    """Give the folder of the sample to the containers, which write it."""
    _give(folder, owner.containers if owner.person is not None else None)


def give_folders(root: Path, owner: Owner) -> None:
    """Give folders that a start as root has made for candles to the user behind it."""
    if owner.person is None or owner.person.uid == 0:
        return
    for path in (root / "data", root / "data" / "candles"):
        if path.exists() and path.stat().st_uid == 0:
            _give(path, owner.person)


def show(root: Path, config: str, owner: Owner) -> None:
    """Let the containers' group read what is mounted into them: a clone under umask 077 is its owner's alone.

    Parameters
    ----------
    root : Path
        The checkout.
    config : str
        The configuration's place on the host.
    owner : Owner
        Who the containers are.
    """
    if owner.person is None:
        return
    places = [root / name for name in SHOWN_TO_CONTAINERS]
    places.append(root / "deploy" / Path(config).name)
    for path in (path for place in places for path in _below(place)):
        # By its bits, because each place is mounted by itself: what lies above it hides nothing.
        if _hidden(path, owner.containers):
            os.chown(path, -1, owner.containers.gid)
            path.chmod(path.stat().st_mode & 0o777 | (0o050 if path.is_dir() else 0o040))


def unreadable(files: Iterable[Path], user: User) -> Path | None:
    """Return the first of these files that a user may not read, None if there is none."""
    with acting_as(user):
        for path in files:
            try:
                with path.open("rb"):
                    pass
            except OSError:
                return path
    return None


@contextlib.contextmanager
def acting_as(user: User) -> Iterator[None]:
    """Be a user, without root's rights, until the block ends; without effect if this process is not root."""
    if os.geteuid() != 0 or user.uid == 0:
        yield
        return
    groups = os.getgroups()
    os.setgroups([user.gid])
    os.setegid(user.gid)
    os.seteuid(user.uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


def files_below(folder: Path) -> Iterator[Path]:
    """Yield all files below a folder, those behind links too."""
    for place, _, names in os.walk(folder, followlinks=True):
        for name in sorted(names):
            if (path := Path(place, name)).is_file():
                yield path


def digest(*paths: Path) -> str:
    """Return twelve letters that change when one of these files does."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()[:12]


def digests(mounts: Mounts) -> dict[str, str]:
    """Return the digests by which Compose sees that a mounted file is another one, as lines of `.env`.

    Raises
    ------
    ConfigurationError
        There is no token yet.
    """
    tokens = [mounts.root / "secrets" / name for name in TOKENS]
    if not all(token.exists() for token in tokens):
        raise ConfigurationError("there is no stack yet", "run: make up")
    _, trainers, alertmanagers, _ = tokens
    prometheus = mounts.root / "prometheus"
    receivers = (prometheus / "alertmanager.yml", prometheus / "receivers.sh")
    return {
        "NIGHT_DIGEST": digest(mounts.config, *tokens),
        "TOKEN_DIGEST": digest(trainers),
        "ALERTING_DIGEST": digest(alertmanagers, mounts.alerting, *receivers),
        "PROMETHEUS_DIGEST": digest(*sorted(prometheus.glob("*.yml"))),
    }


@contextlib.contextmanager
def _private() -> Iterator[None]:
    """Have files that are made be for their owner alone, from their first moment."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def _give(path: Path, user: User | None) -> None:
    if user is not None and (path.stat().st_uid, path.stat().st_gid) != (user.uid, user.gid):
        os.chown(path, user.uid, user.gid)


def _below(place: Path) -> Iterator[Path]:
    if place.exists():
        yield place
        yield from place.rglob("*")


def _hidden(path: Path, user: User) -> bool:
    status, needed = path.stat(), 0o5 if path.is_dir() else 0o4
    shift = 6 if status.st_uid == user.uid else 3 if status.st_gid == user.gid else 0
    return user.uid != 0 and status.st_mode >> shift & needed != needed
