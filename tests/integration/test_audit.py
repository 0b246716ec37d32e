"""The audit of a running site: from the command line and the library, over faults of Redis and the
dispatcher, read back with every filter, and followed.
"""

import getpass
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.faults import action, stack_of
from tests.support.stack import DEADLINE_S, Stack, eventually

from shotline.client.errors import Refused, SupervisorError
from shotline.client.local.keys import make_keys
from shotline.client.patience import Patience
from shotline.client.supervisor import Supervisor
from shotline.common.keys.folder import KeysFolder
from shotline.common.keys.peers import PeerRole
from shotline.common.messages import Outcome, Via
from shotline.common.records import Audited

SETTINGS = {"redis": {"timeout_s": 1.0, "retry_s": 0.2}}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("audit")
    with stack_of(folder, ["A:1"], action("FIRST", "A", 1), settings=SETTINGS) as made:
        yield made


def command_line(stack: Stack, *words: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-m", "shotline.client.cli", "--broker", stack.config.broker.clients]
    return subprocess.run(
        [*program, *words], capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )


def found(stack: Stack, **asked: object) -> list[Audited]:
    """Return the lines that are asked for, the newest first."""
    with stack.supervisor() as shotline:
        return list(shotline.audit(**asked).lines)  # type: ignore[arg-type]


def test_who_gave_a_command_from_where_and_what_came_of_it(stack: Stack) -> None:
    assert command_line(stack, "create-pulse", "TEST", "1").returncode == 0
    assert command_line(stack, "--as", "alice", "resume", "TEST", "1").returncode == 2
    done = command_line(stack, "audit", "--shot", "TEST/1", "--json")
    ended, begun = [
        one for one in json.loads(done.stdout)["result"]["lines"] if one["verb"] == "create_pulse"
    ]
    assert (begun["outcome"], ended["outcome"]) == ("accepted", "ok")
    assert begun["request"] == ended["request"]
    assert ended["who"].partition("@")[0] == getpass.getuser()
    assert (ended["via"], ended["address"]) == ("program", "127.0.0.1")
    assert ended["duration_s"] > 0
    (refused,) = found(stack, command="resume")
    assert (refused.who, refused.via, refused.outcome) == ("alice", Via.AS, Outcome.REFUSED)
    assert refused.program == ended["program"]


def test_the_audit_is_shown_with_the_newest_last(stack: Stack) -> None:
    command_line(stack, "--as", "bob", "abort")
    command_line(stack, "--as", "carol", "abort")
    lines = command_line(stack, "audit", "--verb", "abort", "-n", "2").stdout.splitlines()
    assert [line.split()[2] for line in lines] == ["bob", "carol"]
    assert "from 127.0.0.1: abort: ok, no run is open" in lines[0]


def test_it_is_in_redis_and_in_the_log(stack: Stack) -> None:
    command_line(stack, "--as", "in-both-places", "abort")
    with stack.redis_client() as people:
        entries = people.xrevrange("shotline:audit", count=1)
    ((_, fields),) = entries  # type: ignore[misc]
    assert json.loads(fields[b"line"])["who"] == "in-both-places"
    eventually(lambda: "audit: in-both-places (as) by" in stack.dispatcher.last_lines(1000))


def test_text_of_others_is_shown_as_text(stack: Stack) -> None:
    command_line(stack, "--as", "eve\x1b[2J\nroot: abort: ok", "abort")
    shown = command_line(stack, "audit", "--who", "eve").stdout
    assert "\x1b" not in shown
    assert len(shown.splitlines()) == 1
    log = stack.dispatcher.last_lines(1000)
    assert "\x1b[2J" not in log
    assert not any(line.startswith("root: abort") for line in log.splitlines())


def test_an_asynchronous_program_is_told_too(stack: Stack) -> None:
    with Supervisor(stack.config.broker.clients, on_behalf_of="the sequencer") as shotline:
        shotline.abort()
        with pytest.raises(Refused):
            shotline.hold("TEST", 1)
    assert [line.verb for line in found(stack, who="the sequencer")] == ["hold", "abort"]


def test_it_is_followed(stack: Stack) -> None:
    program = [sys.executable, "-m", "shotline.client.cli", "--broker", stack.config.broker.clients]
    words = ["audit", "--follow", "--verb", "abort", "--who", "followed", "--json"]
    command_line(stack, "--as", "followed before", "abort")
    with subprocess.Popen([*program, *words], stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        try:
            assert json.loads(following.stdout.readline())["who"] == "followed before"
            for number in range(3):
                command_line(stack, "--as", f"followed {number}", "abort")
                command_line(stack, "--as", "somebody else", "abort")
                assert json.loads(following.stdout.readline())["who"] == f"followed {number}"
        finally:
            following.kill()


def test_the_whole_is_read_page_by_page(stack: Stack) -> None:
    with Supervisor(stack.config.broker.clients, on_behalf_of="many") as shotline:
        for _ in range(620):
            shotline.abort()
    lines = command_line(stack, "audit", "--who", "many", "-n", "600").stdout.splitlines()
    assert len(lines) == 600
    assert len(command_line(stack, "audit", "--who", "many", "-n", "9999").stdout.split("\n")) > 620


def test_what_is_done_while_redis_is_away_is_told_when_it_is_back(tmp_path: Path) -> None:
    with stack_of(tmp_path, ["A:1"], action("FIRST", "A", 1), settings=SETTINGS) as stack:
        command_line(stack, "--as", "before", "abort")
        stack.redis.kill()
        stack.wait_until(lambda status: status.journal.value == "degraded")
        assert command_line(stack, "--as", "meanwhile", "abort").returncode == 0
        refused = command_line(stack, "audit")
        assert refused.returncode == 2
        assert "the audit cannot be read now" in refused.stderr
        # A dispatcher that was killed meanwhile has left it in the spill file.
        stack.dispatcher.kill()
        stack.redis.start()
        stack.restart(stack.dispatcher)
        stack.wait_until(lambda status: not status.recovering)
        command_line(stack, "--as", "after", "abort")
        assert [line.who for line in found(stack, command="abort")] == [
            "after",
            "meanwhile",
            "before",
        ]


def test_the_key_that_a_peer_has_proven_is_told_and_so_is_what_it_may_not(tmp_path: Path) -> None:
    stack = stack_of(tmp_path, ["A:1"], action("FIRST", "A", 1), settings=SETTINGS)
    make_keys(stack.daemons, lambda _: None)
    keys = KeysFolder(stack.config.keys.folder)
    keys.new("control-room", PeerRole.OPERATOR)
    keys.new("wall", PeerRole.VIEWER)

    def connected(name: str) -> Supervisor:
        return Supervisor(stack.config.broker.clients, key=keys.file_of(name))

    with stack, connected("control-room") as operator, connected("wall") as viewer:
        operator.abort()
        (line,) = operator.audit(limit=1).lines
        assert (line.verb, line.key, line.address) == ("abort", "control-room", "127.0.0.1")
        with pytest.raises(Refused):
            viewer.hold("TEST", 1)
        with pytest.raises(Refused):
            viewer.audit()
        refused = operator.audit(who="wall").lines
        assert [one.verb for one in refused] == ["audit", "hold"]
        assert {one.key for one in refused} == {"wall"}
        assert (refused[1].tree, refused[1].shot) == ("TEST", 1)
        assert refused[1].message == "hold is not for the role viewer"

        def told(what: str) -> Audited:
            eventually(lambda: bool(operator.audit(command=what).lines))
            return operator.audit(command=what).lines[0]

        keys.new("guest", PeerRole.VIEWER)
        assert told("let_in_key").message == "the key guest is let in as viewer"
        kept = keys.folder / "kept.key"
        keys.file_of("guest").rename(kept)
        keys.revoke("guest")
        assert told("revoke_key").key == "guest"
        soon = Patience(connect_s=2.0)
        guest = Supervisor(stack.config.broker.clients, key=kept, patience=soon)
        with guest, pytest.raises(SupervisorError):
            guest.status()
        refused_key = told("connect")
        assert (refused_key.outcome, refused_key.address) == (Outcome.REFUSED, "127.0.0.1")
        assert "was revoked" in refused_key.message
        shown = command_line(stack, "--key-file", str(keys.file_of("control-room")), "audit")
        assert "with the key wall from 127.0.0.1: hold TEST/1: refused" in shown.stdout
