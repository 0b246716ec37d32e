"""W6: many changes a second go to the WebSockets of many browsers."""

import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import ClassVar, Final

from bench.harness import Measurement, Round
from bench.machine import rss_mb, used
from bench.monitored import RATE, Monitored
from bench.programs import Program
from bench.results import Goal

RELAY: Final = "bare relay"
MONITOR: Final = "monitor"
LOOK_S: Final = 0.2
ASLEEP: Final = 4  # one in so many sleeps, where some do
GOALS: Final = {
    "of a core": Goal(50, of_value=True),
    "a change arrives, 99 %": Goal(100, of_value=True),
}
ALL: Final = Goal(100, at_least=True, of_value=True)


@dataclass(frozen=True, slots=True)
class Seen:
    """What some WebSockets have cost, and what they have seen."""

    cpu: float  # percent of a core
    rss_mb_max: float
    told: dict[str, float]


FIGURES: Final[dict[str, tuple[str, Callable[[Seen], float]]]] = {
    "of a core": ("%", lambda seen: seen.cpu),
    "a change arrives, median": ("ms", lambda seen: seen.told["age_p50_s"] * 1e3),
    "a change arrives, 99 %": ("ms", lambda seen: seen.told["age_p99_s"] * 1e3),
    "memory at most": ("MB", lambda seen: seen.rss_mb_max),
}


class Browsers(Measurement):
    """The base relays as many bytes as they are; it gathers nothing, and knows nothing of shots."""

    name: ClassVar = "W6"
    title: ClassVar = f"{RATE:,} changes a second to browsers' WebSockets"
    rounds_max: ClassVar = 2

    def measure(self, of: Round) -> None:
        """Let all read; then let some of the most sleep."""
        bare = self._relayed(of)
        with Monitored(of.folder / "monitored") as monitored:
            pid = monitored.pids["monitor"]
            for count in of.sizes.browsers:
                seen = _watched(monitored.port, pid, of, awake=count)
                _tell(of, count, MONITOR, seen, bare[count])
            most = max(of.sizes.browsers)
            asleep = most // ASLEEP
            seen = _watched(monitored.port, pid, of, awake=most - asleep, asleep=asleep)
        add, which = of.results.add, f"{most}, {asleep} of them asleep"
        add("memory at most", f"{MONITOR}, {which}", seen.rss_mb_max, "MB")
        woken = seen.told["woken"] / max(1, asleep) * 100
        add("up to date once they are awake again", MONITOR, woken, "%", goal=ALL)

    def _relayed(self, of: Round) -> dict[int, Seen]:
        found = {}
        for count in of.sizes.browsers:
            with ExitStack() as running:
                source = running.enter_context(Program("relay", "publish", RATE))
                relay = running.enter_context(Program("relay", "serve", source.line()))
                found[count] = _watched(int(relay.line()), relay.pid, of, awake=count)
                _tell(of, count, RELAY, found[count])
        return found


def _watched(port: int, pid: int, of: Round, *, awake: int, asleep: int = 0) -> Seen:
    """Let WebSockets read, and note what it costs the process that serves them."""
    seconds = of.sizes.seconds
    with Program("websockets", port, awake, asleep, seconds) as clients:
        if (said := clients.line()) != "connected":
            raise RuntimeError(f"the WebSockets said {said!r}")
        before, begin, most = used({"it": [pid]})["it"], time.monotonic(), 0.0
        while clients.heard(LOOK_S) is None:
            most = max(most, rss_mb(pid))
        taken = used({"it": [pid]})["it"].since(before)
        cpu = taken.cpu_s / (time.monotonic() - begin) * 100
        return Seen(cpu, max(most, taken.rss_mb), json.loads(clients.line()))


def _tell(of: Round, count: int, subject: str, seen: Seen, bare: Seen | None = None) -> None:
    goals = {} if bare is None or count < max(of.sizes.browsers) else GOALS
    for what, (unit, figure) in FIGURES.items():
        beside = (f"{RELAY}, {count}", figure(bare)) if bare else None
        name = f"{subject}, {count}"
        of.results.add(what, name, figure(seen), unit, beside=beside, goal=goals.get(what))
