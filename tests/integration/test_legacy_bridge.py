"""The bridge between a real Redis with old programs on it, and the real stack of daemons."""

import json
import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from tests.support.old_programs import OldPrograms
from tests.support.stack import Stack, eventually

from shotline.client.local.redis_server import RedisServer

EXPERIMENT = """
experiment: TEST
phases: {INIT: 1, Pulse: 2, STORE: 3}
actions:
  - {path: PREPARE, server_class: A, phase: INIT, when: 10,
     task: {shell: [sh, -c, "echo a+b; echo ready"]}}
  - {path: BROKEN, server_class: A, phase: INIT, when: 20, task: {shell: [sh, -c, "exit 3"]}}
  - {path: AFTER, server_class: A, phase: INIT, when: BROKEN, task: {sleep: 0}}
  - {path: SPARE, server_class: A, phase: INIT, when: 30, on: false, task: {sleep: 0}}
  - {path: NOBODY, server_class: C, phase: INIT, when: 10, task: {sleep: 0}}
  - {path: FIRE, server_class: B, phase: Pulse, when: 10, task: {shell: [sh, -c, GATE]}}
  - {path: COOL, server_class: B, phase: Pulse, when: 20, task: {sleep: 0}}
  - {path: KEEP, server_class: A, phase: STORE, when: 10, task: {sleep: 0}}
"""
P = "\\TEST::TOP:"
numbers = count(1)


class World:
    """The stack with its bridge, and the Redis server of the old programs.

    `shared`: it is the one in which the dispatcher keeps its journal.
    """

    def __init__(
        self,
        folder: Path,
        legacy: dict[str, object] | None = None,
        *,
        shared: bool = False,
        keep_shots: int = 100,
    ) -> None:
        self.gate = folder / "gate"
        file = folder / "experiment.yaml"
        gate = f'"while [ ! -e {self.gate} ]; do sleep 0.05; done"'
        file.write_text(EXPERIMENT.replace("GATE", gate))
        other = folder / "other.yaml"
        other.write_text(file.read_text().replace("experiment: TEST", "experiment: OTHER"))
        self.old = RedisServer(folder / "old")
        self.old.start()
        password = {"password_file": str(self.old.password_file)}
        self.stack = Stack(
            folder,
            ("A:1", "B:1*2"),
            {"TEST": file, "OTHER": other},
            {
                "redis": {"url": self.old.url, **password} if shared else {},
                "journal": {"keep_shots": keep_shots},
                "up": {"daemons": ["broker", "dispatcher", "legacy"]},
                "legacy": {"redis_url": self.old.url, **password, **(legacy or {})},
                "dispatcher": {"server_grace_s": 0.5},
            },
        )

    @property
    def bridge_log(self) -> str:
        return self.stack["legacy"].log_file.read_text()

    def __enter__(self) -> "World":
        try:
            self.stack.__enter__()
        except BaseException:
            self.old.stop()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        try:
            if error[0] is not None:
                self.stack.show_logs()
            self.gate.touch()
            self.stack.stop()
        finally:
            self.old.stop()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("bridge")) as running:
        yield running


@pytest.fixture
def old(world: World) -> Iterator[OldPrograms]:
    world.gate.unlink(missing_ok=True)
    with OldPrograms(world.old) as programs:
        yield programs
        world.gate.touch()


@pytest.fixture
def shot() -> int:
    """A number that no other test uses."""
    return next(numbers)


def test_the_old_command_program_runs_a_phase(old: OldPrograms, shot: int) -> None:
    old.command(f"CREATE_PULSE:TEST:{shot}")
    old.command(f"build_tables:test:{shot}")
    assert old.run(f"do_phase:TEST:{shot}:INIT") == f"END_PHASE+TEST+{shot}+INIT"

    assert old.poll(f"ACTION_INFO:TEST:{shot}:A") == {
        f"{P}PREPARE": "DONE",
        f"{P}BROKEN": "DONE",
        f"{P}AFTER": "NOT_DISPATCHED",
        f"{P}SPARE": "OFF",
        f"{P}KEEP": "NOT_DISPATCHED",
    }
    assert old.poll(f"ACTION_INFO:TEST:{shot}:C") == {f"{P}NOBODY": "SERVER_OFF"}
    assert old.poll(f"ACTION_STATUS:TEST:{shot}") == {
        f"{P}PREPARE": "Success",
        f"{P}BROKEN": "Failure",
        f"{P}AFTER": "NotExecuted",
        f"{P}SPARE": "none",
        f"{P}NOBODY": "NotExecuted",
        f"{P}FIRE": "none",
        f"{P}COOL": "none",
        f"{P}KEEP": "none",
    }
    servers = old.poll(f"ACTION_SERVER_INFO:TEST:{shot}")
    assert (servers[f"{P}PREPARE"], servers[f"{P}FIRE"], len(servers)) == ("A", "B", 8)
    phases = old.poll(f"ACTION_PHASE_INFO:TEST:{shot}")
    assert (phases[f"{P}PREPARE"], phases[f"{P}FIRE"]) == ("INIT", "PULSE")
    assert f"{P}SPARE" not in phases  # on-nodes only
    assert old.poll("CURRENT_PHASE")["TEST"] == "INIT"
    assert old.poll("DISPATCH_INFO") == {
        "CURR_TREE": "TEST",
        "CURR_SHOT": str(shot),
        "CURR_PHASE": "INIT",
    }
    assert old.poll("DISPATCH_DEFAULT") == {"TREE": "TEST", "SHOT": str(shot)}
    assert json.loads(str(old.redis.get("LAST_BUILD_TABLE"))) == {"tree": "TEST", "shot": str(shot)}
    told = old.poll(f"ACTION_LOG:TEST:{shot}")[f"{P}PREPARE"]
    date = r"[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d \S+ \d{4}"
    path = re.escape(f"{P}PREPARE")
    assert re.fullmatch(f"{date}  Doing {path}\na\\+b\nready\n{date} Done {path}", told)

    def number(message: str) -> int:
        return old.heard.index(message)

    prepare = f"TEST+{shot}+A+1+{P}PREPARE+0"
    broken = f"TEST+{shot}+A+1+{P}BROKEN+1"
    assert (
        number(f"DOING+{prepare}")
        < number(f"DONE+{prepare}+Success")
        < number(f"DOING+{broken}")
        < number(f"DONE+{broken}+Failure")
        < number(f"END_PHASE+TEST+{shot}+INIT")
    )
    assert len(old.heard) == len(set(old.heard)) == 5
    assert f"TEST+{shot}+A+{P}PREPARE+Success+{told}" in old.outputs


def test_the_old_page_hears_of_every_server_and_sees_those_that_never_came(
    old: OldPrograms, shot: int
) -> None:
    old.prepare(shot)
    assert old.poll_until("ACTION_SERVER_ACTIVE:C", bool) == {"1": "OFF"}
    assert old.poll("ACTION_SERVER_IP:A") == {"1": "127.0.0.1"}
    assert old.poll("DISPATCH_INFO")["CURR_SHOT"] == str(shot)
    assert set(old.next_calls(2)) == {
        ("ACTION_SERVER_PUBSUB:A", "HEARTBEAT+1"),
        ("ACTION_SERVER_PUBSUB:B", "HEARTBEAT+1"),
    }


def test_what_runs_has_no_status_yet(world: World, old: OldPrograms, shot: int) -> None:
    old.prepare(shot)
    old.command(f"do_phase:TEST:{shot}:Pulse")
    old.wait_for("DOING")
    assert old.poll_until(f"ACTION_STATUS:TEST:{shot}", bool)[f"{P}FIRE"] == "None"
    world.gate.touch()
    old.wait_for("END_PHASE")


def test_a_range_of_sequence_numbers(old: OldPrograms, shot: int) -> None:
    old.prepare(shot)
    assert old.run(f"do_sequence:TEST:{shot}:INIT:1:10") == f"END_PHASE+TEST+{shot}+INIT"
    status = old.poll(f"ACTION_STATUS:TEST:{shot}")
    assert (status[f"{P}PREPARE"], status[f"{P}BROKEN"]) == ("Success", "none")


@pytest.mark.parametrize(
    ("command", "end"),
    [
        ("do_phase:TEST:999:INIT", "END_PHASE+TEST+999+INIT"),  # no tables
        ("do_phase:NOSUCH:1:INIT", "END_PHASE+NOSUCH+1+INIT"),
        ("do_phase:TEST:-1:INIT", "END_PHASE+TEST+-1+INIT"),
        ("do_phase:TEST:abc:INIT", "END_PHASE+TEST+abc+INIT"),
        ("do_phase:TEST", "END_PHASE+TEST++"),
        ("do_sequence:TEST:999:INIT:1:2", "END_PHASE+TEST+999+INIT"),
    ],
)
def test_a_refused_phase_is_answered(old: OldPrograms, command: str, end: str) -> None:
    assert old.run(command) == end


def test_an_unknown_phase_and_a_second_run_are_answered(old: OldPrograms, shot: int) -> None:
    old.prepare(shot)
    assert old.run(f"do_phase:TEST:{shot}:init") == f"END_PHASE+TEST+{shot}+init"
    old.command(f"do_phase:TEST:{shot}:Pulse")
    old.wait_for("DOING")
    assert old.run(f"do_phase:TEST:{shot}:INIT") == f"END_PHASE+TEST+{shot}+INIT"
    assert old.run("abort") == f"END_PHASE+TEST+{shot}+Pulse"


def test_the_pages_dispatch_button_runs_an_action_again(old: OldPrograms, shot: int) -> None:
    old.prepare(shot)
    old.run(f"do_phase:TEST:{shot}:INIT")
    old.heard.clear()
    old.dispatch(shot, "A", f"{P}PREPARE")
    done = old.wait_for("DONE")
    assert done == f"DONE+TEST+{shot}+A+1+{P}PREPARE+0+Success"
    assert old.redis.llen("ACTION_SERVER_TODO:A") == 0
    old.dispatch(shot, "A", f"{P}SPARE")  # off: refused
    old.dispatch(shot, "A", f"{P}KEEP")
    assert old.wait_for("DONE") == f"DONE+TEST+{shot}+A+1+{P}KEEP+7+Success"
    assert not any(text.startswith("END_PHASE") for text in old.heard)


def test_the_pages_abort_button_ends_an_action(old: OldPrograms, shot: int) -> None:
    old.prepare(shot)
    old.command(f"do_phase:TEST:{shot}:Pulse")
    assert old.wait_for("DOING") == f"DOING+TEST+{shot}+B+1+{P}FIRE+5"
    assert old.poll(f"ACTION_INFO:TEST:{shot}:B")[f"{P}FIRE"] == "DOING"
    old.poll_until("ACTION_SERVER_DOING:B", lambda doing: doing["1"] == "1")
    old.to_servers("B", f"ABORT+{P}FIRE")
    assert old.wait_for("DONE") == f"DONE+TEST+{shot}+B+1+{P}FIRE+5+Aborted"
    assert old.wait_for("END_PHASE") == f"END_PHASE+TEST+{shot}+Pulse"
    assert old.poll(f"ACTION_STATUS:TEST:{shot}") | {
        f"{P}FIRE": "Aborted",
        f"{P}COOL": "Success",
    } == old.poll(f"ACTION_STATUS:TEST:{shot}")
    old.poll_until("ACTION_SERVER_DOING:B", lambda doing: doing["1"] == "0")
    assert old.poll("ABORT_REQUESTS:B")[f"{P}FIRE"] == "0"


def test_abort_pending_lets_go_on_what_runs(world: World, old: OldPrograms, shot: int) -> None:
    old.prepare(shot)
    old.command(f"do_phase:TEST:{shot}:Pulse")
    old.wait_for("DOING")
    old.command("abort_pending")
    old.poll_until(f"ACTION_STATUS:TEST:{shot}", lambda now: now[f"{P}COOL"] == "Aborted")
    world.gate.touch()
    old.wait_for("END_PHASE")
    assert old.poll(f"ACTION_STATUS:TEST:{shot}")[f"{P}FIRE"] == "Success"


def test_an_abort_stops_what_was_asked_for_before_it(old: OldPrograms, shot: int) -> None:
    old.command(f"create_pulse:TEST:{shot}")
    old.command(f"build_tables:TEST:{shot}")
    old.command(f"do_phase:TEST:{shot}:Pulse")
    assert old.run("ABORT") == f"END_PHASE+TEST+{shot}+Pulse"
    info = old.poll_until(f"ACTION_INFO:TEST:{shot}:B", bool)
    assert info[f"{P}FIRE"] in ("NOT_DISPATCHED", "DONE")
    old.command(f"do_phase:TEST:{shot}:STORE")  # and later ones are carried out
    assert old.wait_for(f"END_PHASE+TEST+{shot}+STORE")
    assert old.poll(f"ACTION_STATUS:TEST:{shot}")[f"{P}KEEP"] == "Success"


def test_a_pulse_that_exists_is_kept(world: World, old: OldPrograms, shot: int) -> None:
    old.prepare(shot)
    old.run(f"do_phase:TEST:{shot}:INIT")
    before = old.poll(f"ACTION_STATUS:TEST:{shot}")
    old.command(f"create_pulse:TEST:{shot}")
    old.run(f"do_phase:TEST:{shot}:STORE")  # after it in the same queue
    assert old.poll(f"ACTION_STATUS:TEST:{shot}") == before | {f"{P}KEEP": "Success"}
    assert "--replace" in world.bridge_log


def test_build_tables_again_begins_anew(old: OldPrograms, shot: int) -> None:
    old.prepare(shot)
    old.run(f"do_phase:TEST:{shot}:INIT")
    old.command(f"build_tables:TEST:{shot}")
    status = old.poll_until(f"ACTION_STATUS:TEST:{shot}", lambda now: set(now.values()) == {"none"})
    assert len(status) == 8


def test_what_others_run_is_mirrored_too(world: World, old: OldPrograms, shot: int) -> None:
    with world.stack.supervisor() as shotline:
        shotline.create_pulse("TEST", shot)
        shotline.build_tables("TEST", shot)
        shotline.do_phase("STORE")
    assert old.wait_for("END_PHASE") == f"END_PHASE+TEST+{shot}+STORE"
    assert old.poll("DISPATCH_DEFAULT")["SHOT"] == str(shot)
    assert old.poll(f"ACTION_STATUS:TEST:{shot}")[f"{P}KEEP"] == "Success"


def test_bad_messages_change_nothing(world: World, old: OldPrograms, shot: int) -> None:
    old.prepare(shot)
    with world.stack.supervisor() as shotline:
        before = shotline.shots()
        bad: list[tuple[str, str | bytes]] = [
            ("ACTION_DISPATCHER_COMMANDS", text)
            for text in (
                "create_pulse:TEST:abc",
                "create_pulse:TEST",
                "create_pulse:TE ST:1",
                f"create_pulse:TEST:{10**30}",
                f"build_tables:TEST:{shot}:more",
                "",
                ":",
                "reboot",
                b"\xff\xfe",
                "x" * 100_000,
            )
        ] + [
            ("ACTION_SERVER_PUBSUB:A", text)
            for text in (
                "",
                "ABORT",
                "ABORT+",
                f"ABORT+{P}KEEP+1",
                "RESTART",
                "STOP+",
                "DO+1",
                "X+1",
            )
        ]
        bad.append(("ACTION_SERVER_PUBSUB:", "DO"))
        for channel, text in bad:
            assert old.redis.publish(channel, text) == 1
        for item in ("", "TEST", f"TEST+x+{P}KEEP+0+0+0", f"TEST+{shot}+A+B+0+0+0+0+0", b"\xff+1"):
            old.redis.rpush("ACTION_SERVER_TODO:A", item)
        old.to_servers("A", "DO")
        eventually(lambda: not old.redis.exists("ACTION_SERVER_TODO:A"))
        old.run(f"do_phase:TEST:{shot}:NOSUCH")  # all before it was seen to
        assert shotline.shots() == before
    assert world.stack["legacy"].running
    eventually(lambda: "bad message" in world.bridge_log)
    counted = [line for line in world.bridge_log.splitlines() if "bad message" in line]
    assert len(counted) >= len(bad) + 5


def test_hundreds_of_orders_at_once_are_carried_out(
    world: World, old: OldPrograms, shot: int
) -> None:
    old.prepare(shot)
    with old.redis.pipeline(transaction=False) as burst:
        burst.rpush("ACTION_SERVER_TODO:A", f"TEST+{shot}+{P}KEEP+0+0+0")
        for _ in range(500):
            burst.publish("ACTION_SERVER_PUBSUB:A", "DO")
        assert burst.execute()[1:] == [1] * 500
    assert old.wait_for("DONE") == f"DONE+TEST+{shot}+A+1+{P}KEEP+7+Success"
    assert old.run(f"do_phase:TEST:{shot}:NOSUCH").startswith("END_PHASE")  # it has seen to all
    assert "is away" not in world.bridge_log


def test_servers_are_shown_and_commanded(world: World, old: OldPrograms) -> None:
    assert old.poll_until("ACTION_SERVER_ACTIVE:A", lambda now: now.get("1") == "ON")
    assert old.poll("ACTION_SERVER_IP:A")["1"]
    beats = int(old.poll("ACTION_SERVER_HEARTBEAT:A").get("1", 0))
    old.to_servers("A", "HEARTBEAT+1")
    old.poll_until("ACTION_SERVER_HEARTBEAT:A", lambda now: int(now["1"]) > beats)
    server = world.stack["A:1"]
    pid = server.pid
    old.to_servers("A", "RESTART+1")
    world.stack.wait_until(
        lambda status: any(
            one.server == "A:1" and one.liveness == "alive" for one in status.servers
        )
    )
    assert server.pid in (pid, None)
    old.poll_until("ACTION_SERVER_ACTIVE:A", lambda now: now.get("1") == "ON")


def test_one_experiment_only_and_on_shotlines_own_redis(tmp_path: Path) -> None:
    with (
        World(tmp_path, {"trees": ["TEST"]}, shared=True) as world,
        OldPrograms(world.old) as old,
        world.stack.supervisor() as shotline,
    ):
        old.prepare(1)
        shotline.create_pulse("OTHER", 1)
        shotline.build_tables("OTHER", 1)
        shotline.do_phase("Pulse", "OTHER", 1, wait=False)
        old.command("do_phase:TEST:1:Pulse")
        assert old.wait_for("DOING").startswith("DOING+TEST")
        old.command("do_phase:OTHER:2:INIT")  # nobody's business here
        old.redis.rpush("ACTION_SERVER_TODO:A", "OTHER+1+\\OTHER::TOP:KEEP+0+0+0")
        old.to_servers("A", "DO")
        old.dispatch(1, "A", f"{P}KEEP")
        assert old.wait_for("DONE").startswith(f"DONE+TEST+1+A+1+{P}KEEP")
        assert old.redis.llen("ACTION_SERVER_TODO:A") == 1
        assert old.run("ABORT") == "END_PHASE+TEST+1+Pulse"
        (other,) = shotline.actions("OTHER", 1).shots
        assert other.runs[-1].state == "open"
        world.gate.touch()
        assert shotline.wait("OTHER", 1).run.outcome == "completed"
        assert old.run("do_phase:TEST:1:STORE") == "END_PHASE+TEST+1+STORE"
        assert not any("OTHER" in text for text in old.heard)
        assert not [name for name in old.redis.scan_iter("ACTION_*") if "OTHER" in name]
        assert shotline.status().journal == "ok"


def test_old_programs_command_what_they_may_and_nothing_else(tmp_path: Path) -> None:
    allowed = {"commands": ["create_pulse", "build_tables", "do_phase"]}
    with (
        World(tmp_path, allowed) as world,
        OldPrograms(world.old) as old,
        world.stack.supervisor() as shotline,
    ):
        old.prepare(1)
        assert old.run("do_phase:TEST:1:STORE") == "END_PHASE+TEST+1+STORE"
        old.command("do_phase:TEST:1:Pulse")
        old.wait_for("DOING")
        old.command("ABORT")
        old.command("abort_pending")
        old.command("QUIT")
        old.to_servers("A", f"ABORT+{P}KEEP")
        old.to_servers("A", "RESTART+1")
        old.dispatch(1, "A", f"{P}KEEP")
        refused = old.run("do_sequence:TEST:1:Pulse:1:2")
        assert refused == "END_PHASE+TEST+1+Pulse", "nobody waits for a run that does not begin"
        assert old.redis.llen("ACTION_SERVER_TODO:A") == 1, "it is left to others"
        (run,) = (one for one in shotline.status().shots[0].runs if one.state != "ended")
        assert run.state == "open"
        for verb in ("abort", "abort_pending", "quit", "server_restart", "dispatch"):
            assert f"{verb} of an old program was not carried out: it is not among" in (
                world.bridge_log
            )
        lines = shotline.audit(limit=1000).lines
        assert {one.verb for one in lines if one.via == "bridge"} == set(allowed["commands"])
        assert {one.who for one in lines if one.via == "bridge"} == {"an old program"}


def test_what_shotline_keeps_no_longer_is_removed_here_too(tmp_path: Path) -> None:
    with World(tmp_path, keep_shots=1) as world, OldPrograms(world.old) as old:
        old.redis.hset("ACTION_STATUS:TEST:77", f"{P}KEEP", "Success")  # of the old dispatcher
        for shot in (1, 2):
            old.prepare(shot)
            old.run(f"do_phase:TEST:{shot}:STORE")
        bridge = world.stack["legacy"]
        bridge.stop()
        world.stack.restart(bridge)
        eventually(lambda: not [*old.redis.scan_iter("*:TEST:1*")])
        assert not old.redis.hexists("SHOTLINE_BRIDGE:ANNOUNCED", "TEST:1")
        assert old.poll("ACTION_STATUS:TEST:2")[f"{P}KEEP"] == "Success"
        assert old.redis.exists("ACTION_LOG:TEST:2", "ACTION_STATUS:TEST:77") == 2


def test_a_server_that_dies_and_one_that_is_stopped_are_off(tmp_path: Path) -> None:
    with World(tmp_path) as world, OldPrograms(world.old) as old:
        shot = 1
        old.prepare(shot)
        old.poll_until("ACTION_SERVER_ACTIVE:A", lambda now: now["1"] == "ON")
        old.to_servers("A", "STOP+1")
        old.poll_until("ACTION_SERVER_ACTIVE:A", lambda now: now["1"] == "OFF")
        old.command(f"do_phase:TEST:{shot}:Pulse")
        old.wait_for("DOING")
        world.stack["B:1"].kill()
        assert old.wait_for("DONE").endswith(f"B+1+{P}FIRE+5+ServerCrashed")
        assert old.wait_for("END_PHASE") == f"END_PHASE+TEST+{shot}+Pulse"
        old.poll_until("ACTION_SERVER_ACTIVE:B", lambda now: now["1"] == "OFF")
        assert old.poll(f"ACTION_INFO:TEST:{shot}:B") == {
            f"{P}FIRE": "DONE",
            f"{P}COOL": "SERVER_OFF",
        }


def test_everything_may_be_restarted_under_it(tmp_path: Path) -> None:
    with World(tmp_path, {"replace_pulse": True}) as world:
        stack, bridge = world.stack, world.stack["legacy"]
        with OldPrograms(world.old) as old:
            old.prepare(1)
            old.command("do_phase:TEST:1:Pulse")
            old.wait_for("DOING")

            # The dispatcher dies, and the run ends after it has come back.
            stack.dispatcher.kill()
            assert old.run("do_phase:TEST:2:INIT") == "END_PHASE+TEST+2+INIT"
            stack.restart(stack.dispatcher)
            world.gate.touch()
            assert old.wait_for("END_PHASE") == "END_PHASE+TEST+1+Pulse"
            world.gate.unlink()

            # The bridge dies, and the run ends before it has come back.
            old.command("do_phase:TEST:1:Pulse")
            old.wait_for("DOING")
            bridge.kill()
            old.redis.rpush("ACTION_SERVER_TODO:A", f"TEST+1+{P}KEEP+0+0+0")  # to nobody
            world.gate.touch()
            with stack.supervisor() as shotline:
                eventually(lambda: shotline.shots().shots[0].runs[-1].state == "ended")
            stack.restart(bridge)
            assert old.wait_for("END_PHASE") == "END_PHASE+TEST+1+Pulse"
            status = old.poll_until(
                "ACTION_STATUS:TEST:1", lambda now: now[f"{P}COOL"] == "Success"
            )
            assert status[f"{P}KEEP"] == "none"  # what was left over was not run
            eventually(lambda: not old.redis.exists("ACTION_SERVER_TODO:A"))
            world.gate.unlink()

            # The old Redis is restarted, and the run ends after it has come back.
            old.command("do_phase:TEST:1:Pulse")
            old.wait_for("DOING")
            world.old.kill()
            world.old.start()
        with OldPrograms(world.old) as old:
            eventually(lambda: old.redis.publish("ACTION_SERVER_PUBSUB:A", "HEARTBEAT+1") > 0)
            world.gate.touch()
            assert old.wait_for("END_PHASE") == "END_PHASE+TEST+1+Pulse"
            world.gate.unlink()

            # It dies with all that it held, and the run ends meanwhile.
            old.command("do_phase:TEST:1:Pulse")
            old.wait_for("DOING")
            world.old.kill()
            world.gate.touch()
            with stack.supervisor() as shotline:
                eventually(lambda: shotline.shots().shots[0].runs[-1].state == "ended")
            for file in (world.old.folder).rglob("*.aof"):
                file.unlink()
            for file in (world.old.folder).rglob("*.manifest"):
                file.unlink()
            world.old.start()
        with OldPrograms(world.old) as old:
            status = old.poll_until("ACTION_STATUS:TEST:1", bool)
            assert status[f"{P}FIRE"] == "Success"
            old.poll_until("ACTION_SERVER_ACTIVE:A", lambda now: now.get("1") == "ON")
            assert old.poll("DISPATCH_DEFAULT") == {"TREE": "TEST", "SHOT": "1"}
            assert old.poll("CURRENT_PHASE") == {"TEST": "Pulse"}

            # The broker dies; a pulse that exists is replaced, as this configuration allows.
            stack.broker.kill()
            stack.restart(stack.broker)
            stack.wait_until(lambda status: len(status.servers) == 2)
            old.command("create_pulse:TEST:1")
            old.command("build_tables:TEST:1")
            assert old.run("do_phase:TEST:1:STORE").startswith("END_PHASE")
            old.poll_until("ACTION_STATUS:TEST:1", lambda now: now.get(f"{P}KEEP") == "Success")
            assert old.poll("ACTION_STATUS:TEST:1")[f"{P}FIRE"] == "none"
            assert world.bridge_log.count("is no message") == 0

            # Shotline's dispatcher ends by the old QUIT.
            old.command("quit")
            assert stack.dispatcher.wait(30.0)
        bridge.stop()
        assert bridge.exit_status == 0
        with world.old.client(decode_responses=True) as client:
            assert client.hgetall("ACTION_SERVER_ACTIVE:A") == {"1": "OFF"}
