"""What is shown of the fleet beside its servers: flags, totals, windows, alerts. Pure."""

from enum import StrEnum
from typing import Annotated, Literal

from msgspec import Meta

from shotline.common.base import Struct
from shotline.common.fleet.settings import ServerSettings, Window
from shotline.common.paged import Result
from shotline.common.ranges import Count, Duration, Small, Wall


class FlagKind(StrEnum):
    """What holds for a server beside its being alive or not."""

    DRAINING = "draining"  # takes nothing more
    LIMITED = "limited"  # may use fewer slots than it has, or serves only so much more
    OUT_OF_HOURS = "out_of_hours"
    FAILING = "failing"  # its host's check fails
    LEAVING = "leaving"  # was told to end, or to begin anew
    DIFFERS = "differs"  # from what is expected, or from the others of its class
    STUCK = "stuck"  # slots are taken by what cannot be ended, or have no worker


class Flag(Struct):
    """One of them: why, who said so, and since when."""

    kind: FlagKind
    reason: str = ""
    by: str = ""  # empty: nobody; it came about by itself
    at: Wall = 0.0
    until: Wall | None = None


class FleetTotals(Struct):
    """The whole fleet in numbers."""

    hosts: Count = 0
    servers: Count = 0
    alive: Count = 0
    suspect: Count = 0
    lost: Count = 0
    absent: Count = 0
    slots: Count = 0  # of those that are there
    usable: Count = 0  # that may take work now
    busy: Count = 0
    done: Count = 0  # actions that have ended on servers that are there
    failed: Count = 0
    cpu_time_s: Duration = 0.0


class WindowView(Struct):
    """A maintenance window, and when it comes next."""

    window: Window
    is_open: bool = False
    next_at: Wall | None = None  # when it begins, or has begun; None: it does not come any more
    next_until: Wall | None = None
    servers: tuple[str, ...] = ()  # that it concerns as things stand


class AlertKind(StrEnum):
    """What somebody should look at."""

    LOST = "lost"  # a server was lost
    MISSING = "missing"  # an expected server is not there
    DIFFERS = "differs"  # a server is not as expected, or not as the others of its class
    FAILING = "failing"  # a host fails its check
    STUCK = "stuck"
    LATE = "late"  # a drain is past its deadline, and something still runs
    WINDOW = "window"  # a maintenance window meets a plan of the pulse queue


class Alert(Struct):
    """Something to look at, until it is over."""

    kind: AlertKind
    about: str  # a server, a host or a window
    text: str
    at: Wall = 0.0


class Starting(Struct):
    """Servers of a class that were asked for and are not there yet."""

    server_class: str
    pilots: Small
    reason: str = ""  # the engine's
    since: Wall = 0.0


class FleetView(Struct):
    """The fleet but for its servers."""

    totals: FleetTotals = FleetTotals()
    windows: tuple[WindowView, ...] = ()
    expected_missing: tuple[str, ...] = ()
    alerts: tuple[Alert, ...] = ()
    starting: tuple[Starting, ...] = ()


class FleetAnswer(Struct):
    """What became of a command for one server (or host)."""

    server: str
    done: bool
    text: str  # what it does, or why not


class FleetAnswers(Result, tag="fleet_answers"):
    """Answer to what was asked of servers: a line for each."""

    answers: tuple[FleetAnswer, ...] = ()


class ExpectedServer(Struct):
    """A server that should be there; what is left out may be anything."""

    server: Annotated[str, Meta(pattern=r"^[^:\s]+:[^:\s]+$", max_length=128)]
    host: str | None = None
    slots: Small | None = None
    labels: tuple[str, ...] | None = None
    version: str | None = None
    config_hash: str | None = None
    settings: ServerSettings | None = None


class Difference(Struct):
    """One thing that is not as expected; `expected` is empty for what nobody expects."""

    server: str
    what: Literal[
        "missing", "unexpected", "host", "slots", "labels", "version", "config_hash", "settings"
    ]
    expected: str = ""
    found: str = ""


class FleetExpectedResult(Result, tag="fleet_expected"):
    """Answer to `fleet_expected`: the file, and what is not as it says."""

    expected: tuple[ExpectedServer, ...] = ()
    by: str = ""
    at: Wall = 0.0
    differences: tuple[Difference, ...] = ()
