"""An action that runs is aborted: from the command until it is shown as ABORTED."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import ClassVar, Final

from bench.daemons import PHASE, Site, action
from bench.harness import Measurement, Round
from bench.results import Goal
from shotline.client.connection import EventStream
from shotline.client.observer import News
from shotline.common.actions import ActionState
from shotline.common.records import Transition
from shotline.common.views import OutputEvent, ShotEvent

TREE: Final = "ABORT"
SILENCE_S: Final = 20.0
BARE: Final = "TERM to a Python"
OBEYS: Final = "an action that ends"
IGNORES: Final = "one that must be killed, less its grace"
GOAL: Final = Goal(100, of_value=True)
SLEEP: Final = "import time; print(flush=True); time.sleep(60)"


class Abort(Measurement):
    """ABORTED is shown once the process group is proven gone."""

    name: ClassVar = "abort"
    title: ClassVar = "from the command to abort until it has taken effect"

    def measure(self, of: Round) -> None:
        """Abort what obeys, and what must be killed after its grace."""
        experiment = {TREE: [action("OBEYS", 1, "wait"), action("IGNORES", 2, "ignore_term")]}
        for form in of.forms:
            with Site(of.folder / form, form, experiment, servers=1) as site:
                grace_s = site.config.action_server.kill_grace_s
                for shot in range(1, of.sizes.aborts + 1):
                    _measure(of, site, shot, grace_s)


def _measure(of: Round, site: Site, shot: int, grace_s: float) -> None:
    """Abort both actions of a new shot, each once it has said something."""
    supervisor, add = site.supervisor, of.results.add
    site.build(TREE, shot)
    with supervisor.watch(TREE, shot) as stream:
        supervisor.do_phase(PHASE, TREE, shot, wait=False)
        bare_ms = _bare_ms()
        obeyed_ms = _aborted_ms(site, stream, shot, "OBEYS")
        add(OBEYS, BARE, bare_ms, "ms")
        add(OBEYS, site.form, obeyed_ms, "ms", beside=(BARE, bare_ms), goal=GOAL)
        killed_ms = _aborted_ms(site, stream, shot, "IGNORES")
        add(IGNORES, site.form, killed_ms - grace_s * 1e3, "ms", goal=GOAL)


def _aborted_ms(site: Site, stream: EventStream, shot: int, name: str) -> float:
    path = rf"\{TREE}::TOP:{name}"
    _await(stream, lambda said: isinstance(said, OutputEvent))
    begin = time.perf_counter()
    site.supervisor.abort(path, TREE, shot)
    _await(stream, lambda said: isinstance(said, ShotEvent) and any(map(_is_aborted, said.records)))
    return (time.perf_counter() - begin) * 1e3


def _is_aborted(record: object) -> bool:
    return isinstance(record, Transition) and record.state is ActionState.ABORTED


def _await(stream: EventStream, is_it: Callable[[object], bool]) -> None:
    """Return once something that is awaited has happened."""
    while (update := stream.get(SILENCE_S)) is not None:
        if isinstance(update, News) and is_it(update.payload):
            return
    raise RuntimeError("what is awaited does not happen")


def _bare_ms() -> float:
    """Return what it takes to end a process of its own that sleeps."""
    command = [sys.executable, "-c", SLEEP]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        begin = time.perf_counter()
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
        return (time.perf_counter() - begin) * 1e3
