"""Bad input on every socket, command line and file of a running system (I7).

Each time: a clear error to the sender, no change, no crash, and the run goes on.
"""

import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgpack
import pytest
import yaml
from tests.support.action_server import ServerProcess, ServersBroker
from tests.support.faults import (
    SUCCESS,
    Pulse,
    action,
    each_once,
    ends_of,
    liveness_of,
    shotline_command,
    stack_of,
)
from tests.support.peers import peers
from tests.support.stack import DEADLINE_S, Stack, eventually

from shotline.client.cli import main as cli
from shotline.common.actions import AttemptId, Status
from shotline.common.codec import decode_all, encode
from shotline.common.errors import MalformedMessage
from shotline.common.messages import (
    AbortAttempt,
    Answered,
    Claim,
    ClaimRefused,
    CommandServer,
    Dispatch,
    EndedBy,
    Finished,
    Hello,
    Message,
    Outcome,
    Output,
    Ping,
    Pong,
    Problem,
    Register,
    Registered,
    RegistrationRefused,
    Reply,
    Request,
    ServerOrder,
    Started,
    SupersededNotice,
    Verdict,
    Welcome,
)
from shotline.common.ranges import TERM_MAX
from shotline.common.records import ShotRecord

GATED = (action("A_FIRST", "A", 1, gate="a"), action("A_NEXT", "A", 2))

FINISHED = encode(
    [
        Finished(
            attempt=AttemptId("TEST", 1, "\\TEST::TOP:A_FIRST", 1),
            ended_by=EndedBy.RESULT,
            status=Status.SUCCESS,
            ended_at=1.0,
        )
    ]
)

BAD_FRAMES: dict[str, list[bytes]] = {
    "empty": [b""],
    "no batch": [b"ping"],
    "no message": [b"\x90"],
    "truncated": [encode([Ping(sent_s=1.0)])[:-3]],
    "truncated result": [FINISHED[:-5]],
    "unknown kind": [msgpack.packb([{"kind": "no_such_kind"}])],
    "no kind": [msgpack.packb([{"sent_s": 1.0}])],
    "wrong types": [msgpack.packb([{"kind": "finished", "attempt": 7, "ended_by": []}])],
    "field too many": [msgpack.packb([{"kind": "ping", "sent_s": 1.0, "surprise": 1}])],
    "nested": [b"\x91\x82\xa4kind\xa6output\xa1x" + b"\x91" * 100_000],
    "nested field": [b"\x91\x82\xa4kind\xa8register\xabserver_clas" + b"\x91" * 900 + b"\xc0"],
    "long text": [msgpack.packb([{"kind": "hello", "name": "x" * 100_000}])],
    "not a number": [msgpack.packb([{"kind": "ping", "sent_s": float("nan")}])],
    "random": [b"\xff\xfe", b"\x00\x01\x02"],
    "thousands": [b"\xc1"] * 3000,
}

FOR_REGISTERED = ("truncated result", "wrong types", "nested")

BAD_COMMANDS: dict[str, bytes] = {
    "empty": b"",
    "no JSON": b"do it",
    "no UTF-8": b'{"verb": "\xff\xfe"}',
    "cut off": b'{"verb": "do_phase", "phase": "IN',
    "a list": b"[]",
    "no verb": b"{}",
    "unknown verb": b'{"verb": "fly"}',
    "missing argument": b'{"verb": "do_phase"}',
    "wrong type": b'{"verb": "do_phase", "phase": ["INIT"]}',
    "unknown argument": b'{"verb": "do_phase", "phase": "INIT", "hurry": true}',
    "nested": b'{"verb": "do_phase", "phase": ' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    "huge number": b'{"verb": "do_phase", "phase": "INIT", "tree": "TEST", "shot": 1'
    + b"0" * 5000
    + b"}",
    "long text": b'{"verb": "do_phase", "phase": "' + b"I" * 60_000 + b'"}',
    "other verb": b'{"verb": "do_phase", "phase": "INIT", "verb": "quit"}',
    "no number": b'{"verb": "do_sequence", "phase": "INIT", "first": NaN, "last": Infinity}',
}


# Whoever may say anything is to be refused for what is said alone.
WITHOUT_KEYS = {"keys": {"made_by_up": False}}


def told(pulse: Pulse) -> list[ShotRecord]:
    """Return what the journal says of the shot, but for the marks of time."""
    return [record for record in pulse.records() if record.type != "mark"]


@contextmanager
def unchanged(stack: Stack) -> Iterator[Pulse]:
    """A run with an action at work; afterwards nothing has changed and the run goes on."""
    pulse = Pulse(stack)
    report = pulse.begin()
    pulse.wait_doing("A_FIRST")
    eventually(lambda: any(getattr(one, "state", "") == "DOING" for one in told(pulse)))
    before = told(pulse)
    pids = [daemon.pid for daemon in stack.daemons.all]
    term = stack.wait_until(lambda _: True).term
    yield pulse
    status = stack.wait_until(lambda status: liveness_of(status, "A:1") == "alive")
    assert status.term == term
    assert [daemon.pid for daemon in stack.daemons.all] == pids
    assert told(pulse) == before
    assert pulse.starts() == each_once("A_FIRST")
    pulse.open("a")
    assert ends_of(report.result().actions) == {"A_FIRST": SUCCESS, "A_NEXT": SUCCESS}
    assert pulse.starts() == each_once("A_FIRST", "A_NEXT")
    assert pulse.runs_ended() == [1]


def test_bad_messages_on_the_brokers_sockets(tmp_path: Path) -> None:
    with stack_of(tmp_path, ("A:1",), *GATED, settings=WITHOUT_KEYS) as stack, unchanged(stack):
        broker = stack.config.broker
        register = Register(
            server_class="Z", server_id="1", incarnation="raw", epoch=1, slots=1, host="here"
        )
        with peers(
            (broker.clients, "client/new"),
            (broker.clients, "client/known"),
            (broker.servers, "Z:1/raw"),
            (broker.servers, "nonsense"),
            (broker.servers, "A:1/stolen"),
        ) as found:
            _, client, server, *strangers = found
            client.say(Hello(name="raw"))
            client.get(Welcome)
            for name, frames in BAD_FRAMES.items():
                for peer in found:
                    if peer is server:  # so many bad messages take longer than its life
                        server.say(register)
                        server.get(Registered)
                    peer.send(*frames)
                    # What a server may send is not for strangers: they are asked to register,
                    # at most once a second.
                    if peer not in strangers or name not in FOR_REGISTERED:
                        assert peer.get(Problem), name
            client.say(Ping(sent_s=1.0))
            assert client.get(Pong)


def test_a_term_that_cannot_have_come_about_moves_nobody(tmp_path: Path) -> None:
    """Neither the largest number nor the largest term: the dispatcher stays, and so does Redis."""
    with stack_of(tmp_path, ("A:1",), *GATED, settings=WITHOUT_KEYS) as stack, unchanged(stack):
        body = {"kind": "register", "server_class": "Z", "server_id": "1", "incarnation": "raw"}
        body |= {"epoch": 1, "slots": 1}
        with peers((stack.config.broker.servers, "Z:1/raw")) as (server,):
            for term in (2**64 - 1, 2**64 - 2, TERM_MAX + 1):
                server.send(msgpack.packb([body | {"term": term}]))
                assert "term" in server.get(Problem).text
            server.send(msgpack.packb([body | {"term": TERM_MAX}]))
            assert "cannot have come about" in server.get(RegistrationRefused).text
        with stack.redis.client() as people:
            (last,) = people.xrevrange("shotline:commits", count=1)
        assert int(last[0].partition(b"-")[0]) < 10


def test_results_from_the_wrong_server(tmp_path: Path) -> None:
    """Well-formed, but of attempts that this server never got: kept, and nothing settles by it."""
    with stack_of(tmp_path, ("A:1",), *GATED, settings=WITHOUT_KEYS) as stack:
        pulse = Pulse(stack)
        report = pulse.begin()
        pulse.wait_doing("A_FIRST")
        attempt = AttemptId("TEST", 1, "\\TEST::TOP:A_FIRST", 1)
        other = attempt._replace(path="\\TEST::TOP:NOWHERE")
        with peers((stack.config.broker.servers, "Z:1/raw")) as (server,):
            server.say(
                Register(server_class="Z", server_id="1", incarnation="raw", epoch=1, slots=1)
            )
            server.get(Registered)
            for claimed in (attempt, other, other._replace(shot=99), other._replace(tree="NO")):
                server.say(
                    Started(attempt=claimed, started_at=1.0),
                    Output(attempt=claimed, first=0, pieces=((1.0, 1, b"false"),)),
                    Finished(
                        attempt=claimed,
                        ended_by=EndedBy.RESULT,
                        status=Status.FAILURE,
                        ended_at=1.0,
                    ),
                )
            for _ in range(4):
                verdict = server.get(Answered)
                assert isinstance(verdict, Answered)
                assert verdict.verdict is Verdict.UNKNOWN
        assert pulse.action("A_FIRST").last.state == "DOING"
        pulse.open("a")
        assert ends_of(report.result().actions) == {"A_FIRST": SUCCESS, "A_NEXT": SUCCESS}
        assert pulse.starts() == each_once("A_FIRST", "A_NEXT")
        assert pulse.late_results() == []
        assert pulse.runs_ended() == [1]
        code, printed = shotline_command(stack, "logs", "A_FIRST", "TEST", "1")
        assert code == 0
        assert "A_FIRST is over" in printed
        assert "false" not in printed


def test_bad_commands_to_the_dispatcher(tmp_path: Path) -> None:
    with (
        stack_of(tmp_path, ("A:1",), *GATED, settings=WITHOUT_KEYS) as stack,
        unchanged(stack),
        peers((stack.config.broker.clients, "client/raw")) as (client,),
    ):
        client.say(Hello(name="raw"))
        welcome = client.get(Welcome)
        assert isinstance(welcome, Welcome)
        for name, command in BAD_COMMANDS.items():
            client.say(
                Request(
                    id=secrets.token_hex(8),
                    verb="do_phase",
                    deadline_s=welcome.clock_s + 1000.0,
                    command=command,
                )
            )
            reply = client.get(Reply, Problem)
            if isinstance(reply, Reply):
                assert reply.outcome is Outcome.USAGE, name
        request: dict[str, object] = {
            "kind": "request",
            "verb": "status",
            "user": "",
            "command": b"{}",
        }
        request["deadline_s"] = welcome.clock_s + 1000.0
        for bad in ({"id": "x"}, {"id": 12345678}, {"id": "12345678", "command": "text"}):
            client.send(msgpack.packb([{**request, **bad}]))
            client.get(Problem)


def test_a_dispatcher_that_nobody_has_accepted_is_not_obeyed(tmp_path: Path) -> None:
    with (
        stack_of(tmp_path, ("A:1",), *GATED, settings=WITHOUT_KEYS) as stack,
        unchanged(stack) as pulse,
    ):
        target = f"A:1/{pulse.action('A_FIRST').last.incarnation}".encode()
        attempt = AttemptId("TEST", 1, "\\TEST::TOP:A_FIRST", 1)
        orders: list[Message] = [
            AbortAttempt(term=10_000, attempt=attempt, reason="rogue"),
            CommandServer(term=10_000, order=ServerOrder.QUIT, reason="rogue"),
            Dispatch(term=10_000, epoch=1, number=2, attempt=attempt._replace(number=2), task=b""),
        ]
        with peers((stack.config.broker.clients, "dispatcher/rogue")) as (rogue,):
            for order in orders:
                rogue.send(target, encode([order]))
                rogue.get(Problem, SupersededNotice)
            rogue.send(b"", encode([Claim(term=0, name="rogue")]))
            rogue.get(ClaimRefused)
            for frames in BAD_FRAMES.values():
                for address in (b"", b"*", target, b"Z:9/none"):
                    rogue.send(address, *frames)
                    rogue.get(Problem, SupersededNotice)


def test_bad_messages_to_an_action_server(tmp_path: Path) -> None:
    broker = ServersBroker()
    server = ServerProcess(broker.address, tmp_path / "data")
    try:
        broker.expect(Register)
        attempt = AttemptId("TEST", 42, "\\TOP:A", 9)
        wrong_epoch = Dispatch(term=1, epoch=77, number=1, attempt=attempt, task=b"{}")
        no_task = {"kind": "no such kind"}
        for name, frames in BAD_FRAMES.items():
            count = len(broker.all(Problem)) + 1
            broker.send_frames(*frames)
            assert broker.expect(Problem, count=count), name
        for messages in ([Hello(name="you?")], [Ping(sent_s=1.0)]):
            count = len(broker.all(Problem)) + 1
            broker.send_frames(encode(messages))
            broker.expect(Problem, count=count)
        broker.send(wrong_epoch)
        bad = broker.expect(Finished, broker.dispatch(no_task))
        assert bad.status is Status.FAILURE
        good = broker.dispatch({"kind": "shell", "arguments": ["true"]})
        assert broker.expect(Finished, good).status is Status.SUCCESS
        assert broker.all(Finished, attempt) == []
    finally:
        server.end()
        broker.close()


BAD_LINES = (
    "create-pulse",
    "create-pulse TEST",
    "create-pulse TEST one",
    "create-pulse TEST 1 2",
    "create-pulse T/E/S/T 1",
    "build-tables TEST",
    "build-tables TEST 1 2",
    "do-phase",
    "do-phase TEST 1",
    "do-phase TEST x INIT",
    "do-phase TEST 1 INIT PULSE",
    "do-sequence INIT 1",
    "do-sequence TEST 1 INIT first last",
    "dispatch",
    "dispatch A B C D",
    "abort TEST x",
    "abort-pending TEST",
    "hold TEST",
    "resume TEST",
    "wait TEST",
    "wait TEST 1 --run x",
    "wait TEST 1 --run 0",
    "server-restart",
    "server-restart A B C",
    "server-abort",
    "server-stop",
    "server-quit A:1 2",
    "clear-url",
    "status now",
    "servers A",
    "actions TEST",
    "print-pending TEST 1 2 3",
    "show",
    "show A_FIRST TEST",
    "logs",
    "logs A_FIRST TEST 1 --since x",
    "display-logs",
    "audit --since tomorrow",
    "audit --shot 42",
    "audit --outcome fine",
    "audit -n 0",
    "check TEST",
    "snapshot",
    "shots A B C",
    "watch TEST x",
    "quit now",
    "check-config a b",
    "completion tcsh",
    "tree TEST zero",
    "current",
    "current TEST soon",
    "up now",
    "demo now",
    "version 2",
    "doctor now",
    "support-bundle a b",
    "keys",
    "keys new",
    "debug",
    "debug hang",
    "debug hang a b",
    "debug explode A:1",
    "alarms no-such-command",
    "alarms ack",
    "check-experiment /none/there",
    "compare TEST/1",
    "compare TEST/1 TEST/x",
    "export TEST",
    "failures --since tomorrow",
    "import /none/there",
    "note TEST text",
    "search",
    "trend TEST",
    "queue",
    "queue no-such-command",
    "fleet no-such-command",
    "fleet slots some A:1",
    "fleet hours --stop 25:00 A:1",
    "records no-such-command",
    "records lease",
    "server-log",
    "keys no-such-command",
    "users add",
    "users add a b c",
    "users no-such-command",
    "no-such-command",
    "--timeout 0 status",
    "--timeout soon status",
    "--broker",
)


def test_bad_lines_for_every_command(tmp_path: Path) -> None:
    named = {word for line in BAD_LINES for word in line.split()[:1]}
    assert named >= set(cli.shotline.commands) - {"show-log"}, "a command is not tried here"
    with stack_of(tmp_path, ("A:1",), *GATED) as stack, unchanged(stack):
        for line in BAD_LINES:
            code, said = shotline_command(stack, *line.split())
            assert code == 1, (line, said)
            assert said.strip(), line
            assert "Traceback" not in said
        for command in cli.shotline.commands:
            code, said = shotline_command(stack, command, "--no-such-option")
            assert code == 1, (command, said)
            assert "--no-such-option" in said


REFUSED_LINES = (
    "do-phase TEST 1 INIT",  # a run is open
    "do-phase TEST 1 NO_SUCH_PHASE",
    "do-phase TEST 1 init",
    "do-phase TEST 2 INIT",  # no table
    "do-phase NO_SUCH_TREE 1 INIT",
    "do-phase TEST -1 INIT",
    "do-phase TEST 99999999999999999999 INIT",
    "build-tables TEST 1",
    "build-tables NO_SUCH_TREE 1",
    "create-pulse TEST 1",
    "create-pulse TEST 0",
    "create-pulse NO_SUCH_TREE 1",
    "dispatch NO_SUCH_PATH TEST 1",
    "dispatch A_FIRST TEST 1",
    "abort TEST 2",
    "abort NO_SUCH_PATH TEST 1",
    "abort NO_SUCH_PATH",
    "resume TEST 1",
    "wait TEST 1 --run 9",
    "show NO_SUCH_PATH TEST 1",
    "logs NO_SUCH_PATH TEST 1",
    "server-stop A:9",
    "clear-url nowhere:8000",
)


def test_commands_that_make_no_sense_now_are_refused(tmp_path: Path) -> None:
    with stack_of(tmp_path, ("A:1",), *GATED) as stack, unchanged(stack):
        for line in REFUSED_LINES:
            code, said = shotline_command(stack, *line.split())
            assert code in (1, 2), (line, code, said)
            assert said.strip(), line
            assert "Traceback" not in said


BAD_YAML = {
    "tab": "broker:\n\tclients: tcp://127.0.0.1:1\n",
    "unclosed": "broker: {clients: [\n",
    "unknown key": "broker:\n  heartbeat: 1\n",
    "wrong type": "broker:\n  heartbeat_s: soon\n",
    "a list": "- broker\n",
    "twice": "broker: {}\nbroker: {}\n",
    "endless": "a: &a [*a, *a]\n",
    "no text": "\x00\x01",
}


@pytest.mark.parametrize("name", BAD_YAML)
def test_bad_configuration_starts_nothing(tmp_path: Path, name: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(BAD_YAML[name])
    for module, words in (
        ("broker", ()),
        ("dispatcher", ()),
        ("action_server", ("A", "1")),
        ("client.cli", ("up",)),
    ):
        ended = subprocess.run(
            [sys.executable, "-m", f"shotline.{module}", *words, "--config", str(file)],
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        assert ended.returncode == 1, ended.stderr
        assert str(file) in ended.stderr
        assert "Traceback" not in ended.stderr


def test_bad_experiment_file(tmp_path: Path) -> None:
    with stack_of(tmp_path, ("A:1",), *GATED) as stack, unchanged(stack):
        file = tmp_path / "experiment.yaml"
        good = file.read_text()
        bad = yaml.safe_load(good)
        bad["actions"][0]["task"] = {"fly": 1}
        bad["actions"][1]["phase"] = "NO_SUCH_PHASE"
        for text in (yaml.safe_dump(bad), "actions: [", "\t", "", "- 1", "\x00"):
            file.write_text(text)
            code, said = shotline_command(stack, "create-pulse", "TEST", "2")
            assert code in (2, 5), (text, said)
            assert "experiment.yaml" in said
            assert shotline_command(stack, "build-tables", "TEST", "2")[0] in (2, 5)
        file.unlink()
        assert shotline_command(stack, "create-pulse", "TEST", "2")[0] in (2, 5)
        file.write_text(good)
        assert shotline_command(stack, "create-pulse", "TEST", "2")[0] == 0


def test_every_bad_frame_is_bad() -> None:
    for frames in BAD_FRAMES.values():
        with pytest.raises(MalformedMessage):
            decode_all(frames)
