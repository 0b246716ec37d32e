"""Limits, longest queues, preferences and labels on the dispatcher's machine."""

from collections.abc import Mapping

from msgspec import structs
from tests.support.dispatching import KEY, Bench, next_id
from tests.support.tables import action

from shotline.common import commands as c
from shotline.common.actions import ActionState, Cause
from shotline.common.fleet.commands import FleetDismiss, FleetList, FleetResume
from shotline.common.fleet.settings import Select
from shotline.common.fleet.views import FlagKind
from shotline.common.messages import LivenessState
from shotline.common.nodes import ActionNode

INIT = c.DoPhase(phase="INIT")
HEATER: Mapping[str, Mapping[str, object]] = {
    "limits": {"heater": {"most": 1, "classes": ["NBI*", "ECRH"]}}
}


def labelled(name: str, label: str, server_class: str = "SRV_A") -> ActionNode:
    return structs.replace(action(name, 1, server_class), label=label)


def heaters() -> Bench:
    """Three heaters that are ready at once, each with a server of its own, under one limit."""
    bench = Bench(action("ONE", 1, "NBI1"), action("TWO", 1, "NBI2"), action("WAVES", 1, "ECRH"))
    bench.configure(**HEATER)
    for name in ("NBI1:1", "NBI2:1", "ECRH:1"):
        bench.register(name)
    bench.build()
    bench.told(INIT)
    return bench


# Limits across classes


def test_no_more_run_at_a_time_than_a_limit_says_whatever_their_classes() -> None:
    bench = heaters()
    assert bench.dispatched() == ["ONE"]
    text = "a place of limit heater, 1 at a time: ONE of T/1 on NBI1:1"
    assert bench.view("TWO").waits_for == text
    bench.start("ONE").finish("ONE")
    assert bench.dispatched() == ["ONE", "TWO"]
    bench.finish("TWO")
    assert bench.dispatched() == ["ONE", "TWO", "WAVES"]


def test_other_classes_do_not_wait_for_a_limit() -> None:
    bench = Bench(action("ONE", 1, "NBI1"), action("TWO", 1, "NBI1"), action("GAS", 1, "GAS"))
    bench.configure(**HEATER).register("NBI1:1", slots=2).register("GAS:1").build()
    bench.told(INIT)
    assert sorted(bench.dispatched()) == ["GAS", "ONE"]


def test_classes_that_share_a_limit_have_their_turns() -> None:
    nodes = [action(f"{name}{n}", 1, name) for name in ("NBI1", "ECRH") for n in (1, 2)]
    bench = Bench(*nodes).configure(**HEATER).register("NBI1:1").register("ECRH:1").build()
    bench.told(INIT)
    for _ in range(3):
        bench.finish(bench.dispatched()[-1])
    assert bench.dispatched() == ["NBI11", "ECRH1", "NBI12", "ECRH2"]


def test_what_may_still_run_keeps_its_place_until_that_is_known() -> None:
    bench = heaters().start("ONE")
    bench.judge("NBI1:1", LivenessState.LOST)
    assert bench.live("ONE").outcome_unknown
    assert bench.dispatched() == ["ONE"]
    text = "ONE of T/1 on NBI1:1, which may still run there"
    assert text in bench.view("TWO").waits_for
    bench.register("NBI1:1", incarnation="two", ended=("one",))
    assert bench.dispatched() == ["ONE", "TWO"]


def test_a_restart_of_the_dispatcher_keeps_the_places() -> None:
    bench = heaters().start("ONE")
    bench.judge("NBI1:1", LivenessState.LOST)
    later = bench.restart(recover=True)
    for name in ("NBI2:1", "ECRH:1"):
        later.register(name, incarnation="two")
    later.told(c.Resume())
    assert later.dispatched() == []
    later.register("NBI1:1", incarnation="two", ended=("one",))
    assert later.dispatched() == ["TWO"]


def test_another_shot_waits_for_the_place_too() -> None:
    bench = heaters().start("ONE")
    bench.judge("NBI1:1", LivenessState.LOST)
    bench.told(c.Abort(tree=KEY.tree, shot=KEY.shot))
    bench.told(c.CreatePulse(tree=KEY.tree, shot=43))
    bench.told(c.BuildTables(tree=KEY.tree, shot=43))
    bench.told(c.DoPhase(tree=KEY.tree, shot=43, phase="INIT"))
    assert bench.dispatched() == ["ONE"]


def test_an_attempt_that_comes_back_unstarted_gives_its_place_to_nobody_but_itself() -> None:
    bench = heaters().give_back("ONE")
    assert len(bench.dispatched()) == 2
    bench.finish(bench.dispatched()[-1])
    assert len(bench.dispatched()) == 3


def test_a_limit_that_is_configured_later_counts_what_runs() -> None:
    bench = Bench(action("ONE", 1, "NBI1"), action("TWO", 2, "NBI1"), action("WAVES", 1, "ECRH"))
    bench.register("NBI1:1").build()
    bench.told(INIT)
    bench.configure(**HEATER).register("ECRH:1")
    assert bench.dispatched() == ["ONE"]
    bench.configure(limits={"heater": {"most": 2, "classes": ["*"]}})
    assert bench.dispatched() == ["ONE", "WAVES"]


# Concurrency and longest queue of a class


def test_a_class_runs_no_more_than_its_concurrency_on_all_its_servers() -> None:
    bench = Bench(*(action(f"A{n}", 1) for n in range(6)))
    bench.configure(classes={"SRV_*": {"concurrency": 3}})
    bench.register("SRV_A:1", slots=2).register("SRV_A:2", slots=2).build()
    bench.told(INIT)
    assert len(bench.dispatched()) == 3
    assert "class SRV_A, 3 at a time" in bench.view("A5").waits_for
    bench.finish("A0")
    assert len(bench.dispatched()) == 4


def test_what_waits_beyond_the_longest_queue_is_server_off() -> None:
    bench = Bench(*(action(f"A{n}", 1) for n in range(6)), action("LAST", 2))
    bench.configure(classes={"SRV_A": {"longest_queue": 2}})
    bench.register("SRV_A:1", slots=2).build()
    bench.told(INIT)
    assert bench.dispatched() == ["A0", "A1"]
    refused = [path for path, word in bench.states().items() if word == Cause.NO_SERVER.value]
    assert refused == ["A4", "A5"]
    why = "2 actions of class SRV_A wait already, its longest queue"
    assert bench.live("A5").reason == why
    assert bench.live("A5").state is ActionState.SERVER_OFF
    bench.finish("A0", "A1").finish("A2", "A3")
    assert bench.dispatched()[-1] == "LAST"


# Preferences


def test_preferred_servers_get_work_first_and_others_what_is_left() -> None:
    bench = Bench(*(action(f"A{n}", 1) for n in range(4)))
    bench.configure(classes={"SRV_A": {"prefer": ["SRV_A:3", "fast*"]}})
    bench.register("SRV_A:1").register("SRV_A:2", labels=["fast-disk"]).register("SRV_A:3")
    bench.build()
    bench.told(INIT)
    assert [bench.server_of(f"A{n}") for n in range(3)] == ["SRV_A:3", "SRV_A:2", "SRV_A:1"]
    bench.finish("A2")
    assert bench.server_of("A3") == "SRV_A:1"


# Labels


def test_an_action_with_a_label_runs_where_that_is() -> None:
    bench = Bench(labelled("PICTURES", "hall"), labelled("MORE", "hall"), action("ANY", 1))
    bench.register("SRV_A:1").register("SRV_A:2", labels=["hall", "fast-disk"]).build()
    bench.told(INIT)
    assert bench.server_of("PICTURES") == "SRV_A:2"
    assert bench.server_of("ANY") == "SRV_A:1"
    text = "a free slot of class SRV_A with the label hall (1 in use)"
    assert bench.view("MORE").waits_for == text
    bench.finish("ANY")
    assert len(bench.dispatched()) == 2
    bench.finish("PICTURES")
    assert bench.server_of("MORE") == "SRV_A:2"


def test_a_label_that_no_server_has_makes_it_server_off_after_the_grace() -> None:
    bench = Bench(labelled("PICTURES", "hall"), action("ANY", 1)).register("SRV_A:1").build()
    bench.told(INIT)
    bench.finish("ANY")
    text = "a server of class SRV_A with the label hall: none is there, SERVER_OFF in 5 s"
    assert bench.view("PICTURES").waits_for == text
    bench.pass_time(6.0)
    assert bench.live("PICTURES").state is ActionState.SERVER_OFF
    assert "with the label hall for 5 s" in bench.live("PICTURES").reason


def test_a_server_with_the_label_that_comes_in_time_gets_it() -> None:
    bench = Bench(labelled("PICTURES", "hall")).register("SRV_A:1").build()
    bench.told(INIT)
    bench.pass_time(3.0)
    bench.register("SRV_A:2", labels=["hall"])
    assert bench.server_of("PICTURES") == "SRV_A:2"


def test_a_tree_s_check_tells_of_labels_that_nobody_has() -> None:
    bench = Bench(labelled("PICTURES", "hall")).register("SRV_A:1")
    reply = bench.told(c.ReadTree(tree="T", shot=-1), next_id())
    assert b"no server of class SRV_A has the label hall" in reply.result


# The check of a host


def failing(text: str = "no disk", *, ok: bool = False, resumes: bool = True) -> dict[str, object]:
    return {"facts": {"health": {"ok": ok, "text": text, "at": 5.0, "resumes": resumes}}}


def test_a_host_that_fails_its_check_gets_nothing_until_it_is_well() -> None:
    bench = Bench(action("A0", 1), action("A1", 1), action("A2", 1))
    bench.register("SRV_A:1").register("SRV_A:2").build().beat("SRV_A:1", **failing())
    bench.told(INIT)
    assert bench.dispatched() == ["A0"]
    assert bench.server_of("A0") == "SRV_A:2"
    [ill] = [one for one in bench.servers() if one.flags]
    assert (ill.server, ill.liveness) == ("SRV_A:1", "alive")
    [flag] = ill.flags
    assert (flag.kind, flag.reason, flag.at) == (FlagKind.FAILING, "no disk", 5.0)
    bench.beat("SRV_A:1", **failing("", ok=True))
    assert bench.server_of("A1") == "SRV_A:1"


def test_a_class_whose_hosts_all_fail_has_no_server_and_says_why() -> None:
    bench = Bench(action("A0", 1)).register("SRV_A:1").build().beat("SRV_A:1", **failing())
    bench.told(INIT)
    text = "SRV_A:1 takes nothing: its host fails its check: no disk, SERVER_OFF in 5 s"
    assert bench.view("A0").waits_for.endswith(text)
    bench.pass_time(6.0)
    assert bench.live("A0").state is ActionState.SERVER_OFF
    assert "fails its check: no disk" in bench.live("A0").reason


def test_what_runs_on_a_host_that_fails_its_check_goes_on() -> None:
    bench = Bench(action("A0", 1)).register("SRV_A:1").build()
    bench.told(INIT)
    bench.start("A0").beat("SRV_A:1", 1, **failing()).finish("A0")
    assert bench.states() == {"A0": "Success"}


def test_where_it_is_configured_somebody_has_to_let_a_host_that_is_well_again_go_on() -> None:
    bench = Bench(action("A0", 1)).register("SRV_A:1").register("SRV_A:2").build()
    bench.beat("SRV_A:1", **failing(resumes=False))
    bench.beat("SRV_A:1", **failing("", ok=True, resumes=False))
    later = bench.restart(recover=True)
    later.register("SRV_A:1", incarnation="two")
    [flag] = later.servers()[0].flags
    assert (flag.kind, flag.reason) == (FlagKind.DRAINING, "no disk")
    assert flag.by == "check of "
    assert later.told(FleetResume(select=Select(servers=("SRV_A:1",)))).outcome == "ok"
    assert later.servers()[0].flags == ()


def test_who_dismisses_a_lost_server_frees_the_places_that_it_holds() -> None:
    bench = heaters().start("ONE")
    bench.judge("NBI1:1", LivenessState.LOST)
    assert bench.dispatched() == ["ONE"]
    assert bench.told(FleetDismiss(select=Select(servers=("NBI1:1",)))).outcome == "ok"
    assert bench.dispatched() == ["ONE", "TWO"]
    assert bench.live("ONE").outcome_unknown


def test_a_place_that_a_dismissal_has_freed_stays_free_over_restarts_and_new_tables() -> None:
    bench = heaters().start("ONE")
    bench.judge("NBI1:1", LivenessState.LOST)
    assert bench.told(FleetDismiss(select=Select(servers=("NBI1:1",)))).outcome == "ok"
    bench.start("TWO").finish("TWO").start("WAVES").finish("WAVES")
    later = bench.restart(recover=True).restart(recover=True)
    later.configure(**HEATER)
    later.register("NBI2:1", incarnation="two")
    assert later.live("ONE").outcome_unknown
    later.told(c.DispatchAction(path="TWO", tree="T", shot=1))
    assert later.dispatched() == ["TWO"]


def test_who_asks_for_the_fleet_while_the_dispatcher_recovers_is_told_so() -> None:
    bench = Bench(action("A0", 1)).register("SRV_A:1").build()
    later = bench.restart(recover=False)
    assert "recovers" in later.told(FleetList()).message
    assert bench.told(FleetList()).message == ""
