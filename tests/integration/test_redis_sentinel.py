"""Real Sentinels and a failover while a run is open: nothing is lost, or the spill file has it."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.faults import (
    ACTIONS,
    ALL,
    ALL_GOOD,
    Pulse,
    action,
    each_once,
    ends_of,
    journal_is,
    stack_of,
)
from tests.support.old_programs import OldPrograms
from tests.support.redis_site import MASTER, Process, Watched
from tests.support.stack import Stack, eventually

pytestmark = pytest.mark.slow


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Watched]:
    folder = tmp_path / "site"
    folder.mkdir()
    with Watched(folder) as running:
        yield running


def stack_behind(site: Watched, folder: Path) -> Stack:
    """Return a stack whose Redis is the one that the Sentinels name."""
    settings = {"redis": {"url": site.url, **site.access, "timeout_s": 1.0, "retry_s": 0.2}}
    return stack_of(folder, ("A:1", "B:1"), *ACTIONS, settings=settings)


def ended_on(site: Watched, master: Process, stack: Stack, pulse: Pulse) -> None:
    """The journal is whole on the server that is the master now, and nothing waits elsewhere."""
    eventually(lambda: site.master() is master)
    eventually(lambda: pulse.runs_ended() == [1])
    stack.wait_until(journal_is("ok"))
    assert pulse.starts() == each_once(*ALL)
    assert pulse.runs_ended() == [1]
    eventually(lambda: stack.config.journal.spill_file.stat().st_size == 0)


def test_the_master_dies_with_a_sentinel_and_the_run_goes_on(site: Watched, tmp_path: Path) -> None:
    first, second = site.servers
    with stack_behind(site, tmp_path) as stack:
        assert "set min-replicas-to-write to 1" in stack.dispatcher.last_lines(50)
        pulse = Pulse(stack)
        report = pulse.begin()
        pulse.wait_doing("A_FIRST", "B_FIRST")
        first.kill()
        site.sentinels[0].kill()  # the one that is asked first
        status = stack.wait_until(journal_is("degraded"))
        assert f"Redis master {MASTER} of the Sentinels at 127.0.0.1:" in status.journal_text
        pulse.open("a")
        pulse.wait_started("A_NEXT")
        stack.wait_until(journal_is("ok"))
        pulse.open("b")
        assert ends_of(report.result().actions) == ALL_GOOD
        ended_on(site, second, stack, pulse)


def test_a_master_that_only_slept_is_no_master_any_more(site: Watched, tmp_path: Path) -> None:
    first, second = site.servers
    with stack_behind(site, tmp_path) as stack:
        pulse = Pulse(stack)
        report = pulse.begin()
        pulse.wait_doing("A_FIRST", "B_FIRST")
        first.signal(signal.SIGSTOP)
        stack.wait_until(journal_is("degraded"))
        pulse.open("a", "b")
        eventually(lambda: site.master() is second)
        first.signal(signal.SIGCONT)
        assert ends_of(report.result().actions) == ALL_GOOD
        ended_on(site, second, stack, pulse)


def test_a_failover_that_was_asked_for(site: Watched, tmp_path: Path) -> None:
    _, second = site.servers
    with stack_behind(site, tmp_path) as stack:
        pulse = Pulse(stack)
        report = pulse.begin()
        pulse.wait_doing("A_FIRST", "B_FIRST")
        with site.sentinels[0].client() as sentinel:
            sentinel.execute_command("SENTINEL", "FAILOVER", MASTER)
        pulse.open("a")
        eventually(lambda: site.master() is second)
        pulse.open("b")
        assert ends_of(report.result().actions) == ALL_GOOD
        ended_on(site, second, stack, pulse)


def test_without_any_master_the_spill_file_has_it_all_until_there_is_one(
    site: Watched, tmp_path: Path
) -> None:
    first, second = site.servers
    with stack_behind(site, tmp_path) as stack:
        pulse = Pulse(stack)
        report = pulse.begin()
        pulse.wait_doing("A_FIRST", "B_FIRST")
        second.kill()
        first.kill()
        stack.wait_until(journal_is("degraded"))
        pulse.open("a", "b")
        assert ends_of(report.result().actions) == ALL_GOOD
        stack.dispatcher.kill()
        stack.dispatcher.start()  # it waits for a master, and keeps the spill file
        eventually(lambda: "waiting for the journal" in stack.dispatcher.last_lines(50))
        first.start()
        stack.wait_until(lambda status: not status.recovering and status.journal == "ok")
        ended_on(site, first, stack, pulse)


def test_the_bridge_for_old_programs_follows_the_master(site: Watched, tmp_path: Path) -> None:
    first, second = site.servers
    settings = {
        "up": {"daemons": ["broker", "dispatcher", "legacy"]},
        "legacy": {"redis_url": site.url, **site.access, "timeout_s": 1.0},
    }
    with stack_of(tmp_path, ("A:1",), action("ONE", "A", 1), settings=settings):
        with OldPrograms(first) as old:
            old.command("create_pulse:TEST:1")
            old.command("build_tables:TEST:1")
            assert old.run("do_phase:TEST:1:INIT") == "END_PHASE+TEST+1+INIT"
        first.kill()
        eventually(lambda: site.master() is second)
        with OldPrograms(second) as old:
            eventually(lambda: old.redis.publish("ACTION_SERVER_PUBSUB:A", "HEARTBEAT+1") > 0)
            assert old.run("do_phase:TEST:1:INIT") == "END_PHASE+TEST+1+INIT"
            old.poll_until("ACTION_SERVER_ACTIVE:A", lambda now: now.get("1") == "ON")
