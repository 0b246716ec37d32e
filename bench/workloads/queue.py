"""The pulse queue: what a long programme costs others, and how soon one plan follows another."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import ClassVar, Final

from bench.daemons import PHASE, Site, action
from bench.harness import Measurement, Round
from bench.programs import Program
from bench.results import Goal, quantile
from shotline.common.base import Json

TREE: Final = "QUEUE"
BATCHES: Final = 5
ALONE_S: Final = 2.0
ALONE: Final = "with nothing else to do"
LONGER: Final = Goal(50, of_value=True)
NEXT: Final = Goal(10, of_value=True)


class Queue(Measurement):
    """The base of a status answer is one of the same daemons while nobody adds anything."""

    name: ClassVar = "queue"
    title: ClassVar = "the pulse queue"

    def measure(self, of: Round) -> None:
        """Measure answers beside batches, then a programme that runs."""
        for form in of.forms:
            experiment = {TREE: [action("ONE", 1)]}
            with Site(of.folder / form, form, experiment, servers=1) as site:
                site.warm_up()
                _measure_answers(of, site)
                _measure_programme(of, site)


def _measure_answers(of: Round, site: Site) -> None:
    """Ask for the status all the time: alone, and while another process adds batches."""
    add, form, plans = of.results.add, site.form, of.sizes.plans
    with _asked(site) as alone_ms:
        time.sleep(ALONE_S)
    usual_ms = quantile(alone_ms, 0.5)
    add("a status answer, median", f"{form}, {ALONE}", usual_ms, "ms")
    for _ in range(BATCHES):
        with Program("programme", site.config_file, TREE, plans) as other:
            other.line()
            with _asked(site) as taken_ms:
                other.tell("add")
                if other.line() != str(plans):
                    raise RuntimeError("not all plans were added")
        what = f"longer than that at most, while {plans:,} plans are added"
        add(what, form, max(taken_ms) - usual_ms, "ms", goal=LONGER)
        site.supervisor.queue_clear()


@contextmanager
def _asked(site: Site) -> Iterator[list[float]]:
    """Ask for the status again and again meanwhile; note how long each answer takes, in ms."""
    taken_ms: list[float] = []
    ended = threading.Event()

    def ask() -> None:
        while not ended.is_set():
            begin = time.perf_counter()
            site.supervisor.status()
            taken_ms.append((time.perf_counter() - begin) * 1e3)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield taken_ms
    finally:
        ended.set()
        asking.join()


def _measure_programme(of: Round, site: Site) -> None:
    """Run a programme of short plans. Times are those of the records; all are of this machine."""
    supervisor, add, form = site.supervisor, of.results.add, site.form
    plan: dict[str, Json] = {"experiment": TREE, "phases": [{"phase": PHASE}]}
    supervisor.queue_add([plan] * of.sizes.programme)
    supervisor.queue_start(wait=True)
    items = sorted(supervisor.queue_history().items, key=lambda item: item.result.began_at)
    if len(items) != of.sizes.programme:
        raise RuntimeError(f"{len(items)} of {of.sizes.programme} plans have run")
    actions = [supervisor.actions(TREE, item.result.shot).actions[0].last for item in items]
    for before, after in pairwise(range(len(items))):
        ended_at, started_at = actions[before].ended_at, actions[after].started_at
        if ended_at is None or started_at is None:
            raise RuntimeError("an action was not run")
        hop_ms = (items[after].result.began_at - ended_at) * 1e3
        add("from a plan's last action to the next plan", form, hop_ms, "ms", goal=NEXT)
        whole_ms = (started_at - ended_at) * 1e3
        add("… to its first action, with a new pulse and its table", form, whole_ms, "ms")
