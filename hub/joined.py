"""The dispatcher's connection to a broker of its own process: no socket, no copy."""

import secrets
from collections.abc import Callable, Sequence

from shotline.broker.server import BrokerServer


class JoinedBroker:
    """A `BrokerConnection` in memory. It stands as long as the process does."""

    def __init__(self, broker: BrokerServer) -> None:
        self._broker = broker

    def begin(
        self,
        received: Callable[[list[bytes]], None],
        changed: Callable[[list[bool]], None],
    ) -> None:
        """Join it."""
        self._broker.join(f"dispatcher/{secrets.token_hex(8)}".encode(), received)
        changed([True])

    def send(self, frames: Sequence[bytes]) -> bool:
        """Hand it one multipart; what it cannot deliver comes back from it."""
        self._broker.take(list(frames))
        return True

    def close(self) -> None:
        """End with the broker, or before it."""
        self._broker.part()
