"""Virtual time, and a network of links that delay, break and come back. No daemon lives here."""

import gc
import heapq
import itertools
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final, Protocol

from shotline.common.machine import Instant

EPOCH_WALL = 1_700_000_000.0
UNNOTICED = 0.5  # share of the breaks that the ROUTER notices late
NOTICED_S_MAX = 3.0
CHECKED_EVERY: Final = 16  # steps
RESENT_MAX: Final = 3  # multiparts that come once more after a link was made again


class World:
    """The clock and the queue of what happens next. One seed makes one history."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = 100.0
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0  # of what is in the queue, in the order of calls
        self.story: list[str] = []
        self.carried: Callable[[str, str, Sequence[bytes]], None] | None = None  # by whom, way
        self.steps = 0
        self._happened: list[bytes] = []
        self._lives: Counter[str] = Counter()
        self._walls: dict[str, float] = {}  # how far the wall clocks of hosts are off
        self._at_steps: dict[int, list[Callable[[], None]]] = {}

    @property
    def instant(self) -> Instant:
        """Now, for machines."""
        return Instant(self.now, EPOCH_WALL + self.now)

    def instant_at(self, host: str) -> Instant:
        """Now, for machines of a host whose wall clock may be wrong."""
        return Instant(self.now, EPOCH_WALL + self.now + self._walls.get(host, 0.0))

    def set_wall(self, host: str, offset_s: float) -> None:
        """Let the wall clock of a host be wrong by so much from now on."""
        self._walls[host] = offset_s

    @property
    def is_time_to_check(self) -> bool:
        """Whether a machine is to look at all that it holds; what has changed is looked at always.

        It costs as much as all decisions of a step.
        """
        return self.steps % CHECKED_EVERY == 0

    def next_life(self, what: str) -> int:
        """Return a number that no other life of such a thing in this world has."""
        self._lives[what] += 1
        return self._lives[what]

    def note(self, *data: bytes) -> None:
        """Take note of what has happened: the same seed has the same `digest` at the end."""
        self._happened += data

    @property
    def digest(self) -> str:
        """What stands for all that has happened so far."""
        happened = blake2b(b"".join(self._happened), digest_size=16)
        happened.update("\n".join(self.story).encode())
        return f"{self.steps}-{happened.hexdigest()}"

    def at(self, time: float, action: Callable[[], None]) -> None:
        """Do something at a time, in the order of calls where times are equal."""
        self._number += 1
        heapq.heappush(self._queue, (time if time > self.now else self.now, self._number, action))

    def after(self, delay_s: float, action: Callable[[], None]) -> None:
        """Do something after a while."""
        self.at(self.now + delay_s, action)

    def in_steps(self, steps: int, action: Callable[[], None]) -> None:
        """Do something after so many steps, in the middle of whatever goes on then."""
        self._at_steps.setdefault(self.steps + steps, []).append(action)

    def tell(self, text: str) -> None:
        """Add a line to the story that a failure prints."""
        self.story.append(f"{self.now:9.3f} {text}")

    def run(self, until: float, done: Callable[[], bool]) -> None:
        """Let time pass until a time, or until it is done."""
        gc.disable()  # it takes a sixth of the time, and finds next to nothing before the end
        try:
            self._run(until, done)
        finally:
            gc.enable()

    def _run(self, until: float, done: Callable[[], bool]) -> None:
        queue, at_steps = self._queue, self._at_steps
        while queue and not done():
            if queue[0][0] > until:
                return
            self.now, _, action = heapq.heappop(queue)
            self.steps += 1
            action()
            if at_steps:
                for one in at_steps.pop(self.steps, ()):
                    one()


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
    host: str = ""  # where the DEALER is
    blocked: dict[str, float] = field(default_factory=dict)  # by way: until when nothing gets on
    last: dict[str, list[list[bytes]]] = field(default_factory=dict)  # by way: what went last

    def is_open_since(self, time: float) -> bool:
        """Return whether it is up, and something could get on since then."""
        return self.is_up and max(self.blocked.values(), default=0.0) <= time

    @property
    def who(self) -> str:
        """What a story calls the DEALER."""
        kind = type(self.dealer).__name__.removeprefix("Storm").removesuffix("Daemon").lower()
        name = getattr(self.dealer, "name", None)
        return f"{kind} {':'.join(name)}" if isinstance(name, tuple) else kind


class Network:
    """All links to one ROUTER. Order is kept on a link; a break loses what is on it.

    The ROUTER may notice a break late: until then it takes what is for the old connection, which
    nobody gets, and what was on its way from there still arrives.
    """

    def __init__(self, world: World, delay_s_max: float, *, resent: float = 0.0) -> None:
        self._world = world
        self._delay_s_max = delay_s_max
        self._resent = resent  # share of the links made again on which the last comes once more
        self._all: list[Link] = []
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

    def open(self, dealer: Endpoint, host: str = "") -> Link:
        """Connect a DEALER, now or when the broker is there."""
        link = Link(dealer, host=host)
        self._all.append(link)
        self._connect_later(link)
        return link

    def links(self, host: str) -> list[Link]:
        """Return the links of the daemons of a host."""
        return [link for link in self._all if link.host == host and not link.is_closed]

    def block(self, link: Link, ways: Sequence[str], for_s: float, *, breaks: bool) -> None:
        """Let nothing get on one way, or both, for a while.

        Then all of it does, or the link breaks and it is lost.
        """
        until = self._world.now + for_s
        for way in ways:
            link.blocked[way] = max(until, link.blocked.get(way, 0.0))
            link.free_at[way] = max(until, link.free_at[way])
        if breaks:
            self._world.at(until, lambda: self.cut(link))

    def close(self, link: Link) -> None:
        """The DEALER is gone, with all that was on the way to it or from it."""
        if not link.is_closed:
            self._all.remove(link)
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

    def _connect_later(self, link: Link, not_before: float = 0.0) -> None:
        world = self._world
        at = max(world.now, not_before) + world.random.uniform(0.01, 0.3)
        world.at(at, lambda: self._connect(link))

    def _connect(self, link: Link) -> None:
        if link.is_closed or link.is_up:
            return
        until = max(link.blocked.values(), default=0.0)
        if self._router is None or until > self._world.now:
            self._connect_later(link, until)
            return
        link.is_up = True
        link.name = b"\0%04d" % next(self._names)
        link.free_at = {"in": 0.0, "out": 0.0}  # what the last connection carried may come later
        self._links[link.name] = link
        if self._resent:
            self._send_again(link)
        link.dealer.connected()

    def _send_again(self, link: Link) -> None:
        last, link.last = link.last, {"in": [], "out": []}
        for way in ("in", "out"):
            sent = last.get(way, ())
            if sent and self._world.random.random() < self._resent:
                for frames in sent[-self._world.random.randint(1, RESENT_MAX) :]:
                    if way == "in":
                        self.to_router(link, list(frames))
                    else:
                        self.to_dealer(link.name, list(frames))

    def to_router(self, link: Link, frames: list[bytes]) -> bool:
        """Send towards the broker. False without a connection."""
        if not link.is_up:
            return False

        self._carry(link, "in", frames)
        return True

    def to_dealer(self, name: bytes, frames: list[bytes]) -> bool:
        """Send towards a DEALER. False when it is known not to be connected: unroutable."""
        link = self._links.get(name)
        if link is None:
            return self._is_unnoticed(name)
        self._carry(link, "out", frames)
        return True

    def _carry(self, link: Link, way: str, frames: list[bytes]) -> None:
        world = self._world
        world.note(link.name, *frames)
        if world.carried is not None:
            world.carried(link.who, way, frames)
        if self._resent:
            last = link.last.setdefault(way, [])
            last.append(list(frames))
            del last[:-RESENT_MAX]
        generation, name = link.generation, link.name
        arrives = world.now + self._delay_s_max * world.random.random()
        if arrives < link.free_at[way]:
            arrives = link.free_at[way]
        link.free_at[way] = arrives

        def arrive() -> None:
            stands = link.is_up and link.generation == generation
            if way == "out":
                if stands:
                    link.dealer.receive(b"", frames)
            elif self._router is not None and (stands or self._is_unnoticed(name)):
                self._router(name, frames)

        world.at(arrives, arrive)

    def _is_unnoticed(self, name: bytes) -> bool:
        return self._world.now < self._unnoticed.get(name, 0.0)
