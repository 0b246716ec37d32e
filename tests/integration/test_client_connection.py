"""The supervisors on real sockets: contact, repeats, loss, timeouts, events; a scripted broker."""

import asyncio
import socket

import msgspec
import pytest
from tests.support.fake_broker import FakeBroker, fake_broker, reply

from shotline.client.errors import (
    ActionFailed,
    Closed,
    Fault,
    NoBroker,
    NoDispatcher,
    Refused,
    RunHeld,
    TimedOut,
    Unsuccessful,
    WrongArguments,
)
from shotline.client.observer import FeedStopped, News, Unknown, Whole
from shotline.client.patience import Patience
from shotline.client.supervisor import AsyncSupervisor, Supervisor
from shotline.common.base import to_json
from shotline.common.commands import AnyCommand, CreatePulse, DoPhase, Snapshot
from shotline.common.messages import Outcome, Reply, Request
from shotline.common.records import Counts, RunKind
from shotline.common.views import LogEvent, RunReport, RunView, SnapshotResult

DEADLINE_S = 20.0


def report_of(state: str = "ended", outcome: str | None = "completed") -> RunReport:
    run = msgspec.convert(
        {
            "tree": "TEST",
            "shot": 42,
            "run": 1,
            "kind": RunKind.PHASE,
            "phase": "INIT",
            "state": state,
            "outcome": outcome,
            "opened_at": 1.0,
            "counts": Counts(),
        },
        RunView,
    )
    return RunReport(run=run)


def always(outcome: Outcome = Outcome.OK, message: str = "done", **more: RunReport):
    def handler(request: Request, command: AnyCommand) -> list[Reply]:
        return [reply(request, outcome, message, more.get("result"))]

    return handler


def silent(request: Request, command: AnyCommand) -> list[Reply]:
    return []


def supervisor(broker: FakeBroker, **more: float) -> Supervisor:
    return Supervisor(broker.address, **more)


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{probe.getsockname()[1]}"


def test_a_command_reaches_the_dispatcher_and_its_answer_comes_back() -> None:
    with fake_broker(always(message="made the pulse TEST/42")) as broker:
        with supervisor(broker) as shotline:
            assert shotline.create_pulse("test", 42).message == "made the pulse TEST/42"
        request, command = broker.requests.get(timeout=DEADLINE_S)
        assert command == CreatePulse(tree="TEST", shot=42)
        assert request.verb == "create_pulse"
        assert "@" in request.user


def test_a_run_that_is_accepted_first_is_waited_for() -> None:
    def handler(request: Request, command: AnyCommand) -> list[Reply]:
        assert isinstance(command, DoPhase)
        assert command.wait
        return [
            reply(request, Outcome.ACCEPTED, "begun", report_of("open", None)),
            reply(request, Outcome.OK, "ended", report_of()),
        ]

    with fake_broker(handler) as broker, supervisor(broker) as shotline:
        report = shotline.do_phase("INIT")
        assert report.run.state == "ended"
        assert report.message == "ended"
        assert report.ok


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        (Outcome.USAGE, WrongArguments),
        (Outcome.REFUSED, Refused),
        (Outcome.NOBODY, NoDispatcher),
        (Outcome.ERROR, Fault),
        (Outcome.FAILED, Unsuccessful),
    ],
)
def test_each_outcome_has_its_error(outcome: Outcome, error: type[Exception]) -> None:
    with fake_broker(always(outcome, "because")) as broker, supervisor(broker) as shotline:
        with pytest.raises(error, match="because"):
            shotline.create_pulse("TEST", 42)
        assert shotline._connection.wire.session.unanswered == ()


def test_a_held_run_says_so() -> None:
    handler = always(Outcome.FAILED, "HELD", result=report_of("held", None))
    with (
        fake_broker(handler) as broker,
        supervisor(broker) as shotline,
        pytest.raises(RunHeld) as caught,
    ):
        shotline.do_phase("INIT")
    assert caught.value.report is not None
    assert caught.value.exit_code == 5


def test_failed_actions_are_in_the_report_or_raise_as_asked() -> None:
    handler = always(Outcome.FAILED, "1 action failed", result=report_of())
    with fake_broker(handler) as broker, supervisor(broker) as shotline:
        assert shotline.do_phase("INIT").message == "1 action failed"
        with pytest.raises(ActionFailed):
            shotline.do_phase("INIT", check=True)


def test_without_a_broker_it_says_so_in_time() -> None:
    patience = Patience(connect_s=0.2)
    with (
        Supervisor(free_address(), patience=patience) as shotline,
        pytest.raises(NoBroker, match="no broker answers at tcp"),
    ):
        shotline.status()


def test_a_dispatcher_that_never_answers_does_not_hang_the_caller() -> None:
    with (
        fake_broker(silent) as broker,
        supervisor(broker, timeout_s=0.2) as shotline,
        pytest.raises(TimedOut, match="create-pulse"),
    ):
        shotline.create_pulse("TEST", 42)


def test_after_a_restart_of_the_broker_the_same_request_is_repeated() -> None:
    ids: list[str] = []

    async def scenario() -> None:
        first = FakeBroker(silent)
        second: FakeBroker | None = None
        try:
            async with AsyncSupervisor(first.address) as shotline:
                asked = asyncio.create_task(shotline.do_phase("INIT"))
                request, _ = await asyncio.to_thread(first.requests.get, timeout=DEADLINE_S)
                ids.append(request.id)
                accepted = reply(request, Outcome.ACCEPTED, "", report_of("open", None))
                first.send_reply(accepted)
                first.close()

                def handler(request: Request, command: AnyCommand) -> list[Reply]:
                    ids.append(request.id)
                    return [reply(request, result=report_of())]

                second = FakeBroker(handler, address=first.address)
                report = await asyncio.wait_for(asked, DEADLINE_S)
                assert report.ok
        finally:
            first.close()
            if second is not None:
                second.close()

    asyncio.run(scenario())
    assert len(ids) == 2
    assert ids[0] == ids[1]


def test_after_a_restart_of_the_dispatcher_the_same_request_is_repeated() -> None:
    async def scenario() -> None:
        with fake_broker(silent) as broker:
            async with AsyncSupervisor(broker.address) as shotline:
                asked = asyncio.create_task(shotline.do_phase("INIT"))
                first, _ = await asyncio.to_thread(broker.requests.get, timeout=DEADLINE_S)
                broker.set_term(2)
                again, _ = await asyncio.to_thread(broker.requests.get, timeout=DEADLINE_S)
                assert again.id == first.id
                broker.send_reply(reply(again, result=report_of()))
                assert (await asyncio.wait_for(asked, DEADLINE_S)).ok

    asyncio.run(scenario())


def test_many_tasks_share_one_asynchronous_supervisor() -> None:
    async def scenario() -> None:
        with fake_broker(always()) as broker:
            async with AsyncSupervisor(broker.address) as shotline:
                answers = await asyncio.gather(
                    *(shotline.create_pulse("TEST", shot) for shot in range(1, 101))
                )
                assert [answer.message for answer in answers] == ["done"] * 100

    asyncio.run(asyncio.wait_for(scenario(), DEADLINE_S))


def test_closing_ends_who_waits() -> None:
    async def scenario() -> None:
        with fake_broker(silent) as broker:
            shotline = AsyncSupervisor(broker.address)
            asked = asyncio.create_task(shotline.do_phase("INIT"))
            await asyncio.to_thread(broker.requests.get, timeout=DEADLINE_S)
            shotline.close()
            with pytest.raises(Closed):
                await asyncio.wait_for(asked, DEADLINE_S)

    asyncio.run(scenario())


def line(text: str) -> bytes:
    return to_json(LogEvent(lines=((1.0, "info", "test", text),)))


def text_of(update: object) -> str:
    assert isinstance(update, News)
    assert isinstance(update.payload, LogEvent)
    return update.payload.lines[0][3]


class Feed:
    """A scripted feed of the channel `log`, whose snapshots are true."""

    def __init__(self) -> None:
        self.broker = FakeBroker(self.handle)
        self.snapshots = 0

    def handle(self, request: Request, command: AnyCommand) -> list[Reply]:
        assert isinstance(command, Snapshot)
        self.snapshots += 1
        seq = self.broker.last("log")
        snapshot = SnapshotResult(channel="log", term=1, seq=seq)
        return [reply(request, result=snapshot)]


def until_whole(stream, feed: Feed, seq: int) -> None:
    """Beat until a snapshot with everything up to `seq` has come."""
    for _ in range(200):
        update = stream.get(0.1)
        if isinstance(update, Whole) and update.snapshot.seq >= seq:
            return
        feed.broker.beat()
    pytest.fail("no snapshot has come")


def test_events_begin_with_the_whole_and_come_in_order_and_a_gap_brings_the_whole_again() -> None:
    feed = Feed()
    try:
        with supervisor(feed.broker) as shotline, shotline.events("log") as stream:
            until_whole(stream, feed, 0)
            # A subscription counts once the publisher has heard it; what came before is a gap.
            feed.broker.publish("log", line("first"))
            until_heard = feed.broker.last("log")
            while (update := stream.get(0.2)) is None:
                feed.broker.beat()
            if isinstance(update, News):
                assert text_of(update) == "first"
            else:
                assert isinstance(update, Whole)
                assert update.snapshot.seq == until_heard
            feed.broker.publish("log", line("second"))
            assert text_of(stream.get(DEADLINE_S)) == "second"
            feed.broker.publish("log", line("lost"), lost=True)
            feed.broker.publish("log", line("fourth"))
            update = stream.get(DEADLINE_S)
            assert isinstance(update, Whole)
            assert update.snapshot.seq == 4
    finally:
        feed.broker.close()


def test_a_lost_last_event_shows_in_the_next_beat() -> None:
    feed = Feed()
    try:
        with supervisor(feed.broker) as shotline, shotline.events("log") as stream:
            until_whole(stream, feed, 0)
            feed.broker.publish("log", line("lost"), lost=True)
            until_whole(stream, feed, 1)
    finally:
        feed.broker.close()


def test_a_feed_that_has_stopped_says_so_and_goes_on_with_the_whole() -> None:
    feed = Feed()
    try:
        with supervisor(feed.broker) as shotline, shotline.events("log") as stream:
            until_whole(stream, feed, 0)
            assert isinstance(stream.get(DEADLINE_S), FeedStopped)
            until_whole(stream, feed, 0)
    finally:
        feed.broker.close()


@pytest.mark.parametrize("events", ["", "INIT", "tcp://[", "tcp://127.0.0.1:x", "udp://\x00"])
def test_a_broker_that_names_no_feed_still_answers(events: str) -> None:
    with fake_broker(always()) as broker:
        broker.events = events
        with supervisor(broker) as shotline, shotline.events("log"):
            for _ in range(3):
                assert shotline.abort().message == "done"


def test_who_is_too_slow_begins_with_the_whole_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shotline.client.wire.UPDATES_MAX", 5)
    feed = Feed()
    try:
        with supervisor(feed.broker) as shotline, shotline.events("log") as stream:
            until_whole(stream, feed, 0)
            for number in range(20):
                feed.broker.publish("log", line(str(number)))
            until_whole(stream, feed, 20)
            feed.broker.publish("log", line("after"))
            assert text_of(stream.get(DEADLINE_S)) == "after"
    finally:
        feed.broker.close()


def test_events_of_something_unknown_are_refused() -> None:
    handler = always(Outcome.REFUSED, "there is no shot TEST/7")
    with (
        fake_broker(handler) as broker,
        supervisor(broker) as shotline,
        shotline.watch("TEST", 7) as stream,
        pytest.raises(Refused, match="no shot TEST/7"),
    ):
        stream.get(DEADLINE_S)


def test_a_broker_that_refuses_at_once_all_that_was_asked_stops_nobody() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        faults: list[dict[str, object]] = []
        loop.set_exception_handler(lambda _, context: faults.append(context))
        twice = asyncio.Event()
        asked: list[str] = []  # for the whole of one channel, unanswered

        def handler(request: Request, command: AnyCommand) -> list[Reply]:
            if not isinstance(command, Snapshot):
                return [reply(request)]
            asked.append(request.id)
            if len(set(asked)) > 1:
                loop.call_soon_threadsafe(twice.set)
            return []

        with fake_broker(handler) as broker:
            async with (
                AsyncSupervisor(broker.address) as shotline,
                await shotline.events(follows=("shot/",)) as stream,
            ):
                stream.follow("shot/TEST/1")
                await asyncio.wait_for(twice.wait(), DEADLINE_S)
                await asyncio.to_thread(broker.send_problems, asked[0], "say less", 2)
                update = await stream.get(DEADLINE_S)
                while isinstance(update, FeedStopped):
                    update = await stream.get(DEADLINE_S)
                assert update == Unknown("shot/TEST/1", "say less")
                assert (await shotline.create_pulse("TEST", 1)).message == "done"
        assert not faults

    asyncio.run(scenario())


def test_asynchronous_events() -> None:
    async def scenario() -> None:
        feed = Feed()
        try:
            async with (
                AsyncSupervisor(feed.broker.address) as shotline,
                await shotline.events("log") as stream,
            ):
                assert isinstance(await stream.get(DEADLINE_S), Whole)
                feed.broker.publish("log", line("one"))
                update = await stream.get(0.5)
                while update is None:
                    feed.broker.beat()
                    update = await stream.get(0.5)
                assert isinstance(update, News | Whole)
        finally:
            feed.broker.close()

    asyncio.run(scenario())
