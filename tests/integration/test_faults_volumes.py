"""Data while watcher, dispatcher, Redis, consumers and disk come and go: once each, none lost."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.faults import journal_is
from tests.support.stack import eventually
from tests.support.volumes import GROUP, VOLUME, DataStack

from shotline.common.keys.folder import KeysFolder

COUNT = 12


def drain(stack: DataStack, count: int) -> list[str]:
    """Take and complete records until there were so many; return their paths."""
    paths: list[str] = []
    with stack.consumer("drain", batch=5) as consumer:
        while len(paths) < count:
            leases = consumer.take(wait=20)
            paths += [lease.path for lease in leases]
            consumer.done(*leases)
        assert consumer.take(wait=0) == []
    return paths


def test_killed_again_and_again_each_file_is_announced_once(tmp_path: Path) -> None:
    with DataStack(tmp_path) as stack:
        expected = []
        for number in range(COUNT):
            expected.append(f"run{number % 3}/f{number:02d}.dat")
            stack.write(expected[-1], b"x" * number)
            if number % 4 == 1:
                stack.watcher.kill()
            if number % 4 == 2:
                stack.dispatcher.kill()
                stack.restart(stack.dispatcher)
            if number % 4 == 3:
                stack.restart(stack.watcher)
        stack.wait_volume(lambda volume: volume.counts.announced == COUNT)
        assert sorted(drain(stack, COUNT)) == sorted(expected)
        # A rescan, and a memory that begins with its end, find nothing more.
        stack.watcher.kill()
        stack.restart(stack.watcher)
        seen = stack.volume().seen_at or 0.0
        stack.wait_volume(lambda volume: (volume.scanned_at or 0.0) > seen)
        counts = stack.volume().counts
        assert (counts.announced, counts.done) == (COUNT, COUNT)


def test_redis_away_while_files_come_and_records_go(tmp_path: Path) -> None:
    with DataStack(tmp_path) as stack:
        with stack.redis.client() as client:
            client.config_set("appendfsync", "always")
        stack.write("first.dat")
        stack.wait_volume(lambda volume: volume.counts.ready == 1)
        redis_pid = stack.redis.pid
        assert redis_pid is not None
        os.kill(redis_pid, signal.SIGSTOP)
        try:
            for number in range(5):
                stack.write(f"f{number}.dat")
            stack.wait_until(journal_is("degraded"))
            assert len(drain(stack, 6)) == 6
        finally:
            os.kill(redis_pid, signal.SIGCONT)
        stack.wait_until(journal_is("ok"))
        stack.dispatcher.kill()
        stack.restart(stack.dispatcher)
        counts = stack.volume().counts
        assert (counts.announced, counts.done) == (6, 6)


_READS_AND_HANGS = """
import sys
from shotline.client.consumer import Consumer
from pathlib import Path
key = Path(sys.argv[2]) if sys.argv[2] else None
consumer = Consumer("filter", "killed", broker=sys.argv[1], key=key, hold_s=1.0)
(lease,) = consumer.take(wait=20)
Path(lease.file).read_bytes()
print(lease.token, flush=True)
sys.stdin.read()
"""


def test_a_consumer_that_is_killed_between_read_and_complete_loses_nothing(tmp_path: Path) -> None:
    with DataStack(tmp_path) as stack:
        stack.write("a.dat")
        key = KeysFolder(stack.config.keys.folder).file_of("operator")
        words = [stack.config.broker.clients, str(key) if key.exists() else ""]
        program = [sys.executable, "-c", _READS_AND_HANGS, *words]
        with subprocess.Popen(
            program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as killed:
            assert killed.stdout is not None
            token = killed.stdout.readline().strip()
            assert stack.volume().counts.leased == 1
            killed.kill()
        with stack.consumer("other") as consumer:
            (lease,) = consumer.take(wait=20)
            assert (lease.path, lease.attempt) == ("a.dat", 2)
            with stack.supervisor() as shotline:
                (late,) = shotline.records_complete("killed", [token]).answers
                assert late.fate == "superseded"
            assert list(consumer.done(lease).values()) == ["ok"]
            with stack.supervisor() as shotline:
                (again,) = shotline.records_complete("other", [lease.token]).answers
                assert again.fate == "duplicate"


def test_what_nobody_completes_is_dead_until_it_is_redriven(tmp_path: Path) -> None:
    sections = {"consumers": {GROUP: {"lease_s": 0.5, "max_attempts": 2}}}
    with DataStack(tmp_path, sections) as stack:
        stack.write("a.dat")
        with stack.supervisor() as shotline:
            for _ in range(2):
                (lease,) = shotline.records_lease(GROUP, "silent", wait=20).leases
            stack.wait_volume(lambda volume: volume.counts.dead == 1)
            assert shotline.records_lease(GROUP, "silent").leases == ()
            (late,) = shotline.records_complete("silent", [lease.token]).answers
            assert late.fate == "late", "nobody else has it: it counts"
        assert stack.volume().counts.done == 1


def test_a_replay_that_is_cut_short_by_a_kill_goes_on(tmp_path: Path) -> None:
    sections = {"folders": {VOLUME: {"scan_files_per_s": 2}}, "consumers": {"later": {}}}
    expected = [f"run{number}/a.dat" for number in range(6)]
    with DataStack(tmp_path, sections) as stack:
        for path in expected:
            stack.write(path)
        assert sorted(drain(stack, len(expected))) == expected
        with stack.supervisor() as shotline:
            shotline.records_replay(VOLUME, "later")
            seen: list[str] = []
            while len(seen) < len(expected):
                (lease,) = shotline.records_lease("later", "one", wait=30).leases
                seen.append(lease.path)
                shotline.records_complete("one", [lease.token])
                if len(seen) == 2:
                    stack.watcher.kill()
                    stack.restart(stack.watcher)
            stack.wait_volume(lambda volume: not volume.orders)
            assert shotline.records_lease("later", "one").leases == ()
        assert sorted(seen) == expected


def test_a_disk_that_goes_and_comes_back_takes_nothing_with_it(tmp_path: Path) -> None:
    with DataStack(tmp_path) as stack:
        for number in range(3):
            stack.write(f"run1/f{number}.dat")
        stack.wait_volume(lambda volume: volume.counts.ready == 3)
        away = stack.raw.rename(tmp_path / "away")
        told = stack.wait_volume(lambda volume: bool(volume.trouble))
        assert "is not there" in told.trouble
        stack.raw.mkdir()  # as a mount point is, without its disk
        told = stack.wait_volume(lambda volume: "is its disk mounted?" in volume.trouble)
        assert (told.counts.ready, told.counts.removed) == (3, 0)
        stack.raw.rmdir()
        away.rename(stack.raw)
        stack.wait_volume(lambda volume: not volume.trouble)
        stack.write("run1/after.dat")
        told = stack.wait_volume(lambda volume: volume.counts.ready == 4)
        assert told.counts.announced == 4


def test_a_memory_that_was_lost_announces_nothing_twice(tmp_path: Path) -> None:
    with DataStack(tmp_path) as stack:
        stack.write("done.dat")
        stack.write("left.dat")
        stack.wait_volume(lambda volume: volume.counts.ready == 2)
        with stack.consumer() as consumer:
            (lease,) = consumer.take()
            consumer.done(lease)
        stack.watcher.kill()
        for file in (tmp_path / "var" / "watcher").iterdir():
            file.unlink()
        before = stack.volume().seen_at or 0.0
        stack.restart(stack.watcher)
        stack.wait_volume(lambda volume: (volume.scanned_at or 0.0) > before and volume.known == 2)
        stack.write("new.dat")
        told = stack.wait_volume(lambda volume: volume.counts.announced >= 3)
        assert (told.counts.announced, told.counts.done) == (3, 1)


@pytest.mark.slow
def test_ten_thousand_records_go_through(tmp_path: Path) -> None:
    """Two consumers keep up; how fast they are is for the performance suite to say."""
    with DataStack(tmp_path) as stack:
        count = 10_000
        with stack.supervisor() as shotline:
            for start in range(0, count, 1000):
                files = [
                    {"path": f"f{n}.h5", "generation": "1", "size_b": 1, "modified_at": 0.0}
                    | {"rule": "files"}
                    for n in range(start, start + 1000)
                ]
                shotline.records_announce(
                    "RAW",
                    files,
                    host="here",
                    folder="/nowhere",
                    memory="test",
                    number=start + 1,
                )
        with stack.consumer("one", verify="") as one, stack.consumer("two", verify="") as two:
            done = 0
            while done < count:
                for consumer in (one, two):
                    leases = consumer.take(100, wait=0)
                    done += len(leases)
                    consumer.done(*leases)
        eventually(lambda: stack.volume().counts.done == count)
