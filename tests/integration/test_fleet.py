"""What servers are set to, on the real daemons: it holds, and it outlives whoever is killed."""

import time
from pathlib import Path

import pytest
from tests.support.faults import (
    ABORTED,
    LOST_SOON,
    SUCCESS,
    Pulse,
    action,
    ends_of,
    shotline_command,
    stack_of,
)
from tests.support.stack import DEADLINE_S, Stack, eventually

from shotline.client.errors import Refused
from shotline.client.observer import News, Whole
from shotline.common.channels import SERVERS
from shotline.common.fleet.views import AlertKind, FlagKind
from shotline.common.views import FleetResult, ServersEvent, ServerView

THREE = tuple(action(f"A_{n}", "A", 1, gate=f"gate{n}") for n in range(3))
GATES = tuple(f"gate{n}" for n in range(3))


def fleet(stack: Stack) -> FleetResult:
    """Return the whole fleet as the library shows it."""
    with stack.supervisor() as shotline:
        return shotline.fleet()


def view_of(stack: Stack, name: str = "A:1") -> ServerView:
    """Return one server."""
    return next(one for one in fleet(stack).servers if one.server == name)


def uses(stack: Stack, slots: int, name: str = "A:1") -> bool:
    """Whether a server is there, and uses so many slots."""
    return any(one.server == name and one.usable == slots for one in fleet(stack).servers)


def kinds(view: ServerView) -> set[FlagKind]:
    return {one.kind for one in view.flags}


def test_slots_and_a_drain_hold_and_outlive_dispatcher_and_server(tmp_path: Path) -> None:
    with stack_of(tmp_path, ("A:1*2",), *THREE, settings=LOST_SOON) as stack:
        code, said = shotline_command(stack, "fleet", "slots", "1", "A", "--reason", "one pump")
        assert code == 0, said
        assert "uses 1 of its 2 slots" in said
        view = view_of(stack)
        assert view.usable == 1
        (flag,) = view.flags
        assert (flag.kind, flag.reason) == (FlagKind.LIMITED, "1 of 2 slots: one pump")
        pulse = Pulse(stack)
        report = pulse.begin()
        eventually(lambda: sum(pulse.starts().values()) == 1)
        pulse.wait_doing(*pulse.starts())
        stack.dispatcher.kill()
        stack.restart(stack.dispatcher)
        stack.wait_until(lambda status: not status.recovering)
        eventually(lambda: uses(stack, 1))
        old = view_of(stack)
        stack["A:1"].kill()
        stack.restart(stack["A:1"])
        eventually(lambda: view_of(stack).incarnation != old.incarnation)
        assert uses(stack, 1)
        assert shotline_command(stack, "fleet", "drain", "*", "--reason", "new pump")[0] == 0
        view = view_of(stack)
        assert view.usable == 0
        assert kinds(view) == {FlagKind.LIMITED, FlagKind.DRAINING}
        pulse.open(*GATES)
        with (
            pytest.raises(Refused, match="no server is meant by server B:1; known: A:1"),
            stack.supervisor() as shotline,
        ):
            shotline.fleet_heartbeat(now=True, servers="B:1")
        assert not report.is_over or report.result()


def test_the_end_of_the_hours_ends_what_runs_and_the_process_lives(tmp_path: Path) -> None:
    with stack_of(tmp_path, ("A:1",), *THREE) as stack:
        pulse = Pulse(stack)
        report = pulse.begin()
        eventually(lambda: sum(pulse.starts().values()) == 1)
        (running,) = pulse.starts()
        pulse.wait_doing(running)
        code, said = shotline_command(stack, "fleet", "hours", "--end", "now", "A:1")
        assert code == 0, said
        assert "it works no more now" in said
        pulse.wait_state(ABORTED[0], running)
        assert "its hours have ended" in pulse.action(running).last.reason
        assert stack["A:1"].running
        assert FlagKind.OUT_OF_HOURS in kinds(view_of(stack))
        code, said = shotline_command(stack, "fleet", "hours", "--clear", "A:1")
        assert code == 0, said
        pulse.open(*GATES)
        ends = ends_of(report.result().actions)
        assert ends.pop(running) == ABORTED
        assert set(ends.values()) == {SUCCESS}
        assert sum(pulse.starts().values()) == 3


def test_a_drain_with_a_deadline_begins_the_server_anew(tmp_path: Path) -> None:
    with stack_of(tmp_path, ("A:1",), *THREE) as stack:
        pulse = Pulse(stack)
        report = pulse.begin()
        eventually(lambda: sum(pulse.starts().values()) == 1)
        (running,) = pulse.starts()
        before = view_of(stack).incarnation
        drain = ("drain", "A", "--within", "1s", "--then", "restart", "--reason", "update")
        code, said = shotline_command(stack, "fleet", *drain)
        assert code == 0, said
        assert "1 actions run on, 1 s at the most; then begins anew" in said
        eventually(lambda: view_of(stack).incarnation != before)
        assert "the deadline of its drain" in pulse.action(running).last.reason
        pulse.open(*GATES)
        assert sorted(ends_of(report.result().actions).values()).count(SUCCESS) == 2
        assert view_of(stack).flags == ()


def test_a_server_ends_after_two_actions_whoever_is_killed_between_them(tmp_path: Path) -> None:
    with stack_of(tmp_path, ("A:1", "A:2"), *THREE, settings=LOST_SOON) as stack:
        with stack.supervisor() as shotline:
            shotline.fleet_drain(servers="A:2")
            answers = shotline.fleet_quit_after(2, servers="A:1", reason="old").answers
        assert [one.text for one in answers] == ["serves 2 more actions, and ends then"]
        pulse = Pulse(stack)
        report = pulse.begin()
        eventually(lambda: sum(pulse.starts().values()) == 1)
        pulse.wait_doing(*pulse.starts())
        stack.dispatcher.kill()
        pulse.open("gate0", "gate1")
        stack.restart(stack.dispatcher)
        assert stack["A:1"].wait(DEADLINE_S)
        assert len(pulse.ends()) == 2
        with stack.supervisor() as shotline:
            shotline.fleet_resume(servers="A:2")
        pulse.open(*GATES)
        report.result()
        assert sum(pulse.starts().values()) == 3
        last = view_of(stack)
        assert last.liveness == "lost"
        assert "said goodbye" in last.why
        code, said = shotline_command(stack, "fleet", "dismiss", "A:1", "A:2")
        assert code == 5, "one of them is there"
        assert "A:2: it is there" in said
        assert [one.server for one in fleet(stack).servers] == ["A:2"]


def test_what_is_expected_is_written_read_and_compared(tmp_path: Path) -> None:
    file = tmp_path / "fleet.yaml"
    with stack_of(tmp_path, ("A:1", "B:1"), *THREE, settings=LOST_SOON) as stack:
        assert shotline_command(stack, "fleet", "save", str(file))[0] == 0
        assert shotline_command(stack, "fleet", "load", str(file))[0] == 0
        code, said = shotline_command(stack, "fleet", "diff")
        assert (code, said.strip()) == (0, "everything is as expected")
        stack["B:1"].kill()
        eventually(lambda: view_of(stack, "B:1").liveness == "lost")
        code, said = shotline_command(stack, "fleet", "diff")
        assert code == 5
        assert "B:1" in said
        assert "missing" in said
        eventually(lambda: alerts(stack) == {(AlertKind.MISSING, "B:1")})
        stack.dispatcher.kill()
        stack.restart(stack.dispatcher)
        eventually(lambda: view_of(stack, "B:1").liveness == "absent")
        assert view_of(stack, "B:1").host, "its last words are there"
        assert fleet(stack).fleet is not None
        file.write_text("servers:\n  A:1: {slots: 7}\n")
        code, said = shotline_command(stack, "fleet", "diff", str(file))
        assert code == 5
        assert "slots" in said
        file.write_text("servers: [A:1]\n")
        code, said = shotline_command(stack, "fleet", "load", str(file))
        assert code == 1
        assert "must have `servers:`" in said


def alerts(stack: Stack) -> set[tuple[AlertKind, str]]:
    view = fleet(stack).fleet
    return {(one.kind, one.about) for one in view.alerts} if view is not None else set()


def test_a_window_and_an_alert_are_told_on_the_channel_of_servers(tmp_path: Path) -> None:
    with stack_of(tmp_path, ("A:1",), *THREE) as stack, stack.supervisor() as shotline:
        with shotline.events(SERVERS) as stream:
            updates = iter(stream)
            assert isinstance(next(updates), Whole)  # what comes now, comes as news
            shotline.fleet_window(time.time() - 1, 3600, id="pump", classes="A")
            for update in updates:
                payload = update.payload if isinstance(update, News) else None
                if isinstance(payload, ServersEvent) and payload.fleet and payload.fleet.windows:
                    (window,) = payload.fleet.windows
                    assert (window.window.id, window.is_open) == ("pump", True)
                    break
        assert view_of(stack).usable == 0
        shotline.fleet_window_remove("pump")
        assert view_of(stack).usable == 1


def test_servers_are_started_by_the_sites_program_and_its_words_are_told(tmp_path: Path) -> None:
    script = tmp_path / "site.sh"
    script.write_text('echo "starting $1 $3 by $2"\n[ "$3" != 9 ] || { echo no >&2; exit 7; }\n')
    settings = {"monitor": {"server_command": str(script)}}
    with stack_of(tmp_path, ("A:1",), *THREE, settings=settings) as stack:
        code, said = shotline_command(stack, "fleet", "add", "A:7", "A:9")
        assert code == 5, said
        assert "was started: starting A 7 by START" in said
        assert "was not started (exit code 7): starting A 9 by START" in said
        code, said = shotline_command(stack, "fleet", "add", "A")
        assert code == 1
        assert "servers" in said


def test_a_heartbeat_is_set_and_is_set_again_in_the_servers_next_life(tmp_path: Path) -> None:
    def beats_every(seconds: float) -> bool:
        facts = view_of(stack).facts
        return facts is not None and facts.heartbeat_s == seconds

    with stack_of(tmp_path, ("A:1",), *THREE, settings=LOST_SOON) as stack:
        code, said = shotline_command(stack, "fleet", "heartbeat", "--every", "0.05", "A:1")
        assert code == 0, said
        eventually(lambda: beats_every(0.05))
        stack["A:1"].kill()
        stack.restart(stack["A:1"])
        eventually(lambda: beats_every(0.05))
        assert shotline_command(stack, "fleet", "heartbeat", "A:1")[0] == 0
        eventually(lambda: beats_every(0.2))
