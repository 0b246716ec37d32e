"""W9: independent actions in tables of very different sizes, and what closed shots leave behind."""

import time
from statistics import median
from typing import ClassVar, Final

from bench.daemons import Form, Site, action
from bench.harness import SHOTS_LOADED_MAX, Measurement, Round
from bench.machine import rss_mb
from bench.programs import ANSWER_WITHIN_S
from bench.results import Goal

TREE: Final = "GROWTH"
GOAL: Final = Goal(1.1)
NONE_LEFT: Final = Goal(50, of_value=True)


class Growth(Measurement):
    """Each size has daemons of its own; the base is the size in the middle."""

    name: ClassVar = "W9"
    title: ClassVar = "many more actions"
    rounds_max: ClassVar = 1

    def measure(self, of: Round) -> None:
        """Measure sizes, then what is left."""
        for form in of.forms:
            found = {count: _measured(of, form, count) for count in of.sizes.growth}
            middle = sorted(found)[len(found) // 2]
            for count, (took_us, kilobytes) in found.items():
                name, base, add = f"{form}, {count:,}", f"{form}, {middle:,}", of.results.add
                time_base, memory_base = found[middle]
                if count == middle:
                    add("time an action", name, took_us, "µs")
                    add("memory an action", name, kilobytes, "KB")
                    continue
                add("time an action", name, took_us, "µs", beside=(base, time_base), goal=GOAL)
                beside = (base, memory_base)
                add("memory an action", name, kilobytes, "KB", beside=beside, goal=GOAL)
            _measure_left(of, form)


def _site(of: Round, form: Form, name: str, count: int) -> Site:
    return Site(
        of.folder / f"{form}-{name}",
        form,
        {TREE: [action(f"A{number}", 1) for number in range(count)]},
        settings={
            "dispatcher": {
                "shots_loaded_max": SHOTS_LOADED_MAX,
                "recovery_s": 0.1,
                "tree_timeout_s": ANSWER_WITHIN_S,
            }
        },
    )


def _measured(of: Round, form: Form, count: int) -> tuple[float, float]:
    """Return time (µs) and memory of the dispatcher (KB) that an action takes."""
    with _site(of, form, str(count), count) as site:
        site.warm_up()
        before = rss_mb(site.dispatcher_pid)
        site.build(TREE, 1)
        begin = time.perf_counter()
        site.do_phase(TREE, 1)
        took_us = (time.perf_counter() - begin) / count * 1e6
        return took_us, (rss_mb(site.dispatcher_pid) - before) * 1e3 / count


def _measure_left(of: Round, form: Form) -> None:
    """Measure what settled actions leave in the dispatcher once their shots are closed.

    The first shots fill what may be held; from then on nothing may grow. What a shot in the making
    needs goes up and down with the moment of the measurement, so the medians of many are compared.
    """
    count = of.sizes.independent // 2
    with _site(of, form, "closed", count) as site:
        sizes_mb = []
        for shot in range(1, of.sizes.closed_shots + 1):
            site.build(TREE, shot)
            site.do_phase(TREE, shot)
            sizes_mb.append(rss_mb(site.dispatcher_pid))
    span = (len(sizes_mb) - SHOTS_LOADED_MAX) // 2
    before, after = median(sizes_mb[-2 * span : -span]), median(sizes_mb[-span:])
    left = (after - before) * 1e6 / (count * span)
    of.results.add("memory left by a closed action", form, left, "bytes", goal=NONE_LEFT)
