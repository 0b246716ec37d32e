"""The machine under the measurement: its facts, what others use of it, what a process uses."""

import os
import platform
import subprocess
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import psutil
import zmq

from shotline.client.local.redis_server import find_redis_binary

MB: Final = 1e6
_PACKAGES: Final = ("pyzmq", "msgspec", "pydantic", "redis", "hiredis", "tornado")
_LOOK_S: Final = 0.5
_ROOT: Final = Path(__file__).resolve().parent.parent


@dataclass(slots=True)
class Facts:
    """When, where and of what something was measured.

    `others_cores`: what others used of the machine just before each round.
    """

    at: str
    commit: str
    processor: str
    cores: int
    system: str
    versions: dict[str, str]
    rounds: int
    scale: float
    others_cores: list[float] = field(default_factory=list)

    @property
    def place(self) -> str:
        """The machine and its software in words."""
        programs = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        return f"{self.cores} cores ({self.processor}), {self.system}, {programs}"


def facts(rounds: int, scale: float) -> Facts:
    """Return the facts as they are now."""
    return Facts(
        at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M"),
        commit=_commit(),
        processor=_processor(),
        cores=os.cpu_count() or 1,
        system=f"{platform.system()} {platform.release().partition('-')[0]}",
        versions=_versions(),
        rounds=rounds,
        scale=scale,
    )


def others_cores() -> float:
    """Return how many cores are in use while nothing of ours runs."""
    before = psutil.cpu_times()
    time.sleep(_LOOK_S)
    after = psutil.cpu_times()
    idle = (after.idle + after.iowait) - (before.idle + before.iowait)
    return round(max(0.0, (os.cpu_count() or 1) - idle / _LOOK_S), 2)


@dataclass(frozen=True, slots=True)
class Used:
    """What processes have used together."""

    cpu_s: float
    wake_ups: int  # voluntary context switches
    rss_mb: float

    def since(self, before: "Used") -> "Used":
        """Return what was used since then; memory as it is now."""
        return Used(self.cpu_s - before.cpu_s, self.wake_ups - before.wake_ups, self.rss_mb)


Groups = Mapping[str, Iterable[int]]
"""Process ids by the word for what they are."""


def used(groups: Groups) -> dict[str, Used]:
    """Return what each group has used so far."""
    return {name: _used(pids) for name, pids in groups.items()}


def _used(pids: Iterable[int]) -> Used:
    cpu_s, wake_ups, rss_mb = 0.0, 0, 0.0
    for process in map(psutil.Process, pids):
        times = process.cpu_times()
        cpu_s += times.user + times.system
        wake_ups += process.num_ctx_switches().voluntary
        rss_mb += process.memory_info().rss / MB
    return Used(cpu_s, wake_ups, rss_mb)


def rss_mb(pid: int) -> float:
    """Return the resident memory of a process, in megabytes."""
    return float(psutil.Process(pid).memory_info().rss) / MB


def children(pid: int) -> list[int]:
    """Return the process ids of all that a process has started."""
    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


def _commit() -> str:
    try:
        told = subprocess.check_output(
            ["git", "describe", "--always", "--dirty"], cwd=_ROOT, text=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return told.strip()


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="ascii").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor()


def _versions() -> dict[str, str]:
    found = {"Python": platform.python_version(), "libzmq": zmq.zmq_version()}
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    told = subprocess.check_output([find_redis_binary(), "--version"], text=True)
    found["Redis"] = told.partition("v=")[2].partition(" ")[0]
    return found
