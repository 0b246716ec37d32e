"""Ports of this machine for what is started on it."""

import contextlib
import random
import socket
from pathlib import Path
from typing import Final

_LOWEST: Final = 10_240
_EPHEMERAL: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_ports(count: int) -> list[int]:
    """Return ports that were free a moment ago, all different.

    None is of the range from which the kernel takes those of outgoing connections, where it knows
    one: such a connection would perhaps have it before whoever was told of it.
    """
    with contextlib.ExitStack() as stack:
        return [_bound(stack.enter_context(socket.socket())) for _ in range(count)]


def _bound(one: socket.socket) -> int:
    ports = range(_LOWEST, _lowest_ephemeral())
    for port in random.sample(ports, min(100, len(ports))):
        with contextlib.suppress(OSError):
            one.bind(("127.0.0.1", port))
            return port
    one.bind(("127.0.0.1", 0))
    return int(one.getsockname()[1])


def _lowest_ephemeral() -> int:
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(_EPHEMERAL.read_text(encoding="ascii").split()[0])
    return _LOWEST
