"""Trials of what keeps the journal: Redis away, full, read-only, empty; failovers; full disks."""

import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.faults.counting import judge, run_to_end
from tests.faults.killing import PHASE, site
from tests.faults.results import kept
from tests.faults.trial import Row, Trial
from tests.support.faults import Pulse, action, journal_is
from tests.support.redis_site import Watched
from tests.support.stack import Stack, eventually

from shotline.client.errors import SupervisorError
from shotline.client.verbs import shot_verbs

AWAY_S = 30.0
OWN_MOUNTS = "SHOTLINE_TRIAL_MOUNTS"
GATED = (*PHASE, action("A_LAST", "A", 9, gate="open"))


@contextmanager
def in_a_phase(
    row: Row, stack: Stack, shot: int, what: str, *, degraded: bool = True
) -> Iterator[Pulse]:
    """Break something within, in the midst of a phase; then it must end, and is judged."""
    pulse = Pulse(stack, shot)
    with stack.supervisor() as shotline:
        shotline.do_phase("INIT", *pulse.key, wait=False)
    eventually(lambda: sum(pulse.starts().values()) > 0)
    row.tried += 1
    yield pulse
    if degraded:
        stack.wait_until(journal_is("ok"))
    pulse.open("open")
    run_to_end(stack, pulse)
    judge(row, pulse, what)
    row.said.append(what)


def redis_away(folder: Path, scale: float) -> Row:
    """Take Redis away, fill it, make it read-only, and replace it by an empty one, in a phase."""
    row, pause = Row(), threading.Event()
    with site(folder, ("A:1", "B:1"), GATED) as stack:
        seconds = AWAY_S * scale
        with in_a_phase(row, stack, 1, f"away for {seconds:g} s") as pulse:
            stack.redis.kill()
            stack.wait_until(journal_is("degraded"))
            pause.wait(seconds)
            pulse.wait_started("A_LAST")
            stack.redis.start()
        people = stack.redis.client()
        with in_a_phase(row, stack, 2, "full, with noeviction") as pulse:
            people.config_set("maxmemory", 1)
            stack.wait_until(journal_is("degraded"))
            pulse.wait_started("A_LAST")
            people.config_set("maxmemory", 0)
        with in_a_phase(row, stack, 3, "read-only, as a replica") as pulse:
            people.config_set("replica-read-only", "yes")
            people.replicaof("127.0.0.1", "1")
            stack.wait_until(journal_is("degraded"))
            pulse.wait_started("A_LAST")
            people.replicaof("NO", "ONE")
        people.close()
        with in_a_phase(row, stack, 4, "replaced by an empty one") as pulse:
            stack.redis.kill()
            for path in (*stack.redis.folder.glob("append*"), *stack.redis.folder.glob("dump*")):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            stack.redis.start()
            pulse.wait_started("A_LAST")
        row.check(bool(pulse.records()), "the empty Redis was not written anew")
    return row


def failover(folder: Path, scale: float) -> Row:
    """Fail over to a replica that has not got the last writes, by real Sentinels."""
    row = Row()
    (folder / "site").mkdir()
    with Watched(folder / "site") as watched:
        first, second = watched.servers
        access = {"url": watched.url, **watched.access}
        section = {"redis": {**access, "timeout_s": 1.0, "retry_s": 0.2}}
        with site(folder, ("A:1", "B:1"), GATED, section) as stack:
            with in_a_phase(row, stack, 1, "failover with lost writes") as pulse:
                with first.client() as client:
                    # The replica is let in no more; the master goes on confirming.
                    client.config_set("requirepass", "changed-for-the-replica")
                    client.client_kill_filter(_type="slave")
                    pulse.wait_started("A_LAST")
                    lost = client.info("replication")["connected_slaves"] == 0
                row.check(lost, "the replica has followed all the time: nothing was lost")
                first.kill()
                eventually(lambda: watched.master() is second)
            row.counted["masters lost"] += 1
    return row


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[None]:
    """Give a folder on a small file system of its own. The caller has a mount namespace."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)], check=True
    )
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Fill the file system of a folder to its last byte; return the file to remove."""
    file = folder / "ballast"
    with file.open("wb", buffering=0) as ballast:
        try:
            while ballast.write(b"\0" * 65_536):
                pass
        except OSError:
            pass
        try:
            while ballast.write(b"\0"):
                pass
        except OSError:
            pass
    return file


def full_disks(folder: Path, scale: float) -> Row:
    """Fill the disk under the logs, the spill file and Redis, each in a phase, and make room."""
    row, numbers = Row(), itertools.count(100)
    if os.environ.get(OWN_MOUNTS) is None:
        return _in_mounts_of_its_own("full-disks", scale)
    for name in ("var/log", "var/spill", "var/redis"):
        (folder / name).mkdir(parents=True)
    settings: Mapping[str, object] = {
        "journal": {"spill_file": "spill/dispatcher.spill"},
        "logging": {"level": "debug", "max-size": 64 * 1024 * 1024},
    }
    with (
        small_disk(folder / "var/log", 8),
        small_disk(folder / "var/spill", 2),
        small_disk(folder / "var/redis", 32),
        site(folder, ("A:1", "B:1"), GATED, settings) as stack,
    ):
        with in_a_phase(row, stack, 1, "no room for logs", degraded=False) as pulse:
            ballast = fill(folder / "var/log")
            pulse.wait_started("A_LAST")
            ballast.unlink()
        with in_a_phase(row, stack, 2, "no room for Redis") as pulse:
            ballast = fill(folder / "var/redis")
            eventually(lambda: _is_noticed(stack, next(numbers)))
            pulse.wait_started("A_LAST")
            ballast.unlink()
        with in_a_phase(row, stack, 3, "no room for Redis and the spill file") as pulse:
            ballasts = [fill(folder / name) for name in ("var/redis", "var/spill")]
            eventually(lambda: not _made(stack, next(numbers)))  # the last page of a file has room
            stack.wait_until(journal_is("stopped"))
            made = _made(stack, next(numbers))
            row.check(not made, "something is said to be done that nobody has journalled")
            for ballast in ballasts:
                ballast.unlink()
    return row


def _in_mounts_of_its_own(name: str, scale: float) -> Row:
    """Do a trial in a process whose mounts nobody else sees."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "results")
        words = [sys.executable, "-m", "tests.faults", "--only", name, "--scale", str(scale)]
        done = subprocess.run(
            ["unshare", "-m", *words, "--keep", file],
            env=os.environ | {OWN_MOUNTS: "1"},
            capture_output=True,
            text=True,
        )
        found = kept(file).get(name)
    if found is None:
        return Row(wrong=[f"it could not be tried: {done.stderr[-2000:]}"])
    return Row(found.tried, Counter(found.counted), found.said, found.wrong)


def _is_noticed(stack: Stack, shot: int) -> bool:
    """Write something, since the last page of a file has room; return whether that has failed."""
    _made(stack, shot)
    with stack.supervisor() as shotline:
        return shotline.status().journal == "degraded"


def _made(stack: Stack, shot: int) -> bool:
    """Return whether a pulse is made, and said to be, within a few seconds."""
    try:
        with stack.supervisor() as shotline:
            shotline.ask(shot_verbs.create_pulse("TEST", shot), 3.0)
    except SupervisorError:
        return False
    return True


TRIALS = (
    Trial(
        "redis-away",
        f"Redis away for {AWAY_S:g} s in a phase; full; read-only; replaced by an empty one",
        "the shot goes on from the spill file, and all is written when Redis is back",
        redis_away,
    ),
    Trial(
        "failover",
        "Sentinels fail over to a replica that lacks the last writes",
        "what the new master lacks is written to it; nothing is lost",
        failover,
    ),
    Trial(
        "full-disks",
        "no room on the disk under the logs, Redis, Redis and the spill file",
        "the shot goes on; with no place for the journal nothing new starts until there is room",
        full_disks,
    ),
)
