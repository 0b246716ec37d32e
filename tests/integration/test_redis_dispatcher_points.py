"""What the MDSplus Redis dispatcher gets wrong, point by point: it cannot happen here.

Each point has its test on the real daemons with a real Redis; the number is the point's number in
the list of what its users have seen. The tests share one set of daemons; what a test has killed is
started again behind it.
"""

import contextlib
import itertools
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
import zmq
from tests.support.faults import (
    ABORTED,
    CONDITION_FALSE,
    FAILURE,
    LOST,
    REMOVED,
    SUCCESS,
    TREE,
    Pulse,
    action,
    each_once,
    ends_of,
    liveness_of,
    shotline_command,
)
from tests.support.stack import DEADLINE_S, Stack, eventually

from shotline.client.errors import NoDispatcher, Refused, RunAborted
from shotline.client.local.daemons import Daemon
from shotline.client.observer import News, Whole
from shotline.common.actions import ActionState, Cause, Status
from shotline.common.codec import decode_all, encode
from shotline.common.messages import (
    CommandServer,
    EndedBy,
    Finished,
    Hello,
    Message,
    Outcome,
    Problem,
    RegisterAnew,
    Reply,
    Request,
    ServerOrder,
    Welcome,
)
from shotline.common.records import RunEnded, Transition
from shotline.common.views import ServerView, ShotEvent
from shotline.dispatcher.journal.layout import Keys

ROOT = Path(__file__).parents[2]
TASKS = "tests.support.tasks"
EVIL = "X;touch INJECTED;$(touch INJECTED)`touch INJECTED`"

# Ignores TERM, so that only KILL ends it, and says who it is.
_STUBBORN = "trap '' TERM; echo $$ > stubborn.pid; echo STUBBORN 1 >> starts; while :; do :; done"
# Fails when the process of the action before it is still there.
_LOOKS = '! kill -0 "$(cat stubborn.pid)"'
# Fails at its first attempt, hangs at its second, succeeds at its third.
_MOODY = """
echo attempt $SHOTLINE_ATTEMPT
case $SHOTLINE_ATTEMPT in 1) exit 1 ;; 2) exec sleep 1000 ;; esac
"""


def in_phase(phase: str, *actions: dict[str, object]) -> list[dict[str, object]]:
    return [one | {"phase": phase} for one in actions]


ACTIONS = [
    *in_phase("P01", *(action(f"P01_{n}", "A", n) for n in (1, 2, 3))),
    *in_phase("P01", action("P01_AFTER", "B", "P01_2")),
    *in_phase("P02", action("P02_ONE", "LATE", 1, gate="go")),
    *in_phase("P03", *(action(f"P03_{n}", "K", 1, gate=f"go{n}") for n in (1, 2, 3, 4))),
    *in_phase("P04", action("P04_ONE", "L", 1, gate="go"), action("P04_TWO", "L", 1)),
    *in_phase("P04", action("P04_NEXT", "L", 2)),
    *in_phase("P04B", action("P04_OTHER", "L", 1)),
    *in_phase("P05", action("P05_LONG", "A", 1, task={"python": f"{TASKS}:is_busy"})),
    *in_phase("P06", action("STUBBORN", "A", 1, task={"shell": ["sh", "-c", _STUBBORN]})),
    *in_phase("P06", action("P06_NEXT", "A", 2, task={"shell": ["sh", "-c", _LOOKS]})),
    *in_phase("P07", *(action(f"P07_{n}", "A", n) for n in range(1, 31))),
    *in_phase("P08", action("P08_GOOD", "A", 1), action("P08_BAD", "A", "P08_GOOD and and")),
    *in_phase("P09", action("P09_GOOD", "A", 1), action("P09_OF", "A", "P09_GOOD of P09_GOOD")),
    *in_phase("P09", action("P09_AFTER", "B", "P09_GOOD")),
    *in_phase("P10", action("P10_LOUD", "B", 1), action("P10_NEXT", "B", 2)),
    *in_phase("P11", action("P11_ONE", "A", 1, gate="go"), action("P11_TWO", "A", 2)),
    *in_phase("P12", action("P12_ONE", "A", 1, gate="go"), action("P12_AFTER", "B", "P12_ONE")),
    *in_phase("P13", action("P13_ONE", "A", 1)),
    *in_phase("P15", action("P15_RAISES", "A", 1, task={"python": f"{TASKS}:raises"})),
    *in_phase("P16", action("P16_PRINTS", "A", 1)),
    *in_phase("P16", action("P16_TALKS", "B", 1)),
    *in_phase("P17", action("P17_ONE", "A", 1, gate="go")),
    *in_phase("P17B", action("P17_EVIL", "A", 1, task={"shell": ["echo", EVIL]})),
    *in_phase("P18", action("P18_FAILS", "A", 1, code=1), action("P18_AFTER", "B", "P18_FAILS")),
    *in_phase("P18", action("P18_CRASHES", "L", 1, gate="never")),
    *in_phase("P18", action("P18_REPAIR", "B", "not P18_CRASHES")),
    *in_phase("P18", action("P18_ONE", "A", 2), action("P18_OTHER", "A", 3)),
    *in_phase("P18", action("P18_EITHER", "B", "P18_ONE or P18_OTHER")),
    *in_phase("P18B", action("P18_LATER", "B", "P18_ONE")),
    *in_phase("P19", action("P19_ONE", "FIFTY", 1)),
    *in_phase("P20", action("P20_AFTER", "B", "P20_MOODY")),
    *in_phase("P21", *(action(f"P21_{n}", "K", 1, gate=f"go{n}") for n in range(6))),
]
TASKS_OF = {
    "P05_LONG": {"python": f"{TASKS}:is_busy", "arguments": {"seconds": 1000}},
    "P10_LOUD": {"python": f"{TASKS}:prints_lines", "arguments": {"count": 500_000}},
    "P16_PRINTS": {
        "python": f"{TASKS}:waits_for",
        "arguments": {"file": "go", "say": "pressure 1.5 µbar + rising + fast"},
    },
    "P16_TALKS": {"shell": ["sh", "-c", "echo wrong é >&2; echo a+b + c; printf 'no end'"]},
}


def experiment_file(folder: Path) -> Path:
    moody = action("P20_MOODY", "A", 1, task={"shell": ["sh", "-c", _MOODY]}, timeout_s=1.0)
    actions = [*ACTIONS, *in_phase("P20", moody)]
    for one in actions:
        one["task"] = TASKS_OF.get(str(one["path"]), one["task"])
    phases = {str(name): None for name in (one["phase"] for one in actions)}
    file = folder / "experiment.yaml"
    file.write_text(
        yaml.safe_dump(
            {
                "experiment": TREE,
                "phases": {name: number for number, name in enumerate(phases, 1)},
                "actions": actions,
            }
        )
    )
    return file


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("points")
    with Stack(
        folder,
        ("A:1", "B:1", "K:1", "K:2", "L:1", "FIFTY:57"),
        {TREE: experiment_file(folder)},
        {
            "broker": {"heartbeat_s": 0.3, "server_lost_s": 4.0},
            "redis": {"timeout_s": 2.0, "retry_s": 0.2},
            "journal": {"keep_shots": 4},
            "dispatcher": {"recovery_s": 1.0, "server_grace_s": 2.0},
        },
    ) as stack:
        yield stack


@pytest.fixture
def stack(shared: Stack) -> Iterator[Stack]:
    """The shared daemons; behind the test all of them run again, and no run is open."""
    yield shared
    with shared.supervisor() as shotline, contextlib.suppress(NoDispatcher):
        shotline.abort(all_runs=True)
    for daemon in shared.daemons.all:
        if not daemon.running:
            shared.restart(daemon)
    names = [daemon.name for daemon in shared.daemons.servers]
    shared.wait_until(
        lambda status: (
            not status.recovering
            and all(liveness_of(status, name) == "alive" for name in names)
            and all(run.state == "ended" for shot in status.shots for run in shot.runs)
        )
    )


_numbers = itertools.count(1)


@pytest.fixture
def pulse(stack: Stack) -> Pulse:
    """A new shot, its tables built."""
    return Pulse(stack, next(_numbers))


def server_of(stack: Stack, name: str) -> ServerView:
    with stack.supervisor() as shotline:
        return next(one for one in shotline.servers().servers if one.server == name)


def is_there(pid: int) -> bool:
    """Whether a process lives; one that only waits to be reaped does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):  # before it was opened, and before it was read
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


class RawPeer:
    """A peer that says what it likes, on one of the broker's sockets."""

    def __init__(self, address: str, kind: int = zmq.DEALER) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(kind)
        self._socket.connect(address)

    def say(self, *frames: bytes) -> None:
        self._socket.send_multipart(frames)

    def hear(self, *kinds: type[Message]) -> Message:
        deadline = time.monotonic() + DEADLINE_S
        while self._socket.poll(max(int(1000 * (deadline - time.monotonic())), 0)):
            frames = self._socket.recv_multipart()
            # Those for dispatchers have addresses, too.
            batches = frames if len(frames) == 1 else frames[1::2]
            for message in decode_all(batches):
                if isinstance(message, kinds):
                    return message
        raise AssertionError(f"none of {[kind.kind for kind in kinds]} came")

    def __enter__(self) -> "RawPeer":
        return self

    def __exit__(self, *_: object) -> None:
        self._context.destroy(linger=0)


def test_point_01_the_end_of_a_phase_is_announced_once_and_last(stack: Stack, pulse: Pulse) -> None:
    """The end of a phase is never told after one of its steps, only when all has settled."""
    with stack.supervisor() as shotline, shotline.watch(*pulse.key) as events:
        assert isinstance(events.get(DEADLINE_S), Whole)
        shotline.do_phase("P01", *pulse.key, wait=False)
        settled: set[str] = set()
        ends = 0
        while True:
            update = events.get(0.5 if ends else DEADLINE_S)
            if update is None:
                break
            assert isinstance(update, News)
            for record in update.payload.records if isinstance(update.payload, ShotEvent) else ():
                if isinstance(record, Transition) and record.cause is not None:
                    settled.add(record.path.rpartition(":")[2])
                if isinstance(record, RunEnded):
                    ends += 1
                    assert settled == {"P01_1", "P01_2", "P01_3", "P01_AFTER"}
    assert ends == 1
    assert pulse.runs_ended() == [1]


def test_point_02_every_crash_of_a_late_server_is_seen(stack: Stack, pulse: Pulse) -> None:
    """That a server first starts while all others have long been there blinds nobody to crashes."""
    arguments = ("LATE", "1", "--config", str(stack.config_file))
    late = Daemon("LATE:1", "shotline.action_server", arguments, stack.folder / "late.log")
    try:
        for _ in range(2):
            stack.restart(late)
            stack.wait_until(lambda status: liveness_of(status, "LATE:1") == "alive")
            report = pulse.begin("P02")
            pulse.wait_doing("P02_ONE")
            late.kill()
            lost = report.result().action("P02_ONE").last
            assert (lost.state, lost.cause) == (ActionState.ABORTED, Cause.SERVER_LOST)
            assert "LATE:1" in lost.reason
            with stack.supervisor() as shotline:  # somebody has looked: it may be run again
                shotline.build_tables(*pulse.key, reset=True)
    finally:
        late.kill()
    assert pulse.starts()["P02_ONE"] == 2


def test_point_03_a_crash_touches_only_what_the_crashed_server_ran(
    stack: Stack, pulse: Pulse
) -> None:
    """One lost instance never fails what runs, or waits, for the others of its class."""
    report = pulse.begin("P03")
    pulse.wait_doing("P03_1", "P03_2")
    crashed = pulse.action("P03_1").last.server
    assert crashed is not None
    stack[crashed].kill()
    pulse.open("go1", "go2", "go3", "go4")
    result = report.result()
    assert ends_of(result.actions) == {
        "P03_1": LOST,
        "P03_2": SUCCESS,
        "P03_3": SUCCESS,
        "P03_4": SUCCESS,
    }


def test_point_04_a_restarted_server_starts_nothing_by_itself(stack: Stack, pulse: Pulse) -> None:
    """No leftovers of a crash are executed that nobody asks for any more."""
    report = pulse.begin("P04")
    pulse.wait_doing("P04_ONE")
    stack["L:1"].kill()
    with stack.supervisor() as shotline:
        shotline.abort(*pulse.key)
    with pytest.raises(RunAborted):
        report.result()
    pulse.open("go")
    stack.restart(stack["L:1"])
    other = pulse.begin("P04B").result()  # the restarted server works, in order, and …
    assert ends_of(other.actions) == {"P04_OTHER": SUCCESS}
    assert pulse.starts() == each_once("P04_ONE", "P04_OTHER")  # … this is all it has started
    ends = pulse.ends_by_name()
    assert (ends["P04_TWO"], ends["P04_NEXT"]) == (REMOVED, REMOVED)


def test_point_05_a_long_action_blocks_neither_heartbeats_nor_aborts(
    stack: Stack, pulse: Pulse
) -> None:
    """A task that keeps its interpreter busy never makes its server look crashed, nor deaf."""
    report = pulse.begin("P05")
    pulse.wait_doing("P05_LONG")
    first = server_of(stack, "A:1").last_seen_at
    assert first is not None
    # Longer than a silent server would be kept: many beats come, and it is never counted lost.
    lost_s = stack.config.broker.server_lost_s
    stack.wait_until(
        lambda status: any(
            (one.last_seen_at or 0) > first + lost_s and one.liveness == "alive"
            for one in status.servers
            if one.server == "A:1"
        )
    )
    assert pulse.action("P05_LONG").last.state is ActionState.DOING
    with stack.supervisor() as shotline:
        shotline.abort(*pulse.key, path="P05_LONG")
    assert ends_of(report.result().actions) == {"P05_LONG": ABORTED}


def test_point_06_aborted_is_shown_when_the_process_is_gone(stack: Stack, pulse: Pulse) -> None:
    """An action never runs on behind the word ABORTED, and never beside the next one."""
    report = pulse.begin("P06")
    pulse.wait_started("STUBBORN")
    pid = int((pulse.folder / "stubborn.pid").read_text())
    assert is_there(pid)
    with stack.supervisor() as shotline:
        shotline.abort(*pulse.key, path="STUBBORN")
        while True:
            is_gone = not is_there(pid)  # looked at before the state that is shown
            last = pulse.action("STUBBORN").last
            if last.state is ActionState.ABORTED:
                break
            assert last.aborting, "while it runs it is shown as DOING, aborting"
        eventually(lambda: is_gone or not is_there(pid))
    assert not last.outcome_unknown
    assert ends_of(report.result().actions) == {"STUBBORN": ABORTED, "P06_NEXT": SUCCESS}


def test_point_07_no_action_leaves_a_descriptor_open(stack: Stack, pulse: Pulse) -> None:
    """However many actions a server runs, it and its worker hold no more descriptors for it."""

    def open_descriptors() -> int:
        pid = stack["A:1"].pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return sum(len(list(Path(f"/proc/{one}/fd").iterdir())) for one in (pid, *children))

    assert pulse.begin("P07").result().ok
    before = open_descriptors()
    assert pulse.begin("P07").result().ok
    assert pulse.begin("P07").result().ok
    assert open_descriptors() <= before + 3  # of 60 actions more


def test_point_08_a_condition_that_cannot_be_read_is_shown(stack: Stack, pulse: Pulse) -> None:
    """No action disappears: one whose condition is no condition is there, with the reason."""
    with stack.supervisor() as shotline:
        built = {view.name: view for view in shotline.actions(*pulse.key).actions}
        assert len(built) == len(ACTIONS) + 1
        assert built["P08_BAD"].last.cause is Cause.UNREADABLE
        assert "and and" in built["P08_BAD"].last.reason + built["P08_BAD"].when
        report = shotline.do_phase("P08", *pulse.key)
    assert not report.ok
    assert [view.name for view in report.failed] == ["P08_BAD"]
    assert ends_of(report.actions)["P08_GOOD"] == SUCCESS


def test_point_09_a_dependency_with_of_stops_nobody(stack: Stack, pulse: Pulse) -> None:
    """OF, which means nothing between actions, is shown as such; all others are still told."""
    for _ in range(2):
        result = ends_of(pulse.begin("P09").result().actions)
        assert result["P09_GOOD"] == SUCCESS
        assert result["P09_AFTER"] == SUCCESS
        assert result["P09_OF"][2] is Cause.UNREADABLE


def test_point_10_no_completion_is_lost_with_redis(stack: Stack, pulse: Pulse) -> None:
    """Neither 40 MB of output nor a restart of Redis loses the end of an action, or a phase."""
    report = pulse.begin("P10")
    pulse.wait_doing("P10_LOUD")
    stack.redis.kill()
    stack.wait_until(lambda status: status.journal != "ok")
    stack.redis.start()
    assert ends_of(report.result().actions) == {"P10_LOUD": SUCCESS, "P10_NEXT": SUCCESS}
    stack.wait_until(lambda status: status.journal == "ok")
    assert pulse.runs_ended() == [1]
    with stack.supervisor() as shotline:
        logs = shotline.logs("P10_LOUD", *pulse.key, limit=10)
    assert [line.text[:6] for line in logs.lines] == [f"{number:06d}" for number in range(10)]


def test_point_11_a_restarted_dispatcher_knows_everything(stack: Stack, pulse: Pulse) -> None:
    """A dispatcher that comes back goes on with the phase; the next completion harms nothing."""
    report = pulse.begin("P11")
    pulse.wait_doing("P11_ONE")
    stack.dispatcher.kill()
    stack.restart(stack.dispatcher)
    pulse.open("go")
    assert ends_of(report.result().actions) == {"P11_ONE": SUCCESS, "P11_TWO": SUCCESS}
    assert pulse.starts() == each_once("P11_ONE", "P11_TWO")
    assert pulse.runs_ended() == [1]
    assert pulse.begin("P13").result().ok


def test_point_12_tables_are_not_built_under_a_running_phase(stack: Stack, pulse: Pulse) -> None:
    """`build_tables` in a phase is refused in words, and the phase and the next build go on."""
    report = pulse.begin("P12")
    pulse.wait_doing("P12_ONE")
    with stack.supervisor() as shotline:
        with pytest.raises(Refused, match="run 1 is open"):
            shotline.build_tables(*pulse.key)
        pulse.open("go")
        assert ends_of(report.result().actions) == {"P12_ONE": SUCCESS, "P12_AFTER": SUCCESS}
        assert shotline.build_tables(*pulse.key).shots[0].counts.success == 2


def test_point_13_an_abort_while_idle_changes_nothing(stack: Stack, pulse: Pulse) -> None:
    """An abort with nothing to abort says so, and is not kept for the next phase."""
    with stack.supervisor() as shotline:
        assert "nothing was changed" in shotline.abort().message
        with pytest.raises(Refused, match="no run is open"):
            shotline.abort(*pulse.key)
        assert "nothing was changed" in shotline.server_abort("A").message
        assert shotline.do_phase("P13", *pulse.key).ok


def test_point_14_a_wrong_command_is_answered_and_harms_nobody(stack: Stack, pulse: Pulse) -> None:
    """No argument kills the command loop, nothing is "doing" for ever, nobody waits for nobody."""
    assert shotline_command(stack, "create-pulse", TREE, "abc")[0] == 1
    with RawPeer(stack.config.broker.clients) as raw:
        raw.say(encode([Hello(name="raw")]))
        welcome = raw.hear(Welcome)
        assert isinstance(welcome, Welcome)
        for at, command in enumerate((b'{"verb":"create_pulse","tree":"T","shot":"abc"}', b"[")):
            request = Request(
                id=f"wrong-{at:04d}",
                verb="create_pulse",
                deadline_s=welcome.clock_s + 1000,
                command=command,
            )
            raw.say(encode([request]))
            reply = raw.hear(Reply)
            assert isinstance(reply, Reply)
            assert reply.outcome is Outcome.USAGE
    with stack.supervisor() as shotline:
        number = next(_numbers)
        shotline.create_pulse(TREE, number)
        with pytest.raises(Refused, match="not built"):
            shotline.do_sequence("P01", 1, 2, TREE, number)
        with pytest.raises(Refused, match="no phase NOSUCH"):
            shotline.do_phase("NOSUCH", *pulse.key)
        assert not shotline.pending().actions
        assert shotline.do_phase("P13", *pulse.key).ok
        stack.dispatcher.kill()
        with pytest.raises(NoDispatcher):
            shotline.do_phase("P13", *pulse.key)
        code, said = shotline_command(stack, "do-phase", TREE, str(pulse.key.shot), "P13")
        assert code == 3, said


def test_point_15_an_exception_is_a_failure_with_its_words(stack: Stack, pulse: Pulse) -> None:
    """What raises is DONE with Failure, and says why; ABORTED is only what somebody aborted."""
    report = pulse.begin("P15").result()
    last = report.action("P15_RAISES").last
    assert ends_of(report.actions) == {"P15_RAISES": FAILURE}
    assert "no gas" in last.reason
    with stack.supervisor() as shotline:
        text = "\n".join(line.text for line in shotline.logs("P15_RAISES", *pulse.key).lines)
    assert "ValueError: no gas" in text


def test_point_16_all_output_is_there_while_the_action_runs(stack: Stack, pulse: Pulse) -> None:
    """Nothing printed is missing, late, of one stream only, without its accents, or cut at a +."""
    report = pulse.begin("P16")
    with stack.supervisor() as shotline:

        def lines(name: str) -> list[tuple[int, str]]:
            return [(one.stream, one.text) for one in shotline.logs(name, *pulse.key).lines]

        eventually(lambda: bool(lines("P16_PRINTS")), lambda: str(pulse.action("P16_PRINTS")))
        assert lines("P16_PRINTS") == [(1, "pressure 1.5 µbar + rising + fast")]
        assert pulse.action("P16_PRINTS").last.state is ActionState.DOING
        pulse.open("go")
        assert report.result().ok
        assert sorted(lines("P16_TALKS")) == [(1, "a+b + c"), (1, "no end"), (2, "wrong é")]


def test_point_17_names_are_never_a_shell_s_words(stack: Stack, pulse: Pulse) -> None:
    """No name that people or trees give is ever interpreted by a shell."""
    script = ROOT / "etc" / "server_command.sh"
    for arguments in ((EVIL, "START"), ("A", EVIL), ("A", "START", EVIL), ("-x", "STATUS")):
        done = subprocess.run(
            ["sh", str(script), *arguments],
            cwd=pulse.folder,
            capture_output=True,
            check=False,
            timeout=DEADLINE_S,
        )
        assert done.returncode == 64
    assert pulse.begin("P17B").result().ok  # a task's arguments
    with stack.supervisor() as shotline:
        (said,) = shotline.logs("P17_EVIL", *pulse.key).lines
        assert said.text == EVIL
        for call in (
            lambda: shotline.server_abort("A:1", EVIL),
            lambda: shotline.server_quit("NOSUCH;touch:INJECTED"),
            lambda: shotline.snapshot(EVIL),
            lambda: shotline.dispatch(EVIL, *pulse.key),
            lambda: shotline.do_phase(EVIL, *pulse.key),
        ):
            with contextlib.suppress(Refused):
                assert "nothing was changed" in str(call())
    assert not list(stack.folder.rglob("*INJECTED*"))
    assert not (ROOT / "INJECTED").exists()


def test_point_17_strangers_change_nothing(stack: Stack, pulse: Pulse) -> None:
    """Nobody ends a server, or a phase, by publishing words that are not his to say."""
    report = pulse.begin("P17")
    pulse.wait_doing("P17_ONE")
    doing = pulse.action("P17_ONE").last
    before = stack.wait_until(lambda status: not status.recovering)
    quit_now = CommandServer(term=2**31 - 1, order=ServerOrder.QUIT, reason="I say so")
    result = Finished(
        attempt=(*pulse.key, doing.path, doing.attempt),
        ended_by=EndedBy.RESULT,
        status=Status.FAILURE,
        ended_at=0.0,
    )
    server = f"A:1/{server_of(stack, 'A:1').incarnation}".encode()
    clients, servers = stack.config.broker.clients, stack.config.broker.servers
    for address in (clients, servers):
        with RawPeer(address) as stranger:
            for frames in (
                [encode([quit_now])],
                [encode([result])],
                [server, encode([quit_now])],
                [b"", encode([quit_now])],
                [b"*", b"feed", b"QUIT"],
                [b"QUIT"],
                [b"", b"\xff" * 1000],
            ):
                stranger.say(*frames)
                stranger.hear(Problem, RegisterAnew)
    with RawPeer(stack.config.broker.events, zmq.PUB) as publisher:
        publisher.say(b"feed", b"QUIT")
    after = stack.wait_until(lambda status: not status.recovering)
    assert after.term == before.term
    assert {one.incarnation for one in after.servers} == {one.incarnation for one in before.servers}
    assert pulse.action("P17_ONE").last == doing
    pulse.open("go")
    assert report.result().ok


def test_point_18_dependents_run_once_in_their_phase_when_they_may(
    stack: Stack, pulse: Pulse
) -> None:
    """No dependent of a failure runs, none of a crash is forgotten, none runs twice or early."""
    report = pulse.begin("P18")
    pulse.wait_doing("P18_CRASHES")
    stack["L:1"].kill()
    expected = {
        "P18_FAILS": FAILURE,
        "P18_AFTER": CONDITION_FALSE,
        "P18_CRASHES": LOST,
        "P18_REPAIR": SUCCESS,
        "P18_ONE": SUCCESS,
        "P18_OTHER": SUCCESS,
        "P18_EITHER": SUCCESS,
    }
    assert ends_of(report.result().actions) == expected
    names = set(expected) - {"P18_AFTER"}
    assert pulse.starts() == each_once(*names)
    assert pulse.action("P18_LATER").last.cause is None
    stack.restart(stack["L:1"])
    with stack.supervisor() as shotline:
        again = pulse.stack.supervisor()
        with again:
            again.do_phase("P18", *pulse.key, wait=False, even_if_running=True)
        pulse.wait_started("P18_EITHER")
        pulse.wait_doing("P18_CRASHES")
        shotline.abort(*pulse.key, path="P18_CRASHES")
        shotline.wait(*pulse.key, 2)
        assert {pulse.starts()[name] for name in names} == {2}, "each once more, not twice more"
        assert ends_of(shotline.do_phase("P18B", *pulse.key).actions) == {"P18_LATER": SUCCESS}


def test_point_19_any_server_id_works_and_old_logs_are_deleted(stack: Stack, pulse: Pulse) -> None:
    """Number 57 is a server like any other; what was kept long enough is deleted with its logs."""
    assert pulse.begin("P19").result().action("P19_ONE").last.server == "FIFTY:57"
    with contextlib.closing(stack.redis.client()) as connection:

        def stored() -> list[bytes]:
            base = Keys(stack.config.redis.key_prefix).of(pulse.key).base
            return list(connection.scan_iter(f"{base}*", count=1000))

        assert any(b":output:" in key for key in stored())
        for _ in range(stack.config.journal.keep_shots + 1):
            Pulse(stack, next(_numbers))
        eventually(lambda: not stored(), lambda: str(stored()))
    with stack.supervisor() as shotline:
        shots = [view.shot for view in shotline.shots(TREE).shots]
    assert pulse.key.shot not in shots
    assert len(shots) <= stack.config.journal.keep_shots


def test_point_20_a_single_redispatch_is_an_action_like_any_other(
    stack: Stack, pulse: Pulse
) -> None:
    """Dispatched alone, an action has its timeout, its dependents and its log all the same."""
    assert ends_of(pulse.begin("P20").result().actions) == {
        "P20_MOODY": FAILURE,
        "P20_AFTER": CONDITION_FALSE,
    }
    with stack.supervisor() as shotline:
        late = shotline.dispatch("P20_MOODY", *pulse.key).action("P20_MOODY").last
        assert (late.status, late.cause) == (Status.FAILURE, Cause.TIMEOUT)
        report = shotline.dispatch("P20_MOODY", *pulse.key)
        assert ends_of(report.actions) == {"P20_MOODY": SUCCESS, "P20_AFTER": SUCCESS}
        assert pulse.starts()["P20_AFTER"] == 1
        for attempt in (1, 2, 3):
            logs = shotline.logs("P20_MOODY", *pulse.key, attempt=attempt)
            assert [line.text for line in logs.lines] == [f"attempt {attempt}"]


def test_point_21_work_is_taken_in_order_and_shared(stack: Stack, pulse: Pulse) -> None:
    """A class's actions start in the tree's order, and no instance hoards what another could do."""
    report = pulse.begin("P21")
    names = [f"P21_{n}" for n in range(6)]
    for at in range(6):
        running = names[at : at + 2]
        pulse.wait_doing(*running)
        assert set(pulse.starts()) == set(names[: at + 2]), "two slots, and nothing ahead of them"
        assert {pulse.action(name).last.server for name in running} >= (
            {"K:1", "K:2"} if at < 5 else set()
        )
        pulse.open(f"go{at}")
    assert report.result().ok
    assert pulse.starts() == each_once(*names)
