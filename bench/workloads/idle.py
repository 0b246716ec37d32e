"""W7: many action servers that are idle and say so once a second."""

import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import ClassVar, Final

from bench.daemons import PROGRAMS, Form, Site
from bench.harness import Measurement, Round
from bench.machine import Groups, Used, used
from bench.programs import Program
from bench.results import Goal

SETTLE_S: Final = 3.0
BARE: Final = "bare ROUTER"
GOALS: Final[Mapping[str, Goal]] = {Form.HUB: Goal(2.0)}


class Idle(Measurement):
    """The servers are the machines of real ones, in one process that is not counted."""

    name: ClassVar = "W7"
    title: ClassVar = "idle servers with heartbeats"

    def measure(self, of: Round) -> None:
        """Watch the bare ROUTER, then each form."""
        with ExitStack() as running:
            router = running.enter_context(Program("bare", "router"))
            peers = Program("bare", "peers", router.line(), of.sizes.idle)
            _await(running.enter_context(peers))
            bare = _tell(of, BARE, _watched({BARE: [router.pid]}, of))
        for form in of.forms:
            with ExitStack() as running:
                site = running.enter_context(Site(of.folder / form, form, {}, servers=0))
                peers = Program("idle", site.config.broker.servers, of.sizes.idle)
                _await(running.enter_context(peers))
                found = _watched(site.groups(), of)
                alive = [one.liveness == "alive" for one in site.supervisor.servers().servers]
                if sum(alive) != of.sizes.idle:
                    raise RuntimeError(f"{sum(alive)} of {of.sizes.idle} servers are alive")
                _tell(of, form, {name: found[name] for name in PROGRAMS[form]}, beside=bare)


def _await(peers: Program) -> None:
    if (said := peers.line()) != "ready":
        raise RuntimeError(f"the idle servers said {said!r}")
    time.sleep(SETTLE_S)


def _watched(groups: Groups, of: Round) -> dict[str, Used]:
    before, begin = used(groups), time.monotonic()
    time.sleep(2 * of.sizes.seconds)
    after, seconds = used(groups), time.monotonic() - begin
    return {
        name: Used(
            one.since(before[name]).cpu_s / seconds,
            round(one.since(before[name]).wake_ups / seconds),
            one.rss_mb,
        )
        for name, one in after.items()
    }


def _tell(
    of: Round, subject: str, found: Mapping[str, Used], beside: tuple[float, float] | None = None
) -> tuple[float, float]:
    """Tell what processes use, each of them and together; return processor and memory."""
    add = of.results.add
    together = (
        sum(one.cpu_s for one in found.values()) * 100,
        sum(one.rss_mb for one in found.values()),
    )
    for at, (what, unit) in enumerate((("of a core", "%"), ("memory", "MB"))):
        bare = (BARE, beside[at]) if beside else None
        add(what, subject, together[at], unit, beside=bare, goal=GOALS.get(subject))
    for name, one in found.items():
        add("of a core", subject, one.cpu_s * 100, "%", part=name)
        add("wake-ups", subject, one.wake_ups, "/s", part=name)
        add("memory", subject, one.rss_mb, "MB", part=name)
    return together
