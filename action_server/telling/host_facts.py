"""What is measured of this host, in a thread of its own: nothing of it is on the way of an action.

A file system that does not answer keeps the thread waiting, and nobody else; what it measured
before then stays. The run loop looks at `latest` when it sends a heartbeat.
"""

import logging
import re
import threading
from collections.abc import Sequence
from contextlib import suppress
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Final

from shotline.common.fleet.facts import DiskSpace, HostFacts
from shotline.common.ranges import WHOLE_MAX

log = logging.getLogger(__name__)

_FIRST_S: Final = 0.2  # what is used is counted between two looks
_VERSION: Final = re.compile(rb"^version *= *\((\d+), *(\d+), *(\d+)\)", re.MULTILINE)


class HostMeter:
    """Measures every so many seconds, and when it is asked to. Never ends by itself."""

    def __init__(self, disks: Sequence[Path], every_s: float) -> None:
        self.latest: HostFacts | None = None
        self._disks = disks
        self._every_s = every_s
        self._is_asked = threading.Event()
        self._is_closed = False
        self._trouble = ""

    def start(self) -> None:
        """Begin to measure."""
        threading.Thread(target=self._run, name="host facts", daemon=True).start()

    def ask(self) -> None:
        """Let it measure now."""
        self._is_asked.set()

    def close(self) -> None:
        """Measure no more."""
        self._is_closed = True
        self._is_asked.set()

    def _run(self) -> None:
        import psutil  # here: it takes as long as much else of the server's start

        with suppress(Exception):
            psutil.cpu_percent()
        self._is_asked.wait(_FIRST_S)
        while not self._is_closed:
            self._is_asked.clear()
            try:
                self.latest = self._measure()
            except Exception as error:  # noqa: BLE001 (a kernel that tells less than others)
                self._complain(f"what the host does cannot be measured: {error!r}")
            self._is_asked.wait(self._every_s)

    def _measure(self) -> HostFacts:
        import psutil

        memory, swap = psutil.virtual_memory(), psutil.swap_memory()
        return HostFacts(
            cpus=psutil.cpu_count() or 1,
            cpu_percent=min(psutil.cpu_percent(), 100.0),
            load_1=round(psutil.getloadavg()[0], 2),
            memory_total_b=memory.total,
            memory_used_b=max(memory.total - memory.available, 0),
            swap_total_b=swap.total,
            swap_used_b=swap.used,
            disks=tuple(filter(None, map(self._space, self._disks))),
            temperature_c=_temperature(),
        )

    def _space(self, folder: Path) -> DiskSpace | None:
        import psutil

        try:
            space = psutil.disk_usage(str(folder))
        except OSError as error:
            self._complain(f"the disk of {folder} cannot be measured: {error.strerror}")
            return None
        # Some file systems of a network say that they have no end.
        total, free = min(space.total, WHOLE_MAX), min(space.free, WHOLE_MAX)
        return DiskSpace(path=str(folder), total_b=total, free_b=free)

    def _complain(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            log.warning("%s", trouble)


def _temperature() -> float | None:
    import psutil

    with suppress(Exception):  # a sensor that is there and cannot be read
        found = [one.current for many in psutil.sensors_temperatures().values() for one in many]
        return max((round(float(one), 1) for one in found if -100 < one < 1000), default=None)
    return None


def mdsplus_version(path: Sequence[str]) -> str:
    """Return the version of the MDSplus that a task would import from these folders, without
    importing it; "" where there is none, "?" where its version is not told.
    """
    try:
        spec = PathFinder.find_spec("MDSplus", list(path))
    except (ImportError, OSError, ValueError):
        return ""
    if spec is None or spec.origin is None:
        return ""
    with suppress(OSError):
        text = (Path(spec.origin).parent / "_version.py").read_bytes()
        if found := _VERSION.search(text):
            return b".".join(found.groups()).decode()
    return "?"
