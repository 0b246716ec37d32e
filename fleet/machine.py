"""The fleet's state machine: `handle(now, event)` gives what follows. Pure.

It hands operations to the parts that decide, and looks at the servers that they touch. Nothing else
changes the fold. The dispatcher hosts it, and its journal has the records.
"""

from collections.abc import Iterable, Sequence
from math import inf
from typing import Final, Literal

from shotline.common.fleet import commands as f
from shotline.common.fleet.records import (
    FleetRecord,
    KeptServer,
    ServerGone,
    ServerOrdered,
    ServerServed,
    WindowRemoved,
)
from shotline.common.fleet.settings import Drain
from shotline.common.machine import Instant
from shotline.fleet.core import FleetCore
from shotline.fleet.events import (
    ActionEnded,
    ActionGiven,
    CheckFailed,
    EndActions,
    FleetDone,
    FleetInput,
    FleetOutput,
    Lost,
    Operation,
    Order,
    Recovered,
    Registered,
    RunBegun,
    RunOver,
    ServersChanged,
    Stands,
    TimePassed,
)
from shotline.fleet.expecting import Expecting
from shotline.fleet.planning import Planning
from shotline.fleet.refusal import FleetRefusal
from shotline.fleet.setting import Setting
from shotline.fleet.standing import OpenWindow, in_words, kept_note
from shotline.fleet.world import ServerState, World

LOOK_S: Final = 60.0  # a clock that was set is noticed within so long


class FleetMachine:
    """The machine. Made with what its host knows; `load` takes what the journal holds."""

    def __init__(self, world: World, instant: Instant, zone: str) -> None:
        self.core = FleetCore(world, instant)
        self.setting = Setting(self.core, zone)
        self.planning = Planning(self.core, zone)
        self.expecting = Expecting(self.core)
        self._others_begun: set[str] = set()  # servers whose shots are followed by another one
        self._due_at = inf  # wall clock; only an event or an operation changes it

    def load(self, records: Sequence[FleetRecord]) -> None:
        """Take what the journal holds, once, before the first event."""
        for record in records:
            self.core.fold.apply(record)

    # Events

    def handle(self, instant: Instant, event: FleetInput) -> list[FleetOutput]:
        """Return what follows from an event. An operation's answer is `operate`'s."""
        core = self.core
        core.instant = instant
        match event:
            case Registered():
                self._registered(event)
            case Lost(last=last):
                core.put(ServerGone(time=core.wall, last=last))
                core.standings.pop(last.server, None)
            case ServersChanged(servers=servers):
                self._look(servers)
            case ActionGiven():
                self._given(event)
            case ActionEnded(server=server):
                self._served(server, "actions")
            case RunOver(servers=servers):
                for server in servers:
                    self._served(server, "runs")
            case RunBegun(shot=shot):
                self._run_begun(shot)
            case CheckFailed():
                self._check_failed(event)
            case Recovered(gone=gone):
                for last in gone:
                    core.put(ServerGone(time=core.wall, last=last))
                self._look_at_all()
            case TimePassed():
                self._forget_windows()
                self._look_at_all()
        return self._take()

    def operate(
        self, instant: Instant, operation: Operation
    ) -> tuple[FleetDone, list[FleetOutput]]:
        """Carry out an operation."""
        self.core.instant = instant
        try:
            done = self._operate(operation)
        except FleetRefusal as refusal:
            return refusal.done(), self._take()
        self._look_at_all()
        return done, self._take()

    def _take(self) -> list[FleetOutput]:
        self._see_due()
        out, self.core.out = self.core.out, []
        return out

    def _operate(self, operation: Operation) -> FleetDone:
        command, user = operation.command, operation.user
        match command:
            case f.FleetSlots():
                return self.setting.slots(command, user)
            case f.FleetHours():
                return self.setting.hours(command, user)
            case f.FleetDrain():
                return self.setting.drain(command, user)
            case f.FleetResume():
                return self.setting.resume(command, user)
            case f.FleetQuitAfter():
                return self.setting.quit_after(command, user)
            case f.FleetHeartbeat():
                return self.setting.heartbeat(command, user)
            case f.FleetDismiss():
                return self.setting.dismiss(command, user)
            case f.FleetWindow():
                return self.planning.add(command, user, operation.id)
            case f.FleetWindowRemove():
                return self.planning.remove(command, user)
            case f.FleetExpect():
                return self.expecting.expect(command, user)
            case f.FleetExpected():
                return self.expecting.compare(command)
            case f.FleetList() | f.FleetAdd():
                raise TypeError(f"{command.verb} is the host's")

    # What falls due

    def wake_at(self) -> float | None:
        """Return when TimePassed is due (monotonic); None while nothing changes by itself."""
        if self._due_at == inf:
            return None
        in_s = self._due_at - self.core.instant.wall
        return self.core.instant.mono + min(max(in_s, 0.0), LOOK_S)

    def _see_due(self) -> None:
        standings = self.core.standings.values()
        due = [one.next_at for one in standings if one.next_at is not None]
        self._due_at = min((*due, self.core.next_window_at()))

    def _forget_windows(self) -> None:
        core = self.core
        for window in list(core.fold.windows.values()):
            if next(window.times_from(core.wall), None) is None:
                text = "it is over"
                core.put(WindowRemoved(time=core.wall, reason=text, id=window.id))

    # Servers

    def _registered(self, event: Registered) -> None:
        kept = self.core.fold.of(event.server)
        if kept.ordered and kept.ordered != event.incarnation:
            done = {
                name: None
                for name in ("drain", "quit_after")
                if getattr(kept.settings, name) is not None
            }
            self.core.set(event.server, "", "it was carried out: this is a new life", **done)
        self._others_begun.discard(event.server)
        self._look((event.server,))
        # The dispatcher knows nothing yet of how a new life stands, also where that is as before.
        self.core.out.append(Stands(event.server))

    def _check_failed(self, event: CheckFailed) -> None:
        core = self.core
        if core.fold.of(event.server).settings.drain is None:
            core.set(event.server, f"check of {event.host}", event.text, drain=Drain())
            self._look((event.server,))

    def _look_at_all(self) -> None:
        core = self.core
        for name in [one for one in core.standings if core.world.server(one) is None]:
            del core.standings[name]
        self._look(
            state.name
            for state in core.world.servers()
            if state.name in core.standings or state.name in core.fold.servers or core.fold.windows
        )

    def _look(self, servers: Iterable[str]) -> None:
        """See how servers stand now, and carry out what has come of it."""
        windows: list[OpenWindow] | None = None
        core = self.core
        for name in servers:
            state = core.world.server(name)
            if state is None:
                continue
            if windows is None:
                windows = core.open_windows()
            self._look_at(state, windows)

    def _look_at(self, state: ServerState, windows: list[OpenWindow]) -> None:
        core = self.core
        standing = core.standing(state, windows)
        kept = core.fold.servers.get(state.name)
        if standing is not None and standing.ends and state.running:
            core.out.append(EndActions(state.name, standing.ends))
        elif kept is not None and not state.running and state.is_alive and not state.is_leaving:
            self._empty(state, kept)
            standing = core.standing(state, windows)
        if standing == core.standings.get(state.name):
            return
        if standing is None:
            core.standings.pop(state.name, None)
        else:
            core.standings[state.name] = standing
        core.out.append(Stands(state.name))

    def _empty(self, state: ServerState, kept: KeptServer) -> None:
        """Carry out what is to come once a server runs nothing more."""
        drain, after = kept.settings.drain, kept.settings.quit_after
        if after is not None and after.n == 0 and self._has_served(kept):
            why = in_words(
                f"it was to end after so many {after.unit}", kept_note(kept, "quit_after")
            )
            self._order(state, "quit", why)
        elif drain is not None and drain.then == "resume":
            self.core.set(state.name, "", "it is empty: it takes work again", drain=None)
        elif drain is not None and drain.then != "stay":
            why = in_words(f"drained, then {drain.then}", kept_note(kept, "drain"))
            self._order(state, "quit" if drain.then == "quit" else "restart", why)

    def _has_served(self, kept: KeptServer) -> bool:
        after = kept.settings.quit_after
        if after is None or after.unit != "shots" or not kept.shots:
            return True
        return kept.server in self._others_begun

    def _order(self, state: ServerState, order: Literal["quit", "restart"], why: str) -> None:
        core = self.core
        if core.fold.of(state.name).ordered != state.incarnation:
            core.put(
                ServerOrdered(
                    time=core.wall,
                    reason=why,
                    server=state.name,
                    order=order,
                    incarnation=state.incarnation,
                )
            )
        core.out.append(Order(state.name, order == "quit", why))

    # How much is served

    def _served(self, server: str, unit: str) -> None:
        kept = self.core.fold.servers.get(server)
        after = kept.settings.quit_after if kept is not None else None
        if after is None or after.unit != unit or after.n == 0:
            return
        self.core.put(ServerServed(time=self.core.wall, server=server, left=after.n - 1))
        self._look((server,))

    def _given(self, event: ActionGiven) -> None:
        kept = self.core.fold.servers.get(event.server)
        after = kept.settings.quit_after if kept is not None else None
        if kept is None or after is None or after.unit != "shots" or event.shot in kept.shots:
            return
        self.core.put(
            ServerServed(
                time=self.core.wall,
                server=event.server,
                left=max(after.n - 1, 0),
                shot=event.shot,
            )
        )
        self._look((event.server,))

    def _run_begun(self, shot: str) -> None:
        for name, kept in self.core.fold.servers.items():
            after = kept.settings.quit_after
            is_last = after is not None and after.unit == "shots" and after.n == 0
            if is_last and kept.shots and shot not in kept.shots:
                self._others_begun.add(name)
        if self._others_begun:
            self._look(tuple(self._others_begun))
