"""Data records: how many go through two consumers, and what a look at a million known files costs.

The files are empty and have generated names; the watcher looks at them in a process of its own.
"""

import threading
import time
from pathlib import Path
from typing import ClassVar, Final

from bench.daemons import Site
from bench.harness import Measurement, Round
from bench.programs import Program
from bench.results import Goal
from shotline.client.supervisor import Supervisor
from shotline.common.keys.folder import own_key

GROUP: Final = "filter"
VOLUME: Final = "RAW"
BATCHES: Final = (10, 100)
ANNOUNCED: Final = 1000  # files of one command
ENOUGH: Final = Goal(10_000, at_least=True, of_value=True)
SECTION: Final = {
    "folders": {VOLUME: {"folder": "nowhere"}},
    "consumers": {GROUP: {}},
    "rules": {"files": {"volume": VOLUME, "then": {"consumers": [GROUP]}}},
}


class Records(Measurement):
    """The records are announced beforehand; two consumers lease and complete them in batches."""

    name: ClassVar = "records"
    title: ClassVar = "data records and known files"

    def measure(self, of: Round) -> None:
        """Measure consumers, then the watcher's scan."""
        for form in of.forms:
            with Site(of.folder / form, form, {}, servers=1, settings={"volumes": SECTION}) as site:
                number = 1
                for batch in BATCHES:
                    number = _announce(site, of.sizes.records, number)
                    a_minute = _consume(site, batch, of.sizes.records)
                    what = f"two consumers, {batch} records at a time"
                    of.results.add(what, form, a_minute, "records/min", goal=ENOUGH)
        _scan(of)


def _announce(site: Site, count: int, number: int) -> int:
    for start in range(0, count, ANNOUNCED):
        files = [
            {
                "path": f"f{number + n}.h5",
                "generation": "1",
                "size_b": 1,
                "modified_at": 0.0,
                "rule": "files",
            }
            for n in range(min(ANNOUNCED, count - start))
        ]
        site.supervisor.records_announce(
            VOLUME, files, host="here", folder="/nowhere", memory="bench", number=number
        )
        number += len(files)
    return number


def _consume(site: Site, batch: int, count: int) -> float:
    """Let two consumers complete all records. Return how many that is in a minute."""
    done: list[int] = []

    def consume(name: str) -> None:
        with Supervisor(
            site.config.broker.clients, key=own_key(site.config.keys, "operator")
        ) as own:
            while leases := own.records_lease(GROUP, name, limit=batch).leases:
                own.records_complete(name, [lease.token for lease in leases])
                done.append(len(leases))

    begin = time.perf_counter()
    both = [threading.Thread(target=consume, args=(f"{batch}-{n}",)) for n in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    took_s = time.perf_counter() - begin
    if sum(done) != count:
        raise RuntimeError(f"{sum(done)} of {count} records were completed")
    return count / took_s * 60


def _scan(of: Round) -> None:
    """Let a watcher look at all files for the first time, then again when it knows them."""
    folder = of.folder / "watched"
    memory = of.folder / "memory.sqlite"
    _make_files(folder, of.sizes.files)
    with Program("scan", folder, memory, of.sizes.files) as watcher:
        for what in ("the first look", "a look when all are known"):
            watcher.tell("scan")
            taken_s, cpu_s, memory_mib = map(float, watcher.line().split())
            of.results.add(f"{what}, of {of.sizes.files:,} files", "watcher", taken_s, "s")
            of.results.add("… processor time", f"watcher, {what}", cpu_s, "s")
            of.results.add("… memory", f"watcher, {what}", memory_mib, "MiB")


def _make_files(folder: Path, count: int) -> None:
    for start in range(0, count, ANNOUNCED):
        run = folder / f"run{start // ANNOUNCED:05d}"
        run.mkdir(parents=True)
        for number in range(min(ANNOUNCED, count - start)):
            (run / f"file{number:05d}.dat").touch()
