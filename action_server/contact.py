"""The server's contact with the broker: registrations, epochs, heartbeats. Pure.

When to register anew and which dispatches belong to this registration is decided here; what the
server holds is told by `attempts`.
"""

from collections.abc import Sequence
from math import inf

from msgspec import structs

from shotline.common.actions import AttemptId
from shotline.common.machine import Instant
from shotline.common.messages import Dispatch, Held, Pong, Register, Registered
from shotline.common.settings.sections.broker import BrokerSection


class Contact:
    """Whether the broker knows us, under which epoch, and what is due towards it (DESIGN §5).

    `identity` is the registration of this life of the server, before its first epoch.
    """

    def __init__(self, identity: Register, broker: BrokerSection) -> None:
        self._identity = identity
        self.is_registered = False
        self.epoch = 0
        self.last_number = 0  # of the dispatches of this epoch
        self.term = 0  # the highest seen
        self.heard_at = float("-inf")  # when the broker last answered
        self.heartbeat_s = self._usual_s = broker.heartbeat_s
        # Without an answer: to a heartbeat, register anew; to a registration, again.
        self._pong_wait_s = max(3 * broker.heartbeat_s, 2.0)
        self._register_wait_s = max(broker.heartbeat_s, 1.0)
        # Having done nothing for so long it may have been counted as lost since its last beat.
        self._lost_s = max(broker.server_lost_s - 2 * broker.heartbeat_s, broker.heartbeat_s)
        self._broker = ""
        self._register_at = inf
        self._awaits_answer = False
        self._has_given_up = False
        self._beat_at = 0.0
        self.round_trip_s: float | None = None  # of the last answered heartbeat
        self.clock_offset_s: float | None = None  # our wall clock ahead of the broker's

    def register_soon(self, now: Instant) -> None:
        """Count as unregistered and register again at once: something may have been lost."""
        self.is_registered = False
        self._awaits_answer = False
        self._register_at = now.mono

    def may_be_lost(self, silent_s: float) -> bool:
        """Whether a server that was silent for so long may have been given up."""
        return silent_s >= self._lost_s

    def register_anew(self, now: Instant) -> None:
        """Register again because we were told to; a registration on its way is enough."""
        if not self._awaits_answer:
            self.register_soon(now)

    def register_later(self, now: Instant) -> None:
        """Count as unregistered; register when there may be a connection again."""
        self.is_registered = False
        self._awaits_answer = False
        self._register_at = now.mono + self._register_wait_s

    def give_up(self) -> None:
        """Never register again: the broker has said that it is of no use."""
        self.is_registered = False
        self._has_given_up = True

    def is_registration_due(self, now: Instant) -> bool:
        """Whether `register` is to be called now."""
        return not self.is_registered and now.mono >= self.wake_at()

    def register(
        self, now: Instant, holding: Sequence[Held], answered: tuple[AttemptId, ...] = ()
    ) -> Register:
        """Open a new epoch. Dispatches of any other are dropped from here on."""
        self.is_registered = False
        self._awaits_answer = True
        self.epoch += 1
        self.last_number = 0
        self._register_at = now.mono + self._register_wait_s
        return structs.replace(
            self._identity,
            epoch=self.epoch,
            term=self.term,
            holding=tuple(holding),
            answered=answered,
        )

    def accepted(self, now: Instant, message: Registered) -> bool:
        """Take the broker's answer. Return whether it is for the epoch that counts."""
        if message.epoch != self.epoch or not self._awaits_answer:
            return False
        self.is_registered = True
        self._awaits_answer = False
        self._register_at = inf
        self._broker = message.broker
        self.heard_at = now.mono
        self._beat_at = now.mono
        return True

    def is_same_broker(self, message: Registered) -> bool:
        """Whether the broker that answers is the one that knew us before."""
        return message.broker == self._broker

    def heard(self, now: Instant, pong: Pong) -> None:
        """Take the answer to a heartbeat; another broker's means that we must register anew."""
        self.heard_at = now.mono
        round_trip_s = pong.round_trip_s(now.mono)
        if round_trip_s is not None:
            self.round_trip_s = round_trip_s
            if pong.at is not None:
                self.clock_offset_s = round(now.wall - round_trip_s / 2 - pong.at, 4)
        if self.is_registered and pong.broker != self._broker:
            self.register_soon(now)

    def is_stale(self, term: int) -> bool:
        """Whether a message is of a dispatcher that another has replaced; notes a higher term."""
        if term < self.term:
            return True
        self.term = term
        return False

    def takes(self, dispatch: Dispatch) -> bool:
        """Whether the dispatch belongs to this registration (I1)."""
        return self.is_registered and dispatch.epoch == self.epoch

    def tick(self, now: Instant) -> bool:
        """Return whether a heartbeat is due; notice a broker that does not answer."""
        if not self.is_registered:
            return False
        if now.mono - self.heard_at >= self._pong_wait_s:
            self.register_soon(now)
            return False
        if now.mono < self._beat_at:
            return False
        self._beat_at = now.mono + self.heartbeat_s
        return True

    def beat_every(self, now: Instant, heartbeat_s: float | None) -> None:
        """Beat so often from now on, None: as usual. Less often than usual would be silence."""
        self.heartbeat_s = min(heartbeat_s or self._usual_s, self._usual_s)
        self._beat_at = now.mono + self.heartbeat_s

    def wake_at(self) -> float:
        """Return when something is due, `inf` for never."""
        if self._has_given_up:
            return inf
        if not self.is_registered:
            return self._register_at
        return min(self._beat_at, self.heard_at + self._pong_wait_s)
