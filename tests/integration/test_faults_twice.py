"""Two of what there may be only one: dispatchers, servers of one name, commands of one id.

Also commands that come too late (DESIGN §5, D15).
"""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import zmq
from tests.support.faults import (
    LOST,
    SUCCESS,
    Pulse,
    action,
    each_once,
    ends_of,
    journal_is,
    liveness_of,
    running,
    second_dispatcher,
    stack_of,
)
from tests.support.stack import DEADLINE_S, Stack, eventually

from shotline.client.errors import RunHeld, TimedOut
from shotline.client.local.daemons import Daemon
from shotline.client.verbs import shot_verbs
from shotline.common.codec import decode_all, encode
from shotline.common.commands import AnyCommand, CreatePulse, DoPhase, SystemStatus, encode_command
from shotline.common.keys.folder import own_key
from shotline.common.messages import Hello, Message, Outcome, Reply, Request, Welcome
from shotline.common.transport import Dealer
from shotline.common.views import RunReport, decode_result

GATED = (action("A_FIRST", "A", 1, gate="a"), action("A_NEXT", "A", 2))


def second_server(stack: Stack, name: str) -> Daemon:
    """Return another server of this CLASS:ID, not yet started."""
    server_class, _, server_id = name.partition(":")
    return Daemon(
        f"second {name}",
        "shotline.action_server",
        (server_class, server_id, stack.config.broker.servers),
        stack.daemons.logs / "second-server.log",
        {"SHOTLINE_CONFIG": str(stack.config_file)},
    )


class RawClient:
    """A client that chooses the ids and deadlines of its requests itself."""

    def __init__(self, stack: Stack) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        key = own_key(stack.config.keys, "operator")
        self.dealer = Dealer(self._context, stack.config.broker.clients, curve=key)
        eventually(lambda: self.send(Hello(name="raw")))
        welcome = self.get(lambda message: isinstance(message, Welcome))
        assert isinstance(welcome, Welcome)
        self.offset_s = welcome.clock_s - time.monotonic()

    def send(self, message: Message) -> bool:
        return self.dealer.send([encode([message])])

    def request(self, command_id: str, command: AnyCommand, lifetime_s: float = 30.0) -> None:
        """Send a request whose lifetime counts from now, on the broker's clock."""
        request = Request(
            id=command_id,
            verb=command.verb,
            deadline_s=time.monotonic() + self.offset_s + lifetime_s,
            command=encode_command(command),
        )
        assert self.send(request)

    def get(self, wanted: Callable[[Message], bool]) -> Message:
        """Return the next message that is wanted; others are dropped."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            assert time.monotonic() < deadline, "no answer"
            self.dealer.socket.poll(200)
            for frames in self.dealer.receive_all():
                for message in decode_all(frames):
                    if wanted(message):
                        return message

    def final(self, command_id: str) -> Reply:
        """Return the final reply to a request."""
        found = self.get(
            lambda message: (
                isinstance(message, Reply)
                and message.id == command_id
                and message.outcome is not Outcome.ACCEPTED
            )
        )
        assert isinstance(found, Reply)
        return found

    def accepted(self, command_id: str) -> Reply:
        """Return the reply that says that the run has begun."""
        found = self.get(lambda message: isinstance(message, Reply) and message.id == command_id)
        assert isinstance(found, Reply)
        assert found.outcome is Outcome.ACCEPTED, found
        return found

    def close(self) -> None:
        self.dealer.close()
        self._context.term()


@contextmanager
def raw_client(stack: Stack) -> Iterator[RawClient]:
    client = RawClient(stack)
    try:
        yield client
    finally:
        client.close()


@pytest.mark.apart  # the hub is both, and stays the broker of who takes over
def test_second_dispatcher_takes_over_and_the_run_goes_on(tmp_path: Path) -> None:
    with stack_of(tmp_path, ("A:1",), *GATED) as stack:
        pulse = Pulse(stack)
        report = pulse.begin()
        pulse.wait_doing("A_FIRST")
        first_term = stack.wait_until(lambda status: not status.recovering).term
        with running(second_dispatcher(stack)):
            assert stack.dispatcher.wait(DEADLINE_S), "the superseded one must end"
            assert stack.dispatcher.exit_status == 0
            assert "has taken over" in stack.dispatcher.last_lines(20)
            status = stack.wait_until(lambda status: not status.recovering)
            assert status.term > first_term
            pulse.open("a")
            assert ends_of(report.result().actions) == {"A_FIRST": SUCCESS, "A_NEXT": SUCCESS}
            assert pulse.starts() == each_once("A_FIRST", "A_NEXT")
            assert pulse.runs_ended() == [1]


def test_second_dispatcher_with_the_same_spill_file_does_not_disturb(tmp_path: Path) -> None:
    with stack_of(tmp_path, ("A:1",), *GATED) as stack:
        pulse = Pulse(stack)
        report = pulse.begin()
        pulse.wait_doing("A_FIRST")
        first_term = stack.wait_until(lambda status: not status.recovering).term
        same = Daemon(
            "same dispatcher",
            "shotline.dispatcher",
            ("--config", str(stack.config_file)),
            stack.daemons.logs / "same-dispatcher.log",
        )
        with running(same):
            eventually(lambda: "another dispatcher uses the spill file" in same.last_lines(50))
            pulse.open("a")
            assert ends_of(report.result().actions) == {"A_FIRST": SUCCESS, "A_NEXT": SUCCESS}
            assert stack.wait_until(lambda status: not status.recovering).term == first_term
        assert stack.dispatcher.running
        assert pulse.starts() == each_once("A_FIRST", "A_NEXT")


@pytest.mark.apart  # the hub is both, and stays the broker of who takes over
def test_second_dispatcher_takes_over_from_one_that_stands_still(tmp_path: Path) -> None:
    """What the first sends when it goes on reaches nobody; it learns of its end and exits."""
    with stack_of(tmp_path, ("A:1",), *GATED) as stack:
        pulse = Pulse(stack)
        report = pulse.begin()
        pulse.wait_doing("A_FIRST")
        stack.dispatcher.signal(signal.SIGSTOP)
        with running(second_dispatcher(stack)) as second:
            second.wait_ready(time.monotonic() + DEADLINE_S)
            stack.wait_until(lambda status: not status.recovering)
            stack.dispatcher.signal(signal.SIGCONT)
            assert stack.dispatcher.wait(DEADLINE_S)
            assert stack.dispatcher.exit_status == 0
            pulse.open("a")
            assert ends_of(report.result().actions) == {"A_FIRST": SUCCESS, "A_NEXT": SUCCESS}
            assert pulse.starts() == each_once("A_FIRST", "A_NEXT")
            assert pulse.runs_ended() == [1]


@pytest.mark.apart  # the hub is both, and stays the broker of who takes over
def test_one_that_was_replaced_confirms_nothing_when_nobody_is_left_to_tell_it(
    tmp_path: Path,
) -> None:
    """It stood still meanwhile. Its successor, the broker, the server and Redis are then dead."""
    actions = (action("A_FIRST", "A", 1, gate="a"), action("A_NEXT", "A", 2, gate="b"))
    with stack_of(tmp_path, ("A:1",), *actions) as stack:
        with stack.redis.client() as client:
            client.config_set("appendfsync", "always")
        pulse = Pulse(stack)
        report = pulse.begin()
        pulse.wait_doing("A_FIRST")
        first, server = stack.dispatcher, stack["A:1"]
        first.signal(signal.SIGSTOP)
        with running(second_dispatcher(stack)) as second:
            second.wait_ready(time.monotonic() + DEADLINE_S)
            stack.wait_until(lambda status: not status.recovering)
            pulse.open("a")
            pulse.wait_doing("A_NEXT")  # the first knows nothing of that
            second.kill()
            for daemon in (stack.broker, server):
                daemon.kill()
            stack.redis.kill()
            first.signal(signal.SIGCONT)
            stack.restart(stack.broker)
            status = stack.wait_until(journal_is("stopped"))
            assert status.term == 1
            assert "stood still for" in status.journal_text
            assert "another may have taken over" in status.journal_text
            with stack.supervisor() as shotline, pytest.raises(TimedOut):
                shotline.ask(shot_verbs.create_pulse(*pulse.key[:1], 2), 2.0)
            assert not report.is_over
            assert stack.config.journal.spill_file.stat().st_size == 0
            stack.redis.start()
            assert first.wait(DEADLINE_S), "it was replaced"
            assert first.exit_status == 0
            stack.restart(second)
            stack.restart(server)
            with pytest.raises(RunHeld):  # what it has sent is lost with its server
                report.result()
            eventually(lambda: pulse.runs_ended() == [1])
            assert pulse.ends_by_name() == {"A_FIRST": SUCCESS, "A_NEXT": LOST}
            assert pulse.starts() == each_once("A_FIRST", "A_NEXT")
            with stack.supervisor() as shotline:
                assert [shot.shot for shot in shotline.ask(shot_verbs.shots(), 10.0).shots] == [1]


def test_second_server_of_a_live_name_is_refused_in_words(tmp_path: Path) -> None:
    with stack_of(tmp_path, ("A:1",), *GATED) as stack:
        pulse = Pulse(stack)
        report = pulse.begin()
        pulse.wait_doing("A_FIRST")
        first = stack["A:1"].pid
        with running(second_server(stack, "A:1")) as second:
            assert second.wait(DEADLINE_S)
            assert second.exit_status not in (0, None)
            assert f"A:1 is in use by process {first}" in second.last_lines(30)
        pulse.open("a")
        assert ends_of(report.result().actions) == {"A_FIRST": SUCCESS, "A_NEXT": SUCCESS}
        assert stack["A:1"].pid == first
        assert pulse.starts() == each_once("A_FIRST", "A_NEXT")
        assert pulse.late_results() == []


def test_server_with_the_name_of_a_silent_one_replaces_it(tmp_path: Path) -> None:
    with stack_of(tmp_path, ("A:1",), *GATED) as stack:
        pulse = Pulse(stack)
        report = pulse.begin()
        pulse.wait_doing("A_FIRST")
        stack["A:1"].signal(signal.SIGSTOP)
        with running(second_server(stack, "A:1")) as second:
            second.wait_ready(time.monotonic() + DEADLINE_S)
            result = report.result()
            assert ends_of(result.actions) == {"A_FIRST": LOST, "A_NEXT": SUCCESS}
            # The silent one only stands still: nothing proves that its action is dead.
            assert result.action("A_FIRST").last.outcome_unknown
            assert pulse.starts() == each_once("A_FIRST", "A_NEXT")
            # When it goes on it is refused, and ends what it runs with itself.
            stack["A:1"].signal(signal.SIGCONT)
            assert stack["A:1"].wait(DEADLINE_S)
            assert stack["A:1"].exit_status not in (0, None)
            assert second.running
            status = stack.wait_until(lambda status: liveness_of(status, "A:1") == "alive")
            assert [server.pid for server in status.servers] == [second.pid]
            assert pulse.ends()["A_FIRST"] == 0
            assert pulse.runs_ended() == [1]


def test_repeated_command_gets_the_same_answer_and_runs_nothing_twice(tmp_path: Path) -> None:
    with stack_of(tmp_path, ("A:1",), *GATED) as stack:
        pulse = Pulse(stack)
        command = DoPhase(tree="TEST", shot=1, phase="INIT", wait=True)
        with raw_client(stack) as client, raw_client(stack) as other:
            client.request("repeated-1", command)
            begun = client.accepted("repeated-1")
            client.request("repeated-1", command)
            assert client.accepted("repeated-1").message == begun.message
            other.request("repeated-1", command)  # re-attached over another connection
            assert other.accepted("repeated-1").message == begun.message
            pulse.open("a")
            final = other.final("repeated-1")
            assert final.outcome is Outcome.OK
            other.request("repeated-1", command)
            assert other.final("repeated-1") == final
            stack.dispatcher.kill()
            stack.restart(stack.dispatcher)
            stack.wait_until(lambda status: not status.recovering)
            client.request("repeated-1", command)
            again = client.final("repeated-1")
            assert (again.outcome, again.message) == (final.outcome, final.message)
            report = decode_result(again.result)
            assert isinstance(report, RunReport)
            assert ends_of(report.actions) == {"A_FIRST": SUCCESS, "A_NEXT": SUCCESS}
        assert pulse.starts() == each_once("A_FIRST", "A_NEXT")
        assert pulse.runs_ended() == [1]


def test_repeated_refusal_is_the_same(tmp_path: Path) -> None:
    with stack_of(tmp_path, ("A:1",), *GATED) as stack:
        pulse = Pulse(stack)
        command = CreatePulse(tree="TEST", shot=1)
        with raw_client(stack) as client:
            client.request("refused-1", command)
            refused = client.final("refused-1")
            assert refused.outcome is Outcome.REFUSED
            assert "exists already" in refused.message
            client.request("refused-1", command)
            assert client.final("refused-1") == refused
        assert pulse.starts() == each_once()


def test_expired_command_is_refused(tmp_path: Path) -> None:
    with stack_of(tmp_path, ("A:1",), *GATED) as stack:
        pulse = Pulse(stack)
        with raw_client(stack) as client:
            client.request("expired-1", DoPhase(tree="TEST", shot=1, phase="INIT"), -1.0)
            refused = client.final("expired-1")
            assert refused.outcome is Outcome.REFUSED
            assert "expired" in refused.message
            client.request("status-1", SystemStatus())
            assert client.final("status-1").outcome is Outcome.OK
        assert pulse.starts() == each_once()
        assert pulse.runs_ended() == []


def test_command_that_expires_while_the_dispatcher_stands_still(tmp_path: Path) -> None:
    with stack_of(tmp_path, ("A:1",), *GATED) as stack:
        pulse = Pulse(stack)
        with raw_client(stack) as client:
            stack.dispatcher.signal(signal.SIGSTOP)
            lifetime_s = 0.2
            client.request("expires-1", DoPhase(tree="TEST", shot=1, phase="INIT"), lifetime_s)
            end = time.monotonic() + lifetime_s
            eventually(lambda: time.monotonic() > end)
            stack.dispatcher.signal(signal.SIGCONT)
            refused = client.final("expires-1")
            assert refused.outcome in (Outcome.REFUSED, Outcome.NOBODY), refused
        stack.wait_until(lambda status: not status.recovering)
        assert pulse.starts() == each_once()
        assert pulse.runs_ended() == []
