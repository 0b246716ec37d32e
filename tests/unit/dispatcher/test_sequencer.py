"""The order of one run, sentence by sentence (D1, D2, D4, D5, D10, D12)."""

from collections.abc import Sequence
from types import MappingProxyType

import pytest
from msgspec import structs
from tests.support.tables import (
    aborted,
    action,
    both,
    dispatched,
    doing,
    either,
    failed,
    no,
    pending,
    server_off,
    skipped,
    succeeded,
    table,
)

from shotline.common.actions import Cause
from shotline.common.nodes import ActionNode, DispatchOptions, Expression, Reference
from shotline.common.records import Transition
from shotline.dispatcher.sequencer import NOTHING, Sequencer, Step
from shotline.dispatcher.table import Table


class Run:
    """A run and its shot's memory, in which all that the sequencer decides is made true at once."""

    def __init__(
        self,
        table: Table,
        paths: Sequence[str],
        standing: Sequence[Transition],
        redispatched: Sequence[str],
    ) -> None:
        self.table = table
        self.paths = dict.fromkeys(paths)
        self.redispatched = dict.fromkeys(redispatched)
        self.actions = {node.path: pending(node.path) for node in table.actions}
        self.actions |= {transition.path: transition for transition in standing}
        self.sequencer = Sequencer(table, self.paths, self.actions, self.redispatched)

    def start(self) -> Step:
        return self.made_true(self.sequencer.start())

    def changed(self, transition: Transition) -> Step:
        self.actions[transition.path] = transition
        return self.made_true(self.sequencer.changed(transition.path))

    def redispatch(self, path: str, table: Table | None = None) -> Step:
        self.paths[path] = self.redispatched[path] = None
        self.actions[path] = pending(path)
        return self.made_true(self.sequencer.redispatch(path, table or self.table))

    def conclude(self) -> Step:
        return self.made_true(self.sequencer.conclude())

    def made_true(self, step: Step) -> Step:
        for path in step.reopened:
            self.paths[path] = None
            self.actions[path] = pending(path)
        for settle in step.settle:
            self.actions[settle.path] = skipped(settle.path, settle.cause)
        return step

    def waits_for(self, path: str) -> str:
        return self.sequencer.waits_for(path)

    @property
    def open_paths(self) -> tuple[str, ...]:
        return self.sequencer.open_paths


def run_of(
    *actions: ActionNode,
    phase: str = "INIT",
    paths: Sequence[str] | None = None,
    standing: Sequence[Transition] = (),
    options: DispatchOptions | None = None,
    redispatched: Sequence[str] = (),
) -> Run:
    whole: Table = table(*actions, options=options)
    members = whole.paths_of_phase(phase) if paths is None else paths
    return Run(whole, members, standing, redispatched)


def settled(step: Step) -> dict[str, Cause]:
    return {settle.path: settle.cause for settle in step.settle}


# D1


def test_what_is_never_dispatched_settles_at_the_start_with_its_reason() -> None:
    run = run_of(
        action("OFF", on=False),
        action("ASYNC", asynchronous=True),
        action("BROKEN", unreadable="no record"),
        action("ZERO", 0),
        action("GOOD", 5),
    )
    step = run.start()
    assert step.ready == ("GOOD",)
    assert settled(step) == {
        "OFF": Cause.OFF,
        "ASYNC": Cause.ASYNCHRONOUS,
        "BROKEN": Cause.UNREADABLE,
        "ZERO": Cause.BAD_NUMBER,
    }
    assert step.settle[2].reason == "no record"
    assert run.open_paths == ("GOOD",)


def test_what_was_settled_so_before_is_not_settled_again() -> None:
    run = run_of(action("OFF", on=False), action("A"), standing=[skipped("OFF", Cause.OFF)])
    assert run.start() == Step(ready=("A",))


def test_a_switch_that_was_off_and_is_on_now_is_pending() -> None:
    run = run_of(action("A"), action("B", "A"), standing=[skipped("A", Cause.OFF)])
    assert run.start() == Step(ready=("A",))
    assert run.changed(succeeded("A")).ready == ("B",)


# D2


def test_the_lowest_numbers_actions_go_together_in_the_trees_order() -> None:
    run = run_of(action("LATER", 20), action("B", 10), action("A", 10), action("C", 10))
    assert run.start().ready == ("B", "A", "C")


def test_the_next_number_goes_when_all_of_those_have_settled() -> None:
    run = run_of(action("A", 1), action("B", 1), action("C", 3), action("D", 7))
    assert run.start().ready == ("A", "B")
    assert run.changed(dispatched("A")) == NOTHING
    assert run.changed(doing("A")) == NOTHING
    assert run.changed(succeeded("A")) == NOTHING
    assert run.changed(failed("B")).ready == ("C",)  # D3: a failure stops nothing
    assert run.changed(aborted("C")).ready == ("D",)
    run.changed(server_off("D"))
    assert not run.open_paths


@pytest.mark.parametrize(
    "end", [succeeded, failed, aborted, server_off, lambda p: skipped(p, Cause.ABORTED_BEFORE_SENT)]
)
def test_every_end_lets_the_next_number_go(end: object) -> None:
    run = run_of(action("A", 1), action("B", 2))
    run.start()
    assert run.changed(end("A")).ready == ("B",)  # type: ignore[operator]


def test_what_is_removed_before_its_turn_does_not_come_again() -> None:
    run = run_of(action("A", 1), action("B", 2), action("C", 3))
    run.start()
    assert run.changed(skipped("B", Cause.ABORTED_BEFORE_SENT)) == NOTHING
    assert run.changed(succeeded("A")).ready == ("C",)


def test_classes_do_not_wait_for_each_other() -> None:
    run = run_of(
        action("A1", 1), action("A2", 2), action("B5", 5, "SRV_B"), action("B9", 9, "SRV_B")
    )
    assert run.start().ready == ("A1", "B5")
    assert run.changed(succeeded("B5")).ready == ("B9",)


def test_with_a_global_barrier_all_classes_keep_step() -> None:
    run = run_of(
        action("A1", 1),
        action("A2", 2),
        action("B1", 1, "SRV_B"),
        action("B2", 2, "SRV_B"),
        options=DispatchOptions(barrier="global"),
    )
    assert run.start().ready == ("A1", "B1")
    assert run.changed(succeeded("A1")) == NOTHING
    assert run.waits_for("A2") == (
        "sequence number 2 of SRV_A, in step with all classes: waits for B1 (SRV_B 1)"
    )
    assert run.changed(succeeded("B1")).ready == ("A2", "B2")


def test_no_class_starts_a_synchronized_number_before_all_lower_ones_have_settled() -> None:
    run = run_of(
        action("A50", 50),
        action("A100", 100),
        action("A120", 120),
        action("B10", 10, "SRV_B"),
        action("B99", 99, "SRV_B"),
        action("C200", 200, "SRV_C"),
        options=DispatchOptions(synchronize_at=(100,)),
    )
    assert run.start().ready == ("A50", "B10")
    assert run.changed(succeeded("A50")) == NOTHING
    assert run.changed(succeeded("B10")).ready == ("B99",)
    assert run.waits_for("C200") == (
        "sequence number 200 of SRV_C, synchronized with all classes: waits for B99 (SRV_B 99)"
    )
    assert run.changed(succeeded("B99")).ready == ("A100", "C200")
    assert run.changed(succeeded("C200")) == NOTHING
    assert run.changed(succeeded("A100")).ready == ("A120",)


def test_several_synchronized_numbers_are_passed_one_after_the_other() -> None:
    run = run_of(
        action("A", 5),
        action("B", 15, "SRV_B"),
        action("C", 25, "SRV_C"),
        options=DispatchOptions(synchronize_at=(20, 10, 20)),
    )
    assert run.start().ready == ("A",)
    assert run.changed(succeeded("A")).ready == ("B",)
    assert run.changed(succeeded("B")).ready == ("C",)


def test_what_is_never_dispatched_blocks_no_number() -> None:
    run = run_of(action("OFF", 1, on=False), action("ASYNC", 2, asynchronous=True), action("A", 3))
    assert run.start().ready == ("A",)


def test_actions_outside_of_the_run_do_not_count() -> None:
    run = run_of(
        action("EARLIER", 1),
        action("A", 2),
        action("STORED", 1, phase="STORE"),
        paths=["A"],
    )
    assert run.start().ready == ("A",)


def test_conditional_actions_delay_no_number() -> None:
    run = run_of(action("A", 1), action("WAITS", "Z"), action("B", 2), action("Z", 9))
    assert run.start().ready == ("A",)
    assert run.changed(succeeded("A")).ready == ("B",)
    assert run.changed(succeeded("B")).ready == ("Z",)


# D4


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (succeeded("A"), None),
        (failed("A"), Cause.CONDITION_FALSE),
        (aborted("A"), Cause.CONDITION_FALSE),
        (server_off("A"), Cause.CONDITION_FALSE),
        (skipped("A", Cause.ABORTED_BEFORE_SENT), Cause.CONDITION_FALSE),
        (skipped("A", Cause.CONDITION_FALSE), Cause.CONDITION_FALSE),
        (skipped("A", Cause.CANNOT_HAPPEN), Cause.CANNOT_HAPPEN),
    ],
)
def test_what_a_reference_is_worth(change: Transition, cause: Cause | None) -> None:
    run = run_of(action("A", 1), action("C", "A"))
    run.start()
    step = run.changed(change)
    assert step.ready == (("C",) if cause is None else ())
    assert settled(step) == ({} if cause is None else {"C": cause})


@pytest.mark.parametrize(
    "target",
    [
        action("A", on=False),
        action("A", asynchronous=True),
        action("A", unreadable="no record"),
        action("A", 0),
        action("ANOTHER"),
    ],
)
def test_what_never_comes_lets_neither_its_condition_nor_the_contrary_happen(
    target: ActionNode,
) -> None:
    run = run_of(target, action("C", "A"), action("D", no("A")), action("E", no("C")))
    causes = settled(run.start())
    for path in ("C", "D", "E"):
        assert causes[path] is Cause.CANNOT_HAPPEN


def test_a_reference_marked_missing_never_comes() -> None:
    run = run_of(action("C", Reference(path="A", missing=True)))
    step = run.start()
    assert settled(step) == {"C": Cause.CANNOT_HAPPEN}
    assert step.settle[0].reason == "cannot happen: the tree has no action A"


def test_or_fires_as_soon_as_one_side_is_true_and_only_once() -> None:
    run = run_of(action("A", 1), action("B", 1), action("C", either("A", "B")))
    run.start()
    assert run.changed(succeeded("A")).ready == ("C",)
    assert run.changed(succeeded("B")) == NOTHING
    run.changed(succeeded("C"))
    assert not run.open_paths


def test_a_condition_of_the_mdsplus_test_tree() -> None:
    """FAIL && INIT_D, and a chain on it, after FAIL has failed."""
    run = run_of(
        action("COND", both("FAIL", "INIT_D")),
        action("CHAIN", "COND"),
        action("NOT_CHAIN", no("CHAIN")),
        action("FAIL", 40),
        action("INIT_D", 30, "SRV_B"),
    )
    assert run.start().ready == ("FAIL", "INIT_D")
    step = run.changed(failed("FAIL"))
    assert settled(step) == {"COND": Cause.CONDITION_FALSE, "CHAIN": Cause.CONDITION_FALSE}
    assert step.ready == ("NOT_CHAIN",)
    assert [settle.reason for settle in step.settle] == [
        "its condition is false: FAIL failed",
        "its condition is false: COND was skipped, its own condition being false",
    ]


def test_with_the_completion_test_every_done_action_is_true() -> None:
    options = DispatchOptions(test="completion")
    run = run_of(action("A", 1), action("B", 1), action("C", both("A", "B")), options=options)
    run.start()
    run.changed(succeeded("A"))
    assert run.changed(failed("B")).ready == ("C",)
    run = run_of(action("A", 1), action("C", "A"), options=options)
    run.start()
    assert settled(run.changed(aborted("A"))) == {"C": Cause.CONDITION_FALSE}
    run = run_of(action("A", 1), action("C", no("A")), options=options)
    run.start()
    [settling] = run.changed(failed("A")).settle
    assert settling.reason == "its condition is false: A is done"


def test_a_condition_may_look_at_any_phase() -> None:
    """What ran in an earlier run counts as it stands (D5)."""
    actions = (action("A", 1), action("B", 1), action("X", both("A", no("B")), phase="STORE"))
    run = run_of(*actions, phase="STORE", standing=[succeeded("A"), failed("B")])
    assert run.start().ready == ("X",)
    run = run_of(*actions, phase="STORE", standing=[succeeded("A"), succeeded("B")])
    step = run.start()
    assert settled(step) == {"X": Cause.CONDITION_FALSE}
    assert step.settle[0].reason == "its condition is false: B succeeded"


def test_an_action_runs_only_in_its_own_phase() -> None:
    run = run_of(action("A", 1), action("X", "A", phase="STORE"))
    run.start()
    assert run.changed(succeeded("A")) == NOTHING
    assert not run.open_paths


# D5


def test_what_waits_for_another_phase_cannot_happen_at_the_end() -> None:
    run = run_of(
        action("A", 1),
        action("DEP_LATE", "STORE_A"),
        action("CHAIN", either("DEP_LATE", "STORE_A", "STORE_B")),
        action("STORE_A", 1, phase="STORE"),
        action("STORE_B", 1, phase="STORE"),
    )
    run.start()
    assert run.conclude() == NOTHING  # A is ready
    run.changed(succeeded("A"))
    assert run.open_paths
    assert run.waits_for("DEP_LATE") == "its condition: waits for STORE_A"
    step = run.conclude()
    assert [(s.path, s.cause, s.reason) for s in step.settle] == [
        ("DEP_LATE", Cause.CANNOT_HAPPEN, "cannot happen: STORE_A has not run"),
        (
            "CHAIN",
            Cause.CANNOT_HAPPEN,
            "cannot happen: DEP_LATE, STORE_A, STORE_B have not run",
        ),
    ]
    assert not run.open_paths
    assert run.conclude() == NOTHING


def test_circular_conditions_end_too() -> None:
    run = run_of(action("A", "B"), action("B", no("A")), action("C", "A"), action("S", no("S")))
    assert run.start() == NOTHING
    step = run.conclude()
    assert settled(step) == dict.fromkeys("ABCS", Cause.CANNOT_HAPPEN)
    reasons = {settle.path: settle.reason for settle in step.settle}
    assert reasons["A"] == "cannot happen: its condition is circular: A, B"
    assert reasons["C"] == "cannot happen: A has not run"
    assert reasons["S"] == "cannot happen: its condition is circular: S"
    assert not run.open_paths


def test_an_empty_run_is_finished_at_once() -> None:
    run = run_of(action("A"), phase="STORE")
    assert run.start() == NOTHING
    assert not run.open_paths
    assert run.conclude() == NOTHING


# D10


def test_a_redispatched_action_is_ready_again_and_out_of_turn() -> None:
    run = run_of(action("A", 10), action("B", 20), action("C", 30))
    run.start()
    run.changed(failed("A"))
    assert run.redispatch("A") == Step(ready=("A",))
    assert run.redispatch("C") == Step(ready=("C",))
    assert run.open_paths == ("A", "B", "C")
    # 10 is over: 20 goes on, and what comes after it does not wait for A
    assert run.changed(succeeded("C")) == NOTHING
    assert run.changed(succeeded("B")) == NOTHING
    assert run.open_paths
    run.changed(succeeded("A"))
    assert not run.open_paths


def test_a_number_that_is_not_over_waits_for_its_redispatched_action() -> None:
    run = run_of(action("A", 10), action("B", 10), action("C", 20))
    run.start()
    run.changed(failed("A"))
    assert run.redispatch("A").ready == ("A",)
    assert run.changed(succeeded("B")) == NOTHING
    assert run.changed(succeeded("A")).ready == ("C",)


def test_a_synchronized_number_waits_for_what_was_redispatched_below_it() -> None:
    run = run_of(
        action("A", 10),
        action("B", 20),
        action("C", 100, "SRV_C"),
        options=DispatchOptions(synchronize_at=(100,)),
    )
    run.start()
    run.changed(failed("A"))
    run.redispatch("A")
    assert run.changed(succeeded("B")) == NOTHING
    assert run.changed(succeeded("A")).ready == ("C",)


def test_dependents_go_on_from_where_a_redispatch_has_put_them() -> None:
    run = run_of(action("A", 10), action("C", "A"), action("D", no("A")))
    run.start()
    run.changed(failed("A"))
    assert run.redispatch("A") == Step(ready=("A",), reopened=("C",))
    assert run.changed(succeeded("A")).ready == ("C",)


def test_dependents_that_never_started_are_looked_at_again() -> None:
    """Also those settled by a condition, and theirs; what ran or was aborted is not."""
    run = run_of(
        action("A", 10),
        action("SKIPPED", "A"),
        action("CHAIN", "SKIPPED"),
        action("RAN", no("A")),
        action("STILL_FALSE", both("A", "B")),
        action("REMOVED", either("A", "B")),
        action("B", 10),
    )
    run.start()
    run.changed(skipped("REMOVED", Cause.ABORTED_BEFORE_SENT))
    run.changed(failed("B"))
    step = run.changed(failed("A"))
    assert step.ready == ("RAN",)
    run.changed(succeeded("RAN"))
    assert not run.open_paths
    step = run.redispatch("A")
    assert step == Step(ready=("A",), reopened=("SKIPPED", "CHAIN"))
    assert run.open_paths == ("A", "SKIPPED", "CHAIN")
    assert run.changed(succeeded("A")).ready == ("SKIPPED",)
    assert run.changed(succeeded("SKIPPED")).ready == ("CHAIN",)


def test_a_redispatch_that_fails_again_skips_its_dependents_again() -> None:
    run = run_of(action("A", 10), action("C", "A"))
    run.start()
    run.changed(failed("A"))
    run.redispatch("A")
    assert run.changed(doing("A")) == NOTHING
    assert settled(run.changed(failed("A"))) == {"C": Cause.CONDITION_FALSE}


def test_a_redispatched_conditional_action_needs_its_condition() -> None:
    run = run_of(action("A", 10), action("C", "A"), action("D", "A"))
    run.start()
    run.changed(succeeded("A"))
    run.changed(succeeded("C"))
    assert run.redispatch("C").ready == ("C",)
    run = run_of(action("A", 10), action("C", "A"))
    run.start()
    run.changed(failed("A"))
    assert settled(run.redispatch("C")) == {"C": Cause.CONDITION_FALSE}


def test_an_off_action_is_redispatched_when_asked_for() -> None:
    run = run_of(action("A", 10, on=False), action("C", "A"), action("D", 10))
    assert settled(run.start()) == {"A": Cause.OFF, "C": Cause.CANNOT_HAPPEN}
    assert run.redispatch("A") == Step(ready=("A",), reopened=("C",))
    assert run.changed(succeeded("A")).ready == ("C",)


def test_the_node_read_again_counts() -> None:
    actions = (action("A", 10), action("B", 20), action("C", "A"))
    run = run_of(*actions)
    run.start()
    run.changed(failed("A"))
    anew = table(*actions).with_node(action("C", "B"))
    assert run.redispatch("C", anew) == NOTHING
    assert run.waits_for("C") == "its condition: waits for B"
    assert run.changed(succeeded("B")).ready == ("C",)
    broken = anew.with_node(action("A", unreadable="no record"))
    step = run.redispatch("A", broken)
    assert [(s.path, s.cause, s.reason) for s in step.settle] == [
        ("A", Cause.UNREADABLE, "no record")
    ]


def test_a_redispatch_outside_of_a_run_takes_dependents_of_its_phase_along() -> None:
    actions = (
        action("A", 10),
        action("SKIPPED", "A"),
        action("CHAIN", "SKIPPED"),
        action("RAN", either("A", "B")),
        action("B", 10),
        action("LATER", "A", phase="STORE"),
    )
    standing = [
        failed("A"),
        skipped("SKIPPED", Cause.CONDITION_FALSE),
        skipped("CHAIN", Cause.CONDITION_FALSE),
        succeeded("RAN"),
        succeeded("B"),
        skipped("LATER", Cause.CONDITION_FALSE),
    ]
    plan = run_of(*actions, paths=["A"], standing=standing)
    assert plan.redispatch("A") == Step(ready=("A",), reopened=("SKIPPED", "CHAIN"))
    reset = [pending("A"), pending("SKIPPED"), pending("CHAIN"), *standing[3:]]
    run = run_of(*actions, paths=["A", "SKIPPED", "CHAIN"], standing=reset, redispatched=["A"])
    assert run.start().ready == ("A",)
    assert run.changed(succeeded("A")).ready == ("SKIPPED",)


def test_an_action_of_another_phase_may_join_a_run() -> None:
    run = run_of(
        action("A", 10),
        action("B", 20),
        action("S", 5, phase="STORE"),
        action("SD", "S", phase="STORE"),
        action("C", "S"),
        standing=[failed("S"), skipped("SD", Cause.CONDITION_FALSE)],
    )
    assert settled(run.start()) == {"C": Cause.CONDITION_FALSE}
    assert run.redispatch("S") == Step(ready=("S",), reopened=("SD", "C"))
    assert run.changed(succeeded("A")).ready == ("B",)  # S delays no number of this run
    assert run.changed(succeeded("S")).ready == ("SD", "C")


# Resumption and what waits


def test_a_run_goes_on_from_its_middle() -> None:
    actions = (action("A", 10), action("B", 10), action("C", 20), action("D", "A"))
    run = run_of(*actions, standing=[succeeded("A"), dispatched("B")])
    assert run.start() == Step(ready=("D",))
    assert run.waits_for("C") == "sequence number 20 of SRV_A: waits for B (10)"
    assert run.changed(succeeded("B")).ready == ("C",)


def test_what_came_back_unstarted_is_not_ready_twice() -> None:
    run = run_of(action("A", 10), action("B", 20))
    run.start()
    run.changed(dispatched("A"))
    assert run.changed(pending("A")) == NOTHING
    assert run.open_paths == ("A", "B")
    assert run.conclude() == NOTHING  # A is ready again


def test_a_resumed_run_keeps_the_exemption_of_a_redispatch() -> None:
    actions = (action("A", 10), action("B", 20), action("C", 20), action("D", 30), action("E", 40))
    standing = [succeeded("B"), structs.replace(succeeded("A"), path="E")]
    run = run_of(*actions, standing=standing, redispatched=["A", "E"])
    assert run.start().ready == ("A", "C")
    assert run.changed(succeeded("C")).ready == ("D",)
    # without it, the run waits for A: late rather than early
    assert run_of(*actions, standing=standing).start().ready == ("A",)


def test_what_everything_waits_for_is_said() -> None:
    run = run_of(
        action("INIT_C", 10),
        action("MAG", 20),
        *(action(f"N{at}", 10) for at in range(7)),
        action("AFT", both("FAIL", "INIT_D", "INIT_C")),
        action("FAIL", 5, "SRV_B"),
        action("INIT_D", 6, "SRV_B"),
    )
    run.start()
    assert run.sequencer.busy == {"INIT_C", *(f"N{at}" for at in range(7)), "FAIL"}
    assert run.waits_for("MAG") == (
        "sequence number 20 of SRV_A: waits for INIT_C (10), N0 (10), N1 (10), N2 (10), N3 (10), "
        "3 more"
    )
    run.changed(succeeded("FAIL"))
    assert run.waits_for("AFT") == "its condition: waits for INIT_D, INIT_C"


def test_repeated_changes_change_nothing() -> None:
    run = run_of(action("A", 10), action("B", 20))
    run.start()
    assert run.changed(succeeded("A")).ready == ("B",)
    assert run.changed(succeeded("A")) == NOTHING


def test_the_shots_own_memory_counts_and_is_only_read() -> None:
    """Also where two actions have changed there before the first is looked at."""
    whole = table(action("A", 10), action("B", 10), action("C", both("A", "B")), action("D", 20))
    actions = {path: pending(path) for path in "ABCD"}
    run = Sequencer(whole, dict.fromkeys("ABCD"), MappingProxyType(actions))
    assert run.start().ready == ("A", "B")
    actions |= {"A": succeeded("A"), "B": failed("B")}
    assert run.changed("A") == NOTHING
    step = run.changed("B")
    assert step.ready == ("D",)
    assert [settle.reason for settle in step.settle] == ["its condition is false: B failed"]
    actions["C"] = skipped("C", Cause.CONDITION_FALSE)
    assert run.open_paths == ("D",)


def test_long_chains_and_deep_conditions_need_no_stack() -> None:
    deep: Expression = Reference(path="C0")
    for _ in range(3000):
        deep = no(no(deep))
    run = run_of(
        action("C0"), *(action(f"C{n}", f"C{n - 1}") for n in range(1, 3000)), action("DEEP", deep)
    )
    assert run.start().ready == ("C0",)
    step = run.changed(failed("C0"))
    assert len(step.settle) == 3000
    assert not run.open_paths
