"""Maintenance windows: made, removed, and compared with the plans of the pulse queue. Pure."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final, NamedTuple

from shotline.common.fleet import commands as f
from shotline.common.fleet.records import WindowRemoved, WindowSet
from shotline.common.fleet.settings import Repeat, Window, zone_of
from shotline.common.fleet.views import FleetAnswer, FleetAnswers, WindowView
from shotline.common.messages import Outcome
from shotline.fleet.core import FleetCore
from shotline.fleet.events import FleetDone
from shotline.fleet.refusal import FleetRefusal
from shotline.fleet.selecting import in_words, is_meant
from shotline.fleet.world import PlanAhead

WINDOWS_MAX: Final = 1000
_UNKNOWN_S: Final = 3600.0  # a plan whose end nobody can tell is taken to last so long
_AHEAD_S: Final = 7 * 24 * 3600.0
_CLASSES_NAMED: Final = 5


class Conflict(NamedTuple):
    """A plan of the pulse queue that needs servers which a window keeps from working."""

    window: str
    text: str


class Planning:
    """Plans maintenance windows."""

    def __init__(self, core: FleetCore, zone: str) -> None:
        self._core = core
        self.zone = zone  # of windows that name none

    def add(self, command: f.FleetWindow, user: str, command_id: str) -> FleetDone:
        """Plan a window; the answer names plans that it meets."""
        core = self._core
        zone = command.zone or self.zone
        try:
            zone_of(zone)
        except ValueError as error:
            raise FleetRefusal(str(error)) from error
        if command.select.is_empty:
            raise FleetRefusal("for which servers? select some, or all by the pattern *")
        window = Window(
            id=command.id or self._free_id(command_id),
            select=command.select,
            begins_at=command.begins_at,
            duration_s=command.duration_s,
            repeat=command.repeat,
            zone=zone,
            until=command.until,
            mode=command.mode,
            reason=command.reason,
            by=user,
            at=core.wall,
        )
        if next(window.times_from(core.wall), None) is None:
            raise FleetRefusal("this window is over already, or never begins")
        if window.repeat is Repeat.DAILY and window.duration_s >= 24 * 3600:
            raise FleetRefusal("a window that comes every day must be shorter than a day")
        if window.id not in core.fold.windows and len(core.fold.windows) >= WINDOWS_MAX:
            raise FleetRefusal(f"there are {WINDOWS_MAX} windows already: remove some first")
        core.put(WindowSet(time=core.wall, by=user, reason=command.reason, window=window))
        conflicts = tuple(one.text for one in self.conflicts() if one.window == window.id)
        servers = self._servers(window)
        answers = tuple(FleetAnswer(server=name, done=True, text="is in it") for name in servers)
        text = f"window {window.id} {window_in_words(window, core.wall)}"
        text += f"; it concerns {len(servers)} servers as things stand"
        return FleetDone(Outcome.OK, text, FleetAnswers(answers=answers), conflicts)

    def _free_id(self, command_id: str) -> str:
        short = "".join(one for one in command_id if one.isalnum())[-6:] or "window"
        return short if short not in self._core.fold.windows else f"{short}-2"

    def remove(self, command: f.FleetWindowRemove, user: str) -> FleetDone:
        """Remove a window."""
        core = self._core
        window = core.fold.windows.get(command.id)
        if window is None:
            known = ", ".join(core.fold.windows) or "none"
            raise FleetRefusal(f"no window {command.id}; known: {known}", unknown=True)
        servers = self._servers(window)
        core.put(WindowRemoved(time=core.wall, by=user, reason=command.reason, id=command.id))
        answers = tuple(
            FleetAnswer(server=name, done=True, text="is free of it") for name in servers
        )
        return FleetDone(
            Outcome.OK, f"window {command.id} is removed", FleetAnswers(answers=answers)
        )

    # Looking

    def views(self) -> tuple[WindowView, ...]:
        """Return all windows, the next one first."""
        found = []
        for window in self._core.fold.windows.values():
            begins, ends = next(window.times_from(self._core.wall), (None, None))
            found.append(
                WindowView(
                    window=window,
                    is_open=begins is not None and begins <= self._core.wall,
                    next_at=begins,
                    next_until=ends,
                    servers=self._servers(window),
                )
            )
        return tuple(sorted(found, key=lambda one: (one.next_at is None, one.next_at or 0.0)))

    def conflicts(self) -> list[Conflict]:
        """Return where windows meet plans of the pulse queue, of the next days."""
        fold = self._core.fold
        if not fold.windows:
            return []
        plans = list(self._core.world.plans())
        if not plans:
            return []
        return [
            found for window in fold.windows.values() for found in self._conflicts(window, plans)
        ]

    def _conflicts(self, window: Window, plans: list[PlanAhead]) -> Iterator[Conflict]:
        classes = {name.partition(":")[0] for name in self._servers(window)}
        classes |= {one for one in window.select.classes if not set(one) & set("*?[")}
        for plan in plans:
            met = sorted(classes & plan.classes)
            if not met or plan.begins_at is None:
                continue
            ends_at = plan.ends_at if plan.ends_at is not None else plan.begins_at + _UNKNOWN_S
            for begins, ends in window.times_from(self._core.wall):
                if begins > min(ends_at, self._core.wall + _AHEAD_S):
                    break
                if ends > plan.begins_at:
                    names = ", ".join(met[:_CLASSES_NAMED])
                    when = "about" if plan.ends_at is not None else "at the earliest"
                    yield Conflict(
                        window.id,
                        f"maintenance window {window.id} ({moment_in_words(begins, window.zone)}) "
                        f"takes servers of class {names}, which {plan.name} needs "
                        f"({when} {moment_in_words(plan.begins_at, window.zone)})",
                    )
                    break

    def _servers(self, window: Window) -> tuple[str, ...]:
        servers = self._core.all_known()
        return tuple(name for name, one in servers.items() if is_meant(window.select, one))


def window_in_words(window: Window, wall: float) -> str:
    """Return when a window comes, and for whom."""
    begins, _ = next(window.times_from(wall), (window.begins_at, 0.0))
    often = "" if window.repeat is Repeat.ONCE else f" {window.repeat},"
    return (
        f"for {in_words(window.select)}:{often} {moment_in_words(begins, window.zone)} for "
        f"{window.duration_s / 60:g} min ({window.zone})"
    )


def moment_in_words(at: float, zone: str) -> str:
    """Return a moment as a clock of the zone shows it."""
    local = datetime.fromtimestamp(at, UTC).astimezone(zone_of(zone))
    return local.strftime("%Y-%m-%d %H:%M")
