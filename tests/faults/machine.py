"""Trials of the machine: no descriptors, bad children, a clock that is stepped."""

import os
import resource
import threading
from pathlib import Path

from tests.faults.counting import judge, run_to_end, shown
from tests.faults.keeping import GATED
from tests.faults.killing import PHASE, site
from tests.faults.trial import Row, Trial
from tests.support.faults import Pulse, action
from tests.support.processes import processes_of

STUBBORN = "trap '' TERM INT HUP; while :; do sleep 1; done"
OUTLIVES = "(setsid sh -c 'exec sleep 999' &) ; exit 0"
EATS = "import itertools\nx = [bytes(10_000_000) for _ in itertools.repeat(0)]"


def _shell(name: str, program: str, **more: object) -> dict[str, object]:
    return action(name, "A", 1, **more) | {"task": {"shell": ["sh", "-c", program]}}


BAD = (
    _shell("STUBBORN", STUBBORN, timeout_s=1.0),
    _shell("CHILD_OUTLIVES", OUTLIVES),
    _shell("WRITES", "head -c 1000000000 /dev/zero | tr '\\0' 'x'"),
    action("EATS", "A", 1) | {"task": {"shell": ["python3", "-c", EATS]}},
    action("AFTER", "A", 2),
)


def children(folder: Path, scale: float) -> Row:
    """Run tasks that outlive, ignore TERM, eat memory, and write a gigabyte."""
    row = Row()
    limits = {"classes": {"A": {"limits": {"memory_bytes": 512 * 1024 * 1024}}}}
    with site(folder, ("A:1*2", "B:1"), BAD, limits) as stack:
        pulse = Pulse(stack)
        row.tried = len(BAD) - 1
        with stack.supervisor() as shotline:
            shotline.do_phase("INIT", *pulse.key, wait=False)
        run_to_end(stack, pulse)
        ends = {view.name: view.last for view in shown(pulse)}
        for name, last in ends.items():
            row.said.append(f"{name}: {last.state} {last.status or ''} ({last.cause})".strip())
        row.check(ends["AFTER"].status == "Success", "the server works no more")
        row.check(ends["STUBBORN"].cause == "timeout", "what ignores TERM was not ended in time")
        left = [one.cmdline() for one in processes_of(pulse.folder)]
        left = [words for words in left if "sleep" in words]
        row.check(not left, f"children are left: {left}")
    return row


def descriptors(folder: Path, scale: float) -> Row:
    """Let each daemon open no more files than it has, in a phase, and then again as many."""
    row, shot = Row(), 0
    with site(folder, ("A:1", "B:1"), PHASE) as stack:
        for name in ("broker", "dispatcher", "A:1"):
            shot += 1
            pulse = Pulse(stack, shot)
            pid = stack[name].pid
            assert pid is not None
            before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            used = len(list(Path(f"/proc/{pid}/fd").iterdir()))
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (used, before[1]))
            row.tried += 1
            with stack.supervisor() as shotline:
                shotline.do_phase("INIT", *pulse.key, wait=False)
            threading.Event().wait(2.0)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
            if not stack[name].running:  # a fault of ours, told in words: whoever watches restarts
                row.counted["ended by itself"] += 1
                stack.restart(stack[name])
            stack.wait_until(
                lambda status: (
                    not status.recovering and {one.liveness for one in status.servers} == {"alive"}
                )
            )
            run_to_end(stack, pulse)
            judge(row, pulse, f"{name} without descriptors")
    return row


def clock(folder: Path, scale: float) -> Row:
    """Step the wall clock of all daemons by an hour, forth and back, in phases.

    The machine's own clock is others', too: each daemon reads it by a function that adds what a
    file says.
    """
    row, file = Row(), folder / "offset"
    file.write_text("0")
    (folder / "wrapped").mkdir()
    (folder / "wrapped" / "sitecustomize.py").write_text(_CLOCK.format(file=str(file)))
    before = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = f"{folder / 'wrapped'}{os.pathsep}{before}"
    try:
        with site(folder, ("A:1", "B:1"), GATED) as stack:
            for shot, offset in enumerate((3600, 0, -3600, 0), 1):
                pulse = Pulse(stack, shot)
                with stack.supervisor() as shotline:
                    shotline.do_phase("INIT", *pulse.key, wait=False)
                pulse.wait_started("A_ONE")
                row.tried += 1
                file.write_text(str(offset))
                pulse.wait_started("A_LAST")
                alive = {one.liveness for one in stack.wait_until(lambda _: True).servers}
                row.check(alive == {"alive"}, f"servers are {alive} after a step to {offset} s")
                if shot == 3:
                    stack.dispatcher.kill()
                    stack.restart(stack.dispatcher)
                    stack.wait_until(lambda status: not status.recovering)
                pulse.open("open")
                run_to_end(stack, pulse)
                judge(row, pulse, f"clock stepped to {offset:+} s")
                row.said.append(f"a step to {offset:+} s")
    finally:
        os.environ["PYTHONPATH"] = before
    return row


_CLOCK = """
import time
_real = time.time
def _stepped():
    try:
        with open({file!r}) as file:
            return _real() + float(file.read() or 0)
    except (OSError, ValueError):
        return _real()
time.time = _stepped
"""


TRIALS = (
    Trial(
        "clock",
        "the wall clock of every daemon stepped by an hour, forth and back, in a phase",
        "no deadline is touched: nobody is lost, nothing ends early, starts twice or stays open",
        clock,
    ),
    Trial(
        "children",
        "tasks whose children outlive them, that ignore TERM, eat memory, write a gigabyte",
        "each ends, its reason says how, and the server goes on",
        children,
    ),
    Trial(
        "descriptors",
        "broker, dispatcher and a server may open no more files, for 2 s of a phase",
        "nothing is lost, nothing starts twice",
        descriptors,
    ),
)
