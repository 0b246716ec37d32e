"""Somebody who sends the broker what is no message, or not for him to send (I7)."""

from typing import TYPE_CHECKING, Final

from tests.simulation.world import Network

from shotline.common.actions import AttemptId
from shotline.common.codec import decode_all, encode
from shotline.common.messages import Claim, Dispatch, Problem, RegisterAnew, Request

if TYPE_CHECKING:
    from tests.simulation.storm.scenario import Storm

ANSWERED_S: Final = 3.0
_DISPATCH: Final = encode(
    [Dispatch(term=1, epoch=1, number=1, attempt=AttemptId("T", 1, "A", 1), task=b"{}")]
)
RUBBISH: Final[tuple[list[bytes], ...]] = (
    [b""],
    [b"\xc1\xff\x00"],
    [_DISPATCH[:-7]],
    [_DISPATCH],
    [encode([Claim(term=99, name="nobody")])],
    [encode([Request(id="x" * 10, verb="abort", deadline_s=1e9, command=b"{")])[:-3]],
)


class Rubbish:
    """Connects, sends it, and must be told so; nothing else may come of it."""

    def __init__(self, scenario: "Storm", network: Network, frames: list[bytes]) -> None:
        self._scenario, self._network, self._frames = scenario, network, frames
        self._is_told = self._is_broken = False
        self._broker = scenario.broker
        self._sent_at = 0.0
        self._link = network.open(self)

    def connected(self) -> None:
        """Send it, once."""
        if self._sent_at:
            return
        world = self._scenario.world
        self._sent_at, self._broker = world.now, self._scenario.broker
        self._network.to_router(self._link, list(self._frames))
        world.after(ANSWERED_S, self._look)

    def disconnected(self) -> None:
        """Whatever was on its way is lost."""
        self._is_broken = True

    def receive(self, _peer: bytes, frames: list[bytes]) -> None:
        """Take the answer."""
        for message in decode_all(frames):
            assert isinstance(message, Problem | RegisterAnew), (
                f"I7: rubbish is answered by {message}"
            )
            self._is_told = True

    def _look(self) -> None:
        broker = self._broker
        was_there = broker is not None and broker is self._scenario.broker
        if was_there and broker is not None and not broker.was_paused_since(self._sent_at):
            assert self._is_told or self._is_broken, f"I7: {self._frames} is not answered"
        self._network.close(self._link)
