"""Who is let in, and who is behind a connection: ZeroMQ's authentication (ZAP), keys, revocations.

libzmq asks here at every handshake. What a key may do is looked up when its connection is first
heard, and again when the list of authorised keys has changed.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

import zmq
from zmq.auth.base import Authenticator

from shotline.broker.machine import KeyUsed
from shotline.broker.permissions import Peer, may_observe
from shotline.common.errors import ConfigError
from shotline.common.keys.folder import KeysFolder
from shotline.common.keys.peers import AuthorisedKey, AuthorisedKeys
from shotline.common.messages import Outcome
from shotline.common.transport import PEERS, Router, is_named_by_itself

log = logging.getLogger(__name__)

EVENTS: Final = "events"
"""The domain of the event feed, which is not for everybody."""

_LOOK_S: Final = 0.5
_ADDRESS_AT: Final = 3  # among the frames of a request (ZeroMQ's RFC 27)
_LOGGED_S: Final = 1.0
_SELF_NAMED: Final = (
    "a peer does not name its connection (ROUTING_ID): leave that to the broker, or install the "
    "same version of Shotline on both machines"
)
NOBODY: Final = Peer(roles=frozenset(), classes="", refused="this key is not known, or was revoked")


class Doorkeeper:
    """Lets keys in, and knows who has them. Raise ConfigError where the list cannot be read."""

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]", folder: KeysFolder) -> None:
        self._folder = folder
        self._version = folder.version()
        self._keys = folder.read()
        self._look_at = time.monotonic() + _LOOK_S
        self._logged_at = 0.0
        self._unlogged = 0
        self._zap = Authenticator(context, log=log)
        for domain in (PEERS, EVENTS):
            self._zap.configure_curve_callback(domain, self)
        self._zap.start()
        self.socket: zmq.Socket[bytes] = self._zap.zap_socket
        self._address = ""  # of the peer whose key is asked about
        self._told: list[KeyUsed] = []
        self.refused = 0  # handshakes

    def read(self) -> None:
        """Answer libzmq, which asks about keys."""
        while int(self.socket.get(zmq.EVENTS)) & zmq.POLLIN:
            frames = self.socket.recv_multipart()
            self._address = frames[_ADDRESS_AT].decode() if len(frames) > _ADDRESS_AT else ""
            # Its answer is a coroutine for those who look keys up slowly; ours never waits.
            with suppress(StopIteration):
                self._zap.handle_zap_message(frames).send(None)

    def callback(self, domain: str, key: bytes) -> bool:
        """Return whether a key is let in; pyzmq's authenticator asks."""
        found = self._keys.of_public(key.decode())
        if found is None:
            text = f"a peer was not let in: its key {key.decode()} is not known, or was revoked"
        elif domain == EVENTS and not may_observe(found.role):
            text = f"the key {found.name} ({found.role}) is not for the event feed"
        else:
            return True
        self._log(text)
        self.refused += 1
        name = "" if found is None else found.name
        self._told.append(KeyUsed("connect", name, Outcome.REFUSED, text, self._address))
        return False

    def take_told(self) -> list[KeyUsed]:
        """Return what is to be told, and forget it."""
        told, self._told = self._told, []
        return told

    def who(self, key: str, address: str) -> Peer:
        """Return who has a key."""
        found = self._keys.of_public(key)
        if found is None:
            return NOBODY
        return Peer(found.name, frozenset({found.role}), found.classes, address)

    def wake_at(self) -> float:
        """Return when to look again whether keys have changed."""
        return self._look_at

    def look(self) -> frozenset[str]:
        """Return the public keys that no longer may what they might, since the last look."""
        self._look_at = time.monotonic() + _LOOK_S
        version = self._folder.version()
        if version == self._version:
            return frozenset()
        self._version = version
        try:
            keys = self._folder.read()
        except ConfigError as error:
            log.error("the keys stay as they were: %s", error)
            return frozenset()
        before, self._keys = self._keys, keys
        for change in _changes(before, keys):
            log.info("%s", change.text)
            self._told.append(change)
        return frozenset(one.public for one in _used(before) if keys.of_public(one.public) != one)

    def close(self) -> None:
        """Answer no longer; nobody is let in."""
        self._zap.stop()

    def _log(self, text: str) -> None:
        """Log what strangers can cause as often as they like: one line a second."""
        now = time.monotonic()
        if now < self._logged_at + _LOGGED_S:
            self._unlogged += 1
            return
        more = f" (and {self._unlogged} more since the last such line)" if self._unlogged else ""
        self._logged_at, self._unlogged = now, 0
        log.warning("%s%s", text, more)


class Guests:
    """Who is behind the connections of one Router."""

    def __init__(self, router: Router, doorkeeper: Doorkeeper | None) -> None:
        self._router = router
        self._doorkeeper = doorkeeper
        self._known: dict[bytes, Peer] = {}

    def who(self, connection: bytes) -> Peer:
        """Return who is behind a connection."""
        found = self._known.get(connection)
        if found is None:
            found = self._look_up(connection)
            if connection in self._router.origins:
                self._known[connection] = found
        return found

    def _look_up(self, connection: bytes) -> Peer:
        if is_named_by_itself(connection):
            return Peer(roles=frozenset(), classes="", refused=_SELF_NAMED)
        origin = self._router.origins.get(connection)
        if self._doorkeeper is None:
            return Peer(address="" if origin is None else origin.address)
        return NOBODY if origin is None else self._doorkeeper.who(origin.key, origin.address)

    def forget_ended(self) -> None:
        """Forget connections that have ended."""
        self._router.forget_ended()
        for connection in [one for one in self._known if one not in self._router.origins]:
            del self._known[connection]

    def with_keys(self, keys: frozenset[str]) -> list[bytes]:
        """Return the connections of these keys, and look them up anew from now on."""
        found = [one for one, origin in self._router.origins.items() if origin.key in keys]
        for connection in found:
            self._known.pop(connection, None)
        return found


def _used(keys: AuthorisedKeys) -> Iterator[AuthorisedKey]:
    return (one for one in keys.keys if one.revoked_at is None)


def _changes(before: AuthorisedKeys, after: AuthorisedKeys) -> Iterator[KeyUsed]:
    """Yield what has changed."""
    for one in _used(after):
        if before.of_public(one.public) != one:
            classes = f" of {one.classes}" if one.classes else ""
            text = f"the key {one.name} is let in as {one.role}{classes}"
            yield KeyUsed("let_in_key", one.name, Outcome.OK, text)
    for one in _used(before):
        if after.of_public(one.public) is None:
            yield KeyUsed("revoke_key", one.name, Outcome.OK, f"the key {one.name} was revoked")
