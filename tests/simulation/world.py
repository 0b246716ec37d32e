"""Virtual time, and a network of links that delay, break and come back. No daemon lives here."""

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from shotline.common.machine import Instant

EPOCH_WALL = 1_700_000_000.0
UNNOTICED = 0.5  # share of the breaks that the ROUTER notices late
NOTICED_S_MAX = 3.0


class World:
    """The clock and the queue of what happens next. One seed makes one history."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = 100.0
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._number = itertools.count()
        self.after_each: Callable[[], None] = lambda: None
        self.story: list[str] = []

    @property
    def instant(self) -> Instant:
        """Now, for machines."""
        return Instant(self.now, EPOCH_WALL + self.now)

    def at(self, time: float, action: Callable[[], None]) -> None:
        """Do something at a time, in the order of calls where times are equal."""
        heapq.heappush(self._queue, (max(time, self.now), next(self._number), action))

    def after(self, delay_s: float, action: Callable[[], None]) -> None:
        """Do something after a while."""
        self.at(self.now + delay_s, action)

    def tell(self, text: str) -> None:
        """Add a line to the story that a failure prints."""
        self.story.append(f"{self.now:9.3f} {text}")

    def run(self, until: float, done: Callable[[], bool]) -> None:
        """Let time pass until a time, or until it is done."""
        while self._queue and not done():
            time, _, action = heapq.heappop(self._queue)
            if time > until:
                return
            self.now = time
            action()
            self.after_each()


class Endpoint(Protocol):
    """A daemon as the network sees it."""

    def receive(self, peer: bytes, frames: list[bytes]) -> None:
        """Take a multipart."""

    def connected(self) -> None:
        """A link was made."""

    def disconnected(self) -> None:
        """The link broke."""


@dataclass(slots=True)
class Link:
    """One DEALER's connection to one of the broker's ROUTERs, which names it anew each time."""

    dealer: Endpoint
    name: bytes = b""
    is_up: bool = False
    is_closed: bool = False
    generation: int = 0
    free_at: dict[str, float] = field(default_factory=lambda: {"in": 0.0, "out": 0.0})


class Network:
    """All links to one ROUTER. Order is kept on a link; a break loses what is on it.

    The ROUTER may notice a break late: until then it takes what is for the old connection, which
    nobody gets, and what was on its way from there still arrives.
    """

    def __init__(self, world: World, delay_s_max: float) -> None:
        self._world = world
        self._delay_s_max = delay_s_max
        self._router: Callable[[bytes, list[bytes]], None] | None = None
        self._links: dict[bytes, Link] = {}  # by name
        self._unnoticed: dict[bytes, float] = {}  # until when
        self._names = itertools.count(1)

    def serve(self, router: Callable[[bytes, list[bytes]], None] | None) -> None:
        """Set who receives at the ROUTER; None: nobody is there, all links break."""
        self._router = router
        for link in list(self._links.values()):
            self.cut(link)
        self._unnoticed.clear()

    def open(self, dealer: Endpoint) -> Link:
        """Connect a DEALER, now or when the broker is there."""
        link = Link(dealer)
        self._connect_later(link)
        return link

    def close(self, link: Link) -> None:
        """The DEALER is gone, with all that was on the way to it or from it."""
        link.is_closed = True
        if link.is_up:
            self._end(link)

    def cut(self, link: Link) -> None:
        """Break a link; it is made again later."""
        if link.is_up:
            self._end(link)
            link.dealer.disconnected()
            self._connect_later(link)

    def _end(self, link: Link) -> None:
        link.is_up = False
        link.generation += 1
        del self._links[link.name]
        if self._world.random.random() < UNNOTICED:
            noticed_s = self._world.random.uniform(0.0, NOTICED_S_MAX)
            self._unnoticed[link.name] = self._world.now + noticed_s

    def _connect_later(self, link: Link) -> None:
        self._world.after(self._world.random.uniform(0.01, 0.3), lambda: self._connect(link))

    def _connect(self, link: Link) -> None:
        if link.is_closed or link.is_up:
            return
        if self._router is None:
            self._connect_later(link)
            return
        link.is_up = True
        link.name = b"\0%04d" % next(self._names)
        link.free_at = {"in": 0.0, "out": 0.0}  # what the last connection carried may come later
        self._links[link.name] = link
        link.dealer.connected()

    def to_router(self, link: Link, frames: list[bytes]) -> bool:
        """Send towards the broker. False without a connection."""
        if not link.is_up:
            return False

        name = link.name

        def deliver() -> None:
            if self._router is not None:
                self._router(name, frames)

        self._carry(link, "in", deliver)
        return True

    def to_dealer(self, name: bytes, frames: list[bytes]) -> bool:
        """Send towards a DEALER. False when it is known not to be connected: unroutable."""
        link = self._links.get(name)
        if link is None:
            return self._is_unnoticed(name)
        self._carry(link, "out", lambda: link.dealer.receive(b"", frames))
        return True

    def _carry(self, link: Link, way: str, deliver: Callable[[], None]) -> None:
        generation, name = link.generation, link.name
        delay_s = self._world.random.uniform(0.0, self._delay_s_max)
        arrives = max(self._world.now + delay_s, link.free_at[way])
        link.free_at[way] = arrives

        def arrive() -> None:
            stands = link.is_up and link.generation == generation
            if stands or (way == "in" and self._is_unnoticed(name)):
                deliver()

        self._world.at(arrives, arrive)

    def _is_unnoticed(self, name: bytes) -> bool:
        return self._world.now < self._unnoticed.get(name, 0.0)
