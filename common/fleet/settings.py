"""What servers are set to: slots, hours, drains, how much they still serve. Pure.

All times of day are those of a zone, and come once a day also where its clock is put forward or
back: what the clock leaves out comes at the moment of the change, what it shows twice comes the
first time.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

from msgspec import Meta

from shotline.common.base import Struct
from shotline.common.ranges import NUMBER_MAX, Small, TimeLimit, Wall

TimeOfDay = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
"""HH:MM, from 00:00 to 23:59."""

ZoneName = Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9_+/-]*$", max_length=64)]
"""Of the IANA database, as Europe/Berlin."""

Slots = Annotated[int, Meta(ge=-NUMBER_MAX, le=NUMBER_MAX)]

_DAY_MINUTES: Final = 24 * 60
_DAYS_MAX: Final = 400  # so far ahead is looked for a window


class HoursState(StrEnum):
    """What a server does at some time of the day."""

    OPEN = "open"
    NO_NEW = "no_new"  # takes nothing more; what runs goes on
    ENDED = "ended"  # what runs is ended, too


class Hours(Struct):
    """When a server works, every day: from `start` on it takes work, from `stop` on nothing more.

    At `end` what runs is ended. Without `start` the day begins at midnight; without `stop` and
    `end` nothing more is taken from midnight on. They may go over midnight.
    """

    start: TimeOfDay | None = None
    stop: TimeOfDay | None = None
    end: TimeOfDay | None = None
    zone: ZoneName = "UTC"

    def trouble(self) -> str:
        """Return in words what is wrong with it; "" where it can be kept."""
        try:
            zone_of(self.zone)
        except ValueError as error:
            return str(error)
        opens = _minutes(self.start or "00:00")
        after = [
            (_minutes(at) - opens) % _DAY_MINUTES for at in (self.stop, self.end) if at is not None
        ]
        if not after and opens == 0:
            return "these hours say nothing: give start, stop or end"
        if 0 in after or after != sorted(after):
            return "start, stop and end must follow each other within a day"
        return ""

    def state(self, wall: float) -> HoursState:
        """Return what it does at this time (wall-clock seconds)."""
        return [state for at, state in self._changes(wall) if at <= wall][-1]

    def next_change(self, wall: float) -> float | None:
        """Return when that changes next; None: not within the next days."""
        now = self.state(wall)
        return next((at for at, state in self._changes(wall) if at > wall and state != now), None)

    def opens_at(self, wall: float) -> float | None:
        """Return when it takes work next after this time."""
        changes = self._changes(wall)
        return next((at for at, state in changes if at > wall and state is HoursState.OPEN), None)

    def _changes(self, wall: float) -> list[tuple[float, HoursState]]:
        """Return what happens on the days around this time, in order."""
        zone = zone_of(self.zone)
        today = datetime.fromtimestamp(wall, UTC).astimezone(zone).date()
        times = {HoursState.OPEN: self.start or "00:00"}
        if self.stop is not None or self.end is None:
            times[HoursState.NO_NEW] = self.stop or "00:00"
        if self.end is not None:
            times[HoursState.ENDED] = self.end
        found = []
        for days in range(-2, 4):
            day = today + timedelta(days=days)
            found += [(moment(day, at, self.zone), at, state) for state, at in times.items()]
        found.sort(key=lambda one: (one[0], one[1], one[2] is HoursState.ENDED))
        return [(at, state) for at, _, state in found]


def zone_of(name: str) -> ZoneInfo:
    """Return a time zone. Raise ValueError where the machine does not know it."""
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:
        text = f"time zone {name} is not known here; give one of the IANA database"
        raise ValueError(f"{text}, as Europe/Berlin or UTC") from error


@lru_cache(maxsize=4096)
def moment(day: date, at: str, zone_name: str) -> float:
    """Return when a clock of the zone first shows this time of that day, or a later one."""
    zone = zone_of(zone_name)
    local = datetime.combine(day, time.fromisoformat(at))
    # What the clock leaves out is later by the offset before the change than by the one after it.
    low, high = sorted(local.replace(tzinfo=zone, fold=fold).timestamp() for fold in (1, 0))
    shown = datetime.fromtimestamp(low, UTC).astimezone(zone).replace(tzinfo=None)
    if shown == local:
        return low
    while high - low > 1:
        middle = (low + high) // 2
        shown = datetime.fromtimestamp(middle, UTC).astimezone(zone).replace(tzinfo=None)
        low, high = (low, middle) if shown >= local else (middle, high)
    return high


def time_of_day(wall: float, zone_name: str) -> str:
    """Return what a clock of the zone shows, HH:MM."""
    return datetime.fromtimestamp(wall, UTC).astimezone(zone_of(zone_name)).strftime("%H:%M")


def _minutes(at: str) -> int:
    hours, _, minutes = at.partition(":")
    return 60 * int(hours) + int(minutes)


class QuitAfter(Struct):
    """How much a server still serves before it ends. 0: it takes nothing more, and ends."""

    n: Small
    unit: Literal["actions", "runs", "shots"] = "actions"


class Drain(Struct):
    """A server takes nothing more. `finish`: what runs goes on, until `deadline` at the latest.

    Once it is empty, `then` happens; without it (`stay`) it takes work again when somebody says so.
    """

    mode: Literal["finish", "now"] = "finish"
    deadline: Wall | None = None
    then: Literal["resume", "restart", "quit", "stay"] = "stay"


class ServerSettings(Struct):
    """What a server is set to; None: as it is by itself."""

    slots: Slots | None = None  # so many of its own; negative: all but so many; None: all
    hours: Hours | None = None
    quit_after: QuitAfter | None = None  # what is left of it; None: it serves for ever
    drain: Drain | None = None
    heartbeat_s: TimeLimit | None = None  # how often it tells of itself

    def slots_of(self, own: int) -> int:
        """Return how many of a server's own slots may be used."""
        if self.slots is None:
            return own
        return max(0, min(own, self.slots if self.slots >= 0 else own + self.slots))


class Repeat(StrEnum):
    """How often a maintenance window comes."""

    ONCE = "once"
    DAILY = "daily"
    WEEKDAYS = "weekdays"  # Monday to Friday
    WEEKLY = "weekly"


Pattern = Annotated[str, Meta(min_length=1, max_length=256)]
"""Of names: `*` stands for anything, `?` for one character; case counts."""

Patterns = Annotated[tuple[Pattern, ...], Meta(max_length=1000)]


class Select(Struct):
    """Which servers are meant: those that one pattern of each list that is given fits."""

    classes: Patterns = ()
    hosts: Patterns = ()
    labels: Patterns = ()
    servers: Patterns = ()  # CLASS:ID

    @property
    def is_empty(self) -> bool:
        """Whether it says nothing: all are meant, where that may be."""
        return not (self.classes or self.hosts or self.labels or self.servers)


class Window(Struct):
    """A maintenance window: meanwhile the servers that are meant take nothing more."""

    id: Annotated[str, Meta(min_length=1, max_length=64)]
    select: Select
    begins_at: Wall  # the first time
    duration_s: TimeLimit
    repeat: Repeat = Repeat.ONCE
    zone: ZoneName = "UTC"  # in which it comes at the same time of day
    until: Wall | None = None  # it does not begin any more from then on
    mode: Literal["finish", "now"] = "finish"
    reason: Annotated[str, Meta(max_length=1000)] = ""
    by: Annotated[str, Meta(max_length=256)] = ""
    at: Wall = 0.0  # when it was made

    def times_from(self, wall: float) -> Iterator[tuple[float, float]]:
        """Yield when it begins and ends, those first that are not over at this time."""
        if self.repeat is Repeat.ONCE:
            if self.begins_at + self.duration_s > wall:
                yield self.begins_at, self.begins_at + self.duration_s
            return
        zone = zone_of(self.zone)
        first = datetime.fromtimestamp(self.begins_at, UTC).astimezone(zone)
        earliest = datetime.fromtimestamp(max(wall - self.duration_s, self.begins_at), UTC)
        day = max(earliest.astimezone(zone).date() - timedelta(days=1), first.date())
        for days in range(_DAYS_MAX):
            on = day + timedelta(days=days)
            if not self._comes_on(on, first.date()):
                continue
            begins = moment(on, first.strftime("%H:%M"), self.zone) + first.second
            if self.until is not None and begins >= self.until:
                return
            if begins >= self.begins_at - 1 and begins + self.duration_s > wall:
                yield begins, begins + self.duration_s

    def _comes_on(self, day: date, first: date) -> bool:
        match self.repeat:
            case Repeat.WEEKDAYS:
                return day.weekday() < 5
            case Repeat.WEEKLY:
                return (day - first).days % 7 == 0
            case _:
                return True
