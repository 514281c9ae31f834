"""What systemd is told of a service of `Type=notify`: that it is ready, what it does, that it stops."""

from __future__ import annotations

import os
import socket


def notify(state: str) -> None:
    """Tell the service manager a state such as ``READY=1``; without one nothing happens.

    A manager that cannot be reached is none that could be helped by an error here.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    # A leading @ stands for the abstract namespace of Linux.
    name = "\0" + address[1:] if address.startswith("@") else address
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.connect(name)
            manager.sendall(state.encode())
    except OSError:
        return
