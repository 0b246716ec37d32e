"""Where a socket is, as people write it: tcp://HOST:PORT, ipc://FILE or HOST:PORT. Pure."""

import re
from typing import Final

_HOST_AND_PORT: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[\w.-]+):([0-9]{1,5})", re.ASCII)


def endpoint(text: str) -> str:
    """Return an address of a socket as it is. Raise ValueError when it is none."""
    scheme, separator, rest = text.partition("://")
    if separator and scheme == "ipc" and rest:
        return text
    found = _HOST_AND_PORT.fullmatch(rest) if separator and scheme == "tcp" else None
    # Port 0, any free one, is for sockets of our tests; `Config.check` refuses it.
    if found is None or int(found[2]) > 65535:
        raise ValueError("must be tcp://HOST:PORT with a port from 1 to 65535, or ipc://FILE")
    return text


def host_and_port(text: str) -> str:
    """Return HOST:PORT as it is. Raise ValueError when it is none."""
    found = _HOST_AND_PORT.fullmatch(text)
    if found is None or not 1 <= int(found[2]) <= 65535:
        raise ValueError("must be HOST:PORT with a port from 1 to 65535")
    return text
