"""`tree` and `current`: what a tree says, without building or keeping anything."""

from msgspec import structs
from tests.support.dispatching import Bench, view_of
from tests.support.tables import action

from shotline.common.commands import CurrentShot, ReadTree, Shots
from shotline.common.messages import Outcome
from shotline.common.records import ShotKey
from shotline.common.views import CurrentResult, ShotsResult, TreeResult, decode_result
from shotline.dispatcher.trees.jobs import CurrentShotJob, TreeDone


def read(bench: Bench, shot: int = 5) -> TreeResult:
    reply = bench.told(ReadTree(tree="T", shot=shot))
    assert reply.outcome is Outcome.OK
    result = decode_result(reply.result)
    assert isinstance(result, TreeResult)
    return result


def test_a_tree_is_read_and_nothing_is_built_or_journalled() -> None:
    bench = Bench(action("A"), action("B", on=False), phases=("INIT",))
    result = read(bench, -1)
    assert [node.path for node in result.actions] == ["A", "B"]
    assert result.never == {"B": "it is switched off"}
    assert view_of(bench.told(Shots())) == ShotsResult(shots=())
    assert bench.journalled() == []


def test_errors_come_before_warnings() -> None:
    bench = Bench(action("A", 0), action("B", unreadable="no record"), phases=("INIT",))
    assert [problem.severity for problem in read(bench).problems] == ["error", "warning"]


def test_classes_are_served_by_configured_and_by_present_servers() -> None:
    nodes = (action("A"), action("B", server_class="ELSEWHERE"))
    servers = {"servers": ({"class": nodes[0].server_class},)}
    configured = read(Bench(*nodes, phases=("INIT",)).configure(up=servers))
    assert [problem.text for problem in configured.problems] == [
        "server class ELSEWHERE has no server, neither configured nor registered"
    ]
    both = Bench(*nodes, phases=("INIT",)).configure(up=servers).register("ELSEWHERE:1")
    assert read(both).problems == ()
    none = read(Bench(*nodes, phases=("INIT",)))
    assert [problem.severity for problem in none.problems] == ["warning"]


def test_a_tree_that_cannot_be_read_or_names_a_path_twice() -> None:
    bench = Bench(action("A"), action("A"))
    assert bench.told(ReadTree(tree="T", shot=1)).outcome is Outcome.REFUSED
    bench.answers_jobs = False
    bench.ask(ReadTree(tree="T", shot=1))
    bench.answer_jobs("no such shot")
    assert bench.replies[-1].message == "T/1 cannot be read: no such shot"


def test_shots_share_the_actions_that_are_the_same_in_both() -> None:
    with_folder = structs.replace(action("C"), folder="/one")
    bench = Bench(action("A"), action("B"), with_folder).build(ShotKey("T", 1))
    elsewhere, moved = (
        action("B", server_class="ELSEWHERE"),
        structs.replace(action("C"), folder="/2"),
    )
    bench.nodes = (action("A"), elsewhere, moved, action("D"))
    bench.build(ShotKey("T", 2))
    first, second = (bench.machine.core.shots[ShotKey("T", shot)].table for shot in (1, 2))
    assert second.actions == bench.nodes
    assert second.node("A") is first.node("A")
    assert second.node("C").path is first.node("C").path


def test_an_unknown_experiment_is_refused() -> None:
    assert Bench().told(ReadTree(tree="NONE", shot=1)).outcome is Outcome.REFUSED


def test_the_current_shot_is_read_set_and_incremented() -> None:
    bench = Bench()
    bench.answers_jobs = False
    for command, is_now in (
        (CurrentShot(tree="T"), "is"),
        (CurrentShot(tree="T", set_to=7), "is now"),
        (CurrentShot(tree="T", increment=True), "is now"),
    ):
        bench.ask(command)
        [job] = bench.jobs
        assert isinstance(job, CurrentShotJob)
        assert (job.set_to, job.increment) == (command.set_to, command.increment)
        bench.jobs.clear()
        bench.handle(TreeDone(job=job.job, current=7))
        assert bench.replies[-1].message == f"the current shot of T {is_now} 7"
        assert decode_result(bench.replies[-1].result) == CurrentResult(tree="T", shot=7)
    assert bench.told(CurrentShot(tree="T", set_to=1, increment=True)).outcome is Outcome.REFUSED


def test_a_site_without_a_current_shot_is_told_and_nothing_was_carried_out() -> None:
    bench = Bench()
    bench.answers_jobs = False
    bench.ask(CurrentShot(tree="T"))
    [job] = bench.jobs
    assert isinstance(job, CurrentShotJob)
    bench.handle(TreeDone(job=job.job, error="its site keeps no current shot number"))
    assert bench.replies[-1].outcome is Outcome.REFUSED
    assert "its site keeps no current shot number" in bench.replies[-1].message
