"""Who is alive, suspect or lost, judged by silence alone (DESIGN §5). Pure.

The broker watches servers, clients and the dispatcher with it. What a judgement leads to is the
caller's business. Only one process judges: without a broker nobody is lost, because nobody else
holds such a watch on servers.
"""

from collections.abc import Hashable
from typing import Generic, NamedTuple, TypeVar

from shotline.common.messages import LivenessState

Peer = TypeVar("Peer", bound=Hashable)


class Judgement(NamedTuple, Generic[Peer]):
    """A peer's state has changed, and why, in words for an operator."""

    peer: Peer
    state: LivenessState
    why: str


class Watch(Generic[Peer]):
    """The deadlines of a group of peers.

    A peer that is silent for `suspect_s` is suspect, for `lost_s` lost; a lost one is forgotten.
    Deadlines only move on while `expire` is called: the caller first handles all input that has
    arrived, then expires.
    """

    def __init__(self, suspect_s: float, lost_s: float) -> None:
        assert 0 < suspect_s <= lost_s
        self._suspect_s = suspect_s
        self._lost_s = lost_s
        self._heard: dict[Peer, float] = {}
        self._suspects: set[Peer] = set()
        # No deadline is earlier. Hearing a peer moves its deadline but not this, so that hearing
        # costs next to nothing; `expire` finds the real one.
        self._not_before: float | None = None

    def __len__(self) -> int:
        return len(self._heard)

    def __contains__(self, peer: Peer) -> bool:
        return peer in self._heard

    def state(self, peer: Peer) -> LivenessState:
        """Return what is thought of a peer; one that is not watched is lost."""
        if peer not in self._heard:
            return LivenessState.LOST
        return LivenessState.SUSPECT if peer in self._suspects else LivenessState.ALIVE

    def suspects(self) -> list[Peer]:
        """Return the peers that are suspect now."""
        return [peer for peer in self._heard if peer in self._suspects]

    def heard_at(self, peer: Peer) -> float | None:
        """Return when a peer was heard last."""
        return self._heard.get(peer)

    def hear(self, now: float, peer: Peer) -> Judgement[Peer] | None:
        """Take note of a sign of life; one that is not watched yet is from now on."""
        new = peer not in self._heard
        self._heard[peer] = now
        if not new and peer not in self._suspects:
            return None
        deadline = now + self._suspect_s
        self._not_before = _earlier(self._not_before, deadline)
        if new:
            return None
        self._suspects.remove(peer)
        return Judgement(peer, LivenessState.ALIVE, "heard again")

    def doubt(self, peer: Peer, why: str) -> Judgement[Peer] | None:
        """Call an alive peer suspect before its time: its connection is broken."""
        if peer not in self._heard or peer in self._suspects:
            return None
        self._suspects.add(peer)
        return Judgement(peer, LivenessState.SUSPECT, why)

    def forget(self, peer: Peer) -> None:
        """Watch a peer no longer: it said goodbye, or was replaced."""
        self._heard.pop(peer, None)
        self._suspects.discard(peer)

    def restart(self, now: float) -> None:
        """Count all silences from now: for a while it was we who did not listen."""
        for peer in self._heard:
            self._heard[peer] = now
        self._not_before = now + self._suspect_s if self._heard else None

    def expire(self, now: float) -> list[Judgement[Peer]]:
        """Return the judgements that are due, and forget whom they call lost."""
        if self._not_before is None or now < self._not_before:
            return []
        judgements: list[Judgement[Peer]] = []
        earliest: float | None = None
        for peer, heard in list(self._heard.items()):
            suspect = peer in self._suspects
            if now >= heard + self._lost_s:
                self.forget(peer)
                judgements.append(Judgement(peer, LivenessState.LOST, _silent(now - heard)))
                continue
            if not suspect and now >= heard + self._suspect_s:
                self._suspects.add(peer)
                suspect = True
                judgements.append(Judgement(peer, LivenessState.SUSPECT, _silent(now - heard)))
            deadline = heard + (self._lost_s if suspect else self._suspect_s)
            earliest = _earlier(earliest, deadline)
        self._not_before = earliest
        return judgements

    def wake_at(self) -> float | None:
        """Return when `expire` may have something to say, at the earliest."""
        return self._not_before


class PauseDetector:
    """Finds gaps in our own clock: we were stopped, suspended or starved, and heard nobody.

    Whoever uses it looks at least every `look_s`; a time twice as long without a look is a gap.
    """

    def __init__(self, look_s: float) -> None:
        assert look_s > 0
        self._look_s = look_s
        self._last: float | None = None

    def paused(self, now: float) -> bool:
        """Return whether a gap has just ended. Ask first in every wake-up."""
        last, self._last = self._last, now
        return last is not None and now - last > 2 * self._look_s

    def rest(self) -> None:
        """There is nobody to listen to: the next look may be any time later."""
        self._last = None

    def wake_at(self) -> float | None:
        """Return when to look next."""
        return None if self._last is None else self._last + self._look_s


def _earlier(known: float | None, deadline: float) -> float:
    return deadline if known is None else min(known, deadline)


def _silent(seconds: float) -> str:
    return f"silent for {seconds:.1f} s"
