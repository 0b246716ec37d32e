"""A watcher that looks at a folder of files whenever it is told to, and says what that has cost.

    python -m bench.scan FOLDER MEMORY COUNT

The first look only notes what is there; no dispatcher is asked.
"""

import asyncio
import sys
import time
from pathlib import Path

import psutil

from bench.programs import say
from shotline.client.supervisor import AsyncSupervisor
from shotline.common.settings.sections.volumes import VolumesSection
from shotline.common.volumes.views import WatchResult
from shotline.volumes.watcher.memory import Memory
from shotline.volumes.watcher.volume import VolumeWatch

NOWHERE = "tcp://127.0.0.1:9"


async def serve(folder: Path, memory: Path, count: int) -> None:
    section = VolumesSection.model_validate(
        {
            "folders": {
                "RAW": {
                    "folder": folder,
                    "polling": True,
                    "existing": "ignore",
                    "scan_files_per_s": 100_000_000,
                }
            },
            "consumers": {"filter": {}},
            "rules": {
                "files": {
                    "volume": "RAW",
                    "pattern": "**/*.dat",
                    "then": {"consumers": ["filter"]},
                }
            },
        }
    )
    kept = Memory(memory)
    supervisor = AsyncSupervisor(NOWHERE)
    watch = VolumeWatch("RAW", section.folders["RAW"], section.rules, "here", kept, supervisor)
    watch.hear(WatchResult(memory="", number=0))
    for _ in sys.stdin:
        began, cpu_s = time.perf_counter(), time.process_time()
        await watch.scan()
        if kept.count("RAW") != count:
            raise RuntimeError(f"{kept.count('RAW')} of {count} files are known")
        taken_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu_s
        say(f"{taken_s} {cpu_s} {psutil.Process().memory_info().rss / 2**20}")


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
