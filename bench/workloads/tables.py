"""W8: tables of actions with conditions are built."""

import json
import time
from typing import ClassVar, Final

from bench.daemons import Entry, Form, Site, action
from bench.harness import Measurement, Round
from bench.machine import rss_mb
from bench.results import Goal

TREE: Final = "TABLES"
BUILDS: Final = 3
READING: Final = "json.loads"
SECONDS: Final = Goal(1.0, of_value=True)
KILOBYTES: Final = Goal(5.0, of_value=True)


class Tables(Measurement):
    """Every tenth action has a number, the others conditions on up to three before them."""

    name: ClassVar = "W8"
    title: ClassVar = "tables of actions with conditions"

    def measure(self, of: Round) -> None:
        """Measure each size in daemons of its own."""
        largest = max(of.sizes.tables)
        for form in of.forms:
            kilobytes = {count: _measured(of, form, count) for count in of.sizes.tables}
            for count, value in kilobytes.items():
                goal = KILOBYTES if count == largest else None
                of.results.add("memory an action", f"{form}, of {count:,}", value, "KB", goal=goal)


def _measured(of: Round, form: Form, count: int) -> float:
    """Build a table for several shots; return what an action of each leaves in memory, in KB."""
    add, what = of.results.add, f"a table of {count:,}"
    goal = SECONDS if count == max(of.sizes.tables) else None
    with Site(of.folder / f"{form}-{count}", form, {TREE: _actions(count)}, servers=0) as site:
        site.warm_up()
        before = rss_mb(site.dispatcher_pid)
        for shot in range(1, BUILDS + 1):
            reading_s = _read(site)
            built_s = site.build(TREE, shot)
            add(what, READING, reading_s, "s")
            add(what, form, built_s, "s", beside=(READING, reading_s), goal=goal)
        return (rss_mb(site.dispatcher_pid) - before) * 1e3 / BUILDS / count


def _read(site: Site) -> float:
    """Return how long it takes only to read the experiment file."""
    begin = time.perf_counter()
    json.loads(site.experiments[TREE].read_text(encoding="utf-8"))
    return time.perf_counter() - begin


def _actions(count: int) -> list[Entry]:
    return [action(f"A{at}", _when(at)) for at in range(count)]


def _when(at: int) -> int | str:
    match at % 10:
        case 0:
            return 1 + at // 10
        case 1 | 2 | 3:
            return f"A{at - 1}"
        case 4 | 5 | 6:
            return f"A{at - 1} and A{at - 2}"
        case _:
            return f"(A{at - 1} or not A{at - 2}) and A{at - 3}"
