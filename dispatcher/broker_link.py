"""The dispatcher's link to its broker: claim of the term, heartbeats, the broker's clock. Pure."""

from shotline.common.messages import (
    Claim,
    ClaimAccepted,
    ClaimRefused,
    Ping,
    Pong,
    SupersededNotice,
)
from shotline.common.ranges import can_have_come_about
from shotline.dispatcher.core import Core
from shotline.dispatcher.effects import Exit, ToPeer

_TO_BROKER = b""


class BrokerLink:
    """Claims, and claims again when the broker has come back. Without a broker nobody is lost."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._round_trip_s = float("inf")
        self.due = core.now
        """When the next claim or heartbeat is due (monotonic)."""
        self._doubted = 0  # term that the broker has seen and that is not believed

    def tick(self) -> None:
        """Send what is due."""
        core = self._core
        if core.now < self.due:
            return
        self.due = core.recurs_at(core.config.broker.heartbeat_s)
        if self._core.broker is None:
            self._claim()
        else:
            self._ping()

    def _claim(self) -> None:
        core = self._core
        claim = Claim(
            term=core.term,
            name=core.name,
            host=core.host,
            pid=core.pid,
            incarnation=f"{core.name}/{core.started_at:.6f}",
        )
        core.at_once(ToPeer(_TO_BROKER, (claim,)))

    def _ping(self) -> None:
        ping = Ping(sent_s=self._core.now, term=self._core.term)
        self._core.at_once(ToPeer(_TO_BROKER, (ping,)))

    def accepted(self, accepted: ClaimAccepted) -> bool:
        """Take the broker's consent. False when it answers an older claim."""
        if accepted.term != self._core.term:
            return False
        self._core.broker = accepted.broker
        self._core.clock_offset_s = accepted.clock_s - self._core.now
        self._round_trip_s = float("inf")
        self._core.say("info", f"broker {accepted.broker} has accepted term {self._core.term}")
        return True

    def refused(self, refused: ClaimRefused) -> None:
        """A term at least as high was seen: begin again above it, or end where it is in use.

        One that cannot have come about is not taken into the journal: it would be there for ever.
        """
        seen = f"the broker has seen term {refused.highest}, ours is {self._core.term}"
        if not can_have_come_about(refused.highest, self._core.term):
            if refused.highest != self._doubted:
                self._doubted = refused.highest
                self._core.say(
                    "error", f"{seen}, so that cannot have come about; start the broker again"
                )
            return
        if refused.live:
            why = f"{seen}; another dispatcher has taken over"
            self._core.at_once(Exit(0, why, taken_over=True))
        else:
            again = Exit(0, f"{seen}; beginning again above it", claim_above=refused.highest)
            self._core.at_once(again)

    def pong(self, pong: Pong) -> None:
        """Take a heartbeat's answer: the broker's clock, and whether it still knows us."""
        round_trip_s = pong.round_trip_s(self._core.now)
        if round_trip_s is not None and round_trip_s <= self._round_trip_s:
            self._round_trip_s = round_trip_s
            self._core.clock_offset_s = pong.clock_s + round_trip_s / 2 - self._core.now
        if pong.broker != self._core.broker or pong.term != self._core.term:
            self._core.broker = None  # it has restarted: claim again, at once
            self.due = self._core.now

    def reached(self) -> None:
        """A connection was made: claim at once."""
        self.due = self._core.now

    def gone(self) -> None:
        """The connection broke: claim again, so that all servers report what they hold."""
        self._core.broker = None

    def superseded(self, notice: SupersededNotice) -> None:
        """End: another dispatcher has a higher term."""
        why = f"another dispatcher has taken over with term {notice.term}"
        self._core.at_once(Exit(0, why, taken_over=True))
