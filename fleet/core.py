"""What the parts of the fleet's machine share: its knowledge, and the way out. Pure.

`put` makes a record true and journals it; what follows is looked at behind it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf

from msgspec import structs

from shotline.common.fleet.fold import FleetFold
from shotline.common.fleet.records import FleetRecord, ServerSet
from shotline.common.fleet.settings import ServerSettings
from shotline.common.machine import Instant
from shotline.fleet.events import FleetOutput, Keep
from shotline.fleet.selecting import Known, is_meant, known
from shotline.fleet.standing import NO_SETTINGS, OpenWindow, Standing, standing_of
from shotline.fleet.world import ServerState, World


@dataclass(slots=True)
class FleetCore:
    """The fleet's knowledge."""

    world: World
    instant: Instant
    fold: FleetFold = field(default_factory=FleetFold)
    standings: dict[str, Standing] = field(default_factory=dict)  # of servers that are not free
    out: list[FleetOutput] = field(default_factory=list)

    @property
    def wall(self) -> float:
        """Wall clock of what is being handled."""
        return self.instant.wall

    def put(self, record: FleetRecord) -> None:
        """Make a record true, and journal it."""
        self.fold.apply(record)
        self.out.append(Keep(record))

    def set(self, server: str, by: str, reason: str, **changes: object) -> None:
        """Set a server to something else."""
        before = self.fold.of(server).settings
        settings: ServerSettings = structs.replace(before, **changes)
        self.put(
            ServerSet(
                time=self.wall,
                by=by,
                reason=reason,
                server=server,
                settings=settings,
                changed=tuple(changes),
            )
        )

    # Who there is

    def all_known(self) -> dict[str, Known]:
        """Return every server that is there, was there, is set to something, or is expected."""
        fold = self.fold
        found = {name: known(name) for name in fold.servers}
        for name, one in fold.expected.items():
            found[name] = known(name, one.host or "", one.labels or ())
        for name, last in fold.gone.items():
            found[name] = known(name, last.host, last.labels)
        for state in self.world.servers():
            found[state.name] = known(state.name, state.host, state.labels)
        return dict(sorted(found.items()))

    # How they stand

    def open_windows(self) -> list[OpenWindow]:
        """Return the maintenance windows that are open now."""
        found = []
        for window in self.fold.windows.values():
            begins, ends = next(window.times_from(self.wall), (inf, inf))
            if begins <= self.wall:
                found.append(OpenWindow(window, begins, ends))
        return found

    def standing(self, state: ServerState, windows: list[OpenWindow]) -> Standing | None:
        """Return how a server stands now; None: nothing limits it."""
        kept = self.fold.servers.get(state.name)
        met = [one for one in windows if is_meant(one.window.select, known_of(state))]
        if kept is None and not met:
            return None
        return standing_of(kept or NO_SETTINGS, met, state.slots, self.wall)

    def next_window_at(self) -> float:
        """Return when the next window begins (wall-clock seconds); infinite without one."""
        return min(
            (
                begins
                for window in self.fold.windows.values()
                for begins in _next_begin(window.times_from(self.wall), self.wall)
            ),
            default=inf,
        )


def _next_begin(times: Iterator[tuple[float, float]], wall: float) -> Iterator[float]:
    for begins, _ in times:
        if begins > wall:
            yield begins
            return


def known_of(state: ServerState) -> Known:
    """Return a server that is there as one that may be meant."""
    return Known(state.name, state.server_class, state.host, state.labels)
