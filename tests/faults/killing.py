"""Trials that kill: at every commit of a phase, in the midst of many actions, all at once."""

import random
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psutil
from tests.faults.counting import judge, run_to_end, shown
from tests.faults.proxy import Proxy, until
from tests.faults.trial import Row, Trial
from tests.support.faults import SETTINGS as USUAL
from tests.support.faults import TREE, Pulse, action, experiment
from tests.support.stack import DEADLINE_S, Stack, eventually, merged

from shotline.client.errors import SupervisorError
from shotline.client.local.daemons import Daemon
from shotline.client.local.redis_server import RedisServer
from shotline.common.actions import ActionState
from shotline.common.records import RunOpened
from shotline.dispatcher.journal.layout import Keys

# Two classes, an order, conditions, and one that fails.
PHASE = (
    action("A_ONE", "A", 1),
    action("A_TWO", "A", 2),
    action("A_THREE", "A", 3, code=1),
    action("B_ONE", "B", 1),
    action("B_AFTER", "B", "A_ONE and B_ONE"),
    action("B_NEVER", "B", "A_THREE"),
)
HUB = {"up": {"daemons": ["hub"]}}
MANY_PER_SERVER = 8


def many(count: int) -> list[dict[str, object]]:
    """Return so many short actions of one class, which run in worker processes."""
    return [
        {
            "path": f"N{number:04}",
            "server_class": "A",
            "phase": "INIT",
            "when": 1,
            "task": {
                "python": "tests.faults.tasks:started",
                "arguments": {"name": f"N{number:04}"},
            },
        }
        for number in range(count)
    ]


def site(
    folder: Path,
    servers: tuple[str, ...],
    actions: tuple[Mapping[str, object], ...] | list[dict[str, object]],
    settings: Mapping[str, object] | None = None,
) -> Stack:
    """Return a stack, to be entered, with daemons of its own."""
    declared = {TREE: experiment(folder, *actions)}
    return Stack(folder, servers, declared, merged(USUAL, settings or {}))


@contextmanager
def behind_a_proxy(folder: Path, settings: Mapping[str, object]) -> Iterator[tuple[Stack, Proxy]]:
    """Give a stack whose Redis, with `appendfsync always`, is reached by a proxy."""
    with RedisServer(folder / "redis") as redis, Proxy(redis.port) as proxy:
        with redis.client() as client:
            client.config_set("appendfsync", "always")
        access = {
            "url": f"redis://127.0.0.1:{proxy.port}/0",
            "password_file": str(redis.password_file),
        }
        of_redis = {"redis": {**access, "timeout_s": 1.0, "retry_s": 0.2}}
        with site(folder, ("A:1", "B:1"), PHASE, merged(settings, of_redis)) as stack:
            stack.redis_client = redis.client  # whoever looks is not to be held up
            yield stack, proxy


def at_every_commit(settings: Mapping[str, object]) -> Callable[[Path, float], Row]:
    """Kill the dispatcher before, and behind, each commit of a phase, a shot for each."""

    def trial(folder: Path, scale: float) -> Row:
        row = Row()
        with behind_a_proxy(folder, settings) as (stack, proxy):
            shot = 0
            for behind in (False, True):
                commit, step = 1, max(1, round(1 / scale))
                while True:
                    shot += 1
                    if not _killed_at(stack, proxy, row, shot, commit, behind=behind):
                        row.said.append(
                            f"{'behind' if behind else 'before'} each of {commit - 1} commits"
                        )
                        break
                    commit += step
        return row

    return trial


def _killed_at(
    stack: Stack, proxy: Proxy, row: Row, shot: int, commit: int, *, behind: bool
) -> bool:
    """Do a phase, and kill at one of its commits; return whether it has so many."""
    pulse, seen = Pulse(stack, shot), 0
    met, killed = threading.Event(), threading.Event()

    def kill() -> None:
        stack.dispatcher.signal(signal.SIGKILL)
        killed.set()

    def look(piece: bytes) -> None:
        nonlocal seen
        before, seen = seen, seen + piece.count(b"EVALSHA")
        if before < commit <= seen and not met.is_set():
            met.set()
            if behind:
                proxy.blackhole("to client")  # Redis has it, the dispatcher never hears so
                threading.Timer(0.05, kill).start()
            else:
                proxy.blackhole("to server")
                kill()

    proxy.seen = look
    with suppress(SupervisorError), stack.supervisor() as shotline:  # else asked again below
        shotline.do_phase("INIT", *pulse.key, wait=False)
    ended = until(lambda: met.is_set() or pulse.runs_ended() == [1], DEADLINE_S)
    proxy.seen = lambda _: None
    assert ended, "neither the commit nor the end came"
    if met.is_set():
        assert killed.wait(DEADLINE_S)
        row.tried += 1
        stack.dispatcher.wait(DEADLINE_S)
        proxy.heal()
        stack.restart(stack.dispatcher)
        stack.wait_until(lambda status: not status.recovering)
        if not any(isinstance(record, RunOpened) for record in pulse.records()):
            with stack.supervisor() as shotline:  # nothing was promised yet
                shotline.do_phase("INIT", *pulse.key, wait=False)
            row.counted["asked again"] += 1
    run_to_end(stack, pulse)
    where = f"commit {commit}, {'behind' if behind else 'before'}"
    judge(row, pulse, where)
    states = {view.name: view.last.state for view in shown(pulse)}
    open_ones = [name for name, state in states.items() if state in _OPEN]
    row.check(not open_ones, f"{where}: {open_ones} have not ended")
    return met.is_set()


_OPEN = (ActionState.DISPATCHED, ActionState.DOING)


def in_the_midst(
    row: Row,
    stack: Stack,
    times: int,
    kill: Callable[[], None],
    *,
    every_s: float = 0.5,
    at_rate: float = 0.0,
) -> None:
    """Run many actions, a shot after the other, until it was killed so often; then count.

    `at_rate`: where the machine is free enough, it is killed while so many start in a second.
    """
    shot, killed, pause = 0, 0, threading.Event()
    rates: list[float] = []
    while killed < times:
        shot += 1
        pulse = Pulse(stack, shot)
        with stack.supervisor() as shotline:
            shotline.do_phase("INIT", *pulse.key, wait=False)
        while killed < times:
            before = _lines(pulse)
            eventually(lambda before=before, pulse=pulse: _lines(pulse) > before or _over(pulse))
            rate = _rate(pulse, at_rate)
            if _over(pulse):
                break
            rates.append(rate)
            killed += 1
            kill()
            pause.wait(every_s)
        run_to_end(stack, pulse)
        judge(row, pulse, f"in the midst of shot {shot}")
    row.tried += killed
    row.counted["shots"] += shot
    row.said.append(f"killed at {min(rates):.0f} to {max(rates):.0f} actions a second")
    if at_rate:
        row.counted[f"killed at {at_rate:g} actions a second"] += sum(
            rate >= at_rate for rate in rates
        )


RATE_S = 0.5


def _rate(pulse: Pulse, wanted: float) -> float:
    """Return how many start in a second just now; wait a while until it is what is wanted."""
    pause, rate, deadline = threading.Event(), 0.0, time.monotonic() + 10.0
    while True:
        before, began = _lines(pulse), time.monotonic()
        pause.wait(RATE_S)
        rate = (_lines(pulse) - before) / (time.monotonic() - began)
        if rate >= wanted or time.monotonic() > deadline or _over(pulse):
            return rate


def _lines(pulse: Pulse) -> int:
    file = pulse.folder / "starts"
    return file.read_bytes().count(b"\n") if file.exists() else 0


def _over(pulse: Pulse) -> bool:
    keys = Keys(pulse.stack.config.redis.key_prefix)
    with closing(pulse.stack.redis_client()) as redis:
        return not redis.sismember(keys.open, str(pulse.key))


def broker(folder: Path, scale: float) -> Row:
    """Kill the broker ten times while many actions run."""
    row, times = Row(), max(1, round(10 * scale))
    with site(folder, (f"A:1*{MANY_PER_SERVER}",), many(round(4000 * scale))) as stack:

        def kill() -> None:
            stack.broker.kill()
            stack.restart(stack.broker)

        in_the_midst(row, stack, times, kill, at_rate=200.0)
    return row


def servers(folder: Path, scale: float) -> Row:
    """Kill one of two servers ten times while it is idle, and ten times while it is busy."""
    row, times = Row(), max(1, round(10 * scale))
    with site(folder, ("A:1*2", "A:2*2"), many(round(1500 * scale))) as stack:
        chosen = random.Random(1)

        def kill() -> None:
            server = stack[chosen.choice(("A:1", "A:2"))]
            server.kill()
            stack.restart(server)

        for _ in range(times):  # idle
            kill()
        row.tried += times
        in_the_midst(row, stack, times, kill)
    return row


def workers(folder: Path, scale: float) -> Row:
    """Kill worker processes in the midst of their tasks."""
    row, times = Row(), max(1, round(20 * scale))
    with site(folder, ("A:1*4",), many(round(1500 * scale))) as stack:
        chosen = random.Random(2)

        def kill() -> None:
            pid = stack["A:1"].pid
            assert pid is not None
            children = psutil.Process(pid).children()
            if children:
                chosen.choice(children).kill()

        in_the_midst(row, stack, times, kill, every_s=0.1)
    return row


def redis(folder: Path, scale: float) -> Row:
    """Kill Redis twenty times in the midst of commits that it confirms only from its disk."""
    row, times = Row(), max(1, round(20 * scale))
    with site(folder, ("A:1*4",), many(round(1500 * scale))) as stack:
        with stack.redis.client() as client:
            client.config_set("appendfsync", "always")

        def kill() -> None:
            stack.redis.kill()
            stack.redis.start()
            with stack.redis.client() as client:
                client.config_set("appendfsync", "always")

        in_the_midst(row, stack, times, kill, every_s=0.2)
    return row


def everything(folder: Path, scale: float) -> Row:
    """Kill all at once in the midst of a phase, and start all in any order."""
    row, times = Row(), max(1, round(6 * scale))
    with site(folder, ("A:1", "B:1"), PHASE) as stack:
        chosen = random.Random(3)
        with stack.redis.client() as client:
            client.config_set("appendfsync", "always")
        for shot in range(1, times + 1):
            pulse = Pulse(stack, shot)
            with stack.supervisor() as shotline:
                shotline.do_phase("INIT", *pulse.key, wait=False)
            eventually(lambda pulse=pulse: sum(pulse.starts().values()) > 0)
            row.tried += 1
            order: list[Daemon | None] = [*stack.daemons.all, None]
            for one in order:
                stack.redis.kill() if one is None else one.kill()
            chosen.shuffle(order)
            begun_ones = []
            for one in order:  # none waits for another: a dispatcher does until Redis is there
                if one is None:
                    stack.redis.start()
                else:
                    one.start()
                    begun_ones.append(one)
            for one in begun_ones:
                one.wait_ready(time.monotonic() + DEADLINE_S)
            with stack.redis.client() as client:
                client.config_set("appendfsync", "always")
            stack.wait_until(
                lambda status: (
                    not status.recovering and {one.liveness for one in status.servers} == {"alive"}
                )
            )
            run_to_end(stack, pulse)
            judge(row, pulse, f"all at once, {shot}")
    return row


def asleep(folder: Path, scale: float) -> Row:
    """Stop each daemon, and Redis, by SIGSTOP for less and for more than it is waited for."""
    row, rounds = Row(), 1 if scale < 1 else 2
    settings = {"broker": {"server_lost_s": 3.0}, "dispatcher": {"server_grace_s": 3.0}}
    with site(folder, ("A:1", "B:1"), PHASE, settings) as stack:
        with stack.redis.client() as client:
            client.config_set("appendfsync", "always")
        shot = 0
        pause = threading.Event()
        for name in ("broker", "dispatcher", "A:1", "redis"):
            for seconds in (0.5, 5.0)[:rounds]:
                shot += 1
                pulse = Pulse(stack, shot)
                with stack.supervisor() as shotline:
                    shotline.do_phase("INIT", *pulse.key, wait=False)
                eventually(lambda pulse=pulse: sum(pulse.starts().values()) > 0)
                pid = stack.redis.pid if name == "redis" else stack[name].pid
                assert pid is not None
                row.tried += 1
                process = psutil.Process(pid)
                process.suspend()
                pause.wait(seconds)
                process.resume()
                stack.wait_until(
                    lambda status: (
                        not status.recovering
                        and status.journal == "ok"
                        and {one.liveness for one in status.servers} == {"alive"}
                    )
                )
                run_to_end(stack, pulse)
                judge(row, pulse, f"{name} asleep for {seconds:g} s")
    return row


TRIALS = (
    Trial(
        "dispatcher-commits",
        "KILL to the dispatcher before and behind every commit of a phase",
        "each action starts at most once, each result counts, the run ends once",
        at_every_commit({}),
        quick=0.1,
    ),
    Trial(
        "hub-commits",
        "the same to the hub",
        "the same",
        at_every_commit(HUB),
    ),
    Trial(
        "broker",
        "KILL to the broker while many short actions run",
        "nothing is lost, nothing starts twice",
        broker,
    ),
    Trial(
        "servers",
        "KILL to one of two servers, idle and busy",
        "what it ran is ABORTED, the rest goes on, nothing starts twice",
        servers,
    ),
    Trial("workers", "KILL to worker processes", "that action fails, no other", workers),
    Trial(
        "redis",
        "KILL to Redis with `appendfsync always` while many short actions run",
        "nothing is lost, nothing starts twice",
        redis,
    ),
    Trial(
        "asleep",
        "SIGSTOP to broker, dispatcher, a server and Redis, for 0.5 s and for 5 s (lost after 3 s)",
        "nothing is lost, nothing starts twice",
        asleep,
    ),
    Trial(
        "everything",
        "KILL to everything at once, started again in any order",
        "nothing starts by itself again; resumed, it ends",
        everything,
    ),
)
