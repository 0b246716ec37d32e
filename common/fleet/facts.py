"""What a server tells of itself and of its host, beside its heartbeats. Pure.

Measured by each server (`action_server/telling/host_facts.py`), shown as it came. Percentages are
of all CPUs of the host together.
"""

from typing import Annotated

from msgspec import Meta

from shotline.common.base import Struct
from shotline.common.ranges import Clock, Count, Duration, Small, Wall

Percent = Annotated[float, Meta(ge=0, le=100)]
Load = Annotated[float, Meta(ge=0, le=1e6)]
Celsius = Annotated[float, Meta(ge=-300, le=10_000)]


class DiskSpace(Struct):
    """A file system that holds a folder which the site has named."""

    path: str
    total_b: Count
    free_b: Count  # for those who are not root


class HostFacts(Struct):
    """A host as one of its servers has measured it."""

    cpus: Small
    cpu_percent: Percent  # since the measurement before
    load_1: Load  # processes that run or wait, over a minute
    memory_total_b: Count
    memory_used_b: Count  # that nobody could have without swapping
    swap_total_b: Count = 0
    swap_used_b: Count = 0
    disks: tuple[DiskSpace, ...] = ()
    temperature_c: Celsius | None = None  # the highest of its sensors; None: there is none
    clock_offset_s: Clock | None = None  # its wall clock ahead of the broker's


class LoggedLine(Struct):
    """A line of a server's own log."""

    at: Wall
    level: str
    text: str


class Health(Struct):
    """What the site's check of a host says."""

    ok: bool
    text: Annotated[str, Meta(max_length=4096)] = ""  # the end of its output
    at: Wall
    resumes: bool = True  # once it is well; else somebody has to let it


class ServerFacts(Struct):
    """What a server tells of itself; what it has done counts from the start of its process."""

    python: str = ""
    mdsplus: str = ""  # version of the MDSplus that its tasks would import; "": there is none
    config_hash: str = ""  # first digits of the SHA-256 of its configuration file
    done: Count = 0  # actions that have ended here
    failed: Count = 0  # of them those that did not succeed
    cpu_time_s: Duration = 0.0  # processor time of those actions and of all that they started
    heartbeat_s: Duration = 0.0
    host: HostFacts | None = None  # None: not measured
    health: Health | None = None  # None: nobody checks the host, or not yet
