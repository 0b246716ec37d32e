"""WebSockets on the real stack: replay, resuming, merging, slow readers, crowds, malformed frames.

What the channels decide by themselves, with the clock in the test's hand, is in
`tests/unit/monitor/channels/test_channels.py`.
"""

import asyncio
import json
import socket
import time
from collections.abc import Callable, Iterator

import pytest
import tornado.httpserver
import tornado.netutil
import tornado.web
from tests.support.monitor import Json, Page, Ws, on, with_monitor
from tests.support.stack import DEADLINE_S, Stack, eventually
from tornado.websocket import websocket_connect

from shotline.monitor.access.gate import Anyone
from shotline.monitor.channels import Channels
from shotline.monitor.channels.histories import Limits
from shotline.monitor.channels.websocket import FRAME_BYTES_MAX, Readers, Socket
from shotline.monitor.http.route import path_of

EXPERIMENT = """
experiment: TEST
phases: {{INIT: 1, PULSE: 2, WAIT: 3}}
actions:
  - {{path: ONE, server_class: A, phase: INIT, when: 10,
     task: {{shell: [sh, -c, "echo first; echo second >&2; echo third"]}}}}
  - {{path: BROKEN, server_class: A, phase: INIT, when: 20, task: {{shell: ["false"]}}}}
  - {{path: AFTER, server_class: A, phase: INIT, when: "BROKEN", task: {{sleep: 0}}}}
  - {{path: FIRE, server_class: A, phase: PULSE, when: 10, task: {{sleep: 0}}}}
  - {{path: SLOW, server_class: A, phase: WAIT, when: 10,
     task: {{shell: [sh, -c, "echo begun; until [ -e {gate} ]; do sleep 0.05; done; echo over"]}}}}
"""
ONE = "\\TEST::TOP:ONE"
BROKEN = "\\TEST::TOP:BROKEN"
AFTER = "\\TEST::TOP:AFTER"
SLOW = "\\TEST::TOP:SLOW"
GATE = "gate"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("monitor_ws")
    file = folder / "experiment.yaml"
    file.write_text(EXPERIMENT.format(gate=folder / GATE))
    monitor = {"viewers_max": 250, "viewer_queue_bytes_max": 200_000, "merge_beyond": 20}
    with with_monitor(folder, ("A:1",), {"TEST": file}, monitor) as running:
        yield running


async def shot_made(page: Page, shot: int) -> None:
    await page.done("create_pulse", tree="TEST", shot=shot)
    await page.done("build_tables", tree="TEST", shot=shot)
    # Of a run that begins before the monitor has heard of the shot, it has not the beginning.
    async with asyncio.timeout(DEADLINE_S):
        while not await followed(page, shot):
            pass


async def followed(page: Page, shot: int) -> bool:
    """Return whether the monitor has a shot with its table."""
    shown = json.loads((await page.get("/api/monitor")).body)["shots"]
    return any(one["shot"] == shot and one["actions"] for one in shown)


async def phase_done(page: Page, shot: int, phase: str) -> int:
    report = await page.done("do_phase", tree="TEST", shot=shot, phase=phase, wait=True)
    run = report["run"]
    assert isinstance(run, dict)
    number = run["run"]
    assert isinstance(number, int)
    return number


def of(messages: list[Json], *commands: str) -> list[Json]:
    return [message for message in messages if message["command"] in commands]


def any_message(_: Json) -> bool:
    return True


def has_ended(message: Json) -> bool:
    run = message.get("run")
    return isinstance(run, dict) and run.get("state") == "ended"


# The plain form


def test_a_run_is_told_from_its_beginning_in_order_and_then_closed(stack: Stack) -> None:
    async def work(page: Page) -> None:
        await shot_made(page, 1)
        run = await phase_done(page, 1, "INIT")
        live = await page.ws(f"TEST/1/INIT/{run}", path="/")
        messages = await live.rest()
        assert live.closed_with[0] == 1000
        assert [one["seq"] for one in messages] == list(range(1, len(messages) + 1))
        assert messages[0]["command"] == "STARTED"
        assert messages[-1]["command"] == "FINISHED"
        states = {one["task_id"]: one["task_state"] for one in of(messages, "TASK")}
        assert states == {ONE: "COMPLETED", BROKEN: "FAILED", AFTER: "SKIPPED"}
        of_one = [one["task_state"] for one in messages if one.get("task_id") == ONE]
        assert of_one[0] == "DISPATCHED"
        assert of_one[-1] == "COMPLETED"

    on(stack, work)


def test_who_comes_during_the_run_gets_the_same_as_who_comes_after_it(stack: Stack) -> None:
    async def work(page: Page) -> None:
        gate = stack.folder / GATE
        gate.unlink(missing_ok=True)
        await shot_made(page, 2)
        report = await page.done("do_phase", tree="TEST", shot=2, phase="WAIT")
        run = report["run"]
        assert isinstance(run, dict)
        channel = f"TEST/2/WAIT/{run['run']}"
        early = await page.ws(channel)
        first = await early.until(lambda one: one.get("task_state") == "DOING")
        gate.touch()
        seen = first + await early.rest()
        later = await page.ws(channel)
        assert await later.rest() == seen
        assert [one["command"] for one in seen][-1] == "FINISHED"

    on(stack, work)


def test_an_aborted_run_ends_its_channel_too(stack: Stack) -> None:
    async def work(page: Page) -> None:
        (stack.folder / GATE).unlink(missing_ok=True)
        await shot_made(page, 3)
        await page.done("do_phase", tree="TEST", shot=3, phase="WAIT")
        live = await page.ws("TEST/3/WAIT/1")
        await live.until(lambda one: one.get("task_state") == "DOING")
        await page.done("abort", tree="TEST", shot=3)
        assert (await live.rest())[-1]["command"] == "ABORTED"

    on(stack, work)


def test_the_output_of_an_attempt_comes_live_and_whole(stack: Stack) -> None:
    async def work(page: Page) -> None:
        gate = stack.folder / GATE
        gate.unlink(missing_ok=True)
        await shot_made(page, 4)
        await page.done("do_phase", tree="TEST", shot=4, phase="WAIT")
        run = await page.ws("TEST/4/WAIT/1")
        await run.until(lambda one: one.get("task_state") == "DOING")
        live = await page.ws(f"TEST/4/{SLOW}#1")
        first = await live.until(lambda one: one["command"] == "OUTPUT")
        gate.touch()
        messages = first + await live.rest()
        assert live.closed_with[0] == 1000
        texts = [line[2] for one in of(messages, "OUTPUT") for line in lines_of(one)]
        assert texts == ["begun", "over"]
        assert messages[0]["command"] == "STARTED"
        assert [one["command"] for one in messages][-2:] == ["TASK", "FINISHED"]
        late = await page.ws(f"TEST/4/{SLOW}#1")
        again = await late.rest()
        assert [line[2] for one in of(again, "OUTPUT") for line in lines_of(one)] == texts

    on(stack, work)


def test_each_attempt_has_a_channel_of_its_own(stack: Stack) -> None:
    async def work(page: Page) -> None:
        await shot_made(page, 5)
        await phase_done(page, 5, "INIT")
        await page.done("dispatch", tree="TEST", shot=5, path=ONE, wait=True)
        for number in (1, 2):
            live = await page.ws(f"TEST/5/{ONE}#{number}")
            messages = await live.rest()
            told = of(messages, "TASK")[0]["action"]
            assert isinstance(told, dict)
            assert told["attempt"] == number
            streams = [
                (line[1], line[2]) for one in of(messages, "OUTPUT") for line in lines_of(one)
            ]
            assert sorted(streams) == [(1, "first"), (1, "third"), (2, "second")]
            assert messages[-1]["command"] == "FINISHED"

    on(stack, work)


def lines_of(message: Json) -> list[list[object]]:
    lines = message["lines"]
    assert isinstance(lines, list)
    return lines


@pytest.mark.parametrize(
    "channel",
    ["nothing", "TEST/999", "TEST/1/INIT/999", "TEST/1/NOPE#1", f"TEST/1/{ONE}#99", "TEST/0", "/"],
)
def test_there_is_no_such_channel(stack: Stack, channel: str) -> None:
    async def work(page: Page) -> None:
        plain = await page.ws(channel)
        assert await plain.rest() == []
        assert plain.closed_with[0] == 4404
        form = await page.ws({"subscribe": channel})
        answer = await form.next()
        assert answer is not None
        assert (answer["channel"], answer["code"]) == (channel, 4404)

    on(stack, work)


# The subscribe form


def test_a_page_begins_with_the_state_and_follows(stack: Stack) -> None:
    async def work(page: Page) -> None:
        await shot_made(page, 10)
        await phase_done(page, 10, "INIT")
        live = await page.ws({"subscribe": "TEST/10", "state": True})
        answer = await live.next()
        assert answer is not None
        assert answer["subscribed"] is True
        (whole,) = (await live.until_message("TEST/10", any_message))[:1]
        assert whole["command"] == "WHOLE"
        actions = whole["actions"]
        assert isinstance(actions, list)
        by_path = {one["path"]: one for one in actions}
        assert by_path[BROKEN]["failed"] is True
        assert by_path[BROKEN]["colour"] == "red"
        assert by_path[ONE]["last"]["status"] == "Success"
        await phase_done(page, 10, "PULSE")
        messages = await live.until_message("TEST/10", has_ended)
        assert [one["seq"] for one in messages] == sorted(one["seq"] for one in messages)  # type: ignore[type-var]
        opened = of(messages, "RUN_OPENED")[0]
        assert opened["reset"] == [[3, 3]]
        assert of(messages, "TASK")[0]["task_id"] == "\\TEST::TOP:FIRE"

    on(stack, work)


def test_a_page_resumes_without_a_loss_and_without_repeats(stack: Stack) -> None:
    async def work(page: Page) -> None:
        await shot_made(page, 11)
        await phase_done(page, 11, "INIT")
        whole = await page.ws({"subscribe": "TEST/11"})
        answer = await whole.next()
        assert answer is not None
        told = await whole.until_message("TEST/11", has_ended)
        middle = told[len(told) // 2]["seq"]
        form: Json = {"subscribe": "TEST/11", "since": middle, "life": answer["life"]}
        resumed = await page.ws(form)
        rest = await resumed.until_message("TEST/11", has_ended)
        assert rest == [one for one in told if one["seq"] > middle]  # type: ignore[operator]
        stranger = await page.ws(form | {"life": "another"})
        first = await stranger.until_message("TEST/11", any_message)
        assert first[0]["command"] == "WHOLE"

    on(stack, work)


def test_servers_log_and_system_on_one_socket(stack: Stack) -> None:
    async def work(page: Page) -> None:
        live = await page.ws({"subscribe": ["servers", "system"], "state": True})
        servers = await live.until_message("servers", lambda one: one["command"] == "WHOLE")
        first = servers[-1]["servers"]
        assert isinstance(first, list)
        assert [(one["server"], one["state"]) for one in first] == [("A:1", "ON")]
        beat = await live.until_message("servers", lambda one: one["command"] == "SERVER")
        assert beat[-1]["task_id"] == "A:1"
        await live.send({"subscribe": "log"})
        answer = await page.post(
            "/api/log", {"level": "warning", "text": "is \x1b[31mit\x1b[0m on?"}
        )
        assert answer.status == 200
        log = await live.until_message("log", lambda one: one.get("source") == "test message")
        assert log[-1]["level"] == "warning"
        assert "\x1b" not in str(log[-1]["text"])
        await live.send({"unsubscribe": "log"})
        await live.until(lambda one: one.get("subscribed") is False)
        await shot_made(page, 12)
        other = await page.ws({"subscribe": "system", "state": True})
        whole = await other.until_message("system", lambda one: one["command"] == "WHOLE")
        system = whole[-1]["system"]
        assert isinstance(system, dict)
        assert system["feed"] == "live"
        await live.until_message("system", lambda one: one["command"] == "CURRENT")

    on(stack, work)


def test_a_shot_that_the_monitor_does_not_hold_is_asked_for(stack: Stack) -> None:
    async def work(page: Page) -> None:
        for shot in range(20, 33):  # more than monitor.shots_max
            await shot_made(page, shot)
        live = await page.ws({"subscribe": "TEST/20", "state": True})
        answer = await live.next()
        assert answer is not None
        assert answer["subscribed"] is True
        await live.until_message("TEST/20", lambda one: one["command"] == "WHOLE")

    on(stack, work)


# Bad input


@pytest.mark.parametrize(
    "frame",
    [
        "{",
        "{}",
        '{"subscribe": 7}',
        '{"subscribe": []}',
        '{"subscribe": "log", "since": -1}',
        '{"subscribe": "log", "since": "now"}',
        '{"subscribe": "log", "nonsense": 1}',
        '{"subscribe": "' + "x" * 5_000 + '"}',
        "x" * 5_000,
        "   ",
    ],
)
def test_a_malformed_first_frame_is_answered_by_closing(stack: Stack, frame: str) -> None:
    async def work(page: Page) -> None:
        live = await page.ws(frame)
        assert await live.rest() == []
        assert live.closed_with[0] == 4400

    on(stack, work)


def test_malformed_frames_of_a_page_are_answered_and_change_nothing(stack: Stack) -> None:
    async def work(page: Page) -> None:
        live = await page.ws({"subscribe": "servers"})
        await live.next()
        for frame in ("{", "log", '{"subscribe": {}}', '{"since": 1}'):
            await live.send(frame)
            answers = await live.until(lambda one: "error" in one)
            assert answers[-1]["code"] == 4400
        await live.connection.write_message(b"\x00\x01", binary=True)
        await live.until(lambda one: "error" in one)
        await live.until_message("servers", lambda one: one["command"] == "SERVER")

    on(stack, work)


def test_a_frame_that_is_too_large_ends_the_connection(stack: Stack) -> None:
    async def work(page: Page) -> None:
        socket = await page.ws({"subscribe": "log"})
        await socket.next()
        await socket.send("x" * (FRAME_BYTES_MAX + 1))
        await socket.rest()
        assert (await page.get("/healthz")).status == 200

    on(stack, work)


def test_a_ping_is_answered_at_once_also_before_what_takes_its_time(stack: Stack) -> None:
    async def work(page: Page) -> None:
        await shot_made(page, 900)
        ws = await page.ws({"ping": 1})
        first = await ws.next()
        assert first is not None
        assert first["pong"] == 1
        assert abs(float(str(first["time"])) - time.time()) < DEADLINE_S
        run = "TEST/900/INIT/999999"  # one that may still come
        await ws.send({"subscribe": run})
        await ws.send({"ping": 2})
        frames = await ws.until(lambda one: one.get("channel") == run)
        assert [one.get("pong") for one in frames[:-1]] == [2]
        for bad in ({"ping": -1}, {"ping": "x"}, {"ping": 1, "subscribe": "log"}):
            await ws.send(bad)
            answer = await ws.next()
            assert answer is not None
            assert answer["code"] == 4400

    on(stack, work)


def test_a_foreign_page_gets_no_websocket(stack: Stack) -> None:
    port = stack.config.monitor.port
    for header in ("Host: evil.example", f"Host: 127.0.0.1:{port}\r\nOrigin: http://evil.example"):
        with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S) as raw:
            raw.sendall(upgrade(header))
            assert b" 403 " in raw.recv(4096).split(b"\r\n")[0]


# Many, and slow ones


def test_two_hundred_clients_see_the_same(stack: Stack) -> None:
    async def work(page: Page) -> None:
        await shot_made(page, 40)
        form: Json = {"subscribe": "TEST/40", "state": True}
        sockets: list[Ws] = [await page.ws(form) for _ in range(200)]
        for one in sockets:  # who comes after the end gets it with the state, not as a message
            await one.until_message("TEST/40", lambda told: told["command"] == "WHOLE")
        await phase_done(page, 40, "INIT")
        told = await asyncio.gather(*(one.until_message("TEST/40", has_ended) for one in sockets))
        for messages in told:
            final = {one["task_id"]: one["task_state"] for one in of(messages, "TASK")}
            assert final == {ONE: "COMPLETED", BROKEN: "FAILED", AFTER: "SKIPPED"}

    on(stack, work)


def test_more_than_may_come_are_refused(stack: Stack) -> None:
    async def work(page: Page) -> None:
        sockets = [await page.ws() for _ in range(251)]
        assert await sockets[-1].rest() == []
        assert sockets[-1].closed_with[0] == 4429

    on(stack, work)


def upgrade(headers: str) -> bytes:
    """Return a request that asks for a WebSocket."""
    return (
        f"GET /ws HTTP/1.1\r\n{headers}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    ).encode()


def deaf(stack: Stack, frame: str) -> socket.socket:
    """Return a WebSocket that has asked for a channel and does not read."""
    port = stack.config.monitor.port
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.settimeout(DEADLINE_S)
    raw.connect(("127.0.0.1", port))
    raw.sendall(upgrade(f"Host: 127.0.0.1:{port}"))
    while b"\r\n\r\n" not in raw.recv(4096):
        pass
    text = frame.encode()
    assert len(text) < 126
    raw.sendall(bytes((0x81, 0x80 | len(text), 0, 0, 0, 0)) + text)
    return raw


async def metric(page: Page, name: str) -> float:
    text = (await page.get("/metrics")).body.decode()
    line = next(line for line in text.splitlines() if line.startswith(f"shotline_monitor_{name} "))
    return float(line.rpartition(" ")[2])


async def until_metric(page: Page, name: str, holds: Callable[[float], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not holds(await metric(page, name)):
            await page.post("/api/log", {"text": "filling " * 1_000})


def test_a_plain_client_that_does_not_read_is_closed(stack: Stack) -> None:
    async def work(page: Page) -> None:
        before = await metric(page, "slow_websockets_closed_total")
        with deaf(stack, "log"):
            await until_metric(page, "slow_websockets_closed_total", lambda now: now > before)

    on(stack, work)


def test_a_page_that_does_not_read_is_kept_and_what_waits_is_bounded(stack: Stack) -> None:
    async def work(page: Page) -> None:
        closed = await metric(page, "slow_websockets_closed_total")
        left_out = await metric(page, "left_out_messages_total")
        with deaf(stack, json.dumps({"subscribe": "log"})) as raw:
            other = await page.ws({"subscribe": "log"})
            body = {"text": "filling " * 1_000}
            await asyncio.gather(*(page.post("/api/log", body) for _ in range(800)))
            # It wakes up and reads: it is told that something was left out, and goes on.
            loop = asyncio.get_running_loop()
            read = await loop.run_in_executor(None, read_until, raw, b'"command":"CUT"')
            assert read
            assert await metric(page, "left_out_messages_total") > left_out
            await other.until_message("log", any_message)
        assert await metric(page, "slow_websockets_closed_total") == closed

    on(stack, work)


def read_until(raw: socket.socket, wanted: bytes) -> bool:
    seen = b""
    while chunk := raw.recv(65_536):
        seen = seen[-len(wanted) :] + chunk
        if wanted in seen:
            return True
    return False


# Restarts


def test_the_page_hears_of_restarts_and_misses_nothing(stack: Stack) -> None:
    async def work(page: Page) -> None:
        await shot_made(page, 50)
        live = await page.ws({"subscribe": ["TEST/50", "system"], "state": True})
        await live.until_message("TEST/50", lambda one: one["command"] == "WHOLE")
        for daemon in (stack.dispatcher, stack.broker):
            daemon.kill()
            await live.until_message("system", feed_is("stopped"))
            assert (await page.get("/readyz")).status == 503
            stack.restart(daemon)
            await live.until_message("system", feed_is("live"))
        stack.wait_until(lambda status: not status.recovering)
        await phase_done(page, 50, "INIT")
        messages = await live.until_message("TEST/50", has_ended)
        assert {one["task_id"] for one in of(messages, "TASK")} >= {ONE, BROKEN, AFTER}

    on(stack, work)


def feed_is(state: str) -> Callable[[Json], bool]:
    def holds(message: Json) -> bool:
        system = message.get("system")
        return isinstance(system, dict) and system.get("feed") == state

    return holds


def test_without_a_dispatcher_commands_are_answered_with_503(stack: Stack) -> None:
    async def work(page: Page) -> None:
        stack.dispatcher.kill()
        try:
            for verb in ("status", "abort", "servers"):
                answer = await page.post(path_of(verb))
                assert (answer.status, answer.json["outcome"]) == (503, "nobody"), answer
        finally:
            stack.restart(stack.dispatcher)
        stack.wait_until(lambda status: not status.recovering)

    on(stack, work)


def test_a_new_monitor_shows_what_the_old_one_did(stack: Stack) -> None:
    async def work(page: Page) -> None:
        await shot_made(page, 60)
        await phase_done(page, 60, "INIT")
        monitor = stack["monitor"]
        monitor.kill()
        stack.restart(monitor)
        live = await page.ws({"subscribe": "TEST/60", "state": True})
        (whole,) = (await live.until_message("TEST/60", any_message))[:1]
        actions = whole["actions"]
        assert isinstance(actions, list)
        assert {one["path"]: one["colour"] for one in actions}[BROKEN] == "red"
        plain = await page.ws("TEST/60")
        first = await plain.next()
        assert first is not None
        assert first["command"] == "CUT"

    on(stack, work)


def test_the_monitor_ends_in_order(stack: Stack) -> None:
    monitor = stack["monitor"]

    async def work(page: Page) -> None:
        live = await page.ws({"subscribe": "servers"})
        await live.next()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, monitor.stop, DEADLINE_S)
        await live.rest()
        assert live.closed_with[0] == 1001

    on(stack, work)
    assert monitor.exit_status == 0
    stack.restart(monitor)
    eventually(lambda: monitor.running)


def test_a_websocket_that_subscribes_to_nothing_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shotline.monitor.channels.websocket.SILENT_S", -1.0)

    async def known(_: str) -> str | None:
        return None

    async def work() -> None:
        channels = Channels(Limits(), "life", lambda _: None)
        channels.open("log", lasting=True)
        readers = Readers(
            channels, gather_s=0.0, viewers_max=10, address_viewers_max=10, require=known
        )
        routes = [("/ws", Socket, {"readers": readers, "gate": Anyone()})]
        server = tornado.httpserver.HTTPServer(tornado.web.Application(routes))
        (listening,) = tornado.netutil.bind_sockets(0, "127.0.0.1")
        server.add_sockets([listening])
        address = f"ws://127.0.0.1:{listening.getsockname()[1]}/ws"
        silent, talking = Ws(await websocket_connect(address)), Ws(await websocket_connect(address))
        await talking.send({"subscribe": "log"})
        await talking.next()
        readers.tick()
        assert await silent.next() is None
        assert silent.closed_with == (4400, "nothing was subscribed to")
        assert len(readers) == 1
        readers.close()
        await talking.rest()
        server.stop()
        await server.close_all_connections()

    asyncio.run(work())
