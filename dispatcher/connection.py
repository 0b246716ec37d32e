"""The dispatcher's connection to its broker: over a socket, or in the memory of one process."""

import secrets
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import zmq

from shotline.common.process.service import Service
from shotline.common.settings.sections import BrokerSection
from shotline.common.transport import Dealer, SocketLimits

_LINGER_MS: Final = 1000


class BrokerConnection(Protocol):
    """What the dispatcher needs of it."""

    def begin(
        self,
        received: Callable[[list[bytes]], None],
        changed: Callable[[list[bool]], None],
    ) -> None:
        """Connect. `received` is told each multipart, `changed` connections made and lost."""

    def send(self, frames: Sequence[bytes]) -> bool:
        """Send one multipart. False: no connection, or too much waits; it never left (I1)."""

    def close(self) -> None:
        """End it; what was sent last still leaves."""


class BrokerSocket:
    """A connection over ZeroMQ."""

    def __init__(self, broker: BrokerSection, service: Service) -> None:
        self._broker = broker
        self._service = service
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._dealer: Dealer | None = None

    def begin(
        self,
        received: Callable[[list[bytes]], None],
        changed: Callable[[list[bool]], None],
    ) -> None:
        """Connect, and hand on what arrives."""
        dealer = self._dealer = Dealer(
            self._context,
            self._broker.clients,
            f"dispatcher/{secrets.token_hex(8)}".encode(),
            SocketLimits.of(self._broker),
        )

        def read() -> None:
            for frames in dealer.receive_all():
                received(frames)

        self._service.watch(dealer.socket, read)
        self._service.watch(dealer.connection_socket, lambda: changed(dealer.connection()))

    def send(self, frames: Sequence[bytes]) -> bool:
        """Send one multipart."""
        return self._dealer is not None and self._dealer.send(frames)

    def close(self) -> None:
        """Close the socket; the last replies leave."""
        if self._dealer is not None:
            self._dealer.socket.linger = _LINGER_MS
            self._dealer.close()
        self._context.term()
