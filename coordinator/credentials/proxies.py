"""Proxies in front of the coordinator, whose word is taken for where requests are from."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Sender:
    """Where a request comes from.

    `outside` says that it came through a proxy, or asks for the name by which the coordinator is reached from
    outside: then reading is not open to everybody, wherever the coordinator listens.
    """

    address: str
    scheme: str
    outside: bool


class Proxies:
    """The proxies whose forwarded headers are believed; those of anybody else are not looked at.

    Parameters
    ----------
    trusted : iterable of str
        Their addresses or networks; none: nobody's headers are believed.
    external_url : str
        The address by which people reach the coordinator, or nothing.
    """

    def __init__(self, trusted: Iterable[str] = (), external_url: str = "") -> None:
        self._networks = tuple(ipaddress.ip_network(one) for one in trusted)
        self.name = (urlsplit(external_url).hostname or "").lower() if self._networks else ""
        """The name for which requests from outside ask, or nothing."""

    def sender(self, peer: str, scheme: str, host: str, forwarded_for: str, forwarded_proto: str) -> Sender:
        """Return where a request comes from.

        Parameters
        ----------
        peer : str
            Who is connected.
        scheme : str
            What they speak, ``http``.
        host : str
            The name that the request asks for, without its port.
        forwarded_for, forwarded_proto : str
            The headers ``X-Forwarded-For`` and ``X-Forwarded-Proto``.
        """
        by_name = bool(self.name) and host == self.name
        if not self._trusts(peer) or not forwarded_for.strip():
            return Sender(peer, scheme, by_name)
        # Each proxy adds at the right whom it heard from; what stands left of the first stranger is hearsay.
        told = [part.strip() for part in forwarded_for.split(",")]
        strangers = [one for one in told if not self._trusts(one)]
        spoken = forwarded_proto.rpartition(",")[2].strip().lower()
        return Sender(strangers[-1] if strangers else told[0], "https" if spoken == "https" else scheme, True)

    def _trusts(self, address: str) -> bool:
        if not self._networks:
            return False
        try:
            known = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(known in network for network in self._networks)
