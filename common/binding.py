"""Who may bind what: every socket that others connect to asks here first (DESIGN §8). Pure.

One that other machines reach is bound only where the configuration says `insecure: true` in so
many words.
"""

import ipaddress
from typing import Final

from shotline.common.errors import ConfigError

ADVICE: Final = (
    "can be reached from other machines, by anyone; bind it to 127.0.0.1, or say `insecure: true` "
    "under `security` where the network itself is closed"
)
BROKER_ADVICE: Final = (
    "can be reached from other machines, by anyone: give the broker and its peers keys (shotline "
    "keys init; `required: true` under `keys`), bind it to 127.0.0.1, or say `insecure: true` "
    "under `security` where the network itself is closed"
)
PAGE_ADVICE: Final = (
    "can be reached from other machines: bind the page to 127.0.0.1 behind a proxy, or give it a "
    "login and TLS (`access` under `monitor`), or say `insecure: true` under `security` where the "
    "network itself is closed"
)


def is_loopback(host: str) -> bool:
    """Return whether nobody outside this machine can reach a socket bound to `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def host_of(address: str) -> str:
    """Return the host of an address `tcp://HOST:PORT`, `localhost` for a file of this machine's."""
    if not address.startswith("tcp://"):
        return "localhost"
    return address.removeprefix("tcp://").rpartition(":")[0]


def permit(host: str, *, insecure: bool, advice: str = ADVICE) -> None:
    """Let a socket be bound to a host. Raise ConfigError where strangers would reach it."""
    if not insecure and not is_loopback(host):
        raise ConfigError(f"{host} {advice}")
