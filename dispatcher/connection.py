"""The dispatcher's connection to its broker: over a socket, or in the memory of one process."""

import logging
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import zmq

from shotline.common.process.service import Service
from shotline.common.settings.sections.broker import BrokerSection
from shotline.common.transport import CurveClient, Dealer, SocketLimits

log = logging.getLogger(__name__)
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

    def __init__(
        self, broker: BrokerSection, service: Service, curve: CurveClient | None = None
    ) -> None:
        self._broker = broker
        self._curve = curve
        self._refusal = ""  # as it was said
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
            SocketLimits.of(self._broker),
            self._curve,
        )

        def read() -> None:
            for frames in dealer.receive_all():
                received(frames)

        def look() -> None:
            changed(dealer.connection())
            if dealer.refusal != self._refusal:
                self._refusal = dealer.refusal
                log.error("%s", self._refusal or "the broker lets this key in again")

        self._service.watch(dealer.socket, read)
        self._service.watch(dealer.connection_socket, look)

    def send(self, frames: Sequence[bytes]) -> bool:
        """Send one multipart."""
        return self._dealer is not None and self._dealer.send(frames)

    def close(self) -> None:
        """Close the socket; the last replies leave."""
        if self._dealer is not None:
            self._dealer.socket.linger = _LINGER_MS
            self._dealer.close()
        self._context.term()
