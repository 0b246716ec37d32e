"""Random tables on the dispatcher's machine, with results in random order: D2 to D5, seed by seed.

The same tables and the same judge as where they are executed for real, without anything that
breaks: what breaks is the other simulation's.
"""

import random

import pytest
from tests.support.dispatching import Bench
from tests.support.order import PHASES, Declared, Drawn, Fates, check_order, draw
from tests.support.tables import action

from shotline.common.commands import DoPhase
from shotline.common.messages import Outcome
from shotline.common.nodes import DispatchOptions, Expression, Not, Reference

SEEDS = 400
SERVERS = {"SRV_A:1": 2, "SRV_A:2": 1, "SRV_B:1": 1, "SRV_B:2": 1, "SRV_C:1": 3}


def bench_of(drawn: Drawn) -> Bench:
    nodes = [
        action(one.name, one.when, one.server_class, one.phase, on=one.on) for one in drawn.actions
    ]
    bench = Bench(*nodes, options=drawn.options, phases=PHASES)
    for name, slots in SERVERS.items():
        bench.register(name, slots=slots)
    return bench.build()


@pytest.mark.parametrize("chunk", range(4))
def test_random_tables_keep_their_order_and_end_as_they_must(chunk: int) -> None:
    for seed in range(chunk * SEEDS // 4, (chunk + 1) * SEEDS // 4):
        run(seed)


def declared(name: str, when: int | Expression, *, ok: bool = True) -> Declared:
    return Declared(name, "SRV_A", "INIT", when, ok, on=True, weight=0)


@pytest.mark.parametrize(
    ("log", "rule"),
    [
        ("start ONE, end ONE, start TWO, end TWO, start AFTER, end AFTER", ""),
        ("start ONE, end ONE, start AFTER, end AFTER, start TWO, end TWO", ""),
        ("start ONE, start TWO, end ONE, end TWO, start AFTER, end AFTER", "D2"),
        ("start ONE, start AFTER, end ONE, end AFTER, start TWO, end TWO", "I3"),
        ("start ONE, end ONE, start TWO, end TWO", "D4"),
        ("start ONE, end ONE, start TWO, end TWO, start NOT, end NOT", "I3"),
        ("start ONE, end ONE, start ONE, end ONE, start TWO, end TWO", "I1"),
        ("start ONE, end ONE, start AFTER, end AFTER, start TWO", "never ended"),
    ],
)
def test_the_judge_sees_what_is_wrong(log: str, rule: str) -> None:
    one = Reference(path="ONE")
    actions = (declared("ONE", 1), declared("TWO", 2), declared("AFTER", one))
    drawn = Drawn((*actions, declared("NOT", Not(operand=one))), DispatchOptions())
    if not rule:
        check_order(drawn, "INIT", log.split(", "), Fates(drawn))
        return
    with pytest.raises(AssertionError, match=rule):
        check_order(drawn, "INIT", log.split(", "), Fates(drawn))


def run(seed: int) -> None:
    drawn, chance = draw(seed), random.Random(seed)
    bench, fates = bench_of(drawn), Fates(drawn)
    good = {one.name: one.ok for one in drawn.actions}
    for phase in PHASES:
        before = len(bench.dispatched())
        reply = bench.told(DoPhase(phase=phase, wait=True))
        assert reply.outcome in (Outcome.ACCEPTED, Outcome.OK, Outcome.FAILED)
        log: list[str] = []
        running: list[str] = []
        seen = before
        while True:
            new = bench.dispatched()[seen:]
            seen += len(new)
            running += new
            log += [f"start {path}" for path in new]
            if not running:
                break
            path = running.pop(chance.randrange(len(running)))
            log.append(f"end {path}")
            bench.finish(path, ok=good[path])
        check_order(drawn, phase, log, fates)
        fates.do_phase(phase)
        states = bench.states()
        ends = {one.name: states[one.name] for one in drawn.of_phase(phase)}
        assert ends == {one.name: fates.fate[one.name] for one in drawn.of_phase(phase)}, seed
        assert bench.shot().open_run is None, f"seed {seed}: the run of {phase} never ended"
