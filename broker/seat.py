"""Who dispatches: claims, terms, and whether the dispatcher answers. Pure.

Whenever a frame for the dispatcher is known to be lost, it loses its seat: its next Pong says so
(`term` None), it claims again, and everybody is introduced to it anew.
"""

from dataclasses import dataclass

from shotline.broker.liveness import Watch
from shotline.broker.outbox import Outbox
from shotline.broker.registry import Registry
from shotline.common.machine import Instant
from shotline.common.messages import (
    Claim,
    ClaimAccepted,
    ClaimRefused,
    LivenessState,
    LogLevel,
    SupersededNotice,
)
from shotline.common.settings.sections.broker import BrokerSection


@dataclass(slots=True)
class _Holder:
    """The last dispatcher that was accepted; it may claim its own term again.

    It is the same one that has the same key, and the same connection or incarnation.
    """

    peer: bytes
    term: int
    incarnation: str
    key: str

    def is_of(self, peer: bytes, claim: Claim, key: str) -> bool:
        if self.key != key:
            return False
        return self.peer == peer or (
            bool(claim.incarnation) and self.incarnation == claim.incarnation
        )


class Seat:
    """The one place of the dispatcher that may send to servers and clients."""

    def __init__(
        self, section: BrokerSection, broker: str, outbox: Outbox, registry: Registry
    ) -> None:
        self._broker = broker
        self._outbox = outbox
        self._registry = registry
        self._watch: Watch[bytes] = Watch(section.suspect_s, section.server_lost_s)
        self._holder: _Holder | None = None

    def holds(self, peer: bytes) -> bool:
        """Return whether this peer is the accepted dispatcher."""
        return peer == self._outbox.dispatcher

    @property
    def term(self) -> int | None:
        """The term of the dispatcher that is there and answers."""
        if self._holder is None or self.absence is not None:
            return None
        return self._holder.term

    @property
    def absence(self) -> str | None:
        """Why there is nobody who would carry out a command; None when there is."""
        peer = self._outbox.dispatcher
        if peer is None:
            return "no dispatcher is connected to the broker"
        if self._watch.state(peer) is LivenessState.SUSPECT:
            return "the dispatcher does not answer the broker"
        return None

    def claim(self, now: Instant, peer: bytes, claim: Claim, key: str) -> None:
        """Seat a dispatcher with a new term, or the same one again; refuse any other.

        A term that only servers have reported may be claimed: after a restart of the broker it is
        the running dispatcher's own.
        """
        holder = self._holder
        claimed = holder.term if holder is not None else 0
        reported = self._registry.highest_term(now, max(claim.term, claimed))
        is_same = holder is not None and holder.is_of(peer, claim, key)
        again = is_same and claim.term >= claimed
        if not again and not (claim.term > claimed and claim.term >= reported):
            highest = max(claimed, reported)
            self._outbox.to_a_dispatcher(
                peer, ClaimRefused(highest=highest, live=self.term is not None)
            )
            text = f"{claim.name} claimed term {claim.term}, refused: {highest} was seen"
            self._outbox.log(now.wall, "warning", text)
            return
        if holder is not None and holder.peer != peer:
            if not is_same:
                self._outbox.to_a_dispatcher(holder.peer, SupersededNotice(term=claim.term))
            self._watch.forget(holder.peer)
        self._holder = _Holder(peer, claim.term, claim.incarnation, key)
        self._registry.claimed_term = claim.term
        self._outbox.seat(peer)
        self.hear(now, peer)
        self._outbox.to_dispatcher(
            ClaimAccepted(term=claim.term, broker=self._broker, clock_s=now.mono)
        )
        text = f"dispatcher {claim.name} (process {claim.pid}) holds term {claim.term}"
        self._outbox.log(now.wall, "info", text)
        self._registry.introduce_all(now, f"a dispatcher has claimed term {claim.term}")

    def outranked(self, now: Instant) -> None:
        """Take the seat of a dispatcher whose term is below what a server has now reported.

        It claimed before that server came; servers would refuse all that it sends.
        """
        peer, holder = self._outbox.dispatcher, self._holder
        if peer is None or holder is None:
            return
        highest = self._registry.highest_term(now, holder.term)
        if holder.term < highest:
            self._leave(now, "warning", f"the dispatcher's term is too low: {highest} was seen")
            self._outbox.to_a_dispatcher(peer, ClaimRefused(highest=highest, live=False))

    def hear(self, now: Instant, peer: bytes) -> None:
        """Take note that the accepted dispatcher lives."""
        if self.holds(peer) and self._watch.hear(now.mono, peer) is not None:
            self._outbox.log(now.wall, "info", "the dispatcher answers again")

    def ping(self, peer: bytes, term: int | None) -> None:
        """Tell a dispatcher that has been superseded so; the notice may have got lost."""
        holder = self._holder
        if holder is not None and term is not None and term < holder.term and holder.peer != peer:
            self._outbox.to_a_dispatcher(peer, SupersededNotice(term=holder.term))

    def lost_frames(self, now: Instant, peer: bytes, why: str) -> None:
        """Take the seat of a dispatcher that did not get everything; it has to claim again."""
        if self.holds(peer):
            self._leave(now, "warning", f"the dispatcher has to claim again: {why}")

    def goodbye(self, now: Instant, peer: bytes) -> None:
        """The dispatcher ends in order."""
        if self.holds(peer):
            self._leave(now, "info", "the dispatcher said goodbye")

    def restart(self, now: Instant) -> None:
        """Restart the deadlines: for a while it was the broker that did not listen."""
        self._watch.restart(now.mono)

    def expire(self, now: Instant) -> None:
        """Judge its silence."""
        for judgement in self._watch.expire(now.mono):
            if judgement.state is LivenessState.LOST:
                self.lost_frames(now, judgement.peer, judgement.why)
            else:
                text = f"the dispatcher does not answer: {judgement.why}"
                self._outbox.log(now.wall, "warning", text)

    def wake_at(self) -> float | None:
        """Return its next deadline."""
        return self._watch.wake_at()

    def check(self) -> None:
        """Assert what must hold after every event."""
        peer = self._outbox.dispatcher
        assert peer is None or (self._holder is not None and self._holder.peer == peer)
        assert len(self._watch) == (peer is not None)

    def _leave(self, now: Instant, level: LogLevel, text: str) -> None:
        assert self._outbox.dispatcher is not None
        self._watch.forget(self._outbox.dispatcher)
        self._outbox.seat(None)
        self._outbox.log(now.wall, level, text)
