"""Trials of a journal that loses its end: Redis is killed, and its file is cut behind that."""

import random
import re
from pathlib import Path
from typing import Final

import psutil
from tests.faults.counting import judge, run_to_end, shown
from tests.faults.killing import PHASE, site
from tests.faults.trial import Row, Trial
from tests.support.faults import Pulse, action
from tests.support.stack import Stack, eventually

from shotline.client.local.daemons import Daemon
from shotline.common.records import RunOpened, RunPutOnHold, Transition

# The second one waits at its gate, on one of two servers of its class.
GATED: Final = (
    action("A_ONE", "A", 1),
    action("A_TWO", "A", 2, gate="two"),
    action("A_THREE", "A", 3),
    action("B_ONE", "B", 1),
)
CASES: Final = (("A_TWO", False), ("A_ONE", False), ("A_TWO", True))
"""What is the first that is lost, and whether its server dies, too."""

QUICK: Final = 0.1
LOSES: Final = {"broker": {"server_lost_s": 4.0}}


def cut_file(folder: Path, scale: float, *, with_dispatcher: bool = False) -> Row:
    """Kill Redis, cut the end off its append-only file, and start it again."""
    row, times = Row(), max(1, round(8 * scale))
    with site(folder, ("A:1", "B:1"), PHASE) as stack:
        chosen = random.Random(4)
        for shot in range(1, times + 1):
            pulse = Pulse(stack, shot)
            with stack.supervisor() as shotline:
                shotline.do_phase("INIT", *pulse.key, wait=False)
            eventually(lambda pulse=pulse: sum(pulse.starts().values()) > 0)
            if with_dispatcher:
                stack.dispatcher.kill()
            stack.redis.kill()
            file = file_of(stack)
            cut(file, max(0, file.stat().st_size - chosen.randint(1, 40)))
            row.tried += 1
            stack.redis.start()
            if with_dispatcher:
                stack.restart(stack.dispatcher)
            stack.wait_until(lambda status: not status.recovering and status.journal == "ok")
            run_to_end(stack, pulse)
            judge(row, pulse, f"cut, {shot}")
    return row


def cut_file_alone(folder: Path, scale: float) -> Row:
    """The same with the dispatcher dead as well: who knew what was cut off is gone."""
    row = cut_file(folder, scale, with_dispatcher=True)
    row.said += [f"not promised: {one}" for one in row.wrong if "twice" not in one]
    row.wrong = [one for one in row.wrong if "twice" in one]
    return row


def file_of(stack: Stack) -> Path:
    """Return the file to which Redis appends."""
    (last,) = stack.redis.folder.glob("appendonlydir/*.incr.aof")
    return last


def cut(file: Path, size: int) -> None:
    """Let a file end there."""
    with file.open("r+b") as end:
        end.truncate(size)


def cut_sending(folder: Path, scale: float) -> Row:
    """Cut the file before an action was sent, with the dispatcher, and then its server, dead."""
    row, times = Row(), max(1, round(5 * scale))
    with site(folder, ("A:1", "A:2", "B:1"), GATED, LOSES) as stack:
        shot = 0
        for _ in range(times):
            for lost, dies in CASES[: 3 if scale > QUICK else 1]:
                shot += 1
                _sending_lost(stack, row, shot, lost, server_dies=dies)
        row.said += [
            "an action's sending and all that came later is lost: its server has it, it goes on",
            "a run's beginning is lost: what was sent in it is in doubt until its end",
            "the server is dead as well: the run is HELD",
        ]
    return row


def _sending_lost(stack: Stack, row: Row, shot: int, lost: str, *, server_dies: bool) -> None:
    pulse, file = Pulse(stack, shot), file_of(stack)
    before, what = file.stat().st_size, f"{lost} is lost, {shot}"
    with stack.supervisor() as shotline:
        shotline.do_phase("INIT", *pulse.key, wait=False)
    pulse.wait_started("A_TWO")
    # The sending of what comes later is safe before its task starts.
    server = _server_of(stack, "A_TWO")
    stack.dispatcher.kill()
    stack.redis.kill()
    if server_dies:
        server.kill()
    sent = re.compile(rb'%s"[^{}]*"state":"DISPATCHED"' % lost.encode())
    found = sent.search(file.read_bytes(), before)
    assert found is not None, f"{lost} is not in the file"
    cut(file, found.start())
    row.tried += 1
    stack.redis.start()
    stack.restart(stack.dispatcher)
    stack.wait_until(lambda status: not status.recovering and status.journal == "ok")
    records = pulse.records()
    has_run = any(isinstance(record, RunOpened) for record in records)
    is_held = any(isinstance(record, RunPutOnHold) for record in records)
    row.counted["runs lost"] += not has_run
    row.counted["held"] += is_held
    row.check(is_held is (server_dies and has_run), f"{what}: the run is HELD: {is_held}")
    if server_dies:
        stack.restart(server)
        with stack.supervisor() as shotline:  # somebody who has looked what has run
            shotline.abort(*pulse.key)
    pulse.open("two")
    if has_run:
        run_to_end(stack, pulse)
    else:
        eventually(lambda: not _second(pulse).outcome_unknown)
    count = len(row.wrong)
    judge(row, pulse, what)
    if server_dies:  # nobody who knew is left; whoever looks is told so by the HELD run
        row.wrong[count:] = [one for one in row.wrong[count:] if "twice" in one]
    elif has_run:
        row.check(_second(pulse).state == "DONE", f"{what}: A_TWO is {_second(pulse)}")


def _second(pulse: Pulse) -> Transition:
    (found,) = (view.last for view in shown(pulse) if view.name == "A_TWO")
    return found


def _server_of(stack: Stack, name: str) -> Daemon:
    """Return the server that runs an action."""
    for server in (stack["A:1"], stack["A:2"]):
        assert server.pid is not None
        for child in psutil.Process(server.pid).children(recursive=True):
            if name in child.cmdline():
                return server
    raise AssertionError(f"nobody runs {name}")


TRIALS = (
    Trial(
        "cut-file",
        "KILL to Redis, whose append-only file is cut in its last 40 bytes",
        "Redis begins, and what it has lost is written again by the dispatcher",
        cut_file,
    ),
    Trial(
        "cut-file-alone",
        "the same with the dispatcher dead as well, so that nobody knows what was cut off",
        "nothing starts twice; what the lost commit said is lost",
        cut_file_alone,
    ),
    Trial(
        "cut-sending",
        "the file cut before an action was sent, with the dispatcher dead, and its server, too",
        "no other server starts it: it goes on where it is, or the run is HELD",
        cut_sending,
        quick=QUICK,
    ),
)
