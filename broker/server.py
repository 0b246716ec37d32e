"""The broker's shell: sockets in, machine, sockets out. What is decided is `machine`'s."""

import logging
import secrets
from collections import deque
from collections.abc import Callable, Iterable, Sequence

import zmq
from msgspec.structs import replace

from shotline.broker.doorkeeper import EVENTS, Doorkeeper, Guests
from shotline.broker.machine import (
    Broker,
    ClientCutOff,
    FromClients,
    FromServers,
    ServerCutOff,
    UnsentToClient,
    UnsentToServer,
)
from shotline.broker.outbox import Effect, Log, Publish, ToClient, ToServer
from shotline.broker.permissions import Peer
from shotline.broker.topics import Topics
from shotline.common.errors import ConfigError
from shotline.common.keys.folder import KeysFolder, brokers_key
from shotline.common.keys.peers import PeerRole
from shotline.common.machine import Instant, Tick
from shotline.common.metrics import Metric, counter
from shotline.common.process.service import Service
from shotline.common.settings.config import Config
from shotline.common.transport import Delivery, Publisher, Router, SocketLimits, cut_off

log = logging.getLogger(__name__)

_REVOKED = "its key was revoked"


class BrokerServer:
    """Three sockets around one machine.

    Raise OSError in words when an address cannot be bound, ConfigError when keys cannot be used.
    """

    def __init__(self, config: Config, service: Service) -> None:
        section = config.broker
        limits = SocketLimits.of(section)
        addresses = section.bound_endpoints()
        curve = brokers_key(config.keys)
        insecure = config.security.insecure
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        try:
            self._doorkeeper = None
            if curve is not None:
                self._doorkeeper = Doorkeeper(self._context, KeysFolder(config.keys.folder))
            self._clients = Router(
                self._context, addresses["clients"], limits, curve, insecure=insecure
            )
            self._servers = Router(
                self._context, addresses["servers"], limits, curve, insecure=insecure
            )
            of_events = None if curve is None else replace(curve, domain=EVENTS)
            self._events = Publisher(
                self._context, addresses["events"], limits, of_events, insecure=insecure
            )
        except (ConfigError, OSError):
            self._context.destroy(linger=0)
            raise
        self._client_guests = Guests(self._clients, self._doorkeeper)
        self._server_guests = Guests(self._servers, self._doorkeeper)
        self._machine = Broker(
            secrets.token_hex(4),
            self._clients.address,
            self._events.address,
            section,
            self._client_behind,
            self._server_guests.who,
        )
        self._topics = Topics(section.observer_topics_bytes_max, section.topics_bytes_max)
        self._service = service
        self._joined = b""  # the dispatcher of this process
        self._deliver: Callable[[list[bytes]], None] = lambda _frames: None
        self._status = ""
        self._cut_off = 0

    def run(self) -> int:
        """Serve until a signal. Return the exit code."""
        self.begin()
        self._service.ready(self._machine.summary())
        try:
            return self._service.run()
        finally:
            self.close()

    def begin(self) -> None:
        """Serve from now on, in the service's loop."""
        service = self._service
        service.watch(self._clients.socket, self._read_clients)
        service.watch(self._servers.socket, self._read_servers)
        service.watch(self._events.socket, self._read_subscriptions)
        service.watch(self._events.left_socket, self._read_leavers)
        service.watch(self._clients.ended_socket, self._client_guests.forget_ended)
        service.watch(self._servers.ended_socket, self._server_guests.forget_ended)
        if self._doorkeeper is not None:
            service.watch(self._doorkeeper.socket, self._read_keys)
            service.on_due(self._doorkeeper.wake_at, self._look_at_keys)
        service.on_due(self._machine.wake_at, self._tick)
        log.info(
            "broker %s serves clients at %s, servers at %s, events at %s, %s",
            self._machine.name,
            self._clients.address,
            self._servers.address,
            self._events.address,
            "to everybody" if self._doorkeeper is None else "to those with a key",
        )

    def join(self, dispatcher: bytes, deliver: Callable[[list[bytes]], None]) -> None:
        """Let a dispatcher of this process be connected without a socket: `deliver` gets its mail.

        `take` takes what it sends.
        """
        self._joined, self._deliver = dispatcher, deliver

    def part(self) -> None:
        """Let the dispatcher of this process be gone."""
        self._joined, self._deliver = b"", lambda _frames: None

    def take(self, frames: list[bytes]) -> None:
        """Take what the dispatcher of this process sends."""
        now = self._service.instant()
        arrived = FromClients([(self._joined, frames)])
        self._carry_out(now, self._machine.handle(now, arrived))

    def close(self, linger_ms: int = 0) -> None:
        """End, and close the sockets; what was sent last has so long to leave."""
        log.info("broker %s ends: %s", self._machine.name, self._machine.summary())
        self._context.destroy(linger=linger_ms)

    def metrics(self) -> Iterable[Metric]:
        """Return what it has counted."""
        yield from self._machine.metrics()
        words = "Observers of the events that were cut off for their many topics."
        yield counter("broker_observers_cut_off", words, self._cut_off)
        if self._doorkeeper is not None:
            words = "Connections that were not let in for their key."
            yield counter("broker_keys_refused", words, self._doorkeeper.refused)

    def _client_behind(self, connection: bytes) -> Peer:
        if self._joined and connection == self._joined:
            return Peer("hub", frozenset({PeerRole.DISPATCHER}))
        return self._client_guests.who(connection)

    def _read_keys(self) -> None:
        assert self._doorkeeper is not None
        self._doorkeeper.read()
        self._tell_of_keys(self._doorkeeper)

    def _tell_of_keys(self, doorkeeper: Doorkeeper) -> None:
        for used in doorkeeper.take_told():
            now = self._service.instant()
            self._carry_out(now, self._machine.handle(now, used))

    def _look_at_keys(self) -> None:
        """Cut those off whose key no longer may what it might."""
        assert self._doorkeeper is not None
        keys = self._doorkeeper.look()
        self._tell_of_keys(self._doorkeeper)
        if not keys:
            return
        now = self._service.instant()
        for connection in self._server_guests.with_keys(keys):
            self._carry_out(now, self._machine.handle(now, ServerCutOff(connection, _REVOKED)))
            self._servers.cut_off(connection)
        for connection in self._client_guests.with_keys(keys):
            self._carry_out(now, self._machine.handle(now, ClientCutOff(connection, _REVOKED)))
            self._clients.cut_off(connection)
        self._read_leavers()
        for observer in [one for one, key in self._events.keys.items() if key in keys]:
            cut_off(observer)

    def _read_clients(self) -> None:
        now = self._service.instant()
        self._carry_out(now, self._machine.handle(now, FromClients(self._clients.receive_all())))

    def _read_servers(self) -> None:
        now = self._service.instant()
        self._carry_out(now, self._machine.handle(now, FromServers(self._servers.receive_all())))

    def _read_subscriptions(self) -> None:
        for observer, size in self._events.subscribed():
            if not self._may_observe(observer):
                cut_off(observer)
            elif size < 0:
                self._topics.remove(observer, -size)
            elif why := self._topics.add(observer, size):
                log.warning("an observer of the events is cut off: %s", why)
                self._cut_off += 1
                cut_off(observer)

    def _may_observe(self, observer: int) -> bool:
        """Return whether an observer's key is still let in: it may have been revoked just now."""
        if self._doorkeeper is None:
            return True
        key = self._events.keys.get(observer, "")
        return not self._doorkeeper.who(key, "").refused

    def _read_leavers(self) -> None:
        for observer in self._events.left():
            self._topics.forget(observer)

    def _tick(self) -> None:
        now = self._service.instant()
        self._carry_out(now, self._machine.handle(now, Tick()))
        status = self._machine.summary()
        if status != self._status:
            self._status = status
            self._service.status(status)

    def _carry_out(self, now: Instant, effects: Sequence[Effect]) -> None:
        remaining = deque(effects)
        while remaining:
            effect = remaining.popleft()
            match effect:
                case ToClient(peer, frames) if peer == self._joined:
                    self._deliver(frames)
                case ToClient(peer, frames):
                    sent = self._clients.send(peer, frames)
                    if sent is not Delivery.SENT:
                        unsent = UnsentToClient(peer, frames, sent is Delivery.FULL)
                        remaining.extend(self._machine.handle(now, unsent))
                case ToServer(peer, batches, server):
                    sent = self._servers.send(peer, batches)
                    if sent is not Delivery.SENT:
                        back = UnsentToServer(peer, batches, server, sent is Delivery.FULL)
                        remaining.extend(self._machine.handle(now, back))
                case Publish(topic, batch):
                    self._events.send(topic, batch)
                case Log(level, text):
                    log.log(logging.getLevelNamesMapping()[level.upper()], "%s", text)
