"""Signing in: a cookie that proves that its browser has shown the token.

The cookie holds a moment and a keyed digest of it, with the token as the key: nothing is stored, a new
token ends all sessions, and none outlives its moment. Each form carries a second digest, of the cookie
itself (against cross-site request forgery), which a page of another site cannot know.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

LIFE = timedelta(hours=12)
"""How long a session lasts: a night and the coffee after it."""


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

    def open(self) -> str:
        """Return the value of the cookie for who has shown the token."""
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
