"""Signing in: a cookie that proves that its browser has shown the token, and what keeps others from guessing.

The cookie holds a moment and a keyed digest of it, with the token as the key: nothing is stored, a new
token ends all sessions, and none outlives its moment. Each form carries a second digest, of the cookie
itself (against cross-site request forgery), which a page of another site cannot know.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

LIFE = timedelta(hours=12)
"""How long a session lasts: a night and the coffee after it."""
FREE_FAILURES = 5
"""So many wrong tokens in a row from one address cost nothing but a word."""
LONGEST_PAUSE_SECONDS = 300.0
KEPT_ADDRESSES = 1000


@dataclass(frozen=True)
class Sessions:
    """Makes and checks the sessions of one token.

    Parameters
    ----------
    token : str
        The bearer token; sessions of another token are none.
    clock : callable
        Returns the present time, aware.
    """

    token: str
    clock: Callable[[], datetime]

    @property
    def cookie(self) -> str:
        """The cookie's name, another for each coordinator: a browser shares cookies between ports."""
        return f"nighttrain-{self._digest('name')[:8]}"

    def open(self, token: str) -> str | None:
        """Return the value of the cookie for who shows the token, or None if it is the wrong one."""
        if not hmac.compare_digest(token.strip().encode(), self.token.encode()):
            return None
        until = int((self.clock() + LIFE).timestamp())
        told = f"{until}.{secrets.token_hex(8)}"
        return f"{told}.{self._digest('session', told)}"

    def valid(self, cookie: str) -> bool:
        """Return whether a cookie is of this token and its time not over."""
        told, _, digest = cookie.rpartition(".")
        if not hmac.compare_digest(digest.encode(), self._digest("session", told).encode()):
            return False
        return int(told.partition(".")[0]) > self.clock().timestamp()

    def form_token(self, cookie: str) -> str:
        """Return what each form of a session carries."""
        return self._digest("form", cookie)

    def accepts(self, cookie: str, form_token: str) -> bool:
        """Return whether a form was made for a session."""
        return hmac.compare_digest(form_token.encode(), self.form_token(cookie).encode())

    def _digest(self, *words: str) -> str:
        return hmac.new(self.token.encode(), "\n".join(words).encode(), hashlib.sha256).hexdigest()


@dataclass
class Throttle:
    """Lets an address that shows wrong tokens wait, twice as long each time."""

    clock: Callable[[], datetime]
    _failures: OrderedDict[str, tuple[int, datetime]] = field(default_factory=OrderedDict)

    def wait_seconds(self, address: str) -> int:
        """Return for how many whole seconds an address is not listened to; 0: it is."""
        failures, last = self._failures.get(address, (0, self.clock()))
        if failures < FREE_FAILURES:
            return 0
        pause = min(2.0 ** (failures - FREE_FAILURES + 1), LONGEST_PAUSE_SECONDS)
        return max(0, math.ceil(pause - (self.clock() - last).total_seconds()))

    def failed(self, address: str) -> None:
        """Count a wrong token."""
        failures, _ = self._failures.pop(address, (0, None))
        self._failures[address] = (failures + 1, self.clock())
        while len(self._failures) > KEPT_ADDRESSES:
            self._failures.popitem(last=False)

    def succeeded(self, address: str) -> None:
        """Forget the wrong tokens of an address."""
        self._failures.pop(address, None)
