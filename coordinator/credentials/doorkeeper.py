"""Who may do what over the interface: one role for what is changed, and two for what is read."""

from __future__ import annotations

from collections.abc import Callable

from common.errors import ForbiddenError, ThrottledError, UnauthorizedError
from common.token_file import Role
from coordinator.credentials.throttle import Throttle
from coordinator.credentials.tokens import Tokens

MAY_READ = (Role.OPERATOR, Role.READER)
_BY_TRAINERS = ("/api/trainers", "/api/claims", "/api/leases")
_BY_ALERTMANAGER = ("/api/alerts",)
_HINT = (
    "send the content of the token file as Authorization: Bearer ...; in the out folder it is token for "
    "operators, trainer_token for trainers, alerts_token for Alertmanager, reader_token for readers"
)


def changed_by(path: str) -> Role:
    """Return who may change something at a path: an operator, where nobody else is named."""
    for begins, role in ((_BY_TRAINERS, Role.TRAINER), (_BY_ALERTMANAGER, Role.ALERTS)):
        if any(path == begin or path.startswith(f"{begin}/") for begin in begins):
            return role
    return Role.OPERATOR


class Doorkeeper:
    """Lets in who shows a fitting token.

    Parameters
    ----------
    tokens : Tokens
        The tokens in force.
    throttle : Throttle
        What lets addresses wait that show wrong ones.
    counted : callable
        Called with each wrong token's answer: ``refused``, or ``throttled`` if its address had to wait.
    """

    def __init__(self, tokens: Tokens, throttle: Throttle, counted: Callable[[str], None]) -> None:
        self.tokens = tokens
        self.throttle = throttle
        self._counted = counted

    def admit_header(self, authorization: str, roles: tuple[Role, ...], address: str) -> Role:
        """Check the Authorization header of a request; see `admit`."""
        scheme, _, shown = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise UnauthorizedError("the bearer token is missing", _HINT)
        return self.admit(shown.strip(), roles, address)

    def admit(self, shown: str, roles: tuple[Role, ...], address: str) -> Role:
        """Return whose token was shown, if it is one of these roles.

        Parameters
        ----------
        shown : str
            The token.
        roles : tuple of Role
            Who may pass; the first is named to who may not.
        address : str
            Where the request comes from.

        Raises
        ------
        UnauthorizedError
            It is nobody's token.
        ThrottledError
            It is nobody's, and too many such have come from the address. A right one never has to wait.
        ForbiddenError
            It is a token of another role.
        """
        role = self.tokens.role_of(shown)
        if role in roles:
            return role
        if role is not None:
            raise ForbiddenError(f"that is {role.owner} token, and this needs {roles[0].owner}", _HINT)
        wait = self.throttle.failed(address)
        self._counted("throttled" if wait else "refused")
        if wait:
            raise ThrottledError(
                "the bearer token is wrong, and too many wrong ones came from this address",
                f"wait {wait} s, then send the right one",
                wait,
            )
        raise UnauthorizedError("the bearer token is wrong", _HINT)
