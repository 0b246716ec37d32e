"""Old messages and what they mean: any bytes are an order or a BadOldMessage, nothing else."""

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shotline.bridges.redis_dispatcher import translation as old
from shotline.bridges.redis_dispatcher.translation import (
    AbortAction,
    AbortAll,
    AbortAllPending,
    BadOldMessage,
    Beat,
    TakeQueue,
    order_of_command,
    order_of_server,
    queued_action,
)
from shotline.common import commands as c
from shotline.common.actions import SETTLED_CAUSES, ActionState, Cause, Status
from shotline.common.records import ShotKey, Transition

PATH = "\\TEST::TOP.A:B"
WORDS = st.sampled_from(
    "do_phase do_sequence CREATE_PULSE build_tables ABORT quit DO STOP TEST 1 -1 abc INIT + : 0 É "
    f"{'9' * 12} {PATH} \x00 ".split(" ")
)


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("QUIT", c.Quit()),
        ("abort", AbortAll()),
        ("ABORT", AbortAll()),
        ("Create_Pulse:TEST:5", c.CreatePulse(tree="TEST", shot=5)),
        ("create_pulse:test:5\n", c.CreatePulse(tree="TEST", shot=5)),
        ("build_tables:TEST:5", c.BuildTables(tree="TEST", shot=5)),
        ("do_phase:TEST:5:Init", c.DoPhase(tree="TEST", shot=5, phase="Init")),
        (
            "do_sequence:TEST:5:INIT:10:20",
            c.DoSequence(tree="TEST", shot=5, phase="INIT", first=10, last=20),
        ),
        ("print_pending", c.PrintPending()),
        ("abort_pending", AbortAllPending()),
    ],
)
def test_what_the_command_program_publishes(text: str, order: old.Order) -> None:
    assert order_of_command(text.encode()) == order


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("DO", TakeQueue("A")),
        (f"ABORT+{PATH}", AbortAction("A", PATH)),
        ("RESTART+1", c.ServerRestart(server="A:1")),
        ("STOP+x-2", c.ServerStop(server="A:x-2")),
        ("QUIT+1", c.ServerQuit(server="A:1")),
        ("HEARTBEAT+1", Beat("A:1")),
    ],
)
def test_what_is_published_to_servers(text: str, order: old.Order) -> None:
    assert order_of_server(b"ACTION_SERVER_PUBSUB:A", text.encode()) == order


@pytest.mark.parametrize("tail", ["+0+0", "+0+0+0", "+12+2.5+1"])
def test_what_the_page_puts_into_a_queue(tail: str) -> None:
    item = f"test+5+{PATH}{tail}".encode()
    assert queued_action(item) == c.DispatchAction(tree="TEST", shot=5, path=PATH)


def test_pulses_are_replaced_only_where_that_is_allowed() -> None:
    allowed = order_of_command(b"create_pulse:TEST:5", replace_pulse=True)
    assert allowed == c.CreatePulse(tree="TEST", shot=5, replace=True)
    assert order_of_command(b"abort", replace_pulse=True) == AbortAll()


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("do_phase:TEST:abc:INIT", "END_PHASE+TEST+abc+INIT"),
        ("do_phase", "END_PHASE+++"),
        ("do_phase:TEST:5:INIT:more", "END_PHASE+TEST+5+INIT"),
        ("do_phase:T+X:5:A+B", "END_PHASE+T?X+5+A?B"),
        ("DO_SEQUENCE:TEST:5:INIT:a:b", "END_PHASE+TEST+5+INIT"),
        ("build_tables:TEST:abc", None),
        ("nonsense", None),
    ],
)
def test_who_would_wait_for_a_phase_is_answered(text: str, end: str | None) -> None:
    with pytest.raises(BadOldMessage) as raised:
        order_of_command(text.encode())
    assert raised.value.end_phase == end
    if end is not None:
        assert end.count("+") == 3


def outcome(made: Callable[[], old.Order]) -> old.Order | BadOldMessage:
    """Return the order or the error; any other error goes up."""
    try:
        return made()
    except BadOldMessage as error:
        return error


@given(st.binary(max_size=200) | st.lists(WORDS, max_size=7).map(lambda w: ":".join(w).encode()))
@example(b"create_pulse:T:abc")
@example(b"create_pulse:T:" + b"9" * 5000)
def test_any_bytes_are_a_command_or_bad(data: bytes) -> None:
    got = outcome(lambda: order_of_command(data))
    if isinstance(got, BadOldMessage):
        assert 0 < len(str(got)) < 2000
        assert (got.end_phase or "END_PHASE+").startswith("END_PHASE+")


@given(
    st.binary(max_size=80) | st.lists(WORDS, max_size=3).map(lambda w: "+".join(w).encode()),
    st.sampled_from([b"ACTION_SERVER_PUBSUB:A", b"ACTION_SERVER_PUBSUB:"]) | st.binary(max_size=40),
)
def test_any_bytes_to_servers_are_an_order_or_bad(data: bytes, channel: bytes) -> None:
    got = outcome(lambda: order_of_server(channel, data))
    assert isinstance(got, old.Order) or got.end_phase is None


@given(st.binary(max_size=80) | st.lists(WORDS, max_size=8).map(lambda w: "+".join(w).encode()))
@example(f"TEST+1+{PATH}+X+0+0+0".encode())  # a path with a +
def test_any_bytes_in_a_queue_are_an_action_or_bad(data: bytes) -> None:
    try:
        wanted = queued_action(data)
    except BadOldMessage:
        return
    assert wanted.tree is not None
    assert wanted.shot is not None
    assert "+" not in wanted.path
    assert data.decode().split("+")[2] == wanted.path


SETTLED = [(state, cause) for state in SETTLED_CAUSES for cause in sorted(SETTLED_CAUSES[state])]


@pytest.mark.parametrize(("state", "cause"), SETTLED)
def test_every_end_has_its_old_words(state: ActionState, cause: Cause) -> None:
    live = Transition(time=0, path=PATH, state=state, cause=cause, status=Status.FAILURE)
    infos = {"NOT_DISPATCHED", "DONE", "OFF", "SERVER_OFF"}
    assert old.info_of(live) in infos
    statuses = {"none", "Failure", "Aborted", "ServerCrashed", "NotExecuted", "Unknown Error"}
    assert old.status_of(live) in statuses


def test_the_messages_of_a_monitor() -> None:
    live = Transition(
        time=0,
        path=PATH,
        state=ActionState.DONE,
        status=Status.SUCCESS,
        cause=Cause.RESULT,
        server="A:2",
    )
    key = ShotKey("TEST", 5)
    assert old.doing(key, "A", live, 12) == f"DOING+TEST+5+A+2+{PATH}+12"
    assert old.done(key, "A", live, None) == f"DONE+TEST+5+A+2+{PATH}+0+Success"
    assert old.ended(key, "A", PATH, "Success", "a\nb") == f"TEST+5+A+{PATH}+Success+a\nb"
    assert old.end_phase("TEST", 5, "INIT") == "END_PHASE+TEST+5+INIT"
