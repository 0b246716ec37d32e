"""mdsip urls: each works for one shot at a time, across servers, until its tasks have ended."""

import pytest
from msgspec import structs
from tests.support.dispatching import KEY, Bench, result

from shotline.common.actions import ActionState, Cause, Status
from shotline.common.commands import ClearUrl, DispatchAction, DoPhase, PrintPending
from shotline.common.messages import (
    Bound,
    ClearBinding,
    EndedBy,
    Finished,
    LivenessState,
    Outcome,
    Register,
)
from shotline.common.nodes import ActionNode, MdsplusTask, SequenceWhen, SleepTask
from shotline.common.records import LateResult, ShotKey
from shotline.common.views import ActionsResult, decode_result
from shotline.dispatcher.effects import FromBroker

OTHER = ShotKey("T", 2)
URL = "mds:8000"


def node(path: str, server_class: str = "SRV_A", url: str | None = URL) -> ActionNode:
    return ActionNode(
        path=path,
        name=path,
        server_class=server_class,
        phase="INIT",
        when=SequenceWhen(number=1, text="1"),
        task=MdsplusTask(nid=1, task_kind="expression", text="", url=url),
    )


def bench(*nodes: ActionNode) -> Bench:
    made = Bench(*(nodes or (node("ONE"),)))
    made.register("SRV_A:1", slots=4).register("SRV_B:1", slots=4)
    return made.build().build(OTHER)


def run(made: Bench, key: ShotKey) -> None:
    made.ask(DoPhase(tree=key.tree, shot=key.shot, phase="INIT"))


def unknown_end(made: Bench, ended_by: EndedBy = EndedBy.TIMEOUT, key: ShotKey = KEY) -> None:
    """Let the server end its worker, while the task goes on in the mdsip server."""
    attempt = made.attempt("ONE", key=key)
    made.from_server(made.server_of("ONE", key), result(attempt, ended_by=ended_by, unknown=True))


def late(made: Bench, key: ShotKey = KEY) -> Finished:
    return Finished(
        attempt=made.attempt("ONE", key=key),
        ended_by=EndedBy.RESULT,
        status=Status.SUCCESS,
        reason="%MDSPLUS-S-SUCCESS",
        ended_at=3.0,
        late=True,
    )


def test_another_shot_waits_and_says_so_until_the_url_has_answered() -> None:
    made = bench()
    run(made, KEY)
    run(made, OTHER)
    assert made.live("ONE").url == URL
    assert len(made.dispatches()) == 1
    pending = decode_result(made.told(PrintPending()).result)
    assert isinstance(pending, ActionsResult)
    waiting = [view.waits_for for view in pending.actions if "mdsip" in view.waits_for]
    assert waiting == [f"the mdsip server at {URL}, which works for T/1"]
    made.finish("ONE")
    assert [one.attempt.shot for one in made.dispatches()] == [1, 2]


def test_servers_of_two_classes_that_share_a_url_are_kept_apart() -> None:
    made = bench(node("ONE"), node("TWO", "SRV_B", f"tcp://{URL}"))
    run(made, KEY)
    run(made, OTHER)
    assert [one.attempt.shot for one in made.dispatches()] == [1, 1]
    made.finish("ONE")
    assert len(made.dispatches()) == 2
    made.finish("TWO")
    assert [one.attempt.shot for one in made.dispatches()] == [1, 1, 2, 2]


def test_what_needs_no_url_passes_by() -> None:
    plain = structs.replace(node("PLAIN"), task=SleepTask(seconds=0))
    made = bench(node("ONE"), plain)
    run(made, KEY)
    run(made, OTHER)
    assert made.dispatched() == ["ONE", "PLAIN", "PLAIN"]


def test_a_server_with_a_url_of_its_own_serves_the_other_shot() -> None:
    made = bench()
    own = Register(
        server_class="SRV_A",
        server_id="2",
        incarnation="two",
        epoch=1,
        slots=1,
        url="other:8000",
    )
    run(made, KEY)
    run(made, OTHER)
    made.handle(FromBroker(b"SRV_A:2/two", (own,)))
    assert made.live("ONE", OTHER).server == "SRV_A:2"
    assert made.live("ONE", OTHER).url == "other:8000"


def test_what_has_waited_too_long_is_off_and_names_the_url() -> None:
    made = bench()
    run(made, KEY)
    run(made, OTHER)
    made.pass_time(made.config.dispatcher.url_wait_s + 1)
    live = made.live("ONE", OTHER)
    assert (live.state, live.cause) == (ActionState.SERVER_OFF, Cause.NO_SERVER)
    assert f"the mdsip server at {URL} went on working for T/1 for 60 s" in live.reason
    assert made.live("ONE").cause is None


def test_a_late_answer_is_the_proof_and_frees_the_url() -> None:
    made = bench()
    run(made, KEY)
    unknown_end(made)
    ended = made.live("ONE")
    assert (ended.state, ended.cause) == (ActionState.DONE, Cause.TIMEOUT)
    assert ended.outcome_unknown
    run(made, OTHER)
    assert len(made.dispatches()) == 1
    made.from_server("SRV_A:1", late(made)).from_server("SRV_A:1", late(made))
    assert not made.live("ONE").outcome_unknown
    assert "it has ended there meanwhile: %MDSPLUS-S-SUCCESS" in made.live("ONE").reason
    assert made.live("ONE").cause is Cause.TIMEOUT
    assert [record.proof for record in made.records(LateResult)] == [True]
    assert len(made.dispatches()) == 2


def test_an_unknown_outcome_takes_no_slot_of_the_server() -> None:
    made = bench()
    run(made, KEY)
    before = made.machine.core.fleet.servers["SRV_A:1"].free
    unknown_end(made)
    assert made.machine.core.fleet.servers["SRV_A:1"].free == before + 1


def test_a_lost_connection_holds_the_url_until_somebody_clears_it() -> None:
    made = bench()
    run(made, KEY)
    unknown_end(made, EndedBy.CONNECTION_LOST)
    bound = Bound(url=URL, tree="T", shot=1, unanswered=1, lost=1)
    made.from_server("SRV_A:1", bound)
    [view] = [one for one in made.servers() if one.server == "SRV_A:1"]
    assert view.bound == (
        f"{URL} works for T/1: 1 unanswered, 1 lost with their connection "
        f"(shotline clear-url {URL})",
    )
    run(made, OTHER)
    made.pass_time(5)
    assert len(made.dispatches()) == 1
    reply = made.told(ClearUrl(url=URL))
    assert reply.outcome is Outcome.OK
    assert reply.message == (
        f"{URL}: given up on ONE of T/1; told SRV_A:1; it is free for any shot"
    )
    assert ("SRV_A:1", ClearBinding(term=made.machine.core.term, url=URL)) in made.sent
    assert made.live("ONE").outcome_unknown  # nobody knows more than before
    assert len(made.dispatches()) == 2


def test_clearing_what_nobody_knows_is_refused_and_changes_nothing() -> None:
    made = bench()
    reply = made.told(ClearUrl(url="elsewhere:1"))
    assert reply.outcome is Outcome.REFUSED
    assert "is bound to no shot" in reply.message


def test_clearing_leaves_what_still_runs() -> None:
    made = bench()
    run(made, KEY)
    reply = made.told(ClearUrl(url=URL))
    assert reply.message.endswith("it goes on working for T/1")
    run(made, OTHER)
    assert len(made.dispatches()) == 1


@pytest.mark.parametrize("cleared", [False, True])
def test_a_restarted_dispatcher_knows_which_urls_are_bound(*, cleared: bool) -> None:
    made = bench()
    run(made, KEY)
    unknown_end(made)
    if cleared:
        made.told(ClearUrl(url=URL))
    again = made.restart(recover=True)
    again.register("SRV_A:1", slots=4)
    run(again, OTHER)
    assert len(again.dispatches()) == (1 if cleared else 0)


def test_a_lost_server_proves_nothing_about_its_mdsip_server() -> None:
    made = bench()
    run(made, KEY)
    made.start("ONE")
    made.judge("SRV_A:1", LivenessState.LOST)
    made.register("SRV_A:1", incarnation="two", ended=["one"])
    assert made.live("ONE").outcome_unknown
    run(made, OTHER)
    assert made.dispatched() == ["ONE"]


def test_what_came_back_unstarted_frees_the_url() -> None:
    made = bench()
    run(made, KEY)
    made.give_back("ONE")  # and it is sent again
    assert [one.attempt.number for one in made.dispatches()] == [1, 2]
    made.finish("ONE")
    run(made, OTHER)
    assert len(made.dispatches()) == 3


def test_a_server_that_gave_up_waiting_for_the_url() -> None:
    made = bench()
    run(made, KEY)
    never = Finished(
        attempt=made.attempt("ONE"),
        ended_by=EndedBy.NO_SERVER,
        reason=f"was not started within 60 s: {URL} works for T/9: 1 unanswered",
        ended_at=2.0,
    )
    made.from_server("SRV_A:1", never).from_server("SRV_A:1", never)
    live = made.live("ONE")
    assert (live.state, live.cause, live.started_at) == (
        ActionState.SERVER_OFF,
        Cause.NO_SERVER,
        None,
    )
    assert URL in live.reason
    assert made.records(LateResult) == []
    assert made.shot().open_run is None


def test_an_unknown_outcome_stands_in_the_way_of_a_redispatch_until_its_proof() -> None:
    made = bench()
    run(made, KEY)
    unknown_end(made)
    again = DispatchAction(tree="T", shot=1, path="ONE")
    assert made.told(again).outcome is Outcome.REFUSED
    made.from_server("SRV_A:1", late(made))
    made.ask(again)
    assert [one.attempt.number for one in made.dispatches()] == [1, 2]
