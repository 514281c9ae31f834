"""The socket that the coordinator listens on, taken before anything else is started."""

from __future__ import annotations

import errno
import ipaddress
import socket

import psutil

from common.errors import ConfigurationError

BACKLOG = 128
_HOW = "name another one with --port, dashboard.port or BT_NIGHT_DASHBOARD_PORT"


def listen(host: str, port: int) -> socket.socket:
    """Return a socket bound to an address; port 0 takes any free one.

    Raises
    ------
    ConfigurationError
        The port is taken (by whom, if that can be found out) or not allowed, or the host is not this machine.
    """
    try:
        [(family, _, _, _, address), *_] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise ConfigurationError(
            f"host {host} is not an address: {error.strerror}", "try --host 127.0.0.1"
        ) from None
    # Accepted connections inherit the protocol, and asyncio sets TCP_NODELAY only where it is named. Without
    # it each answer on a kept connection waits for the client's delayed acknowledgement, about 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise ConfigurationError(f"port {port} of {host} is taken{holder_of(port)}", _HOW) from None
        if error.errno == errno.EACCES:
            raise ConfigurationError(f"port {port} of {host} may not be used by this user", _HOW) from None
        problem = f"cannot listen on {host} port {port}: {error.strerror}"
        raise ConfigurationError(problem, "try --host 127.0.0.1") from None
    return listener


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address that is bound to `host`."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def url_of(listener: socket.socket) -> str:
    """Return the address under which this machine reaches a listening socket."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 (compared, not bound)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def holder_of(port: int) -> str:
    """Return in words which process listens on a port, or nothing where that cannot be found out."""
    try:
        for connection in psutil.net_connections(kind="inet"):
            listens = connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,)
            if listens and connection.pid:
                command = " ".join(psutil.Process(connection.pid).cmdline())
                shown = command if len(command) <= 80 else command[:77] + "..."
                return f" by process {connection.pid} ({shown})"
    except (psutil.Error, OSError):
        return ""
    return ""
