"""Real Sentinels and a failover while a run is open: nothing is lost, or the spill file has it."""

import signal
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.support.faults import (
    ACTIONS,
    ALL,
    ALL_GOOD,
    TREE,
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

from shotline.common.records import Commit, Mark, ShotKey, ShotRecord
from shotline.common.settings.sections.redis import JournalSection, RedisSection
from shotline.dispatcher.journal import JournalChanged, JournalEvent, Written, encode_commit
from shotline.dispatcher.journal.layout import Keys, parse_journal
from shotline.dispatcher.journal.redis_journal import RedisJournal

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


def test_what_a_replaced_master_has_confirmed_is_written_to_the_next(
    site: Watched, tmp_path: Path
) -> None:
    """It hears of its successor seconds later, and takes commits meanwhile."""
    section = RedisSection(url=site.url, **site.access, timeout_s=1.0, retry_s=0.2)
    spill = JournalSection(spill_file=tmp_path / "spill")
    key, count, texts = ShotKey(TREE, 1), 0, list[str]()
    with closing(RedisJournal(section, spill, 100)) as journal:
        term = journal.load().term

        def commit() -> bool:
            """Write a commit, and return whether another master has it all."""
            nonlocal count
            count += 1
            marks: dict[ShotKey, tuple[ShotRecord, ...]] = {key: (Mark(time=float(count)),)}
            journal.write(time.monotonic(), encode_commit(Commit(term, count, marks)))
            told: list[JournalEvent] = []
            eventually(lambda: bool(told.extend(poll()) or Written in map(type, told)))
            return "name another master" in "".join(texts) and texts[-1].startswith("ok")

        def poll() -> list[JournalEvent]:
            events = journal.poll(time.monotonic())
            changes = (one for one in events if isinstance(one, JournalChanged))
            texts.extend(f"{one.state}: {one.text}" for one in changes)
            return events

        commit()
        with site.sentinels[0].client() as sentinel:
            sentinel.execute_command("SENTINEL", "FAILOVER", MASTER)
        eventually(commit)
    with site.servers[1].client(decode_responses=False) as second:
        found = second.xrange(Keys(section.key_prefix).of(key).journal)
    entries = [(name, [b"records", fields[b"records"]]) for name, fields in found]
    stored = parse_journal(key, entries)
    assert [one.time for one in stored] == [float(number) for number in range(1, count + 1)]


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
