"""The tokens in force, one for each role, taken up anew when a file changes."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from threading import Lock

from common.errors import ConfigurationError
from common.out_folder import OutFolder
from common.token_file import Role, given_token, open_token

logger = logging.getLogger(__name__)

Stamp = tuple[int, ...]


class Tokens:
    """Tells by a token whose it is.

    A token whose file changes is replaced by the new one at the next request, without a restart. What is no
    token, or that of another role, is logged and changes nothing.

    Parameters
    ----------
    held : mapping of Role to str
        The token of each role.
    files : mapping of Role to Path, optional
        Where those tokens lie that may change.

    Raises
    ------
    ConfigurationError
        Two roles have the same token.
    """

    def __init__(self, held: Mapping[Role, str], files: Mapping[Role, Path] | None = None) -> None:
        self._held = dict(held)
        self._files = dict(files or {})
        self._stamps = {role: _stamp(path) for role, path in self._files.items()}
        self._lock = Lock()
        for role, token in self._held.items():
            self._refuse_shared(role, token)

    def __getitem__(self, role: Role) -> str:
        """Return the token of a role."""
        self._look()
        return self._held[role]

    def role_of(self, shown: str) -> Role | None:
        """Return whose token it is; None: nobody's."""
        self._look()
        word = shown.encode(errors="replace")
        # All are compared, so that the time tells nothing.
        fitting = [role for role, token in self._held.items() if hmac.compare_digest(word, token.encode())]
        return fitting[0] if fitting else None

    def _look(self) -> None:
        with self._lock:
            for role, path in self._files.items():
                stamp = _stamp(path)
                if stamp != self._stamps[role]:
                    self._stamps[role] = stamp
                    self._take_up(role, path)

    def _take_up(self, role: Role, path: Path) -> None:
        try:
            token = given_token(path)
            self._refuse_shared(role, token)
        except ConfigurationError as error:
            logger.warning("%s; %s token of before stays in force", error.detail, role.owner)
            return
        if token != self._held[role]:
            self._held = {**self._held, role: token}
            logger.info("%s: %s token is a new one, and the former is worth nothing now", path, role.owner)

    def _refuse_shared(self, role: Role, token: str) -> None:
        for other, held in self._held.items():
            if other is not role and hmac.compare_digest(held.encode(), token.encode()):
                owners = " and ".join(sorted((role.owner, other.owner)))
                where = ", ".join(str(self._files[one]) for one in (role, other) if one in self._files)
                raise ConfigurationError(
                    f"{owners} token are the same{f' ({where})' if where else ''}", "give each its own"
                )


def open_tokens(out: OutFolder, given: Mapping[Role, Path]) -> Tokens:
    """Return the tokens of a coordinator: those that are given, else its own, which are made where they lack.

    A folder of a version that had one token for all gets the others, and the log says whose the one is now.

    Raises
    ------
    ConfigurationError
        A file cannot be used, or two roles have the same token.
    """
    files = {role: given.get(role, out.tokens[role]) for role in Role}
    had_one = files[Role.OPERATOR].exists()
    made = [path for role, path in files.items() if role not in given and not path.exists()]
    held = {role: given_token(path) if role in given else open_token(path) for role, path in files.items()}
    tokens = Tokens(held, files)
    if had_one and made:
        logger.warning("%s", _moved_over(files[Role.OPERATOR], made))
    return tokens


def _moved_over(operators: Path, made: Iterable[Path]) -> str:
    names = ", ".join(path.name for path in made)
    folder = next(iter(made)).parent
    return (
        f"each role has a token of its own now: made {names} in {folder}; the one in {operators} is the "
        "operator's alone, and trainers and Alertmanager show theirs"
    )


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino
